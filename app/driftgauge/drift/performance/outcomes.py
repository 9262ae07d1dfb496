"""Business outcomes of predictions: the rate of an event or the mean of a number, with its interval and verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
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


def outcome_estimate(sums: OutcomeSums, kind: OutcomeKind) -> Estimate:
    """Return the rate of an event with Wilson's interval, or the mean of a number with Student's.

    >>> outcome_estimate(OutcomeSums(rows=10, total=9.0, squares=9.0, predictions=10), "event")
    Estimate(value=0.9, lower=0.5958..., upper=0.9821...)
    """
    if sums.rows == 0:
        return UNKNOWN
    return wilson(sums.total, sums.rows) if kind == "event" else mean_of(sums.total, sums.squares, sums.rows)


Limits = tuple[float, float]
"""For warning and critical."""


@dataclass(frozen=True)
class OutcomeLimits:
    """Values beyond which an outcome is a warning, or critical."""

    below: Limits | None = None
    above: Limits | None = None

    def status(self, estimate: Estimate, rows: int) -> OutcomeStatus:
        """Return the verdict: a limit is passed if the whole interval lies beyond it."""
        if rows < LEAST_ROWS or not estimate.is_known:
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
    versions: Mapping[str, OutcomeReport] = field(default_factory=dict)
    """The same by the version that predicted."""


def judge_outcome(sums: OutcomeSums, rule: OutcomeRule) -> OutcomeReport:
    """Return the estimate and the verdict on an outcome."""
    counted = sums if rule.absent is None else sums.with_absent(rule.absent)
    estimate = outcome_estimate(counted, rule.kind)
    return OutcomeReport(estimate, counted.rows, sums.coverage, rule.limits.status(estimate, counted.rows), rule)


def judge_versions(sums: Mapping[str, OutcomeSums], rule: OutcomeRule) -> OutcomeReport:
    """Return the report on an outcome of all versions, and of each by its name."""
    together = judge_outcome(reduce(add, sums.values(), OutcomeSums()), rule)
    return replace(together, versions={name: judge_outcome(own, rule) for name, own in sums.items()})


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


def segments_of(parts: OutcomeParts, outcome: str, rule: OutcomeRule) -> list[OutcomeSegment]:
    """Return the segments of an outcome with the most predictions, and how each is judged."""
    own = largest_parts({part: sums for part, sums in parts.items() if part[0] == outcome}, SHOWN_SEGMENTS)
    return [
        OutcomeSegment(feature, value, judge_outcome(sums, rule))
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
