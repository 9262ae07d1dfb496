"""A cohort: the predictions of one span of time, and the ground truth that has come for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.performance.counts import CohortCounts, CountLayout, LabelledRows
from driftgauge.drift.performance.metrics import count, no_rows
from driftgauge.drift.performance.outcomes import OutcomeParts, added, largest_parts

Segment = tuple[str, str]
"""A feature, and the name of its bin."""
MOST_SEGMENTS: Final = 200
"""Segments that a cohort keeps, those with the most rows."""


@dataclass(frozen=True)
class Cohort:
    """What is kept of the predictions of a span of time; cohorts add up."""

    start: float
    """Seconds since 1970; predictions from then on."""
    end: float
    """Predictions before then."""
    predicted: int
    """Predictions in the log, with and without ground truth."""
    lag_seconds: float
    """Sum of the times from a prediction until its label became known."""
    counts: CohortCounts
    labels: FloatArray
    """Labels in each bin of the target's baseline, shape [K]; shape [0] without it."""
    segments: Mapping[Segment, CohortCounts] = field(default_factory=dict)
    outcomes: OutcomeParts = field(default_factory=dict)
    """Sums of business outcomes."""

    @property
    def rows(self) -> int:
        """Predictions with ground truth."""
        return self.counts.rows

    @property
    def coverage(self) -> float:
        """Share of predictions with ground truth, NaN without predictions."""
        return min(1.0, self.rows / self.predicted) if self.predicted else np.nan

    @property
    def mean_lag_seconds(self) -> float:
        """Mean time from a prediction until its label became known, NaN without labels."""
        return self.lag_seconds / self.rows if self.rows else np.nan

    def __add__(self, other: Cohort) -> Cohort:
        segments = dict(self.segments)
        for segment, counts in other.segments.items():
            segments[segment] = segments[segment] + counts if segment in segments else counts
        return Cohort(
            min(self.start, other.start),
            max(self.end, other.end),
            self.predicted + other.predicted,
            self.lag_seconds + other.lag_seconds,
            self.counts + other.counts,
            self.labels + other.labels,
            segments,
            added(self.outcomes, other.outcomes),
        )

    def with_largest_segments(self, most: int = MOST_SEGMENTS) -> Cohort:
        """Return the cohort with the segments of the most rows."""
        kept, outcomes = largest_segments(self.segments, most), largest_parts(self.outcomes, most)
        return replace(self, segments=kept, outcomes=outcomes)


def empty_cohort(layout: CountLayout, label_bins: int, start: float, end: float) -> Cohort:
    """Return a cohort without rows."""
    return Cohort(start, end, 0, 0.0, no_rows(layout), np.zeros(label_bins))


def merged(cohorts: Iterable[Cohort], empty: Cohort) -> Cohort:
    """Return cohorts as one, `empty` for none; its span is theirs."""
    found = list(cohorts)
    if not found:
        return empty
    together = found[0]
    for own in found[1:]:
        together = together + own
    return together


def largest_segments(segments: Mapping[Segment, CohortCounts], most: int) -> dict[Segment, CohortCounts]:
    """Return the segments of the most rows, by feature in order of their rows."""
    ranked = sorted(segments, key=lambda own: (-segments[own].rows, own))[:most]
    order = list(dict.fromkeys(name for name, _ in segments))
    return {own: segments[own] for own in sorted(ranked, key=lambda own: (order.index(own[0]), -segments[own].rows))}


def count_segments(
    layout: CountLayout, rows: LabelledRows, feature: str, names: tuple[str, ...], codes: IntArray
) -> dict[Segment, CohortCounts]:
    """Return the counts of rows by the bin of a feature; `codes` index `names`, shape [n]."""
    return {(feature, names[code]): count(layout, rows.part(codes == code)) for code in np.unique(codes).tolist()}
