"""Quantiles of a stream of numbers in bounded memory, with a rank error that never exceeds its bound.

Values wait in levels. A value of level h stands for 2^h rows. A full level is sorted, every other value moves up one
level, and the rest is dropped, as in KLL. The dropped half alternates, so the error is not random. Dropping the sorted
values 1, 3, 5, … makes the estimated rank of any number at most 2^h rows too low, and never too high. Dropping 2, 4, 6,
… makes it at most 2^h rows too high. The sketch adds up both errors (Manku, Rajagopalan and Lindsay, 1998; the levels
follow Karnin, Lang and Liberty, 2016).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray, IntArray

CAPACITY: Final = 16_384
"""Values that a level holds: the rank error is about log2(rows / CAPACITY) / (2 CAPACITY) of the rows."""


@dataclass(frozen=True, eq=False)
class QuantileSketch:
    """Some of the finite values of a stream; each stands for a power of two of values."""

    size: int = 0
    """Number of values seen."""
    low: float = math.inf
    """The smallest value."""
    high: float = -math.inf
    """The largest value."""
    levels: tuple[FloatArray, ...] = ()
    """Values that stand for 2^level values each, in any order."""
    compactions: tuple[int, ...] = ()
    """How often each level was full: it decides which half goes up."""
    too_low: int = 0
    """Rows by which the estimated rank of a number may be below its true rank, at most."""
    too_high: int = 0
    """Rows by which it may be above its true rank, at most."""
    capacity: int = CAPACITY

    @property
    def rank_error(self) -> int:
        """The largest distance, in rows, between the true rank of a returned value and the rank asked for."""
        return max(self.too_low, self.too_high)

    def updated(self, values: FloatArray) -> QuantileSketch:
        """Return the sketch with more values; infinities and NaN are left out."""
        known = values[np.isfinite(values)] + 0.0  # makes one zero of two
        if not known.size:
            return self
        ends = float(known.min()), float(known.max())
        return self.merged(QuantileSketch(known.size, *ends, (known,), (0,), capacity=self.capacity))

    def merged(self, other: QuantileSketch) -> QuantileSketch:
        """Return the sketch of both streams; the bounds hold however sketches are grouped."""
        depth = max(len(self.levels), len(other.levels))
        both = zip(self._padded(depth), other._padded(depth), strict=True)
        return QuantileSketch(
            size=self.size + other.size,
            low=min(self.low, other.low),
            high=max(self.high, other.high),
            levels=tuple(np.concatenate(pair) for pair in both),
            compactions=tuple(
                sum(sketch.compactions[level] for sketch in (self, other) if level < len(sketch.compactions))
                for level in range(depth)
            ),
            too_low=self.too_low + other.too_low,
            too_high=self.too_high + other.too_high,
            capacity=min(self.capacity, other.capacity),
        )._compacted()

    def _padded(self, depth: int) -> list[FloatArray]:
        return [*self.levels, *[np.empty(0)] * (depth - len(self.levels))]

    def _compacted(self) -> QuantileSketch:
        levels, compactions = list(self.levels), list(self.compactions)
        error = {True: self.too_low, False: self.too_high}
        level = 0
        while level < len(levels):
            if levels[level].size > self.capacity:
                if level + 1 == len(levels):
                    levels.append(np.empty(0))
                    compactions.append(0)
                drops_first = compactions[level] % 2 == 0
                levels[level], up = _halved(levels[level], drops_first=drops_first)
                levels[level + 1] = np.concatenate([levels[level + 1], up])
                error[drops_first] += 1 << level
                compactions[level] += 1
            level += 1
        return QuantileSketch(
            self.size, self.low, self.high, tuple(levels), tuple(compactions), error[True], error[False], self.capacity
        )

    def values_at(self, ranks: IntArray) -> FloatArray:
        """Return values for ranks from 0, shape [ranks], each of which has a true rank within `rank_error`.

        The first and the last are exact.
        """
        weights = np.repeat([1 << level for level in range(len(self.levels))], [own.size for own in self.levels])
        values = np.concatenate(self.levels)
        order = np.argsort(values, kind="stable")
        ends = np.cumsum(weights[order])
        found: FloatArray = values[order][np.searchsorted(ends, ranks, side="right")]
        return np.where(ranks == 0, self.low, np.where(ranks == self.size - 1, self.high, found))


def _halved(values: FloatArray, *, drops_first: bool) -> tuple[FloatArray, FloatArray]:
    """Return what stays of a level, at most one value, and what goes up: every other one of the sorted others."""
    ordered = np.sort(values, kind="stable")  # fast for sorted stretches, of which a level is made
    even = ordered.size - ordered.size % 2
    return ordered[even:], ordered[int(drops_first) : even : 2]
