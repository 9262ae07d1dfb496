"""Confidence intervals of rates and means, from counts and sums."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

LEVEL: Final = 0.95
"""Confidence level of the intervals that are shown."""
Z: Final = NormalDist().inv_cdf(0.5 + 0.5 * LEVEL)
"""Its quantile of the standard normal distribution."""


@dataclass(frozen=True)
class Estimate:
    """A value and its interval of level `LEVEL`; NaN where unknown."""

    value: float
    lower: float = math.nan
    upper: float = math.nan

    @property
    def is_known(self) -> bool:
        """Whether there is a value."""
        return not math.isnan(self.value)

    def widened(self, tau: float) -> Estimate:
        """Return the estimate with the interval of rows of which `tau` carry the information of one independent row.

        >>> Estimate(0.9, 0.8, 0.95).widened(4.0)
        Estimate(value=0.9, lower=0.7..., upper=1.0...)
        """
        wider = math.sqrt(max(1.0, tau))
        return Estimate(
            self.value, self.value - wider * (self.value - self.lower), self.value + wider * (self.upper - self.value)
        )

    def clipped(self, least: float, most: float) -> Estimate:
        """Return the estimate with its bounds inside the range that the number can have; unknown ones stay NaN."""
        return Estimate(self.value, _kept(self.lower, least, most), _kept(self.upper, least, most))


def _kept(bound: float, least: float, most: float) -> float:
    return bound if math.isnan(bound) else min(most, max(least, bound))


UNKNOWN: Final = Estimate(math.nan)


def wilson(successes: float, trials: float, z: float = Z) -> Estimate:
    """Return a rate with Wilson's score interval.

    Wilson, 1927, "Probable inference, the law of succession, and statistical inference".

    >>> wilson(9, 10)
    Estimate(value=0.9, lower=0.5958..., upper=0.9821...)
    """
    if trials <= 0:
        return UNKNOWN
    successes, trials = float(successes), float(trials)
    rate, spread = successes / trials, z * z / trials
    centre = (rate + spread / 2.0) / (1.0 + spread)
    half = z / (1.0 + spread) * math.sqrt(rate * (1.0 - rate) / trials + spread / (4.0 * trials))
    return Estimate(rate, max(0.0, centre - half), min(1.0, centre + half))


def mean_of(total: float, squares: float, rows: float) -> Estimate:
    """Return a mean with Student's t interval; `total` and `squares` are sums of values and of their squares.

    With fewer than two rows the interval is unknown.
    """
    if rows <= 0:
        return UNKNOWN
    total, squares, rows = float(total), float(squares), float(rows)
    mean = total / rows
    if rows < 2:
        return Estimate(mean)
    variance = max(0.0, squares / rows - mean * mean) * rows / (rows - 1.0)
    from scipy.special import stdtrit  # the settings import this module, and `--help` reads them

    half = float(stdtrit(rows - 1.0, 0.5 + 0.5 * LEVEL)) * math.sqrt(variance / rows)
    return Estimate(mean, mean - half, mean + half)


def normal(value: float, variance: float, z: float = Z) -> Estimate:
    """Return a value with the normal interval of an estimator of this variance."""
    half = z * math.sqrt(max(0.0, variance))
    return Estimate(value, value - half, value + half)
