"""Time windows: rows counted into buckets of the clock, a ring of them for each window.

A bucket holds counts and sums, not rows, so a day costs as little as a minute. None crosses an hour.
The arrays belong to the caller; here is what is done with them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from app.drift.bins import Binner, CodeArray, FloatArray, IntArray
from app.drift.samples import CLIP_SDS, Scales
from app.drift.tiles import Tiling

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
        found = re.fullmatch(r"([1-9]\d*)([smhd])", text)
        if found is None:
            raise ValueError(f"{text!r} is not a time: write a whole number of s, m, h or d, such as 2m, 1h or 7d")
        seconds = int(found[1]) * UNITS[found[2]]
        if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
            raise ValueError(f"{text} is not between {SHORTEST_SECONDS}s and {LONGEST_SECONDS // UNITS['d']}d")
        return cls(text, seconds)

    @property
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


@dataclass(frozen=True)
class Block:
    """Rows that are counted together."""

    codes: CodeArray
    """Shape [n, columns]."""
    at: FloatArray
    """Seconds since 1970, shape [n]."""
    counts: CountArray
    """All rows in each bin, shape [columns, K]."""
    standardised: FloatArray
    """Clipped standardised values, 0 where missing, shape [n, columns]."""

    def sums(self) -> FloatArray:
        """Return the sums of the values and of their squares, shape [2, columns]."""
        z = self.standardised
        return np.stack([np.ones(len(z)) @ z, np.einsum("ij,ij->j", z, z)])

    @cached_property
    def first(self) -> float:
        """The earliest time."""
        return float(self.at.min())

    @cached_property
    def last(self) -> float:
        """The latest time."""
        return float(self.at.max())


class Standardiser:
    """Turns rows into what enters the buckets' sums."""

    def __init__(self, scales: Scales) -> None:
        self._scales = scales
        self._tiling = Tiling(len(scales.mean))
        self._mean: FloatArray = self._tiling.repeated(scales.mean)
        # No larger than a number can be: the sd of numbers near the smallest has no inverse.
        self._per_std: FloatArray = self._tiling.repeated(1.0 / np.maximum(scales.std, 1.0 / np.finfo(np.float64).max))

    def __call__(self, values: FloatArray) -> FloatArray:
        """Return clipped standardised values, 0 where missing, shape [n, columns] as `values`."""
        z = np.empty(values.shape)
        flat, cells = z.reshape(-1), np.ascontiguousarray(values).reshape(-1)
        with np.errstate(over="ignore", invalid="ignore"):
            for place, width in self._tiling.stretches(flat.size):
                out = flat[place].reshape(-1, width)
                np.subtract(cells[place].reshape(-1, width), self._mean[:width], out=out)
                np.multiply(out, self._per_std[:width], out=out)
            # No column is clipped nearer than this. Comparisons with NaN are false.
            plain = z.size == 0 or (z.min() >= -CLIP_SDS and z.max() <= CLIP_SDS)
        if not plain:
            z = self._scales.standardised(values)
            z[np.isnan(z)] = 0.0
        return z


class Ring:
    """The buckets of one time window, in arrays of a State.

    `index` (shape [buckets]) says which bucket of the clock each place holds, `counts`
    ([buckets, columns, K]) and `sums` ([buckets, 2, columns]) what is in it.
    """

    def __init__(self, span: TimeSpan, binner: Binner, index: IntArray, counts: CountArray, sums: FloatArray) -> None:
        self.span: Final = span
        self._binner = binner
        self._index = index
        self._counts = counts
        self._sums = sums

    def clear(self) -> None:
        """Forget everything."""
        self._index[:] = NEVER

    def add(self, block: Block, sums: FloatArray) -> int:
        """Count a block, whose sums are given; returns how many of its rows were too old when they came."""
        first, last = math.floor(block.first / self.span.width), math.floor(block.last / self.span.width)
        before = int(self._index.max())
        newest = max(before, last)
        if first == last and last > newest - self.span.buckets:  # as a rule: one bucket for the whole block
            place = self._claim(last)
            self._counts[place] += block.counts
            self._sums[place] += sums
            return 0
        return self._add_apart(block, before, newest)

    def _add_apart(self, block: Block, before: int, newest: int) -> int:
        index = np.floor(block.at / self.span.width).astype(np.int64)
        # A row that a later one of its own block leaves behind came in time.
        late = int((index <= np.maximum.accumulate(np.maximum(index, before)) - self.span.buckets).sum())
        kept = np.flatnonzero(index > newest - self.span.buckets)
        kept = kept[np.argsort(index[kept], kind="stable")]
        if kept.size == 0:
            return late
        buckets, starts, group = np.unique(index[kept], return_index=True, return_inverse=True)
        z = block.standardised[kept]
        sums = np.stack([np.add.reduceat(z, starts), np.add.reduceat(z * z, starts)], axis=1)
        counts = self._binner.counts_by(block.codes[kept], group, len(buckets))
        places = [self._claim(bucket) for bucket in buckets.tolist()]  # at most as many as the window has
        self._counts[places] += counts.astype(np.uint32)
        self._sums[places] += sums
        return late

    def _claim(self, bucket: int) -> int:
        """Return a bucket's place, emptied first if it held an older one."""
        place = bucket % self.span.buckets
        if self._index[place] != bucket:
            self._index[place] = bucket
            self._counts[place] = 0
            self._sums[place] = 0.0
        return place

    def totals(self, now: float) -> Totals:
        """Return what the window holds at a moment, seconds since 1970; later rows are left out."""
        current = math.floor(now / self.span.width)
        oldest = current - self.span.buckets + 1
        held = (self._index >= oldest) & (self._index <= current)
        counts = self._counts[held].sum(axis=0, dtype=np.int64)
        return Totals(
            span=self.span,
            start=float(oldest * self.span.width),
            rows=int(counts[0].sum()),
            counts=counts,
            sums=self._sums[held].sum(axis=0),
        )


def bucket_shapes(spans: Sequence[TimeSpan], columns: int, bins: int) -> list[tuple[str, str, tuple[int, ...]]]:
    """Return the name, type and shape of each array that the rings of some windows need."""
    return [
        (f"{what}_{span.name}", dtype, (span.buckets, *shape))
        for span in spans
        for what, dtype, shape in (
            ("bucket", "i8", ()),
            ("counts", "u4", (columns, bins)),
            ("sums", "f8", (2, columns)),
        )
    ]
