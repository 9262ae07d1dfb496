"""Business outcomes of predictions: the rate of an event or the mean of a number, with its interval and verdict.

Outcomes of predictions that follow one another are often alike: a campaign, a busy hour, one customer. The interval is
therefore that of fewer, independent predictions; `tau` of them count as one. `tau` comes from the outcome itself: from
how much its mean varies between stretches of the window.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import Final, Literal

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.performance.intervals import UNKNOWN, Estimate, mean_of, wilson

OutcomeKind = Literal["number", "event"]
OutcomeStatus = Literal["insufficient_data", "normal", "warning", "critical"]
SEVERITIES: Final[tuple[OutcomeStatus, ...]] = ("normal", "warning", "critical")
LEAST_ROWS: Final = 30
"""Outcomes below which there is no verdict: the interval of a mean needs about as many."""
STRETCHES: Final = 32
"""Stretches of equal time that a window is split into."""
MERGED: Final = (1, 2, 4)
"""Stretches that are taken together: what lasts longer than one shows between longer ones."""
LEAST_STRETCHES: Final = 8
"""Stretches with outcomes from which their variance is known well enough."""


@dataclass(frozen=True)
class OutcomeSums:
    """Sums of the outcomes of some predictions; those of several parts add up."""

    rows: int = 0
    """Predictions whose outcome is known."""
    total: float = 0.0
    squares: float = 0.0
    predictions: int = 0
    """Predictions altogether."""

    def __add__(self, other: OutcomeSums) -> OutcomeSums:
        return OutcomeSums(
            self.rows + other.rows,
            self.total + other.total,
            self.squares + other.squares,
            self.predictions + other.predictions,
        )

    def with_absent(self, value: float) -> OutcomeSums:
        """Return the sums if predictions without an outcome count as `value`."""
        absent = max(0, self.predictions - self.rows)
        return OutcomeSums(
            self.rows + absent, self.total + absent * value, self.squares + absent * value * value, self.predictions
        )

    @property
    def coverage(self) -> float:
        """Share of the predictions whose outcome is known; NaN without any."""
        return self.rows / self.predictions if self.predictions else math.nan


Stretches = Sequence[OutcomeSums]
"""The sums of an outcome by the stretches of its window, in order of time."""


def autocorrelation_time(stretches: Stretches) -> float:
    """Return how many predictions carry the information of one independent one; 1 where that is not known.

    It is the variance of the mean by the means of stretches, over that of independent predictions: the largest for
    stretches of several lengths. With outcomes in fewer than LEAST_STRETCHES stretches it is not known.

    >>> autocorrelation_time([OutcomeSums(10, 10.0 * (n < 16), 10.0 * (n < 16), 10) for n in range(32)])
    45.7...
    """
    rows, totals = (np.array([getattr(own, name) for own in stretches], np.float64) for name in ("rows", "total"))
    count = float(rows.sum())
    if count == 0.0:
        return 1.0
    mean = float(totals.sum()) / count
    variance = sum(own.squares for own in stretches) / count - mean * mean
    deviations = totals - mean * rows
    largest = 1.0
    for merged in MERGED:
        starts = np.arange(0, len(rows), merged)
        filled = np.add.reduceat(rows, starts) > 0.0
        known = int(filled.sum())
        if known >= LEAST_STRETCHES and variance > 0.0:
            squares = float((np.add.reduceat(deviations, starts)[filled] ** 2).sum())
            largest = max(largest, known / (known - 1) * squares / (count * variance))
    return largest


def outcome_estimate(sums: OutcomeSums, kind: OutcomeKind, tau: float = 1.0) -> Estimate:
    """Return the rate of an event with Wilson's interval, or the mean of a number with Student's.

    The interval is that of `tau` times fewer predictions.

    >>> outcome_estimate(OutcomeSums(rows=10, total=9.0, squares=9.0, predictions=10), "event")
    Estimate(value=0.9, lower=0.5958..., upper=0.9821...)
    """
    if sums.rows == 0:
        return UNKNOWN
    total, squares, rows = sums.total / tau, sums.squares / tau, sums.rows / tau
    return wilson(total, rows) if kind == "event" else mean_of(total, squares, rows)


Limits = tuple[float, float]
"""For warning and critical."""


@dataclass(frozen=True)
class OutcomeLimits:
    """Values beyond which an outcome is a warning, or critical."""

    below: Limits | None = None
    above: Limits | None = None

    def status(self, estimate: Estimate, rows: int) -> OutcomeStatus:
        """Return the verdict: a limit is passed if the whole interval lies beyond it.

        Without an interval there is no verdict: predictions that are this much alike count as fewer than two.
        """
        if rows < LEAST_ROWS or math.isnan(estimate.lower):
            return "insufficient_data"
        passed = 0
        if self.below is not None:
            passed = sum(estimate.upper < limit for limit in self.below)
        if self.above is not None:
            passed = max(passed, sum(estimate.lower > limit for limit in self.above))
        return SEVERITIES[passed]


@dataclass(frozen=True)
class OutcomeRule:
    """How an outcome is judged; see the settings of the same names."""

    kind: OutcomeKind
    seconds: float
    """Length of the window."""
    absent: float | None = None
    limits: OutcomeLimits = OutcomeLimits()


@dataclass(frozen=True)
class OutcomeReport:
    """An outcome of the newest mature predictions."""

    estimate: Estimate
    rows: int
    """Predictions that count."""
    coverage: float
    """Share of the predictions whose outcome is known; NaN without any."""
    status: OutcomeStatus
    rule: OutcomeRule
    """How it was judged."""
    tau: float = 1.0
    """Predictions that count as one in the interval."""
    versions: Mapping[str, OutcomeReport] = field(default_factory=dict)
    """The same by the version that predicted."""


def judge_outcome(sums: OutcomeSums, rule: OutcomeRule, tau: float = 1.0) -> OutcomeReport:
    """Return the estimate and the verdict on an outcome of which `tau` predictions count as one."""
    counted = _counted(sums, rule)
    estimate = outcome_estimate(counted, rule.kind, tau)
    return OutcomeReport(estimate, counted.rows, sums.coverage, rule.limits.status(estimate, counted.rows), rule, tau)


def _counted(sums: OutcomeSums, rule: OutcomeRule) -> OutcomeSums:
    return sums if rule.absent is None else sums.with_absent(rule.absent)


def judge_versions(versions: Mapping[str, Stretches], rule: OutcomeRule) -> OutcomeReport:
    """Return the report on an outcome of all versions, and of each by its name, from stretches of the same times."""
    together = [reduce(add, stretch) for stretch in zip(*versions.values(), strict=True)]
    return replace(
        _judge_stretches(together, rule),
        versions={name: _judge_stretches(own, rule) for name, own in versions.items()},
    )


def _judge_stretches(stretches: Stretches, rule: OutcomeRule) -> OutcomeReport:
    tau = autocorrelation_time([_counted(own, rule) for own in stretches])
    return judge_outcome(reduce(add, stretches, OutcomeSums()), rule, tau)


OutcomePart = tuple[str, str, str]
"""An outcome, and a feature with the name of its bin; both are empty for all predictions."""
OutcomeParts = Mapping[OutcomePart, OutcomeSums]


@dataclass(frozen=True)
class OutcomeSegment:
    """An outcome of the predictions with one value of a feature."""

    feature: str
    value: str
    report: OutcomeReport


SHOWN_SEGMENTS: Final = 20
"""Segments of an outcome in reports, those with the most predictions."""


def segments_of(parts: OutcomeParts, outcome: str, report: OutcomeReport) -> list[OutcomeSegment]:
    """Return the segments of an outcome with the most predictions, judged as all predictions are in its report."""
    own = largest_parts({part: sums for part, sums in parts.items() if part[0] == outcome}, SHOWN_SEGMENTS)
    return [
        OutcomeSegment(feature, value, judge_outcome(sums, report.rule, report.tau))
        for (_, feature, value), sums in own.items()
        if feature
    ]


def sums_of(values: FloatArray) -> OutcomeSums:
    """Return the sums of the outcomes of predictions, NaN where they are not known."""
    known = values[~np.isnan(values)]
    return OutcomeSums(len(known), float(known.sum()), float((known * known).sum()), len(values))


def added(parts: OutcomeParts, others: OutcomeParts) -> dict[OutcomePart, OutcomeSums]:
    """Return the sums of both."""
    return {own: parts.get(own, OutcomeSums()) + others.get(own, OutcomeSums()) for own in {**parts, **others}}


def largest_parts(parts: OutcomeParts, most: int) -> dict[OutcomePart, OutcomeSums]:
    """Return the sums of whole outcomes, and of the segments with the most predictions."""
    split = sorted((own for own in parts if own[1]), key=lambda own: (-parts[own].predictions, own))
    return {own: sums for own, sums in parts.items() if not own[1]} | {own: parts[own] for own in split[:most]}


def parts_json(parts: OutcomeParts) -> list[list[str | float]]:
    """Return sums as JSON holds them."""
    return [[*own, sums.rows, sums.total, sums.squares, sums.predictions] for own, sums in parts.items()]


def parts_of(content: list[list[str | float]]) -> dict[OutcomePart, OutcomeSums]:
    """Return the sums that `parts_json` wrote; ValueError or TypeError for anything else."""
    return {
        (str(name), str(feature), str(value)): OutcomeSums(int(rows), float(total), float(squares), int(predictions))
        for name, feature, value, rows, total, squares, predictions in content
    }
