from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from driftgauge.checks.assertions.functions import STATISTICS
from driftgauge.checks.assertions.run import run_suite
from driftgauge.checks.assertions.suite import SuiteError, suite
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.reference import reference_of
from driftgauge.checks.table import check
from driftgauge.drift.reference.baseline import dumps
from driftgauge.drift.verdict.policy import ColumnPolicy, Policy
from driftgauge.errors import TableError
from sklearn import metrics

from tests.checks.test_check import days, parquet_of, usual_frame
from tests.conftest import ExampleOf
from tests.examples import TARGET
from tests.monitors import START, small_baseline


@pytest.mark.parametrize("function", STATISTICS)
def test_statistics_of_drift_are_those_of_the_comparison(function: str) -> None:
    table, column = usual_frame(2_000, age=45.0), "city" if function == "unseen" else "age"
    (outcome,) = suite(f"{function}({column}) < 0.0001").run(table, small_baseline(), now=START).outcomes
    features = check(small_baseline(), table, now=START).to_dict()["features"]
    assert outcome.value == features[column][STATISTICS[function]]


def test_the_verdict_of_the_comparison_can_be_asserted() -> None:
    report = suite("drifted(age) == 1", "drifted(city) == 0", "drifted_columns == 1", "drift_share == 0.25").run(
        usual_frame(2_000, age=55.0), small_baseline()
    )
    assert report.passed, report
    assert report.comparison is not None
    assert report.comparison.drifted_features == ("age",)
    usual = suite("drifted_columns == 0", "evidence(age) < 6", "psi_debiased(age) < 0.1").run(
        usual_frame(2_000), small_baseline()
    )
    assert usual.passed, usual


@pytest.mark.parametrize(
    ("options", "share"),
    [
        (CheckOptions(base=Policy(columns={"age": ColumnPolicy(alert=False)})), 0.0),
        (CheckOptions(drift_share=0.9), 0.25),
    ],
)
def test_drift_for_information_alone_does_not_count_but_for_the_share_that_it_has(
    options: CheckOptions, share: float
) -> None:
    texts = ("drifted(age) == 0", "drifted_columns == 0", f"drift_share == {share}")
    report = suite(*texts).run(usual_frame(2_000, age=55.0), small_baseline(), options)
    assert report.passed, report
    assert report.comparison is not None
    assert report.comparison.to_dict()["features"]["age"]["severity"] == "info"


def test_a_statistic_that_a_column_does_not_have_is_unknown() -> None:
    (outcome,) = suite("ks(city) < 1").run(usual_frame(500), small_baseline()).outcomes
    assert (outcome.passed, outcome.value, outcome.problem) == (False, None, "it is not defined for this column")


@pytest.mark.parametrize(
    ("text", "rows", "problem"),
    [
        ("psi(age)", 199, "the window has fewer than 200 rows"),
        ("psi(age)", 200, ""),
        ("ks(age)", 150, "the window has fewer than 200 rows"),
        ("ks(city)", 150, "it is not defined for this column"),
        ("p_value(age)", 99, "the window has fewer than 100 rows"),
        ("p_value(age)", 100, ""),
        ("unseen(age)", 50, "it is not defined for this column"),
        ("out_of_range(age)", 50, ""),
    ],
)
def test_a_statistic_of_too_few_rows_says_how_many_it_needs(text: str, rows: int, problem: str) -> None:
    (outcome,) = suite(f"{text} >= 0").run(usual_frame(rows), small_baseline()).outcomes
    assert (outcome.passed, outcome.problem) == (not problem, problem)


def test_a_column_that_is_not_compared_is_a_problem() -> None:
    with pytest.raises(SuiteError, match=r"psi\(aeg\) < 1: the comparison has no column aeg; did you mean age\?"):
        suite("psi(aeg) < 1").run(usual_frame(500), small_baseline())
    with pytest.raises(SuiteError, match="the comparison has no column age; it has flag, city, prediction"):
        suite("psi(age) < 1").run(usual_frame(500), small_baseline(), CheckOptions(ignore=("age",)))


def test_a_table_without_rows_fails_what_it_cannot_hold(tmp_path: Path) -> None:
    path = parquet_of(usual_frame(10).head(0), tmp_path / "empty")
    report = suite("rows >= 1", "psi(age) < 0.2", "drifted_columns == 0").run(path, small_baseline())
    assert [one.reason for one in report.failed] == ["it is 0", *["the table has no rows to compare"] * 2]
    assert report.comparison is None


def test_periods_are_windows_of_their_own(tmp_path: Path) -> None:
    path = parquet_of(days([40.0, 40.0, 60.0]), tmp_path / "days")
    options = CheckOptions(time="at", every="1d", bytes_at_once=8_192)
    report = suite("rows == 1000", "mean(age) < 50", "psi(age) < 0.2").run(path, small_baseline(), options)
    assert report.is_history
    windows = list(dict.fromkeys(one.window for one in report.outcomes))
    assert windows == ["2023-11-14", "2023-11-15", "2023-11-16"]
    assert [(one.window, one.assertion.text) for one in report.failed] == [
        ("2023-11-16", "mean(age) < 50"),
        ("2023-11-16", "psi(age) < 0.2"),
    ]
    assert str(report).startswith("2023-11-16: mean(age) < 50: it is ")
    without = suite("rows == 1000", "mean(age) < 50").run(path, None, options)
    assert [(one.window, one.value) for one in without.outcomes] == [
        (one.window, one.value) for one in report.outcomes if one.assertion.text != "psi(age) < 0.2"
    ]


