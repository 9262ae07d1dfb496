"""Standardised values: numbers in the reference's standard deviations, clipped beyond its range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.bins import BoolArray, FloatArray, IntArray

CLIP_SDS: Final = 10.0
"""Values are clipped this many standard deviations beyond the reference's range."""


@dataclass(frozen=True)
class Scales:
    """The reference's mean, standard deviation and range, shapes [columns].

    The standard deviation is 1 without finite values or spread, and infinite for categories, so that these add
    nothing to a sum.
    """

    mean: FloatArray
    std: FloatArray
    low: FloatArray
    """Bounds of standardised values: the reference's range, widened by `CLIP_SDS`."""
    high: FloatArray
    spread: BoolArray
    """Columns with more than one number in the reference."""

    @classmethod
    def of(cls, mean: FloatArray, std: FloatArray, low: FloatArray, high: FloatArray, numeric: BoolArray) -> Scales:
        """Return the scales of columns with these reference moments, NaN where unknown."""
        centre = np.where(numeric & np.isfinite(mean), mean, 0.0)
        unit = np.where(numeric, np.where(std > 0, std, 1.0), np.inf)
        with np.errstate(over="ignore", invalid="ignore"):
            least = np.nan_to_num((low - centre) / unit) - CLIP_SDS
            most = np.nan_to_num((high - centre) / unit) + CLIP_SDS
        return cls(centre, unit, least, most, numeric & (std > 0))

    def ordered(self, values: FloatArray, columns: IntArray) -> FloatArray:
        """Return what `standardised` does, for columns in the first axis with ascending values, NaN last."""
        low, high = self.low[columns, None], self.high[columns, None]
        with np.errstate(over="ignore", invalid="ignore"):
            z = values - self.mean[columns, None]
            z /= self.std[columns, None]
            inside = (z[:, :1] >= low).all() and (z[:, -1:] <= high).all()
        return z if inside else np.clip(z, low, high, out=z)

    def standardised(self, values: FloatArray, columns: IntArray | slice = slice(None)) -> FloatArray:
        """Return clipped standardised values, NaN where missing; `values` has the columns in its last axis."""
        with np.errstate(over="ignore", invalid="ignore"):
            z = (values - self.mean[columns]) / self.std[columns]
        clipped: FloatArray = np.clip(z, self.low[columns], self.high[columns], out=z)
        return clipped
