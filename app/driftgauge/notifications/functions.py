"""Functions of PromQL on the samples of one series or histogram."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from driftgauge.notifications.samples import Point

OVER_TIME: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "min_over_time": min,
    "max_over_time": max,
    "last_over_time": lambda values: values[-1],
}
"""Functions of the values of a range."""


def total(values: Sequence[float]) -> float:
    """Return the sum, which may be infinite or NaN."""
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):
        return sum(values)


def increase(points: Sequence[Point], start: float, end: float) -> float | None:
    """Return by how much a counter rose in a range, extrapolated to its ends as Prometheus does; None if unknown."""
    if len(points) < 2 or points[-1][0] <= points[0][0]:
        return None
    (first_at, first), (last_at, last) = points[0], points[-1]
    resets = sum(before for (_, before), (_, after) in pairwise(points) if after < before)
    rise, sampled = last - first + resets, last_at - first_at
    usual = sampled / (len(points) - 1)
    before, after = first_at - start, end - last_at
    limit = 1.1 * usual
    if rise > 0 and first >= 0:
        before = min(before, sampled * first / rise)  # a counter was never below zero
    before = before if before < limit else usual / 2
    after = after if after < limit else usual / 2
    return rise * (sampled + before + after) / sampled


def quantile(share: float, buckets: Mapping[float, float]) -> float:
    """Return a quantile of a histogram, from cumulative counts by upper bound; NaN if it cannot be known."""
    bounds = sorted(buckets)
    if len(bounds) < 2 or not math.isinf(bounds[-1]) or buckets[bounds[-1]] == 0:
        return math.nan
    counts = [buckets[bound] for bound in bounds]
    for index in range(1, len(counts)):
        counts[index] = max(counts[index], counts[index - 1])
    rank = share * counts[-1]
    if math.isnan(rank):
        return math.nan
    index = next((index for index, count in enumerate(counts) if count >= rank), len(counts) - 1)
    if index == len(bounds) - 1:
        return bounds[-2]
    if index == 0 and bounds[0] <= 0:
        return bounds[0]
    lower, below = (bounds[index - 1], counts[index - 1]) if index else (0.0, 0.0)
    return lower + (bounds[index] - lower) * (rank - below) / (counts[index] - below)
