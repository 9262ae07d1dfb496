from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.quality.checker import UNKNOWN_VALUE, Checker, QualityOptions
from driftgauge.drift.quality.constraints import ColumnConstraints, Constraints
from driftgauge.drift.quality.report import ConstraintVerdict, QualityReport
from driftgauge.drift.quality.suggestion import suggest, table_facts
from driftgauge.drift.reference.baseline import Baseline, measuring_length
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories, Table
from driftgauge.drift.windows.time_spans import TimeSpan, Totals
from driftgauge.drift.windows.window import time_windows

from tests.drift.quality.windows import NOW, rows_of, windows_of

ROWS = 5_000
NAMES = ("DE", "FR", "NL")


def _table(rows: int = ROWS, seed: int = 0) -> Table:
    rng = np.random.default_rng(seed)
    return {
        "age": rng.integers(18, 90, rows).astype(np.float64),
        "income": np.where(rng.random(rows) < 0.05, np.nan, rng.normal(size=rows)),
        "country": Categories(rng.integers(0, 3, rows), NAMES),
    }


def _live(rows: int = 1_000, seed: int = 1) -> tuple[FloatArray, FloatArray, list[str | None]]:
    table = _table(rows, seed)
    country = table["country"]
    assert isinstance(country, Categories)
    age, income = table["age"], table["income"]
    assert isinstance(age, np.ndarray)
    assert isinstance(income, np.ndarray)
    return age, income, [NAMES[code] for code in country.codes.tolist()]


TABLE = _table()
BASELINE = build_baseline(TABLE, created="2026-01-01T00:00:00Z")
CONSTRAINTS = suggest(BASELINE, table_facts(TABLE, BASELINE))


def _report(
    columns: tuple[FloatArray, FloatArray, list[str | None]],
    constraints: Constraints = CONSTRAINTS,
    options: QualityOptions | None = None,
) -> QualityReport:
    return Checker(BASELINE, constraints, options).report(windows_of(BASELINE, columns), 1e6)


def _of(report: QualityReport, feature: str | None, constraint: str) -> ConstraintVerdict:
    return next(own for own in report.verdicts if (own.feature, own.constraint) == (feature, constraint))


def _with(column: ColumnConstraints) -> Constraints:
    return Constraints((column,))


def test_rows_like_the_reference_violate_nothing() -> None:
    report = _report(_live())
    assert report.severity is None
    assert report.reason == "no constraint is violated more often than in the reference"
    assert len(report.verdicts) == len(report.ratios["1000"])


def test_values_outside_of_the_range_are_counted_with_examples() -> None:
    age, income, country = _live()
    age[-300:] = 900.0
    age[-1] = 901.0
    report = _report((age, income, country))
    found = _of(report, "age", "range")
    assert (found.window, found.severity, found.violations, found.ratio) == ("100", "critical", 100, 1.0)
    assert report.ratios["1000"][report.verdicts.index(found)] == 0.3
    assert [(own.value, own.at) for own in found.examples] == [(901.0, NOW), (900.0, NOW - 1)]
    assert found.reason.startswith("age: 100 of the last 100 rows are outside 10.9 to 96.1. Examples: 901, 900")
    assert report.severity == "critical"
    assert report.reason == found.reason


@pytest.mark.parametrize(
    ("value", "constraint"), [(-1.0, "non_negative"), (30.5, "integrality"), (1e9, "range"), (np.inf, "range")]
)
def test_each_constraint_on_numbers_counts_its_own_violations(value: float, constraint: str) -> None:
    age, income, country = _live()
    age[::4] = value
    found = _of(_report((age, income, country)), "age", constraint)
    assert found.violations == np.count_nonzero(age[-found.rows :] == value)
    assert found.severity == "critical"


def test_a_missing_value_violates_completeness_alone() -> None:
    age, income, country = _live()
    age[:500] = np.nan
    report = _report((age, income, country))
    assert [(own.feature, own.constraint) for own in report.worst_first] == [("age", "completeness")]
    assert report.reason == "age: 500 of the last 1,000 rows are missing."


def test_as_many_missing_values_as_in_the_reference_are_allowed() -> None:
    age, income, country = _live()
    found = _of(_report((age, income, country)), "income", "completeness")
    assert found.severity is None
    assert found.allowed == pytest.approx(0.05, abs=0.01)
    assert found.thresholds["warning"] == pytest.approx(found.allowed + 0.01)


def test_a_category_outside_of_the_domain_is_counted() -> None:
    age, income, country = _live()
    country[-100:] = ["XX"] * 100
    found = _of(_report((age, income, country)), "country", "domain")
    assert (found.window, found.violations, found.severity) == ("100", 100, "critical")
    assert [own.value for own in found.examples] == [UNKNOWN_VALUE]


