"""Time windows: rows counted into buckets of the clock, a ring of them for each window.

A bucket holds counts and sums, not rows, so a day costs as little as a minute. None crosses an hour.
The arrays belong to the caller; here is what is done with them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import CodeArray, FloatArray, IntArray
from driftgauge.drift.scales import Scales
from driftgauge.drift.tiling import Tiling
from driftgauge.drift.windows.blocks import HOURS, hours_of, rows_by_hour

WIDTHS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600)
"""Seconds that a bucket may be wide: an hour is a whole number of each."""
UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
SHORTEST_SECONDS: Final = 10
LONGEST_SECONDS: Final = 31 * 86_400
FEWEST_BUCKETS: Final = 60
"""A window is exact to one bucket: a sixtieth of it, or less."""
NEVER: Final = np.iinfo(np.int64).min
"""The index of a bucket that holds nothing yet."""

CountArray = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class TimeSpan:
    """A time window: its name and how far it reaches back."""

    name: str
    seconds: int

    @classmethod
    def named(cls, text: str) -> TimeSpan:
        """Return the window that a text such as 2m, 1h or 7d names; ValueError says what is wrong with it."""
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
        """Buckets that make up the window, the one of this moment included."""
        return -(-self.seconds // self.width)


@dataclass(frozen=True)
class Totals:
    """What a time window holds."""

    span: TimeSpan
    start: float
    """Where its oldest bucket begins, seconds since 1970."""
    rows: int
    counts: IntArray
    """Rows in each bin, shape [columns, K]."""
    sums: FloatArray
    """Of the standardised clipped values and of their squares, shape [2, columns]."""
    hours: IntArray
    """Rows in each hour of the day (UTC), shape [24]: no bucket is of two."""

    def __add__(self, other: Totals) -> Totals:
        """Return what the window holds of the rows of both; it must be the same window of the same moment."""
        return replace(
            self,
            rows=self.rows + other.rows,
            counts=self.counts + other.counts,
            sums=self.sums + other.sums,
            hours=self.hours + other.hours,
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
    """Sums the clipped standardised values of rows, and their squares, a missing one counting as 0.

    As a rule no value of a column is missing or so far out that it is clipped, and its mean is no
    enormous number of standard deviations. Then the sums follow from those of the plain values.
    """

    _MOST_SDS: Final = 1_000.0
    """How far a mean may lie from 0: of the sixteen digits of a square so many as its square has are lost."""
    _LARGEST: Final = 1e120
    """Numbers whose squares can be added up without an overflow."""

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
            for place, width in self._tiling.stretches(cells.size):
                part = cells[place].reshape(-1, width)
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
        """Return what is summed of each cell, shape [n, columns] as `values`."""
        z = self._scales.standardised(values, columns)
        return np.where(np.isnan(z), 0.0, z)


class Ring:
    """The buckets of one time window, in arrays of a State.

    `index` (shape [2, buckets]) says which bucket of the clock each place holds, `counts`
    ([2, buckets, columns, K]) and `sums` ([2, buckets, 2, columns]) what is in it. There are two versions of
    each place, and `stamps` ([2, buckets]) says with which step each was written. A step writes the older
    version; who reads as of a step takes the newest that is not later. So neither a reader nor a step that was
    never finished sees half of one, as long as no more than one step is under way.
    """

    def __init__(
        self,
        span: TimeSpan,
        binner: Binner,
        summing: Summing,
        index: IntArray,
        counts: CountArray,
        sums: FloatArray,
        stamps: IntArray,
    ) -> None:
        self.span: Final = span
        self._binner = binner
        self._summing = summing
        self._index = index
        self._counts = counts
        self._sums = sums
        self._stamps = stamps

    def clear(self) -> None:
        """Forget everything."""
        self._index[:] = NEVER
        self._stamps[:] = 0

    def forget_after(self, step: int) -> None:
        """Forget what a later step has written that was never finished."""
        unfinished = self._stamps > step
        self._index[unfinished] = NEVER
        self._stamps[unfinished] = 0

    @property
    def is_sound(self) -> bool:
        """Whether each bucket counts as many rows in every column."""
        rows = self._counts[self._index != NEVER].sum(axis=2, dtype=np.uint32)
        return bool((rows == rows[:, :1]).all())

    def add(self, block: Block, step: int) -> int:
        """Count a block, in a step later than all before; returns how many of its rows were too old when they came."""
        first, last = math.floor(block.first / self.span.width), math.floor(block.last / self.span.width)
        before = int(self._index.max())
        newest = max(before, last)
        if first == last and last > newest - self.span.buckets:  # as a rule: one bucket for the whole block
            place = last % self.span.buckets
            old = int(self._stamps[1, place] > self._stamps[0, place])
            new = 1 - old
            self._stamps[new, place] = step
            if self._index[old, place] == last:
                np.add(self._counts[old, place], block.counts, out=self._counts[new, place])
                np.add(self._sums[old, place], block.sums, out=self._sums[new, place])
            else:
                self._counts[new, place] = block.counts
                self._sums[new, place] = block.sums
            self._index[new, place] = last
            return 0
        return self._add_apart(block, step, before, newest)

    def _add_apart(self, block: Block, step: int, before: int, newest: int) -> int:
        index = np.floor(block.at / self.span.width).astype(np.int64)
        # A row that a later one of its own block leaves behind came in time.
        late = int((index <= np.maximum.accumulate(np.maximum(index, before)) - self.span.buckets).sum())
        kept = np.flatnonzero(index > newest - self.span.buckets)
        kept = kept[np.argsort(index[kept], kind="stable")]
        if kept.size == 0:
            return late
        buckets, starts, group = np.unique(index[kept], return_index=True, return_inverse=True)
        z = self._summing.standardised(block.values[kept])
        sums = np.stack([np.add.reduceat(z, starts), np.add.reduceat(z * z, starts)], axis=1)
        counts = self._binner.counts_by(block.codes[kept], group, len(buckets)).astype(np.uint32)
        places = buckets % self.span.buckets  # no two of them the same
        old = (self._stamps[1, places] > self._stamps[0, places]).astype(np.int64)
        new, again = 1 - old, self._index[old, places] == buckets
        self._stamps[new, places] = step
        counts[again] += self._counts[old, places][again]
        sums[again] += self._sums[old, places][again]
        self._counts[new, places] = counts
        self._sums[new, places] = sums
        self._index[new, places] = buckets
        return late

    def totals(self, now: float, step: int) -> Totals:
        """Return what the window holds at a moment, seconds since 1970, as of a step; later rows are left out."""
        stamps = self._stamps.copy()  # once: a step may be under way
        stamps[stamps > step] = -1
        version = (stamps[1] > stamps[0]).astype(np.int64)
        index = self._index[version, np.arange(self.span.buckets)]
        current = math.floor(now / self.span.width)
        oldest = current - self.span.buckets + 1
        held = np.flatnonzero((index >= oldest) & (index <= current))
        own = self._counts[version[held], held]
        counts = own.sum(axis=0, dtype=np.int64)
        hours = hours_of((index[held] * self.span.width).astype(np.float64))
        return Totals(
            span=self.span,
            start=float(oldest * self.span.width),
            rows=int(counts[0].sum()),
            counts=counts,
            sums=self._sums[version[held], held].sum(axis=0),
            hours=np.bincount(hours, weights=own[:, 0].sum(axis=1), minlength=HOURS).astype(np.int64),
        )

    def totals_of(self, block: Block, now: float) -> Totals:
        """Return what the window holds at a moment of rows that are in no bucket yet; there must be some."""
        current = math.floor(now / self.span.width)
        oldest = current - self.span.buckets + 1
        start = float(oldest * self.span.width)
        first, last = math.floor(block.first / self.span.width), math.floor(block.last / self.span.width)
        if oldest <= first and last <= current:  # as a rule: all of it
            counts = block.counts.astype(np.int64)
            return Totals(self.span, start, len(block.at), counts, block.sums, block.hours)
        index = np.floor(block.at / self.span.width)
        held = (index >= oldest) & (index <= current)
        return Totals(
            span=self.span,
            start=start,
            rows=int(held.sum()),
            counts=self._binner.counts(block.codes[held]),
            sums=self._summing(block.values[held]),
            hours=rows_by_hour(block.at[held]),
        )


def bucket_shapes(spans: Sequence[TimeSpan], columns: int, bins: int) -> list[tuple[str, str, tuple[int, ...]]]:
    """Return the name, type and shape of each array that the rings of some windows need."""
    return [
        (f"{what}_{span.name}", dtype, (2, span.buckets, *shape))
        for span in spans
        for what, dtype, shape in (
            ("bucket", "i8", ()),
            ("counts", "u4", (columns, bins)),
            ("sums", "f8", (2, columns)),
            ("stamps", "i8", ()),
        )
    ]
