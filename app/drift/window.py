"""What a window holds: the newest rows of a monitor, and what can be said of them exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from app.drift.bins import CodeArray, FloatArray, IntArray

QUANTILES: Final = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class Rows:
    """Consecutive rows in order of arrival, the newest last.

    `values` (numbers, and the bin codes of categories) and `codes` have shape [n, columns]; `at`,
    shape [n], is each row's time in seconds since 1970, by the monitor's clock.
    """

    values: FloatArray
    codes: CodeArray
    at: FloatArray

    def __len__(self) -> int:
        return len(self.at)

    def newest(self, rows: int) -> Rows:
        """Return the newest `rows` rows, or all where there are fewer, without copying."""
        first = max(0, len(self) - rows)
        return Rows(self.values[first:], self.codes[first:], self.at[first:])


@dataclass(frozen=True)
class Moments:
    """Moments and quantiles of each column's finite values, shapes [columns]; NaN without any."""

    mean: FloatArray
    std: FloatArray
    """Population standard deviation (divided by n)."""
    min: FloatArray
    max: FloatArray
    quantiles: FloatArray
    """Shape [len(levels), columns]; numpy's linear interpolation."""


def moments(values: FloatArray, levels: tuple[float, ...] = QUANTILES) -> Moments:
    """Compute the moments of each column of `values` (shape [n, columns]) over its finite cells."""
    ordered = np.array(values.T, order="C")  # always a copy: it is sorted in place
    np.copyto(ordered, np.nan, where=np.isinf(ordered))
    ordered.sort(axis=1)  # NaN goes last
    n = ordered.shape[1] - np.isnan(ordered).sum(axis=1)
    if ordered.shape[1] == 0:
        ordered = np.full((ordered.shape[0], 1), np.nan)
    mean, std = _mean_and_std(ordered, n)
    last = np.maximum(n - 1, 0)
    row = np.arange(len(n))
    return Moments(
        mean=mean,
        std=std,
        min=ordered[:, 0],
        max=ordered[row, last],
        quantiles=np.stack([_quantile(ordered, last, level) for level in levels]) if levels else np.empty((0, len(n))),
    )


def _mean_and_std(ordered: FloatArray, n: IntArray) -> tuple[FloatArray, FloatArray]:
    finite = np.where(np.isnan(ordered), 0.0, ordered)
    # Scaled by the largest magnitude, so that neither the sum nor the squares overflow.
    scale = np.maximum(np.abs(finite).max(axis=1), np.finfo(np.float64).tiny)
    scaled = finite / scale[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = scaled.sum(axis=1) / n
        deviation = np.where(np.isnan(ordered), 0.0, scaled - mean[:, None])
        std = np.sqrt((deviation**2).sum(axis=1) / n)
    return mean * scale, std * scale


def _quantile(ordered: FloatArray, last: IntArray, level: float) -> FloatArray:
    place = level * last
    low = np.floor(place).astype(np.int64)
    row = np.arange(len(last))
    below, above = ordered[row, low], ordered[row, np.minimum(low + 1, last)]
    part = place - low
    # Clipped, so that rounding never leaves the two neighbours: a tied value is its own quantile.
    return np.asarray(np.clip(below * (1.0 - part) + above * part, below, above))
