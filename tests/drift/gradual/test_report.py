"""Long time windows against the baseline."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.evidence.budget import Budget
from driftgauge.drift.gradual.day_variation import DayVariation
from driftgauge.drift.gradual.report import GradualReport, gradual_report, long_windows
from driftgauge.drift.verdict.policy import ColumnPolicy, Policy
from driftgauge.drift.verdict.report import Carryover, DriftReport, evaluate
from driftgauge.drift.windows.days import Days
from driftgauge.drift.windows.window import Rows, Window, sliding_windows
from scipy.stats import chi2
from scipy.stats import t as student

from tests.monitors import in_sample_baseline, small_baseline, some_rows

KNOWN = small_baseline()
NOW = 1_700_000_000.0
DAY = 86_400.0
POLICY = Policy(windows=(500, 2_000), time_windows=())


def _window(name: str, ages: FloatArray, rows: int = 2_000) -> Window:
    """Return a time window of days with the mean ages, the newest last."""
    values = [_reference_rows(rows, seed, age) for seed, age in enumerate(ages.tolist())]
    counts = np.stack([KNOWN.binner.counts(KNOWN.binner.codes(own)) for own in values]).astype(np.int64)
    length = len(ages) * DAY
    return Window(
        name,
        rows * len(ages),
        NOW - length,
        NOW,
        counts.sum(axis=0),
        seconds=int(length),
        days=Days(NOW, counts),
    )


def _reference_rows(count: int, seed: int, age: float) -> FloatArray:
    """Return rows of the distribution of the small baseline, but for the mean age, which is 40 there."""
    rng = np.random.default_rng(seed)
    return np.column_stack(
        [
            np.where(rng.random(count) < 0.02, np.nan, rng.normal(age, 10.0, count)),
            rng.integers(0, 2, count).astype(np.float64),
            rng.choice([0, 1, 2, KNOWN.bins[2].special["other"]], count, p=[0.5, 0.3, 0.195, 0.005]).astype(np.float64),
            rng.beta(2.0, 3.0, count),
        ]
    )


def _report(*windows: Window, policy: Policy = POLICY, baseline: object = KNOWN) -> DriftReport:
    values = some_rows(600, seed=99)
    held = Rows(values, KNOWN.binner.codes(values), np.full(600, NOW))
    sliding = sliding_windows(held, policy.windows, 0.0, KNOWN.binner)
    known = KNOWN if baseline is KNOWN else in_sample_baseline()
    before = Carryover.start(policy.detector(known))
    return evaluate(known, [*sliding, *windows], 600, before, policy, NOW)[0]


def _judged(*windows: Window, policy: Policy = POLICY, baseline: object = KNOWN) -> GradualReport:
    found = gradual_report(_report(*windows, policy=policy, baseline=baseline))
    assert found is not None
    return found


def gradual_of(report: DriftReport, *, age: float = 43.0, days: int = 29, rows: int = 2_000) -> GradualReport:
    """Return another report's verdict on days with a mean age; 40 is that of the reference."""
    found = _judged(_window("7d", np.full(min(days, 6), age), rows), _window("30d", np.full(days, age), rows))
    return replace(found, report=report)


def test_windows_without_days_are_not_judged() -> None:
    report = _report(Window("24h", 0, NOW - DAY, NOW, np.zeros_like(KNOWN.counts, dtype=np.int64), seconds=86_400))
    assert long_windows(report) == ()
    assert gradual_report(report) is None


def test_days_like_the_reference_are_no_change() -> None:
    found = _judged(_window("7d", np.full(6, 40.0)), _window("30d", np.full(29, 40.0)))
    assert [window.name for window in found.windows] == ["7d", "30d"]
    assert (found.severity, found.changed) == (None, ())
    assert found.variation.days == 29
    assert all((window.effects < 0.5).all() for window in found.windows)


def test_a_drift_of_weeks_that_no_threshold_of_sliding_windows_reaches_is_a_warning() -> None:
    ages = 40.0 + np.linspace(0.0, 3.0, 29)  # ends 0.3 standard deviations above the reference
    week, month = _judged(_window("7d", ages[-6:]), _window("30d", ages)).windows
    assert week.severities == ("warning", None, None, None)
    assert 0.05 < week.psi_debiased[0] < 0.1
    assert month.psi_debiased[0] < 0.025


def test_days_that_differ_by_themselves_raise_the_threshold() -> None:
    rng = np.random.default_rng(5)
    ages = 43.0 + rng.normal(0.0, 4.0, 29)
    found = _judged(_window("7d", ages[-6:]), _window("30d", ages))
    assert (found.severity, found.changed) == (None, ())
    week, month = found.windows
    assert week.by_days[0]
    assert week.thresholds[0, 0] > 2.0 * month.thresholds[0, 0] > 4.0 * 0.025
    assert week.thresholds[3, 0] < 0.1 * week.thresholds[0, 0]


