from __future__ import annotations

import math

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.performance.intervals import Estimate
from driftgauge.drift.performance.outcomes import (
    LEAST_ROWS,
    LEAST_STRETCHES,
    STRETCHES,
    OutcomeLimits,
    OutcomeRule,
    OutcomeSums,
    Stretches,
    added,
    autocorrelation_time,
    judge_outcome,
    judge_versions,
    largest_parts,
    outcome_estimate,
    segments_of,
    sums_of,
)
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.signal import lfilter

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50)


def sums(values: list[float], predictions: int | None = None) -> OutcomeSums:
    numbers = np.array(values)
    return OutcomeSums(len(values), float(numbers.sum()), float((numbers**2).sum()), predictions or len(values))


@given(VALUES)
def test_a_number_has_its_mean_with_students_interval(values: list[float]) -> None:
    found = outcome_estimate(sums(values), "number")
    assert found.value == pytest.approx(np.mean(values), rel=1e-9, abs=1e-6)
    if np.std(values) > 1.0:
        interval = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
        assert (found.lower, found.upper) == pytest.approx(interval, rel=1e-4, abs=1e-3 * float(np.std(values)))


@pytest.mark.parametrize(("events", "rows"), [(0, 10), (9, 10), (50, 100), (1_000, 1_000)])
def test_an_event_has_its_rate_with_wilsons_interval(events: int, rows: int) -> None:
    found = outcome_estimate(OutcomeSums(rows, float(events), float(events), rows), "event")
    wanted = stats.binomtest(events, rows).proportion_ci(method="wilson")
    assert (found.value, found.lower, found.upper) == pytest.approx((events / rows, wanted.low, wanted.high), abs=1e-9)


@given(VALUES, VALUES)
def test_sums_of_parts_add_up(first: list[float], second: list[float]) -> None:
    together, whole = sums(first) + sums(second), sums(first + second)
    assert (together.rows, together.predictions) == (whole.rows, whole.predictions)
    assert together.total == pytest.approx(whole.total, abs=1e-3)


def test_predictions_without_an_outcome_can_count_as_a_value() -> None:
    known = sums([1.0, 1.0], predictions=10)
    assert known.coverage == 0.2
    assert outcome_estimate(known, "event").value == 1.0
    assert outcome_estimate(known.with_absent(0.0), "event").value == 0.2
    assert outcome_estimate(known.with_absent(3.0), "number").value == 2.6
    assert known.with_absent(0.0).coverage == 1.0


def test_without_outcomes_nothing_is_known() -> None:
    assert not outcome_estimate(OutcomeSums(predictions=5), "event").is_known
    assert math.isnan(OutcomeSums().coverage)
    assert OutcomeLimits(below=(1.0, 0.5)).status(outcome_estimate(OutcomeSums(), "number"), 0) == "insufficient_data"


@pytest.mark.parametrize(
    ("estimate", "status"),
    [
        (Estimate(5.0, 4.0, 6.0), "normal"),
        (Estimate(2.0, 1.0, 3.1), "normal"),  # the interval still holds the limit
        (Estimate(2.0, 1.1, 2.9), "warning"),
        (Estimate(0.5, 0.1, 0.9), "critical"),
        (Estimate(9.0, 8.1, 9.9), "warning"),
        (Estimate(20.0, 15.0, 25.0), "critical"),
    ],
)
def test_a_limit_is_passed_if_the_whole_interval_lies_beyond_it(estimate: Estimate, status: str) -> None:
    limits = OutcomeLimits(below=(3.0, 1.0), above=(8.0, 12.0))
    assert limits.status(estimate, LEAST_ROWS) == status
    assert limits.status(estimate, LEAST_ROWS - 1) == "insufficient_data"
    assert OutcomeLimits().status(estimate, LEAST_ROWS) == "normal"


