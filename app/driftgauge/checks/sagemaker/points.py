"""Distributions of numbers as weighted values: of a sketch, or of buckets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.checks.sagemaker.statistics import NumberBucket, SketchContent
from driftgauge.drift.bins import FloatArray

MOST: Final = 20_480
"""Values that stand for a distribution where bins and quantiles are chosen from it."""


@dataclass(frozen=True, eq=False)
class Points:
    """Values in ascending order, each with the rows that it stands for."""

    values: FloatArray
    """Shape [n]."""
    rows: FloatArray
    """Shape [n], above 0."""

    def spread(self, most: int = MOST) -> FloatArray:
        """Return as many values of equal weight as there are rows, at most `most`, in ascending order.

        The first and the last are those of the points, however few rows they stand for.
        """
        total = float(self.rows.sum())
        size = int(min(most, round(total)))
        if size == 0:
            return self.values[:0]
        ends = np.cumsum(self.rows)
        levels = (np.arange(size) + 0.5) / size * ends[-1]
        spread: FloatArray = self.values[np.minimum(np.searchsorted(ends, levels), len(ends) - 1)]
        if size > 1:
            spread[0], spread[-1] = self.values[[0, -1]]
        return spread


def points_of_sketch(sketch: SketchContent) -> Points:
    """Return the values of a sketch, one of level i with the weight 2^i; those that are not finite are left out."""
    parts = [np.asarray(level, dtype=np.float64) for level in sketch.data]
    values = np.concatenate([np.empty(0), *parts])
    rows = np.concatenate([np.empty(0), *(np.full(len(own), 2.0**level) for level, own in enumerate(parts))])
    known = np.isfinite(values)
    return _merged(values[known], rows[known])


def points_of_buckets(buckets: Sequence[NumberBucket], *, is_whole: bool = False, most: int = MOST) -> Points:
    """Return values evenly spread over each bucket with rows; whole numbers alone if `is_whole`."""
    filled = [bucket for bucket in buckets if bucket.count > 0]
    each = max(1, most // max(1, len(filled)))
    parts, rows = [np.empty(0)], [np.empty(0)]
    for bucket in filled:
        size = int(min(each, max(1, round(bucket.count))))
        steps = (np.arange(size) + 0.5) / size
        parts.append(_within(bucket, steps, is_whole=is_whole, is_last=bucket is buckets[-1]))
        rows.append(np.full(size, bucket.count / size))
    return _merged(np.concatenate(parts), np.concatenate(rows))


def _within(bucket: NumberBucket, steps: FloatArray, *, is_whole: bool, is_last: bool) -> FloatArray:
    """Return values that lie at some parts of the bucket's width."""
    low, high = bucket.lower_bound, bucket.upper_bound
    first, last = math.ceil(low), math.floor(high) if is_last else math.ceil(high) - 1
    if is_whole and last >= first:
        whole: FloatArray = first + np.floor(steps * (last - first + 1))
        return whole
    return np.clip(low * (1.0 - steps) + high * steps, low, high)


def with_ends(points: Points, low: float, high: float) -> Points:
    """Return the points with the lowest and the highest value; where absent, a row of the next value becomes it."""
    values, rows = points.values.tolist(), points.rows.tolist()
    if high > values[-1]:
        moved = min(1.0, rows[-1] / 2.0)
        values, rows = [*values, high], [*rows[:-1], rows[-1] - moved, moved]
    if low < values[0]:
        moved = min(1.0, rows[0] / 2.0)
        values, rows = [low, *values], [moved, rows[0] - moved, *rows[1:]]
    return Points(np.array(values), np.array(rows))


def _merged(values: FloatArray, rows: FloatArray) -> Points:
    """Return points with each value once, in ascending order."""
    distinct, index = np.unique(values + 0.0, return_inverse=True)
    return Points(distinct, np.bincount(index, weights=rows, minlength=len(distinct)).astype(np.float64))
