"""Whether one version of a model performs worse than another on ground truth."""

from __future__ import annotations

from typing import Final

from driftgauge.drift.performance.intervals import Estimate
from driftgauge.drift.performance.metrics import BY_NAME, PerformanceMetric
from driftgauge.drift.performance.report import PerformanceReport
from driftgauge.drift.performance.verdict import WIDER, PerformanceStatus

NOT_JUDGED: Final = PerformanceStatus.INSUFFICIENT_LABELS


def worse_performance(now: PerformanceReport | None, before: PerformanceReport | None) -> str | None:
    """Return how a version performs worse than another one, in words; None if it does not, or that is not known.

    It does if it is degraded and the other one is not, or if a judged metric is worse and the intervals of both, of
    level `verdict.SIGNIFICANCE_LEVEL`, do not overlap.
    """
    if now is None or now.status is NOT_JUDGED:
        return None
    if now.status is PerformanceStatus.DEGRADED and (before is None or before.status is not PerformanceStatus.DEGRADED):
        return now.reason
    if before is None or before.status is NOT_JUDGED:
        return None
    for name, value in now.main_window.metrics.items():
        metric, other = BY_NAME[name], before.main_window.metrics.get(name)
        if metric.is_judged and other is not None and _is_worse(metric, value, other):
            return f"{metric.title} {value.value:.4g} instead of {other.value:.4g}"
    return None


def _is_worse(metric: PerformanceMetric, value: Estimate, other: Estimate) -> bool:
    """Return whether a metric is worse, with intervals that do not overlap; unknown bounds do overlap."""
    own, than = value.widened(WIDER**2), other.widened(WIDER**2)
    return metric.worse_by(value.value, other.value) > 0 and (own.upper < than.lower or own.lower > than.upper)
