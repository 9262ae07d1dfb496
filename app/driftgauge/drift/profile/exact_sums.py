"""Sums of standardised values as integers, which are the same in any order and grouping of the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.scales import Scales

BITS: Final = 52
"""Digits of a summand behind the binary point. A double holds all of them, and so does the integer of an engine."""
_LOW_BITS: Final = 26
"""Digits that are summed apart, so that the sum of a part never overflows."""


@dataclass(frozen=True)
class Sums:
    """Sums of the standardised values of each column and of their squares, in units of `ExactSums`."""

    values: tuple[int, ...]
    squares: tuple[int, ...]

    @classmethod
    def none(cls, columns: int) -> Sums:
        """Return the sums of no rows."""
        return cls((0,) * columns, (0,) * columns)

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            tuple(map(int.__add__, self.values, other.values)), tuple(map(int.__add__, self.squares, other.squares))
        )


class ExactSums:
    """Rounds standardised values and their squares to integers, and sums these.

    A summand is `floor(z / unit * 2**52 + 0.5)`, where z is the clipped standardised value and `unit` the power of two
    that no z of the column exceeds; that of a square is `floor((z / unit)**2 * 2**52 + 0.5)`. A missing value and a
    category count as 0.
    """

    def __init__(self, scales: Scales) -> None:
        self._scales: Final = scales
        bounds = np.maximum(np.abs(scales.low), np.abs(scales.high))
        self.exponents: Final[IntArray] = np.frexp(bounds)[1].astype(np.int64)
        """The exponent of the unit of each column, shape [columns]."""

    def __call__(self, values: FloatArray) -> Sums:
        """Return the sums of rows of shape [n, columns]."""
        z = self._scales.standardised(values)
        part = np.ldexp(np.where(np.isnan(z), 0.0, z), -self.exponents)
        return Sums(_summed(part), _summed(part * part))

    def floats(self, sums: Sums) -> FloatArray:
        """Return sums as numbers in standard deviations of the reference, shape [2, columns]."""
        found = np.array([[own / (1 << BITS) for own in row] for row in (sums.values, sums.squares)])
        with np.errstate(over="ignore"):
            scaled: FloatArray = np.ldexp(found, [self.exponents, 2 * self.exponents])
        return scaled


def _summed(parts: FloatArray) -> tuple[int, ...]:
    """Return the sums of parts of the unit, shape [n, columns]."""
    whole = np.floor(np.ldexp(parts, BITS) + 0.5).astype(np.int64)
    low = (whole & ((1 << _LOW_BITS) - 1)).sum(axis=0).tolist()
    high = (whole >> _LOW_BITS).sum(axis=0).tolist()
    return tuple((one << _LOW_BITS) + other for one, other in zip(high, low, strict=True))


def largest_sum(rows: int) -> int:
    """Return the largest sum of so many rows."""
    return rows << BITS