def test_the_numbers_are_those_of_the_definition() -> None:
    window = _window("30d", np.full(29, 41.0))
    report = _report(window)
    variation = DayVariation(np.array([0.01, 0.0, 0.002, 0.0]), 29, 20.0)
    found = gradual_report(report, variation)
    assert found is not None
    own, psi = found.windows[0], report.windows["30d"].psi
    by_days = 2.0 * variation.psi / 29
    np.testing.assert_allclose(own.variation, by_days / 2.0)
    np.testing.assert_allclose(own.psi_debiased, np.maximum(0.0, psi.psi - psi.noise - by_days))
    level = 1.0 / (4 * 1_000)
    degrees = psi.bins - 1.0
    chance = psi.noise * chi2.isf(level, degrees) / degrees + 3.0 * student.isf(level / 2.0, 20.0) ** 2 * by_days
    np.testing.assert_allclose(own.thresholds[:, 0], np.maximum(0.025, chance - psi.noise - by_days))
    assert own.by_days.tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("budget", "days"),
    [
        (Budget(false_alarm_rows=1e7), 1e7 / 2_000),
        (Budget(false_alarm_rows=1e3), 1_000.0),
        (Budget(false_alarm_interval_seconds=5_000 * DAY), 5_000.0),
    ],
)
def test_a_larger_budget_of_rows_or_time_raises_what_chance_explains(budget: Budget, days: float) -> None:
    report = _report(_window("30d", np.full(29, 40.0)), policy=Policy(windows=(2_000,), time_windows=(), budget=budget))
    variation = DayVariation(np.full(4, 0.1), 29, 20.0)
    found = gradual_report(report, variation)
    assert found is not None
    psi, by_days = report.windows["30d"].psi, 0.2 / 29
    level, degrees = 1.0 / (4 * days), psi.bins - 1.0
    chance = psi.noise * chi2.isf(level, degrees) / degrees + 3.0 * student.isf(level / 2.0, 20.0) ** 2 * by_days
    np.testing.assert_allclose(found.windows[0].thresholds[:, 0], chance - psi.noise - by_days)


def test_a_column_that_raises_no_alert_has_severity_info() -> None:
    policy = Policy(windows=(500, 2_000), time_windows=(), columns={"age": ColumnPolicy(alert=False)})
    found = _judged(_window("7d", np.full(6, 50.0)), policy=policy)
    assert found.windows[0].severities == ("info", None, None, None)
    assert (found.severity, found.changed) == ("info", ("age",))


def test_a_column_that_is_not_monitored_or_in_sample_has_no_numbers() -> None:
    policy = Policy(windows=(500, 2_000), time_windows=(), columns={"age": ColumnPolicy(monitor=False)})
    own = _judged(_window("7d", np.full(6, 50.0)), policy=policy, baseline=None).windows[0]
    assert np.isnan(own.psi_debiased).tolist() == [True, False, False, True]
    assert np.isnan(own.thresholds).all(axis=1).tolist() == [True, False, False, True]
    assert own.severities == (None,) * 4


@pytest.mark.parametrize(
    ("days", "rows", "reason"),
    [
        (5, 2_000, "5 of 6 whole days with at least 50 rows"),
        (6, 49, "0 of 6 whole days with at least 50 rows"),
        (6, 60, "360 of 500 rows"),
    ],
)
def test_too_few_days_or_rows_tell_nothing(days: int, rows: int, reason: str) -> None:
    own = _judged(_window("30d", np.full(days, 80.0), rows)).windows[0]
    assert (own.days, own.reason) == (days, reason)
    assert own.severities == (None,) * 4
    assert math.isnan(own.effects[0])


def test_a_window_that_is_judged_has_no_reason() -> None:
    assert [own.reason for own in gradual_of(_report()).windows] == [None, None]


def test_a_window_of_which_no_column_is_compared_says_so() -> None:
    columns = {own.name: ColumnPolicy(monitor=False) for own in KNOWN.columns}
    policy = Policy(windows=(500, 2_000), time_windows=(), columns=columns)
    own = _judged(_window("7d", np.full(6, 50.0)), policy=policy).windows[0]
    assert own.reason == "no column is compared: none is monitored, or the reference has scores of training rows"


@pytest.mark.parametrize("outside", [True, False])
def test_a_week_whose_rows_are_nearly_all_of_one_day_tells_nothing(outside: bool) -> None:
    """After a week without requests, the rows of some hours are not a drift of weeks."""
    few = KNOWN.binner.counts(KNOWN.binner.codes(_reference_rows(600, 1, 80.0))).astype(np.int64)
    counts = np.zeros((6, *few.shape), np.int64)
    if not outside:
        counts[-1] = few
    week = Window("7d", 600, NOW - 7 * DAY, NOW, few, seconds=int(7 * DAY), days=Days(NOW, counts))
    found = _judged(week, _window("30d", np.full(29, 40.0)))
    assert (found.severity, found.variation.days) == (None, 29)
    assert found.windows[0].reason == "one day has more than a third of the rows"
    assert found.windows[1].reason is None


def test_a_burst_within_hours_tells_no_drift_of_a_month() -> None:
    month = _window("30d", np.full(29, 40.0), rows=500)
    assert month.days is not None
    burst = KNOWN.binner.counts(KNOWN.binner.codes(_reference_rows(8_000, 1, 60.0))).astype(np.int64)
    found = _judged(replace(month, rows=month.rows + 8_000, counts=month.counts + burst))
    assert (found.severity, found.windows[0].reason) == (None, "one day has more than a third of the rows")
