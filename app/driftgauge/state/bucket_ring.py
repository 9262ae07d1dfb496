"""Rings of buckets, one for each time window, in arrays of a state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.windows.blocks import HOURS, CountArray, hours_of, rows_by_hour
from driftgauge.drift.windows.time_spans import Block, Summing, TimeSpan, Totals

NEVER: Final = np.iinfo(np.int64).min
"""The index of a bucket that holds nothing yet."""


class Ring:
    """The buckets of one time window, in arrays of a State.

    `index` (shape [2, buckets]) says which bucket of the clock each place holds, `counts`
    ([2, buckets, columns, K]) and `sums` ([2, buckets, 2, columns]) what is in it. Each bucket has two
    copies, and `stamps` ([2, buckets]) says with which step each was written. A step writes the older; readers
    take the newest not later than their step. At most one step may be in progress.
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
