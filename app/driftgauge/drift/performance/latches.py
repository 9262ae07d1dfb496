"""Latches of performance: which thresholds its metrics have reached, and what holds them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal

from driftgauge.drift.performance.metrics import BY_NAME
from driftgauge.drift.performance.verdict import (
    MetricVerdict,
    PerformancePolicy,
    PerformanceStatus,
    PerformanceVerdict,
    reason_of,
)
from driftgauge.drift.verdict.latches import CLEARED
from driftgauge.drift.verdict.rule import LIMITS, Limit

Threshold = Limit | Literal["floor"]
THRESHOLDS: Final[tuple[Threshold, ...]] = (*LIMITS, "floor")
PerformanceLatches = frozenset[tuple[str, Threshold]]
"""Metrics, each with a threshold that it has reached: of its drop, or its absolute limit."""
NO_LATCHES: Final[PerformanceLatches] = frozenset()
_LATCHED: Final[Mapping[PerformanceStatus, frozenset[Threshold]]] = {
    PerformanceStatus.DEGRADED: frozenset({"critical", "floor"}),
    PerformanceStatus.WARNING: frozenset({"warning"}),
}


def update_latches(
    before: PerformanceLatches, judged: Iterable[PerformanceVerdict], policy: PerformancePolicy
) -> PerformanceLatches:
    """Return the latches after the verdicts on the judged windows.

    A threshold of a drop is latched when a window reaches it, and released when the drop is below 0.8 of it in all of
    them. A limit is latched when a metric is significantly beyond it, and released when no window is beyond it. Windows
    with too few rows say nothing; without any other, latches stay.
    """
    known = [own for own in judged if own.status is not PerformanceStatus.INSUFFICIENT_LABELS]
    if not known:
        return before
    metrics = [metric for own in known for metric in own.metrics]
    reached = {(own.name, threshold) for own in metrics for threshold in _reached(own)}
    holding = {(own.name, threshold) for own in metrics for threshold in _holding(own, policy)}
    return frozenset(reached | (before & holding))


def latched_verdict(
    latches: PerformanceLatches, judged: Sequence[PerformanceVerdict], policy: PerformancePolicy
) -> PerformanceVerdict:
    """Return the worst verdict of the judged windows, the last of equal ones, or what is latched if that is worse."""
    order = tuple(PerformanceStatus)
    worst = max(reversed(judged), key=lambda own: order.index(own.status))
    known = [own for own in judged if own.status is not PerformanceStatus.INSUFFICIENT_LABELS]
    for status, thresholds in _LATCHED.items():
        if known and order.index(status) > order.index(worst.status):
            for name, threshold in sorted(latches):
                if threshold in thresholds:
                    return _held(name, threshold, known, policy) or worst
    return worst


def _held(
    name: str, threshold: Threshold, judged: Sequence[PerformanceVerdict], policy: PerformancePolicy
) -> PerformanceVerdict | None:
    """Return the verdict on a threshold that still holds; None where it cannot be compared any more."""
    found = [metric for own in judged for metric in own.metrics if metric.name == name]
    holding = [own for own in found if threshold in _holding(own, policy)]
    if not holding:
        return None
    if threshold == "floor":
        worst = max(holding, key=lambda own: BY_NAME[name].worse_by(own.current.value, 0.0))
        reason = f"{reason_of(worst, by_limit=True)}; ends when it is back"
        return PerformanceVerdict(PerformanceStatus.DEGRADED, "critical", reason, judged[-1].metrics)
    worst = max(holding, key=lambda own: own.drop)
    limit = policy.drop_thresholds[LIMITS.index(threshold)]
    ends = f"{100.0 * limit:.2g} %, ends below {100.0 * CLEARED * limit:.2g} %"
    reason = f"{reason_of(worst, by_limit=False)}; still large (limit {ends})"
    status = PerformanceStatus.DEGRADED if threshold == "critical" else PerformanceStatus.WARNING
    return PerformanceVerdict(status, threshold, reason, judged[-1].metrics)


def _reached(metric: MetricVerdict) -> Iterator[Threshold]:
    if metric.drop_severity is not None:
        yield from LIMITS[: LIMITS.index(metric.drop_severity) + 1]
    if metric.is_beyond_limit:
        yield "floor"


def _holding(metric: MetricVerdict, policy: PerformancePolicy) -> Iterator[Threshold]:
    for limit, threshold in zip(LIMITS, policy.drop_thresholds, strict=True):
        if metric.drop >= CLEARED * threshold:
            yield limit
    if metric.limit is not None and BY_NAME[metric.name].worse_by(metric.current.value, metric.limit) > 0.0:
        yield "floor"
