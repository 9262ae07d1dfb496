"""Count, mean, spread and ends of numbers that come in parts."""

from __future__ import annotations

import math

import numpy as np

from driftgauge.drift.bins import FloatArray


class Moments:
    """Moments of numbers, combined from parts without loss of digits (Chan, Golub and LeVeque, 1979).

    Where a sum exceeds the largest number, the moment is infinite or NaN.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.mean = 0.0
        self.squares = 0.0
        """The sum of squared distances from the mean."""
        self.low, self.high = math.inf, -math.inf
        """The least and the largest number."""

    def add(self, values: FloatArray) -> None:
        """Add numbers, shape [n]."""
        if not values.size:
            return
        rows = self.rows + values.size
        with np.errstate(over="ignore", invalid="ignore"):
            own = values.mean()
            shift = own - np.float64(self.mean)
            between = shift**2 * self.rows * (values.size / rows) if self.rows else 0.0
            self.squares = float(self.squares + ((values - own) ** 2).sum() + between)
            self.mean = float(self.mean + shift * (values.size / rows))
        self.rows = rows
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))

    @property
    def sum(self) -> float:
        """The sum."""
        return self.mean * self.rows if self.rows else 0.0

    @property
    def std(self) -> float:
        """The population standard deviation, NaN without a number."""
        return math.sqrt(self.squares / self.rows) if self.rows else math.nan
