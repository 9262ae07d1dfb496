"""Whether a model performs worse than on its held-out rows, or than its limits allow."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import NormalDist
from typing import Final

from driftgauge.drift.performance.counts import CohortCounts, PerformanceTask
from driftgauge.drift.performance.intervals import Estimate, Z
from driftgauge.drift.performance.metrics import BY_NAME, PerformanceMetric, measure, metrics_of, shown
from driftgauge.drift.verdict.rule import Limit

REQUIRED_ROWS: Final = 200
"""Rows with ground truth from which performance is judged."""
SIGNIFICANCE_LEVEL: Final = 0.999
"""Confidence level of the interval that decides whether a drop is significant, because it is looked at often."""
WIDER: Final = NormalDist().inv_cdf(0.5 + 0.5 * SIGNIFICANCE_LEVEL) / Z
"""Its half-width in those of intervals of level `intervals.LEVEL`."""
ERRORS: Final[Mapping[PerformanceTask, str]] = {
    "binary": "accuracy",
    "multiclass": "accuracy",
    "regression": "mean_absolute_error",
}
"""The metric that is the mean of the errors whose evidence is taken."""


class PerformanceStatus(StrEnum):
    """The status of performance, from the least to the most severe."""

    INSUFFICIENT_LABELS = "insufficient_labels"
    NORMAL = "normal"
    WARNING = "warning"
    DEGRADED = "degraded"


@dataclass(frozen=True)
class PerformancePolicy:
    """Options of the verdict; see the settings of similar names."""

    drop_thresholds: tuple[float, float] = (0.02, 0.05)
    """Relative drops against the held-out value, for warning and critical."""
    limits: Mapping[str, float] = field(default_factory=dict)
    """Absolute limits by metric: the least of a metric for which higher is better, else the most."""
    required_rows: int = REQUIRED_ROWS


@dataclass(frozen=True)
class Held:
    """The performance on held-out rows, from the bundle."""

    rows: int
    metrics: Mapping[str, Estimate]
    in_sample: bool = False
    """Whether they are the training rows: then they are too good to compare with."""


@dataclass(frozen=True)
class MetricVerdict:
    """One metric against its held-out value and its limit."""

    name: str
    current: Estimate
    """With the interval that is shown: of level `intervals.LEVEL`, and of `tau` times fewer rows."""
    held_out: float | None
    """None where it is not known."""
    drop: float
    """How much worse than held out, relative to the held-out value; negative if better, NaN if not known."""
    drop_severity: Limit | None
    """The threshold that a significant drop has reached."""
    limit: float | None
    """The absolute limit, None without."""
    is_beyond_limit: bool
    """Whether the metric is significantly beyond its limit."""

    @property
    def severity(self) -> Limit | None:
        """The severity of this metric; beyond an absolute limit is critical."""
        return "critical" if self.is_beyond_limit else self.drop_severity


@dataclass(frozen=True)
class PerformanceVerdict:
    """The verdict on the rows of one window."""

    status: PerformanceStatus
    severity: Limit | None
    reason: str
    metrics: tuple[MetricVerdict, ...]


@dataclass(frozen=True)
class _Judge:
    """Judges one metric after the other, by what is common to all of them."""

    held: Held | None
    policy: PerformancePolicy
    is_significant: bool
    """Whether every drop is significant."""
    tau: float
    """The autocorrelation time of the errors."""

    @property
    def _wider(self) -> float:
        """Half-width of the interval that decides, in those of the intervals of independent rows."""
        return WIDER * math.sqrt(max(1.0, self.tau))

    def verdict(self, metric: PerformanceMetric, current: Estimate) -> MetricVerdict:
        """Return the verdict on a metric; `current` has the interval of independent rows, the verdict the shown one."""
        said = shown(metric.name, current, self.tau)
        limit = self.policy.limits.get(metric.name)
        beyond = limit is not None and current.is_known and self._is_beyond(metric, current, limit)
        reference = None if self.held is None or self.held.in_sample else self.held.metrics.get(metric.name)
        if reference is None or not reference.is_known:
            return MetricVerdict(metric.name, said, None, math.nan, None, limit, beyond)
        drop = _relative_drop(metric, current.value, reference.value)
        is_real = self.is_significant or self._is_worse(metric, current, reference)
        severity = _drop_severity(drop, self.policy) if metric.is_judged and is_real else None
        return MetricVerdict(metric.name, said, reference.value, drop, severity, limit, beyond)

    def _half_width(self, estimate: Estimate, *, upper: bool) -> float:
        """Return the distance of a bound of the interval that decides, infinite where it is not known."""
        half = estimate.upper - estimate.value if upper else estimate.value - estimate.lower
        return self._wider * half if math.isfinite(half) else math.inf

    def _is_worse(self, metric: PerformanceMetric, current: Estimate, reference: Estimate) -> bool:
        """Return whether the interval of the difference excludes 0.

        It is that of Zou and Donner (2008, "Construction of confidence limits about effect measures"), from the bounds
        of both numbers.
        """
        if not current.is_known or metric.better == "zero":
            return False
        lower_is_worse = metric.better == "higher"
        own = self._half_width(current, upper=lower_is_worse)
        other = self._half_width(reference, upper=not lower_is_worse)
        return metric.worse_by(current.value, reference.value) > math.hypot(own, other)

    def _is_beyond(self, metric: PerformanceMetric, current: Estimate, limit: float) -> bool:
        """Return whether the whole interval is beyond an absolute limit."""
        low = current.value - self._half_width(current, upper=False)
        high = current.value + self._half_width(current, upper=True)
        if metric.better == "higher":
            return high < limit
        if metric.better == "lower":
            return low > limit
        return low > limit or high < -limit


def judge_performance(
    counts: CohortCounts,
    held: Held | None,
    policy: PerformancePolicy,
    *,
    is_significant: bool = False,
    tau: float = 1.0,
) -> PerformanceVerdict:
    """Return the verdict on counted rows.

    A drop counts if it is large (its thresholds) and significant: its interval of level `SIGNIFICANCE_LEVEL` excludes
    no drop, or the evidence of concept drift is raised (`is_significant`) and errors have grown. `tau` is the
    autocorrelation time of the errors; the interval is that of `tau` times fewer rows.
    """
    task = counts.layout.task
    found = measure(counts)
    is_raised = is_significant and _has_more_errors(found, held, task)
    judge = _Judge(held, policy, is_raised, tau)
    verdicts = tuple(judge.verdict(metric, found[metric.name]) for metric in metrics_of(task))
    if counts.rows < policy.required_rows:
        reason = f"{counts.rows:,} labelled rows, {policy.required_rows:,} needed"
        return PerformanceVerdict(PerformanceStatus.INSUFFICIENT_LABELS, None, reason, verdicts)
    worst = _worst(verdicts)
    if worst is None:
        reason = _quiet(verdicts, held, task, policy, tau)
        return PerformanceVerdict(PerformanceStatus.NORMAL, None, reason, verdicts)
    status = PerformanceStatus.DEGRADED if worst.severity == "critical" else PerformanceStatus.WARNING
    return PerformanceVerdict(status, worst.severity, reason_of(worst, by_limit=worst.is_beyond_limit), verdicts)


def _worst(verdicts: tuple[MetricVerdict, ...]) -> MetricVerdict | None:
    """Return the metric that decides, the first of the most severe."""
    for severity in ("critical", "warning"):
        for own in verdicts:
            if own.severity == severity:
                return own
    return None


def _has_more_errors(found: Mapping[str, Estimate], held: Held | None, task: PerformanceTask) -> bool:
    """Return whether the errors have grown: evidence is also raised when they have become fewer."""
    name = ERRORS[task]
    known = None if held is None else held.metrics.get(name)
    return known is not None and BY_NAME[name].worse_by(found[name].value, known.value) > 0.0


def _drop_severity(drop: float, policy: PerformancePolicy) -> Limit | None:
    warning, critical = policy.drop_thresholds
    if drop >= critical:
        return "critical"
    return "warning" if drop >= warning else None


def _relative_drop(metric: PerformanceMetric, value: float, held_out: float) -> float:
    worse = metric.worse_by(value, held_out)
    if metric.better == "zero" or held_out == 0.0:
        return math.nan
    return worse / abs(held_out)


def reason_of(worst: MetricVerdict, *, by_limit: bool) -> str:
    """Return how far a metric is beyond its limit, or how much worse than held out it is."""
    metric = BY_NAME[worst.name]
    now = f"{metric.title} {worst.current.value:.3g} ({worst.current.lower:.3g} to {worst.current.upper:.3g})"
    if by_limit:
        side = "below" if metric.better == "higher" else "above"
        return f"{now} is {side} its limit of {worst.limit:.3g}"
    return f"{now} is {100.0 * worst.drop:.2g} % worse than on held-out rows ({worst.held_out:.3g})"


def _quiet(
    verdicts: tuple[MetricVerdict, ...], held: Held | None, task: PerformanceTask, policy: PerformancePolicy, tau: float
) -> str:
    if held is None:
        return "there is no performance on held-out rows to compare with"
    if held.in_sample:
        return "the bundle has its performance on training rows only: create it with held-out rows to compare"
    known = [own for own in verdicts if BY_NAME[own.name].is_judged and not math.isnan(own.drop)]
    if not known:
        return f"the bundle has no held-out performance of a {task} model"
    worst = max(known, key=lambda own: own.drop)
    if worst.drop <= 0.0:
        return "no worse than on held-out rows"
    now = f"{BY_NAME[worst.name].title} {worst.current.value:.3g}"
    now = f"{now} is {100.0 * worst.drop:.2g} % worse than on held-out rows"
    if worst.drop < policy.drop_thresholds[0]:
        return f"{now}: small"
    alike = f" (consecutive errors are alike: {tau:.0f} rows count as one)" if round(tau) > 1 else ""
    return f"{now}: not significant{alike}"