def test_a_known_category_can_be_forbidden() -> None:
    forbidden = _with(ColumnConstraints("country", "string", domain=("DE", "FR")))
    checker = Checker(BASELINE, forbidden)
    assert checker.items[0].reference == pytest.approx(ROWS / 3, rel=0.1)  # the reference has many, so it is no news
    found = _report((*_live()[:2], ["NL"] * 1_000), forbidden).verdicts[0]
    assert found.severity == "critical"
    assert [own.value for own in found.examples] == ["NL"]


def test_a_domain_with_values_that_the_baseline_does_not_know_leaves_new_values_uncounted() -> None:
    wider = _with(ColumnConstraints("country", "string", domain=("DE", "FR", "NL", "BE")))
    report = _report((*_live()[:2], ["BE"] * 1_000), wider)
    assert report.severity is None
    assert "country: its domain has values that the baseline does not know" in report.notes[0]


def test_a_small_share_is_information_from_its_evidence_on() -> None:
    table = {"age": np.random.default_rng(0).integers(18, 90, 500_000).astype(np.float64)}
    baseline = build_baseline(table, created="2026-01-01T00:00:00Z")
    age = _live(10_000)[0]
    age[:60] = 900.0
    checker = Checker(baseline, suggest(baseline, table_facts(table, baseline)))
    report = checker.report(windows_of(baseline, (age,), (1_000, 10_000)), 1e6)
    assert (report.severity, report.worst_first[0].ratio) == ("info", 0.006)


def test_few_rows_are_no_evidence() -> None:
    age, income, country = _live()
    age[-1] = 900.0
    found = _of(_report((age, income, country)), "age", "range")
    assert (found.severity, found.violations, found.examples) == (None, 1, ())


def test_duplicates_are_rows_that_are_equal_to_an_earlier_one() -> None:
    report = _report(tuple(own[:10] * 100 if isinstance(own, list) else np.tile(own[:10], 100) for own in _live()))  # type: ignore[arg-type]
    found = _of(report, None, "duplicates")
    assert (found.violations, found.severity) == (990, "critical")
    assert found.reason == "990 of the last 1,000 rows are equal to an earlier one; a share of 0.119 is allowed."


def _report_on_the_same(table: Table, live: Table, windows: tuple[int, ...]) -> QualityReport:
    baseline = build_baseline(table, created="2026-01-01T00:00:00Z")
    checker = Checker(baseline, suggest(baseline, table_facts(table, baseline)))
    cells = [
        own if isinstance(own, np.ndarray) else [own.names[code] if code >= 0 else None for code in own.codes.tolist()]
        for own in live.values()
    ]
    return checker.report(windows_of(baseline, cells, windows), 1e6)


def test_rare_categories_of_the_same_distribution_are_no_duplicates() -> None:
    def table(seed: int) -> Table:
        codes = np.random.default_rng(seed).integers(-1, 900, 2_000)
        return {"id": Categories(codes, tuple(f"id {i}" for i in range(900))), "flag": (codes % 2).astype(np.float64)}

    report = _report_on_the_same(table(0), table(1), (1_000, 2_000))
    assert report.severity is None
    assert report.constraints.duplicates == 1.0  # all of them are in one bin


def test_a_larger_window_than_the_reference_has_no_more_duplicates() -> None:
    def table(rows: int, seed: int) -> Table:
        return {"x": np.random.default_rng(seed).integers(0, 1_000, rows).astype(np.float64)}

    report = _report_on_the_same(table(500, 0), table(10_000, 1), (1_000, 10_000))
    found = _of(report, None, "duplicates")
    assert report.severity is None
    assert found.rows == 500
    assert found.ratio == pytest.approx(0.21, abs=0.05)
    assert report.ratios["10000"][-1] == found.ratio


def test_no_value_of_a_redacted_column_is_shown() -> None:
    age, income, country = _live()
    age[-300:] = 912.0
    for options in (QualityOptions(redacted=frozenset({"age"})), QualityOptions(has_examples=False)):
        found = _of(_report((age, income, country), options=options), "age", "range")
        assert found.severity == "critical"
        assert found.examples == ()
        assert "912" not in found.reason


def test_a_column_that_is_not_monitored_is_not_checked() -> None:
    checker = Checker(BASELINE, CONSTRAINTS, QualityOptions(ignored=frozenset({"age", "income"})))
    assert {item.name for item in checker.items} == {"country"}


def test_a_column_that_raises_no_alert_is_at_most_information() -> None:
    age, income, country = _live()
    age[:] = 900.0
    report = _report((age, income, country), options=QualityOptions(silent=frozenset({"age"})))
    assert report.severity == "info"


def test_lengths_of_free_text_and_of_categories_are_limited() -> None:
    table: Table = {
        "note": (np.arange(1_000) % 50 + 1).astype(np.float64),
        "code": Categories(np.arange(1_000) % 2, ("ab", "abcd")),
    }
    baseline = measuring_length(build_baseline(table, created="2026-01-01T00:00:00Z"), ["note"])
    constraints = Constraints(
        (ColumnConstraints("note", "string", max_length=60), ColumnConstraints("code", "string", max_length=3))
    )
    checker = Checker(baseline, constraints)
    [window] = windows_of(baseline, (np.array([60.0, 61.0, np.nan] * 100), ["ab", "abcd", None] * 100), (1_000,))
    assert checker.violations(window).tolist() == [100.0, 100.0]


