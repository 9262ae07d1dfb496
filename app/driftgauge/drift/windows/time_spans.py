"""Time windows: rows counted in buckets of time, a ring of buckets for each window.

A bucket holds counts and sums, not rows, so a day costs as little as a minute. Up to a week none crosses an hour;
those of longer windows count their rows by hour of the day too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from driftgauge.drift.bins import CodeArray, FloatArray, IntArray
from driftgauge.drift.scales import Scales
from driftgauge.drift.tiling import Tiling
from driftgauge.drift.windows.blocks import CountArray, rows_by_hour
from driftgauge.drift.windows.days import Days

WIDTHS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 10_800, 21_600, 43_200)
"""Widths of buckets in seconds; an hour or a whole number of hours, and a day is a multiple of each."""
_HOUR_SECONDS: Final = 3_600
UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
DAY_SECONDS: Final = 86_400.0
SHORTEST_SECONDS: Final = 10
LONGEST_SECONDS: Final = 31 * 86_400
FEWEST_BUCKETS: Final = 60
"""Least number of buckets of a window, so that it is exact to a sixtieth."""
WEEK_SECONDS: Final = 7 * 86_400
"""Length of which a time window is judged, or a multiple: it holds whole weeks, whatever hours and weekdays do."""
FULL_SECONDS: Final = 4 * WEEK_SECONDS
"""Length from which every time window is judged: a weekday more or less hardly counts."""


@dataclass(frozen=True)
class TimeSpan:
    """A time window: its name and its length."""

    name: str
    seconds: int

    @classmethod
    def named(cls, text: str) -> TimeSpan:
        """Return the window that a text such as 2m, 1h or 7d names; ValueError if it names none."""
        found = re.fullmatch(r"([1-9][0-9]*)([smhd])", text)
        if found is None:
            raise ValueError(f"{text!r} is not a time: write a whole number of s, m, h or d, such as 2m, 1h or 7d")
        seconds = int(found[1]) * UNITS[found[2]]
        if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
            raise ValueError(f"{text} is not between {SHORTEST_SECONDS}s and {LONGEST_SECONDS // UNITS['d']}d")
        return cls(text, seconds)

    @cached_property
    def width(self) -> int:
        """Seconds of a bucket."""
        return max((width for width in WIDTHS if width * FEWEST_BUCKETS <= self.seconds), default=WIDTHS[0])

    @property
    def buckets(self) -> int:
        """Number of buckets of the window, the current one included."""
        return -(-self.seconds // self.width)

    @property
    def crosses_hours(self) -> bool:
        """Whether a bucket holds rows of several hours of the day."""
        return self.width > _HOUR_SECONDS

    @property
    def is_judged(self) -> bool:
        """Whether the window is judged: weekdays have the parts in it that they have in whole weeks."""
        return self.seconds >= FULL_SECONDS or self.seconds % WEEK_SECONDS == 0


@dataclass(frozen=True)
class Totals:
    """Counts and sums of a time window."""

    span: TimeSpan
    start: float
    """Start of its oldest bucket, seconds since 1970."""
    rows: int
    counts: IntArray
    """Rows in each bin, shape [columns, K]."""
    sums: FloatArray
    """Of the standardised clipped values and of their squares, shape [2, columns]."""
    hours: IntArray
    """Rows in each hour of the day (UTC), shape [24]."""
    days: Days | None = None
    """Its whole days; None for a window that is not judged."""

    def __add__(self, other: Totals) -> Totals:
        """Return the totals of the rows of both, for the same window at the same time."""
        return replace(
            self,
            rows=self.rows + other.rows,
            counts=self.counts + other.counts,
            sums=self.sums + other.sums,
            hours=self.hours + other.hours,
            days=self.days + other.days if self.days and other.days else None,
        )


@dataclass(frozen=True)
class Block:
    """Rows that are counted together."""

    values: FloatArray
    """Shape [n, columns], as `codes`."""
    codes: CodeArray
    at: FloatArray
    """Seconds since 1970, shape [n]."""
    counts: CountArray
    """All rows in each bin, shape [columns, K]."""
    sums: FloatArray
    """Of all rows, as `Summing` gives them, shape [2, columns]."""

    @cached_property
    def first(self) -> float:
        """The earliest time."""
        return float(self.at.min())

    @cached_property
    def last(self) -> float:
        """The latest time."""
        return float(self.at.max())

    @cached_property
    def hours(self) -> IntArray:
        """All rows in each hour of the day (UTC), shape [24]."""
        return rows_by_hour(self.at)


class Summing:
    """Sums the clipped standardised values of rows, and their squares; missing values count as 0.

    Usually no value of a column is missing or clipped, and its mean is not extremely large. Then the sums follow
    from those of the plain values.
    """

    _MOST_SDS: Final = 1_000.0
    """Limit of a mean in standard deviations: the digits of its square are lost from the sixteen of a sum."""
    _LARGEST: Final = 1e120
    """Limit of numbers whose squares can be summed without overflow."""

    def __init__(self, scales: Scales) -> None:
        self._scales = scales
        self._tiling = Tiling(len(scales.mean))
        with np.errstate(over="ignore", invalid="ignore"):
            self._low = np.nan_to_num(scales.mean + scales.std * scales.low, nan=np.inf)
            self._high = np.nan_to_num(scales.mean + scales.std * scales.high, nan=-np.inf)
        ends = np.maximum(np.abs(self._low), np.abs(self._high))
        self._plain = (np.abs(scales.mean) <= self._MOST_SDS * scales.std) & (ends <= self._LARGEST)
        self._plain &= scales.std >= 1.0 / self._LARGEST

    def __call__(self, values: FloatArray) -> FloatArray:
        """Return the sums of rows of shape [n, columns], shape [2, columns]."""
        columns = values.shape[1]
        sums = np.zeros((2, columns))
        low, high = np.full(columns, np.inf), np.full(columns, -np.inf)
        cells = np.ascontiguousarray(values).reshape(-1)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for stretch, width in self._tiling.stretches(cells.size):
                part = cells[stretch].reshape(-1, width)
                sums[0] += part.sum(axis=0).reshape(-1, columns).sum(axis=0)
                sums[1] += np.einsum("ij,ij->j", part, part).reshape(-1, columns).sum(axis=0)
                low = np.minimum(low, part.min(axis=0).reshape(-1, columns).min(axis=0))
                high = np.maximum(high, part.max(axis=0).reshape(-1, columns).max(axis=0))
            mean, std = self._scales.mean, self._scales.std
            sums[1] = (sums[1] - mean * (2.0 * sums[0] - len(values) * mean)) / std**2
            sums[0] = (sums[0] - len(values) * mean) / std
        # Comparisons with NaN are false.
        careful = np.flatnonzero(~(self._plain & (low >= self._low) & (high <= self._high)))
        if careful.size:
            z = self.standardised(values[:, careful], careful)
            sums[:, careful] = z.sum(axis=0), np.einsum("ij,ij->j", z, z)
        return sums

    def standardised(self, values: FloatArray, columns: IntArray | slice = slice(None)) -> FloatArray:
        """Return the summand of each cell, shape [n, columns] as `values`."""
        z = self._scales.standardised(values, columns)
        return np.where(np.isnan(z), 0.0, z)
