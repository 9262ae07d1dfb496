from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from driftgauge.checks.check import Check
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.quality import constraints_of
from driftgauge.checks.reference import reference_of
from driftgauge.checks.report import CheckReport
from driftgauge.checks.table import check
from driftgauge.drift.quality.constraints import Constraints
from driftgauge.drift.reference.baseline import dumps
from driftgauge.errors import BundleError, CheckError, ConstraintsError
from driftgauge.models import constraints_file
from driftgauge.models.creation.baseline import baseline_and_beside


def _table(rows: int = 4_000, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 90, rows),
            "income": rng.normal(50.0, 10.0, rows),
            "country": rng.choice(["DE", "FR", "NL"], rows),
        }
    )


BUILT = baseline_and_beside(_table())
BASELINE, CONSTRAINTS = BUILT.baseline, BUILT.constraints


def _report(
    *tables: pd.DataFrame, constraints: Constraints = CONSTRAINTS, options: CheckOptions | None = None
) -> CheckReport:
    return Check(BASELINE, tables, options, constraints=constraints).report(0.0)


def _broken(rows: int = 1_000) -> pd.DataFrame:
    """Return rows of which 30 have an impossible age: too few to be drift by themselves."""
    table = _table(rows, 1)
    table.loc[7:36, "age"] = 900
    return table


def test_rows_like_the_reference_satisfy_its_constraints() -> None:
    report = _report(_table(1_000, 1))
    assert not report.has_violations
    assert report.windows[0].quality is not None
    assert report.windows[0].quality.violated == []


def test_violations_name_the_rows_of_the_table() -> None:
    report = _report(_broken())
    assert report.has_violations
    [worst] = report.violated_constraints
    assert (worst.feature, worst.constraint, worst.violations) == ("age", "range", 30)
    assert worst.examples[0].row == 8
    said = report.to_dict()["quality"]
    assert said["severity"] == "warning"
    assert said["violations"][0]["examples"] == [{"value": 900.0, "at": None, "row": 8}]
    assert "30 of the 1,000 rows are outside" in report._repr_html_()


def test_a_sample_of_a_large_table_misses_no_violation() -> None:
    report = _report(_broken(), options=CheckOptions(held_rows=50))
    assert report.violated_constraints[0].violations == 30


def test_each_period_has_verdicts_of_its_own() -> None:
    table = _broken()
    table["at"] = pd.date_range("2026-01-01", periods=len(table), freq="5min")
    report = _report(table, options=CheckOptions(time="at", every="1d"))
    assert [bool(own.quality and own.quality.alerting) for own in report.windows] == [True, False, False, False]


def test_a_table_may_lack_no_required_column_and_have_no_extra_one() -> None:
    strict = replace(CONSTRAINTS, required=(*CONSTRAINTS.required, "source"), extra_columns=False)
    table = _table(1_000, 1)
    report = _report(table.assign(note="x"), table.assign(source="web"), constraints=strict)
    first, second = (own.quality for own in report.windows)
    assert first is not None
    assert second is not None
    assert [(own.feature, own.constraint) for own in first.worst_first] == [
        ("source", "required"),
        ("note", "extra_columns"),
    ]
    assert first.worst_first[0].reason == "source: 1,000 of the 1,000 rows lack this required column."
    assert first.severity == "critical"
    assert second.severity is None


def test_the_column_of_times_is_no_extra_one() -> None:
    table = _table(1_000, 1).assign(at=pd.date_range("2026-01-01", periods=1_000, freq="1s"))
    strict = replace(CONSTRAINTS, extra_columns=False)
    assert not _report(table, constraints=strict, options=CheckOptions(time="at")).has_violations


def test_an_ignored_column_has_no_constraints_and_makes_no_duplicates() -> None:
    table = _broken().assign(income=1.0)
    strict = replace(CONSTRAINTS, duplicates=0.0)
    report = _report(table, constraints=strict, options=CheckOptions(ignore=("age", "income")))
    assert not report.has_violations


def test_no_value_of_a_redacted_column_is_shown() -> None:
    report = _report(_broken(), options=CheckOptions(redacted=("age",)))
    assert report.violated_constraints[0].examples == ()


def test_constraints_are_those_beside_the_baseline_or_of_a_file_or_none(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(dumps(BASELINE))
    assert check(path, _broken()).windows[0].quality is None
    (tmp_path / "constraints.yaml").write_text(constraints_file.dumps(CONSTRAINTS))
    assert check(path, _broken()).has_violations
    assert check(path, _broken(), CheckOptions(no_constraints=True)).windows[0].quality is None
    (tmp_path / "none.yaml").write_text("version: 1\n")
    assert not check(path, _broken(), CheckOptions(constraints=tmp_path / "none.yaml")).has_violations


def test_a_wrong_file_of_constraints_is_refused(tmp_path: Path) -> None:
    (tmp_path / "baseline.json").write_text(dumps(BASELINE))
    (tmp_path / "constraints.yaml").write_text("columns: {agee: {type: integral}}\n")
    reference = reference_of(tmp_path / "baseline.json")
    with pytest.raises(BundleError, match="did you mean age"):
        constraints_of(CheckOptions(), reference)
    with pytest.raises(ConstraintsError, match="did you mean age"):
        constraints_of(CheckOptions(constraints=tmp_path / "constraints.yaml"), reference)


def test_a_file_and_no_constraints_contradict_each_other() -> None:
    with pytest.raises(CheckError, match="give one of them"):
        CheckOptions(constraints=Path("constraints.yaml"), no_constraints=True)
