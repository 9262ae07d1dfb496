from __future__ import annotations

from pathlib import Path

import driftgauge
import pytest
from driftgauge.checks.assertions.suite import SuiteError, suite

TABLE = {"age": [31, 45, None], "country": ["DE", "FR", "DE"]}


def problems_of(*assertions: str | Path, table: object = TABLE, **columns: str) -> tuple[str, ...]:
    """Return what is wrong with a suite, or with it for a table."""
    with pytest.raises(SuiteError) as refused:
        suite(*assertions, **columns).run(table)
    return refused.value.problems


def test_a_suite_holds_if_all_of_its_assertions_hold() -> None:
    report = suite("rows == 3", "missing(age) <= 0.5").run(TABLE)
    assert report.passed
    assert str(report) == "every assertion holds"
    assert report.failed == ()


def test_a_failed_assertion_says_its_value() -> None:
    report = suite("rows >= 4", "missing(age) <= 0.05", "distinct(country) == 2").run(TABLE)
    assert not report.passed
    assert str(report) == "rows >= 4: it is 3\nmissing(age) <= 0.05: it is 0.333333"
    assert repr(report).startswith("<SuiteReport: 2 of 3 assertions failed.")


def test_a_report_is_neither_true_nor_false() -> None:
    with pytest.raises(TypeError, match=r"use report\.passed"):
        assert suite("rows > 0").run(TABLE)


def test_an_assertion_that_is_there_twice_is_computed_once_and_reported_twice() -> None:
    report = suite("rows > 0", "rows > 5").run(TABLE)
    assert [(one.value, one.passed) for one in report.outcomes] == [(3.0, True), (3.0, False)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("row > 1", "there is no function row; did you mean rows?"),
        ("zzzzz > 1", "there is no function zzzzz; there is rows, columns, duplicates"),
        ("mean() < 1", "write mean(column)"),
        ("mean(age, age) < 1", "write mean(column)"),
        ("in_list(age) < 1", "write in_list(column, value, …)"),
        ("quantile(age, 2) < 1", "quantile: level must be from 0 to 1, not 2"),
        ("quantile(age, half) < 1", "quantile: level must be a number, not half"),
        ("in_range(age, 5, 3) < 1", "in_range: low is above high"),
        ("mean(2019) < 1", 'mean: column: put 2019 in quotes if it is meant: "2019"'),
        ("rows == many", "rows is a number: compare it with one, not with many"),
        ("rows between 5 and 3", "between 5 and 3 holds for no number: give the lower one first"),
        ("dtype(age) < integer", "dtype is compared by == or != only"),
        ("dtype(age) == intger", "dtype: there is no type intger; did you mean integer?"),
        ("dtype(age) == 3", "dtype: there is no type 3.0; there is integer, float"),
        ('matches(country, "[") == 1', "matches: pattern: Invalid regular expression: missing ]: ["),
        ("missing(agee) == 0", "the table has no column agee; did you mean age?"),
        ("missing(zzz) == 0", "the table has no column zzz; it has age, country"),
        ("psi(age) < 0.2", "psi compares with a baseline: name it (--baseline PATH)"),
        ("precision > 0", "precision needs the truth: name its column (--label), or a bundle whose model predicts"),
    ],
)
def test_a_suite_that_cannot_be_used_says_what_to_do(text: str, problem: str) -> None:
    (found,) = problems_of(text)
    assert found.startswith(f"{text}: {problem}")


def test_all_problems_are_said_at_once() -> None:
    assert problems_of("row > 1", "rows >", "missing(agee) == 0") == (
        "row > 1: there is no function row; did you mean rows?",
        "rows >: expected a number or a word, found the end",
    )
    assert len(problems_of("missing(agee) == 0", "mean(contry) > 0", "psi(age) < 1")) == 3


def test_the_columns_of_the_truth_must_be_there() -> None:
    assert problems_of("roc_auc > 0.5", label="age") == (
        "roc_auc > 0.5: roc_auc needs the column of predictions: --score",
    )
    assert problems_of("accuracy > 0.5", label="contry", prediction="age") == (
        "the table has no column contry; did you mean country?",
    )
    assert problems_of("accuracy > 0.5", label="age") == (
        "accuracy > 0.5: accuracy needs the column of predictions: --prediction or --score",
    )


def test_nothing_to_assert_is_refused() -> None:
    assert problems_of() == ('there is nothing to assert: give at least one, such as "rows >= 1000"',)
    assert problems_of("  ") == ("an empty assertion: expected the name of a function, found the end",)


def test_many_assertions_on_a_column_have_the_same_value(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a\n1\n2\n", "utf-8")
    report = suite(*[f"mean(a) < {limit}" for limit in range(2, 200)]).run(path)
    assert report.passed
    assert {one.value for one in report.outcomes} == {1.5}


def test_files_and_texts_are_one_suite(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("label: y\nassertions:\n- rows > 0\n", "utf-8")
    (tmp_path / "b.yml").write_text("name: second\nlabel: z\nprediction: p\nassertions: [rows < 9]\n", "utf-8")
    found = suite(tmp_path / "a.yaml", "columns > 0", str(tmp_path / "b.yml"), prediction="q")
    assert [one.text for one in found.assertions] == ["rows > 0", "columns > 0", "rows < 9"]
    assert found.name == "a, second"
    assert (found.truth.label, found.truth.prediction) == ("y", "q")


def test_the_public_name_is_this_one() -> None:
    assert driftgauge.suite is suite
    assert driftgauge.Suite is type(suite("rows > 0"))