def test_a_rate_that_is_at_its_limit_seldom_passes_it() -> None:
    rng = np.random.default_rng(7)
    limits = OutcomeLimits(below=(0.1, 0.05))
    events = rng.binomial(500, 0.1, 4_000)
    passed = [
        limits.status(outcome_estimate(OutcomeSums(500, float(n), float(n), 500), "event"), 500) != "normal"
        for n in events.tolist()
    ]
    assert np.mean(passed) < 0.035  # 2.5 % on one side, and what 4,000 draws allow


def test_a_report_counts_absent_outcomes_and_still_says_how_many_came() -> None:
    rule = OutcomeRule("event", 60.0, absent=0.0, limits=OutcomeLimits(below=(0.5, 0.3)))
    report = judge_outcome(sums([1.0] * 10, predictions=100), rule)
    assert (report.estimate.value, report.rows, report.coverage, report.status) == (0.1, 100, 0.1, "critical")
    assert judge_outcome(OutcomeSums(), rule).status == "insufficient_data"


def test_each_version_is_judged_and_all_together() -> None:
    rule = OutcomeRule("number", 60.0, limits=OutcomeLimits(below=(1.5, 0.5)))
    report = judge_versions({"1": [sums([2.0] * 40)], "2": [sums([1.0] * 40)]}, rule)
    assert (report.rows, report.estimate.value, report.status) == (80, 1.5, "normal")
    assert {name: own.status for name, own in report.versions.items()} == {"1": "normal", "2": "warning"}
    assert judge_versions({}, rule).status == "insufficient_data"


def test_unknown_outcomes_count_as_predictions_alone() -> None:
    assert sums_of(np.array([1.0, math.nan, 3.0])) == OutcomeSums(2, 4.0, 10.0, 3)


def test_segments_are_those_with_the_most_predictions() -> None:
    parts = {("click", "city", str(n)): OutcomeSums(1, 1.0, 1.0, predictions=n) for n in range(30)}
    parts |= {("click", "", ""): OutcomeSums(predictions=0), ("revenue", "city", "1"): OutcomeSums(predictions=99)}
    kept = largest_parts(parts, 2)
    assert list(kept) == [("click", "", ""), ("revenue", "city", "1"), ("click", "city", "29")]
    shown = segments_of(parts, "click", judge_outcome(OutcomeSums(), OutcomeRule("event", 60.0)))
    assert [own.value for own in shown] == [str(n) for n in range(29, 9, -1)]


def test_parts_add_up() -> None:
    one, two = {("a", "", ""): OutcomeSums(1, 2.0, 4.0, 3)}, {("b", "", ""): OutcomeSums(predictions=1)}
    assert added(added(one, two), one) == {("a", "", ""): OutcomeSums(2, 4.0, 8.0, 6), **two}


def stretches_of(values: FloatArray) -> Stretches:
    return [sums_of(part) for part in np.array_split(values, STRETCHES)]


def autocorrelated(rng: np.random.Generator, correlation: float, rows: int = 9_600) -> FloatArray:
    """Return a series of mean 0 and variance 1, whose autocorrelation time is (1 + c) / (1 - c)."""
    unused = int(20.0 / (1.0 - correlation))
    noise = rng.normal(size=rows + unused) * math.sqrt(1.0 - correlation**2)
    series: FloatArray = lfilter([1.0], [1.0, -correlation], noise)[unused:]
    return series


NUMBER = OutcomeRule("number", 60.0)
EVENT = OutcomeRule("event", 60.0)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9, 0.97])
def test_intervals_of_autocorrelated_outcomes_hold_the_mean_as_often_as_they_say(correlation: float) -> None:
    rng = np.random.default_rng(5)
    means = covered = rates = 0
    draws = 400
    for _ in range(draws):
        series = autocorrelated(rng, correlation)
        mean = judge_versions({"1": stretches_of(series)}, NUMBER).estimate
        rate = judge_versions({"1": stretches_of((series > 1.0).astype(np.float64))}, EVENT).estimate
        means += mean.lower <= 0.0 <= mean.upper
        rates += rate.lower <= stats.norm.sf(1.0) <= rate.upper
        covered += abs(series.mean()) <= 1.96 / math.sqrt(len(series))
    assert means >= 0.92 * draws  # 0.95, less three standard errors
    assert rates >= 0.92 * draws
    assert correlation == 0.0 or covered < 0.8 * draws  # the interval of independent rows


