"""Regressions: sums of errors and targets, and the metrics that they give."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.performance.counts import CohortCounts, CountLayout, LabelledRows
from driftgauge.drift.performance.intervals import UNKNOWN, Estimate, mean_of, normal

_SUMS: Final = ("n", "e", "abs_e", "e2", "e4", "y", "y2", "y3", "y4", "e2y", "e2y2")
"""Of the error e (predicted minus actual) in units of the layout's scale, and the target y, centred and scaled."""
_FARTHEST: Final = 1e50
"""Larger errors and targets count as this, so that no sum of their powers overflows."""


def count(layout: CountLayout, rows: LabelledRows) -> CohortCounts:
    """Sum powers of the errors and of the targets, on which R2 and its interval rest."""
    y = _scaled_down(rows.actual, layout.centre, layout.scale)
    e = _scaled_down(rows.scores, rows.actual, layout.scale)
    e2, y2 = e * e, y * y
    sums = (e, np.abs(e), e2, e2 * e2, y, y2, y2 * y, y2 * y2, e2 * y, e2 * y2)
    return CohortCounts(layout, {"sums": np.array([float(len(rows)), *(own.sum() for own in sums)])})


def _scaled_down(values: FloatArray, origin: FloatArray | float, scale: float) -> FloatArray:
    with np.errstate(over="ignore"):
        return np.clip((values - origin) / scale, -_FARTHEST, _FARTHEST)


def _means(counts: CohortCounts) -> dict[str, float]:
    sums = counts.arrays["sums"]
    return {name: float(own / sums[0]) for name, own in zip(_SUMS, sums, strict=True)}


def _scaled(estimate: Estimate, scale: float) -> Estimate:
    return Estimate(estimate.value * scale, estimate.lower * scale, estimate.upper * scale)


def _mean(counts: CohortCounts, name: str, squares: str) -> Estimate:
    sums = counts.arrays["sums"]
    return mean_of(sums[_SUMS.index(name)], sums[_SUMS.index(squares)], sums[0])


def mean_absolute_error(counts: CohortCounts) -> Estimate:
    """Return the mean absolute error, with Student's t interval."""
    return _scaled(_mean(counts, "abs_e", "e2").clipped(0.0, math.inf), counts.layout.scale)


def root_mean_squared_error(counts: CohortCounts) -> Estimate:
    """Return the root mean squared error; the interval is the root of Student's t for the mean square."""
    square = _mean(counts, "e2", "e4").clipped(0.0, math.inf)
    root = Estimate(*(math.sqrt(own) for own in (square.value, square.lower, square.upper)))
    return _scaled(root, counts.layout.scale)


def bias(counts: CohortCounts) -> Estimate:
    """Return the mean of predicted minus actual, with Student's t interval."""
    return _scaled(_mean(counts, "e", "e2"), counts.layout.scale)


def r2(counts: CohortCounts) -> Estimate:
    """Return the share of the targets' variance that is explained, with the normal interval by the delta method."""
    if counts.rows < 2:
        return UNKNOWN
    own = _means(counts)
    mu, error = own["y"], own["e2"]
    spread = own["y2"] - mu * mu
    if spread <= 1e-12 * max(1.0, own["y2"]):
        return UNKNOWN
    crossed = own["e2y2"] - 2.0 * mu * own["e2y"] + mu * mu * error
    fourth = own["y4"] - 4.0 * mu * own["y3"] + 6.0 * mu * mu * own["y2"] - 3.0 * mu**4
    ratio, square = error / spread, spread * spread
    variance = (own["e4"] - 2.0 * ratio * crossed + ratio * ratio * fourth) / square
    return normal(1.0 - ratio, variance / counts.rows).clipped(-math.inf, 1.0)
