"""The verdict on performance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from driftgauge.drift.performance.counts import CohortCounts, CountLayout, LabelledRows
from driftgauge.drift.performance.intervals import Estimate, wilson
from driftgauge.drift.performance.metrics import count
from driftgauge.drift.performance.verdict import (
    Held,
    PerformancePolicy,
    PerformanceStatus,
    PerformanceVerdict,
    judge_performance,
)

LAYOUT = CountLayout.of("multiclass", 3)
HELD = Held(20_000, {"accuracy": wilson(18_000, 20_000), "macro_f1": Estimate(math.nan)})


def counted(right: int, rows: int) -> CohortCounts:
    """Return counts of predictions of which some are right."""
    actual = np.arange(rows) % 3
    predicted = np.where(np.arange(rows) < right, actual, (actual + 1) % 3)
    return count(LAYOUT, LabelledRows(np.full(rows, 0.9), actual.astype(np.float64), predicted))


def judged(right: int, rows: int, **options: object) -> PerformanceVerdict:
    return judge_performance(counted(right, rows), HELD, PerformancePolicy(**options))  # type: ignore[arg-type]


def test_few_labels_are_no_verdict() -> None:
    found = judged(10, 199)
    assert found.status is PerformanceStatus.INSUFFICIENT_LABELS
    assert found.severity is None
    assert found.reason == "199 labelled rows, 200 needed"


def test_as_good_as_held_out_is_normal() -> None:
    found = judged(1_810, 2_000)
    assert (found.status, found.reason) == (PerformanceStatus.NORMAL, "no worse than on held-out rows")


@pytest.mark.parametrize(
    ("right", "rows", "status", "severity"),
    [
        (8_700, 10_000, PerformanceStatus.WARNING, "warning"),
        (8_400, 10_000, PerformanceStatus.DEGRADED, "critical"),
        (8_900, 10_000, PerformanceStatus.NORMAL, None),  # significant and small
        (171, 200, PerformanceStatus.NORMAL, None),  # large and not significant
    ],
)
def test_a_drop_counts_if_it_is_large_and_significant(
    right: int, rows: int, status: PerformanceStatus, severity: str | None
) -> None:
    found = judged(right, rows)
    assert (found.status, found.severity) == (status, severity)


def test_a_reason_has_the_numbers() -> None:
    assert judged(8_400, 10_000).reason == "Accuracy 0.84 (0.833 to 0.847) is 6.7 % worse than on held-out rows (0.9)"


def test_evidence_makes_a_large_drop_significant() -> None:
    found = judge_performance(counted(171, 200), HELD, PerformancePolicy(), is_significant=True)
    assert found.severity == "critical"


def test_evidence_that_errors_are_fewer_makes_no_drop_significant() -> None:
    held = Held(20_000, {"accuracy": wilson(16_000, 20_000), "macro_f1": Estimate(0.95, 0.8, 1.0)})
    found = judge_performance(counted(171, 200), held, PerformancePolicy(), is_significant=True)
    assert (found.severity, found.metrics[1].drop > 0.05) == (None, True)


@pytest.mark.parametrize(("tau", "severity"), [(1.0, "critical"), (2.0, "critical"), (40.0, None)])
def test_dependent_rows_are_worth_fewer(tau: float, severity: str | None) -> None:
    found = judge_performance(counted(8_400, 10_000), HELD, PerformancePolicy(), tau=tau)
    assert found.severity == severity


def test_dependent_rows_are_said_as_a_reason() -> None:
    found = judge_performance(counted(8_400, 10_000), HELD, PerformancePolicy(), tau=40.0)
    assert found.reason == (
        "Accuracy 0.84 is 6.7 % worse than on held-out rows: not significant "
        "(consecutive errors are alike: 40 rows count as one)"
    )


def test_a_bound_that_is_unknown_excludes_nothing() -> None:
    held = Held(20_000, {"accuracy": Estimate(0.9), "macro_f1": Estimate(0.9)})
    found = judge_performance(counted(8_400, 10_000), held, PerformancePolicy())
    assert found.severity is None
    assert found.reason == "Accuracy 0.84 is 6.7 % worse than on held-out rows: not significant"


@pytest.mark.parametrize(("name", "limit"), [("mean_absolute_error", 0.1), ("bias", 0.1), ("r2", 0.9)])
def test_a_value_without_bounds_is_beyond_no_limit(name: str, limit: float) -> None:
    row = LabelledRows(np.array([2.0]), np.array([1.0]))
    policy = PerformancePolicy(limits={name: limit}, required_rows=1)
    found = judge_performance(count(CountLayout.of("regression"), row), None, policy)
    assert found.status is PerformanceStatus.NORMAL


@pytest.mark.parametrize(("limit", "is_beyond"), [(0.85, False), (0.905, False), (0.95, True)])
def test_a_limit_holds_until_the_whole_interval_is_beyond_it(limit: float, is_beyond: bool) -> None:
    found = judged(1_800, 2_000, limits={"accuracy": limit})
    assert (found.severity == "critical") is is_beyond
    assert found.metrics[0].limit == limit


def test_a_limit_holds_without_held_out_rows() -> None:
    found = judge_performance(counted(1_800, 2_000), None, PerformancePolicy(limits={"accuracy": 0.95}))
    assert found.reason == "Accuracy 0.9 (0.886 to 0.912) is below its limit of 0.95"
    assert found.metrics[0].held_out is None


@pytest.mark.parametrize(("shift", "is_beyond"), [(0.0, False), (2.0, True), (-2.0, True)])
def test_a_bias_has_a_limit_on_both_sides(shift: float, is_beyond: bool) -> None:
    actual = np.random.default_rng(0).normal(size=500)
    rows = LabelledRows(actual + shift + np.random.default_rng(1).normal(size=500), actual)
    found = judge_performance(count(CountLayout.of("regression"), rows), None, PerformancePolicy(limits={"bias": 1.0}))
    assert (found.severity == "critical") is is_beyond


def test_errors_of_a_regression_may_not_grow() -> None:
    actual = np.random.default_rng(0).normal(size=5_000)
    rows = LabelledRows(actual + np.random.default_rng(1).normal(size=5_000), actual)
    held = Held(5_000, {"mean_absolute_error": Estimate(0.7, 0.68, 0.72)})
    found = judge_performance(count(CountLayout.of("regression"), rows), held, PerformancePolicy())
    assert found.severity == "critical"
    assert next(own.drop for own in found.metrics if own.name == "mean_absolute_error") == pytest.approx(0.14, abs=0.02)


def test_training_rows_are_no_measure() -> None:
    held = Held(20_000, HELD.metrics, in_sample=True)
    found = judge_performance(counted(1_000, 2_000), held, PerformancePolicy())
    assert found.status is PerformanceStatus.NORMAL
    assert "training rows" in found.reason


def test_a_model_that_stays_the_same_is_seldom_called_worse() -> None:
    rng = np.random.default_rng(5)
    wrong = 0
    for _ in range(500):
        held = Held(1_000, {"accuracy": wilson(int(rng.binomial(1_000, 0.8)), 1_000)})
        found = judge_performance(counted(int(rng.binomial(500, 0.8)), 500), held, PerformancePolicy())
        wrong += found.severity is not None
    assert wrong <= 3
