"""How well live values look like the reference's after a change that only a part of the rows may have.

With the distribution F of the reference and G of its changed values, a part π of the rows is changed and the live
distribution is (1 − π)·F + π·G. π is fitted by least squares; what is left is measured by the largest distance of the
two distribution functions, as Kolmogorov and Smirnov do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray

MOST_VALUES: Final = 4_000
"""Live values that are looked at, the newest."""
MOST_POINTS: Final = 1_000
"""Live values at which distribution functions are compared."""
CHANCE: Final = 1.63
"""The Kolmogorov-Smirnov distance of √rows times this is chance in all but 1 % of cases."""
SLACK: Final = 0.025
"""Largest distance beside chance: 512 quantiles stand for the reference, and units are rounded."""
LEAST_SHARE: Final = 0.1
"""Share of changed rows below which a change is not told from others."""
LEAST_EXPLAINED: Final = 0.7
"""Part of the distance from the reference that a change has to explain."""
WHOLE: Final = 0.9
"""Share from which all rows count as changed."""
CLEARLY: Final = 0.3
"""Difference of two distances that is clear, in parts of the distance that chance leaves."""
_LEAST_CLEARLY: Final = 0.01
_CLOSE: Final = (0.98, 0.99, 1.0, 1.01, 1.02)
_ROUNDING: Final = 1e-9


@dataclass(frozen=True)
class Fit:
    """How well a change explains live values."""

    share: float
    """Share of changed rows, π."""
    misfit: float
    """Distance of the live values from the mixture."""
    before: float
    """Their distance from the reference."""
    rows: float
    """Independent values behind it."""

    @property
    def explained(self) -> float:
        """The part of the distance that the change explains, from 0 to 1."""
        return max(0.0, 1.0 - self.misfit / self.before) if self.before > 0.0 else 0.0

    @property
    def chance(self) -> float:
        """The distance that chance alone leaves."""
        return CHANCE / math.sqrt(max(1.0, self.rows))

    @property
    def is_good(self) -> bool:
        """Whether the change explains the live values up to chance."""
        small = self.misfit <= self.chance + SLACK
        return small and self.share >= LEAST_SHARE and self.explained >= LEAST_EXPLAINED


@dataclass(frozen=True, eq=False)
class LiveValues:
    """Live values of a column beside the reference's, to fit changes to."""

    values: FloatArray
    """Finite, the newest last."""
    reference: FloatArray
    """Values that stand for equal parts of the reference."""
    tau: float = 1.0
    """Rows that carry the information of one independent row."""
    reference_rows: float = math.inf
    """Rows behind the reference."""

    @cached_property
    def live(self) -> FloatArray:
        """The newest values, sorted."""
        return np.sort(self.values[-MOST_VALUES:])

    @cached_property
    def _sorted_reference(self) -> FloatArray:
        return np.sort(self.reference)

    @cached_property
    def _points(self) -> FloatArray:
        """Where distribution functions are compared, besides the changed values."""
        step = max(1, len(self.live) // MOST_POINTS)
        return np.concatenate([self.live[step - 1 :: step], self._sorted_reference])

    def fit(self, changed: FloatArray) -> Fit:
        """Return how well a part of the rows has the distribution of `changed`."""
        rows = len(self.live) / max(1.0, self.tau)
        changed = np.sort(changed)
        points = np.concatenate([self._points, changed])
        with np.errstate(over="ignore"):  # beyond the largest number is behind all values
            points = points + _ROUNDING * np.abs(points)
        now, was, other = (_share_up_to(own, points) for own in (self.live, self._sorted_reference, changed))
        moved, away = now - was, other - was
        size = float(away @ away)
        share = min(1.0, max(0.0, float(moved @ away) / size)) if size > 0.0 else 0.0
        return Fit(share, float(np.abs(moved - share * away).max()), float(np.abs(moved).max()), rows)

    def fit_of(self, change: Callable[[FloatArray], FloatArray]) -> Fit:
        """Return how well a part of the rows is changed by a function of values."""
        return self.fit(change(self._sorted_reference))

    @cached_property
    def _levels(self) -> tuple[FloatArray, FloatArray]:
        """Live quantiles, and the reference's."""
        levels = np.linspace(0.05, 0.95, 19)
        return np.quantile(self.live, levels), np.quantile(self._sorted_reference, levels)

    @cached_property
    def _factors(self) -> tuple[float, ...]:
        """The factors by which all values may have grown."""
        now, was = self._levels
        size = float(was @ was)
        factors = [float(now @ was) / size] if size > 0.0 else []
        return (*factors, float(now[9] / was[9])) if was[9] != 0.0 else tuple(factors)

    @cached_property
    def has_plainly_moved(self) -> bool:
        """Whether all values grew by one factor, or by one summand: what happens without any fault."""
        now, was = self._levels
        shift = float(np.mean(now - was))
        plain = [self._sorted_reference + shift, *(factor * self._sorted_reference for factor in self._factors)]
        return any(fit.is_good and fit.share >= WHOLE for fit in map(self.fit, plain))

    @cached_property
    def _least_misfit_of_growth(self) -> float:
        """The distance from the reference after growth by the factor that fits best."""
        near = [factor * close for factor in self._factors for close in _CLOSE]
        return min((self.fit(factor * self._sorted_reference).misfit for factor in near), default=math.inf)

    def grew_otherwise(self, fit: Fit) -> bool:
        """Return whether growth of all values by another factor explains them clearly better than a fit of all."""
        chance = CHANCE * math.sqrt(1.0 / max(1.0, fit.rows) + 1.0 / max(1.0, self.reference_rows))
        return fit.share >= WHOLE and fit.misfit > self._least_misfit_of_growth + CLEARLY * chance + _LEAST_CLEARLY

    def takes(self, fit: Fit) -> bool:
        """Return whether a fit tells a fault: of a part of the rows only if a plain growth of all does not fit too."""
        return fit.is_good and (fit.share >= WHOLE or not self.has_plainly_moved)


def _share_up_to(values: FloatArray, points: FloatArray) -> FloatArray:
    return np.searchsorted(values, points, side="right") / max(1, len(values))