@pytest.mark.parametrize(("every", "drifted"), [("30d", [1.0]), ("1d", [0.0, 1.0, 1.0]), (None, [0.0, 1.0, 1.0])])
def test_the_rows_of_all_tables_are_compared(every: str | None, drifted: list[float], tmp_path: Path) -> None:
    found = days([40.0, 70.0, 70.0])
    days_of = found["at"] // 86_400
    tables = [parquet_of(found[days_of == day], tmp_path / f"{day:g}") for day in days_of.unique()]
    options = CheckOptions(time="at", every=every)
    report = run_suite(suite("drifted(age) == 0"), tables, reference_of(small_baseline()), options, START)
    assert [one.value for one in report.outcomes] == drifted
    assert report.comparison is not None
    assert sum(window.report.main.rows for window in report.comparison.windows) == len(found)


@pytest.mark.parametrize("every", ["1d", None])
def test_tables_of_one_day_and_those_without_rows_are_windows_of_their_own(every: str | None, tmp_path: Path) -> None:
    found = days([40.0, 70.0])
    parts = [found.head(500), found.head(0), found[500:1_000], found[1_000:]]
    tables = [parquet_of(part, tmp_path / str(index)) for index, part in enumerate(parts)]
    options = CheckOptions(time="at", every=every)
    report = run_suite(suite("drifted(age) == 0"), tables, reference_of(small_baseline()), options, START)
    assert [one.value for one in report.outcomes] == ([0.0, 1.0] if every else [0.0, None, 0.0, 1.0])


@pytest.mark.parametrize("ending", [".csv", ".parquet", ""])
def test_periods_of_a_table_without_rows_fail_what_they_cannot_hold(ending: str, tmp_path: Path) -> None:
    found = days([40.0]).head(0)
    path = tmp_path / f"empty{ending}"
    if ending == ".csv":
        found.to_csv(path, index=False)
    elif ending:
        found.to_parquet(path)
    options = CheckOptions(time="at", every="1d")
    report = suite("rows >= 1", "mean(age) < 50", "drifted(age) == 0").run(
        path if ending else found, small_baseline(), options
    )
    assert [one.window for one in report.failed] == ["empty" if ending else "table"] * 3
    assert [one.reason for one in report.failed][::2] == ["it is 0", "the table has no rows to compare"]


def test_rows_that_go_back_to_an_earlier_period_are_refused(tmp_path: Path) -> None:
    path = parquet_of(days([40.0, 40.0]).iloc[::-1], tmp_path / "days")
    with pytest.raises(
        TableError, match="at goes back to 2023-11-14T00:00:00Z after the period of 2023-11-15T00:00:00Z"
    ):
        suite("rows > 1").run(path, None, CheckOptions(time="at", every="1d"))
    with pytest.raises(SuiteError, match=r"has no column att; did you mean at\?"):
        suite("rows > 1").run(path, None, CheckOptions(time="att", every="1d"))


def test_the_performance_of_a_bundle_s_model_can_be_asserted(example_of: ExampleOf) -> None:
    example = example_of("binary")
    table = example.evaluation
    report = suite("accuracy > 0.8", "roc_auc > 0.9", "precision > 0.8", "labelled_rows > 10").run(
        table, example.folder
    )
    assert report.passed, report
    answers = example.estimator.predict(example.inputs(table[example.names]))
    values = {one.assertion.function.name: one.value for one in report.outcomes}
    assert values["accuracy"] == pytest.approx(metrics.accuracy_score(table[TARGET], answers))
    positive = example.estimator.classes_[1]
    assert values["precision"] == pytest.approx(
        metrics.precision_score(table[TARGET], answers, pos_label=positive), abs=1e-3
    )
    assert values["labelled_rows"] == len(table)


def test_the_performance_of_a_bundle_s_model_needs_the_target(example_of: ExampleOf) -> None:
    example = example_of("binary")
    (outcome,) = suite("accuracy > 0.8").run(example.evaluation.drop(columns=TARGET), example.folder).outcomes
    assert outcome.problem == "the table has no known target of the bundle's model, or lacks a feature of it"
    (outcome,) = suite("mae < 1").run(example.evaluation, example.folder).outcomes
    assert outcome.problem == "a model of this kind has no such metric, or the rows do not define it"
    with pytest.raises(SuiteError, match="mape is not measured of a bundle's model: name --label and --prediction"):
        suite("mape < 1").run(example.evaluation, example.folder)


def test_columns_that_an_assertion_does_not_name_are_not_read() -> None:
    table = {"a": np.arange(3), "b": [object(), object(), object()]}
    assert suite("mean(a) == 1", "rows == 3", "columns == 2").run(table).passed
    assert suite("rows == 1").run(pd.DataFrame({"b": [[1, 2]]})).passed


def test_violated_constraints_are_counted_and_without_a_file_they_are_unknown(tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    baseline.write_text(dumps(small_baseline()))
    assertion = suite("violated_constraints == 1")
    assert "--constraints" in str(assertion.run(usual_frame(2_000), baseline).outcomes[0].problem)
    (tmp_path / "constraints.yaml").write_text("columns: {age: {type: fractional, maximum: 200}}\n")
    table = usual_frame(4_000)
    assert not assertion.run(table, baseline).passed
    table.loc[:99, "age"] = 300.0
    assert assertion.run(table, baseline).passed