def test_the_autocorrelation_time_of_outcomes_is_near_that_of_their_series() -> None:
    rng = np.random.default_rng(6)
    for correlation, most in ((0.0, 1.5), (0.9, 30.0)):
        tau = (1.0 + correlation) / (1.0 - correlation)
        found = np.mean([autocorrelation_time(stretches_of(autocorrelated(rng, correlation))) for _ in range(50)])
        assert tau <= found <= most


def test_outcomes_that_keep_their_value_for_a_stretch_count_once_for_each() -> None:
    values = np.random.default_rng(1).normal(size=STRETCHES)
    report = judge_versions({"1": [sums([value] * 100) for value in values.tolist()]}, NUMBER)
    assert report.tau >= 100.0
    alone = judge_outcome(sums(values.tolist()), NUMBER).estimate
    assert report.estimate.upper - report.estimate.lower >= 0.95 * (alone.upper - alone.lower)


def test_a_gap_in_the_window_changes_nothing() -> None:
    own = stretches_of(np.random.default_rng(2).normal(size=9_600))
    gap = [OutcomeSums(predictions=7)] * 4
    assert autocorrelation_time([*own[:16], *gap, *own[16:]]) == pytest.approx(autocorrelation_time(own))


def test_outcomes_of_few_stretches_count_as_independent() -> None:
    few = [sums([float(n)] * 50) for n in range(LEAST_STRETCHES - 1)]
    none = [OutcomeSums()] * (STRETCHES - len(few))
    assert autocorrelation_time([*few, *none]) == 1.0
    assert autocorrelation_time([]) == 1.0
    assert autocorrelation_time(none) == 1.0
    assert autocorrelation_time([*few, *none[1:], sums([9.0] * 50)]) > 10.0


def test_equal_outcomes_count_as_independent() -> None:
    assert autocorrelation_time([sums([1.0] * 10)] * STRETCHES) == 1.0


def test_predictions_without_an_outcome_are_a_part_of_the_autocorrelation() -> None:
    busy = [OutcomeSums(20, 20.0, 20.0, 100), OutcomeSums(0, 0.0, 0.0, 100)] * (STRETCHES // 2)
    rule = OutcomeRule("event", 60.0, absent=0.0)
    assert judge_versions({"1": busy}, rule).tau > 5.0
    assert judge_versions({"1": busy}, EVENT).tau == 1.0


def test_versions_are_added_by_the_times_of_their_stretches() -> None:
    rng = np.random.default_rng(3)
    common = np.repeat(rng.normal(size=STRETCHES), 50)  # both versions have the same good and bad hours
    versions = {name: stretches_of(common + rng.normal(size=len(common))) for name in "12"}
    report = judge_versions(versions, NUMBER)
    assert report.tau > 1.5 * max(own.tau for own in report.versions.values())


def test_segments_are_judged_with_the_autocorrelation_of_all() -> None:
    report = judge_outcome(sums([1.0, 2.0] * 50), NUMBER, 4.0)
    (own,) = segments_of({("", "city", "a"): sums([1.0, 2.0] * 50)}, "", report)
    assert own.report == report


def test_a_mean_without_an_interval_has_no_verdict() -> None:
    rule = OutcomeRule("number", 3_600.0, limits=OutcomeLimits(above=(10.0, 20.0)))
    few = judge_outcome(sums([50.0] * 40), rule, tau=25.0)
    assert few.estimate.value == 50.0
    assert math.isnan(few.estimate.lower)
    assert few.status == "insufficient_data"
    assert judge_outcome(sums([50.0] * 40), rule, tau=20.0).status == "critical"
