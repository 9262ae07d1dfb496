"""Standardised values: numbers in the reference's standard deviations, clipped beyond its range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.bins import BoolArray, FloatArray, IntArray

CLIP_SDS: Final = 10.0
"""Values enter sums no further outside the reference's range than so many of its standard deviations."""


@dataclass(frozen=True)
class Scales:
    """What values are standardised with: the reference's mean, sd and range, shapes [columns].

    A column without finite values or without spread has the sd 1, one of categories the sd infinity,
    so that nothing of it enters a sum.
    """

    mean: FloatArray
    std: FloatArray
    low: FloatArray
    """The bounds of a standardised value: the reference's range and ten sd more."""
    high: FloatArray
    spread: BoolArray
    """Which columns hold more than one number in the reference: without spread there is no unit."""

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
        """Return what `standardised` does, of columns in the first axis whose values ascend, NaN last."""
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
