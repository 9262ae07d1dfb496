"""Two versions of a model compared by ground truth."""

from __future__ import annotations

import numpy as np
from driftgauge.drift.performance.compared import worse_performance
from driftgauge.drift.performance.report import PerformanceReport
from driftgauge.drift.performance.verdict import PerformanceStatus

from tests.drift.performance.test_report import cohort_of, drawn, reported


def version(accuracy: float, rows: int = 5_000, seed: int = 0) -> PerformanceReport:
    """Return the report on a version that is right so often, and that is compared with no held-out rows."""
    return reported({"all": cohort_of(*drawn(rows, accuracy, seed))}, held=None)


def test_a_version_that_is_significantly_less_accurate_is_worse() -> None:
    found = worse_performance(version(0.8), version(0.9))
    assert found is not None
    assert found.startswith("Accuracy 0.80")
    assert worse_performance(version(0.9), version(0.8)) is None


def test_versions_of_one_accuracy_differ_by_chance_alone() -> None:
    pairs = [(version(0.85, 1_000, 2 * seed), version(0.85, 1_000, 2 * seed + 1)) for seed in range(50)]
    assert [worse_performance(*pair) for pair in pairs] == [None] * 50


def test_a_version_that_is_degraded_is_worse_than_one_that_is_not() -> None:
    degraded = reported({"all": cohort_of(*drawn(5_000, 0.8))})
    normal = reported({"all": cohort_of(*drawn(5_000, 0.91))})
    assert degraded.status is PerformanceStatus.DEGRADED
    assert worse_performance(degraded, None) == degraded.reason
    assert worse_performance(degraded, normal) == degraded.reason
    again = reported({"all": cohort_of(*drawn(5_000, 0.8, 1))})
    assert worse_performance(degraded, again) is None  # both are


def test_a_version_without_enough_labels_is_not_compared() -> None:
    few = version(0.2, 100)
    assert few.status is PerformanceStatus.INSUFFICIENT_LABELS
    assert worse_performance(few, version(0.9)) is None
    assert worse_performance(version(0.8), few) is None
    assert worse_performance(None, version(0.9)) is None
    assert worse_performance(version(0.8), None) is None
    empty = np.zeros(0)
    assert worse_performance(version(0.8), reported({"all": cohort_of(empty, empty.astype(np.int64))})) is None