def test_a_range_that_the_reference_itself_leaves_is_expected_to_be_left() -> None:
    narrow = Checker(BASELINE, _with(ColumnConstraints("age", "integral", minimum=30.0, maximum=90.0)))
    by_hand = np.asarray(TABLE["age"]) < 30.0
    assert narrow.items[0].reference == pytest.approx(by_hand.sum(), rel=0.05)
    assert _report(_live(), narrow.constraints).severity is None


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_numbers_of_the_reference_are_expected(value: float) -> None:
    def table(seed: int) -> Table:
        rng = np.random.default_rng(seed)
        return {"x": np.where(rng.random(2_000) < 0.3, value, rng.normal(size=2_000))}

    assert _report_on_the_same(table(0), table(1), (1_000, 2_000)).severity is None


def test_missing_values_of_the_reference_leave_no_range() -> None:
    values = np.where(np.arange(4_000) % 2 == 0, np.nan, np.arange(4_000.0))
    baseline = build_baseline({"x": values}, created="2026-01-01T00:00:00Z")
    checker = Checker(baseline, _with(ColumnConstraints("x", "fractional", maximum=1_999.5)))
    assert checker.items[0].reference == pytest.approx(1_000, abs=4)


def test_of_a_time_window_without_its_rows_bins_tell_what_they_can() -> None:
    age, income, country = _live()
    country[:100] = ["XX"] * 100
    rows = rows_of(BASELINE, (age, income, country))
    counts = BASELINE.binner.counts(rows.codes)
    columns = len(BASELINE.columns)
    totals = Totals(TimeSpan("1h", 3_600), NOW - 10, 1_000, counts, np.zeros((2, columns)), np.zeros(24, np.int64))
    checker = Checker(BASELINE, CONSTRAINTS)
    [window] = time_windows([totals], rows, NOW)
    found = dict(zip([(item.name, item.kind) for item in checker.items], checker.violations(window), strict=False))
    assert found["country", "domain"] == 100.0
    assert found["age", "completeness"] == 0.0
    assert np.isnan(found["age", "range"])
    assert np.isnan(checker.violations(window)[-1])


def test_more_dependent_rows_are_less_evidence() -> None:
    age, income, country = _live()
    age[-30:] = 900.0
    checker, windows = Checker(BASELINE, CONSTRAINTS), windows_of(BASELINE, (age, income, country))
    assert checker.report(windows, 1e6).severity is not None
    assert checker.report(windows, 1e6, np.full(3, 50.0)).severity is None


def test_before_the_first_row_nothing_is_violated() -> None:
    nothing: tuple[FloatArray, FloatArray, list[str | None]] = (np.empty(0), np.empty(0), [])
    report = _report(nothing)
    assert report.severity is None
    assert np.isnan(report.ratios["100"]).all()


def test_scores_have_no_constraints() -> None:
    table: Table = {"x": np.arange(100.0), "prediction": np.arange(100.0)}
    baseline: Baseline = build_baseline(table, created="2026-01-01T00:00:00Z")
    constraints = replace(suggest(baseline), columns=(ColumnConstraints("prediction", "fractional", minimum=50.0),))
    assert Checker(baseline, constraints).items == ()


def test_rows_that_windows_share_are_hashed_once_and_counted_in_each() -> None:
    age, income, country = _live(1_000)
    age[-60:], income[-60:] = 30.0, 1.0
    country[-60:] = ["DE"] * 60
    checker = Checker(BASELINE, replace(CONSTRAINTS, duplicates=0.0))
    windows = windows_of(BASELINE, (age, income, country))
    report = checker.report(windows, 1e6)
    for window in windows:
        assert report.ratios[window.name][-1] * window.rows == pytest.approx(checker.violations(window)[-1])
    assert report.ratios["100"][-1] >= 0.59


@pytest.mark.parametrize("value", [17.0, 90.0, 18.5, np.nan, 18.0])
def test_what_bins_tell_of_numbers_is_what_their_values_tell(value: float) -> None:
    age, income, country = _live(200)
    age[:3] = value
    [window] = windows_of(BASELINE, (age, income, country), (200,))
    age_constraints = ColumnConstraints("age", "integral", minimum=18.0, maximum=89.0, is_non_negative=True)
    checker = Checker(BASELINE, _with(age_constraints))
    found = {item.kind: found for item, found in zip(checker.items, checker.violations(window), strict=False)}
    assert found["range"] == np.count_nonzero((age < 18.0) | (age > 89.0))
    assert found["integrality"] == np.count_nonzero(np.isfinite(age) & (age != np.rint(age)))
    assert found["non_negative"] == 0
