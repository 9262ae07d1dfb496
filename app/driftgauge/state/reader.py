"""Lock-free reads of a worker's state: copy, re-check the sequence, retry if it moved."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from driftgauge.drift.bins import CodeArray, FloatArray, IntArray
from driftgauge.drift.windows.blocks import Head
from driftgauge.drift.windows.time_spans import Summing, TimeSpan, Totals
from driftgauge.drift.windows.window import Rows
from driftgauge.state.block_ring import BlockRing, Counted, Unread, block_shapes
from driftgauge.state.bucket_ring import Ring, bucket_shapes
from driftgauge.state.layout import Buffer
from driftgauge.state.pending import Ahead
from driftgauge.state.points import go_on
from driftgauge.state.shape import BLOCK_ROWS, COMMITTED, FIRST, RESERVED, Overrun, Saved, StateShape, Taken
from driftgauge.state.versions import Arrays, Damaged, Versions, WordArray, multipliers

CELLS_AT_ONCE: Final = 131_072
"""Cells that make a block of many columns: few enough to be binned while they are in the processor's cache, and in
a millisecond or two, which is how long the event loop waits for it."""

_TRIES: Final = 8


class StateReader:
    """What one worker remembers of its rows, in a buffer that another one may be writing to."""

    def __init__(self, shape: StateShape, buffer: Buffer, *, reach: Callable[[str], None] = go_on) -> None:
        """See the state in a buffer."""
        self.shape: Final = shape
        self.window_rows: Final = shape.window_rows
        self._binner = shape.binner
        columns = shape.binner.columns
        self._block_rows = min(BLOCK_ROWS, max(1, CELLS_AT_ONCE // max(1, columns)))
        self._capacity = shape.capacity
        self._multipliers = multipliers(columns + 3)
        self._arrays = shape.layout.arrays(buffer)
        self._header: IntArray = self._arrays["header"]
        self._latest: FloatArray = self._arrays["latest"]
        self._values: FloatArray = self._arrays["values"]
        self._codes: CodeArray = self._arrays["codes"]
        self._arrival: FloatArray = self._arrays["arrival"]
        self._event: FloatArray = self._arrays["event"]
        self._at = self._event if shape.by_event else self._arrival
        self._digest_versions = Versions("digest", shape.digested.fields, self._arrays, reach=reach)
        self._counter_versions = Versions("counters", shape.counted.fields, self._arrays, reach=reach)
        self._summing = Summing(shape.scales)
        self._rings = tuple(Ring(span, shape.binner, self._summing, *self._of_span(span)) for span in shape.spans)
        blocks = self._named(block_shapes(columns, shape.binner.width))
        self._blocks = BlockRing(shape.binner, *blocks, by_hour=shape.by_hour)
        self._reading = threading.Lock()
        self._ahead = Ahead(shape.binner, self._summing, self._blocks, 2 * self._block_rows)

    def _of_span(self, span: TimeSpan) -> list[npt.NDArray[Any]]:
        return self._named(bucket_shapes([span], self._binner.columns, self._binner.width))

    def _named(self, shapes: Sequence[tuple[str, str, tuple[int, ...]]]) -> list[npt.NDArray[Any]]:
        return [self._arrays[name] for name, *_ in shapes]

    def _parts(self, begin: int, end: int, *, at_once: int | None = None) -> Iterator[tuple[slice, slice]]:
        """Yield the stretches of the ring that rows `begin` to `end` lie in, oldest first.

        There are one or two, or as many as make no more than so many rows at once.
        """
        first = begin
        while first < end:
            start = first % self._capacity
            rows = min(end - first, self._capacity - start, at_once or self._capacity)
            yield slice(start, start + rows), slice(first - begin, first - begin + rows)
            first += rows

    # ------------------------------------------------------------ what is whole

    def check(self) -> None:
        """Raise Damaged if the totals or the counters are not whole, or numbers contradict one another."""
        self._counter_versions.read_words()
        for _ in range(_TRIES):
            step, digested = self._digest_versions.read_newest()
            with suppress(Overrun):
                self._require_sense(head_of(digested), step)
                return

    def save(self) -> Saved:
        """Return what is whole of a state that is damaged: rows that fit their checksums, and counters that do."""
        numbers: IntArray = self._arrays["numbers"]
        places = np.flatnonzero((numbers % self._capacity == np.arange(self._capacity)) & (numbers >= 0))
        places = places[self._fit(places, numbers[places])]
        places = places[np.argsort(numbers[places])]
        rows, base = int(numbers[places].max(initial=-1)) + 1, None
        try:
            head = head_of(self._digest_versions.read()[1])
        except Damaged:
            pass
        else:
            rows = max(rows, head.rows)
            before = places[numbers[places] < head.rows]
            base = np.maximum(0, head.total - self._binner.counts(self._binner.codes(self._values[before])))
        try:
            counted: WordArray | None = self._counter_versions.read_words()[1]
        except Damaged:
            counted = None
        values, arrival, event = (array[places].copy() for array in (self._values, self._arrival, self._event))
        return Saved(values, arrival, event, rows, base, counted)

    def _checked(self, places: slice | IntArray, numbers: IntArray) -> WordArray:
        """Return the checksums of rows at some places of the ring, by what they hold and their numbers."""
        per_cell, (arrival, event, number) = self._multipliers[:-3], self._multipliers[-3:]
        checks: WordArray = np.einsum("ij,j->i", self._values[places].view(np.uint64), per_cell)
        checks += self._arrival[places].view(np.uint64) * arrival
        checks += self._event[places].view(np.uint64) * event
        checks += (numbers + 1).astype(np.uint64) * number  # so that nothing but zeros is no row
        return checks

    def _fit(self, places: IntArray, numbers: IntArray) -> npt.NDArray[np.bool_]:
        """Say which rows fit their checksums."""
        fits: npt.NDArray[np.bool_] = self._arrays["row_checks"][places] == self._checked(places, numbers)
        fits &= self._arrays["numbers"][places] == numbers
        return fits

    def _all_fit(self, begin: int, end: int) -> bool:
        """Say whether all of some rows fit their checksums."""
        for first in range(begin, end, self._block_rows):
            held = np.arange(first, min(end, first + self._block_rows))
            if not self._fit(held % self._capacity, held).all():
                return False
        return True

    def _require_sense(self, head: Head, step: int) -> None:
        """Raise Damaged if the numbers of rows contradict one another, and not because they have just changed."""
        reserved, committed, first = self._header.tolist()
        ordered = 0 <= first <= head.rows <= committed <= reserved <= committed + self._block_rows
        few = committed - head.rows <= self._ahead.most_rows
        if not (ordered and few) and self._header.tolist() == [reserved, committed, first]:
            if self._digest_versions.sequence == step:
                raise Damaged("the numbers of rows contradict one another")
            raise Overrun("another worker counted rows meanwhile")

    # ------------------------------------------------------------ reading

    @property
    def rows(self) -> int:
        """Rows appended since the state began."""
        return int(self._header[COMMITTED])

    @property
    def latest_event(self) -> float:
        """The largest event time appended, seconds since 1970; -inf without rows."""
        return float(self._latest[0])

    @property
    def newest_arrival(self) -> float:
        """When the last row came, seconds since 1970; -inf without rows."""
        rows = self.rows
        return float(self._arrival[(rows - 1) % self._capacity]) if rows > int(self._header[FIRST]) else -math.inf

    def counted(self) -> Arrays:
        """Return what the worker has counted and published, by series, and `process`."""
        return self._counter_versions.read()[1]

    def take(self, now: float | None = None) -> Taken:
        """Return what a state holds at `now`, but for its rows; without a time no time windows.

        By the clock of events these end with the latest one, `now` or not. Of another worker's state: Damaged if it
        contradicts itself, Overrun if it is written too fast.
        """
        for _ in range(_TRIES):
            step, digested = self._digest_versions.read_newest()
            head = head_of(digested)
            with suppress(Overrun):
                self._require_sense(head, step)
                taken = self._taken(head, step, now)
                # A step that was under way wrote beside what was read; the one after it would not.
                if self._digest_versions.sequence == taken.step and self.is_still(taken, 0):
                    return taken
        raise Overrun("another worker counted rows faster than they could be read, time and again")

    def _taken(self, head: Head, step: int, now: float | None) -> Taken:
        """Return what a state holds as of a step, and the rows behind its head."""
        observed, latest = self.rows, self.latest_event
        if observed - head.rows > self._ahead.most_rows:
            raise Overrun("another worker appended rows meanwhile")
        with self._reading:
            waiting = self._ahead.upto(observed, head, step, self._copied)
        totals: list[Totals] = []
        if now is not None:
            clock = latest if self.shape.by_event and math.isfinite(latest) else now
            totals = [ring.totals(clock, step) for ring in self._rings]
            if len(waiting):
                more = [ring.totals_of(waiting.block, clock) for ring in self._rings]
                totals = [own + further for own, further in zip(totals, more, strict=True)]
        return Taken(observed, int(self._header[FIRST]), latest, head, step, tuple(totals), waiting)

    def _copied(self, begin: int, end: int) -> tuple[FloatArray, FloatArray]:
        """Return copies of the values and the times of some rows."""
        parts = [ring for ring, _ in self._parts(begin, end)]
        return np.concatenate([self._values[ring] for ring in parts]), np.concatenate(
            [self._at[ring] for ring in parts]
        )

    @property
    def oldest(self) -> int:
        """The oldest row that nothing has overwritten, or was about to."""
        return max(int(self._header[FIRST]), int(self._header[RESERVED]) - self._capacity)

    def _codes_between(self, begin: int, end: int) -> Rows:
        """Return copies of the codes and times of some rows, without their values."""
        parts = [ring for ring, _ in self._parts(begin, end)] or [slice(0, 0)]
        codes = np.concatenate([self._codes[ring] for ring in parts])
        return Rows(np.empty((len(codes), 0)), codes, np.concatenate([self._at[ring] for ring in parts]))

    def is_still(self, taken: Taken, rows: int) -> bool:
        """Say whether what was taken, and the newest rows of it copied since, was not overwritten meanwhile."""
        begin = min(taken.head.rows, max(taken.first, taken.observed - rows))
        return int(self._header[RESERVED]) - begin <= self._capacity

    def held(self, taken: Taken, rows: int) -> int:
        """Return how many of the newest so many rows a state has."""
        return max(0, min(rows, self.window_rows, taken.observed - taken.first))

    def rows_of(self, taken: Taken, rows: int) -> Rows:
        """Return a copy of the newest rows of what was taken, as many as are held."""
        begin = taken.observed - self.held(taken, rows)
        parts = [ring for ring, _ in self._parts(begin, taken.observed)] or [slice(0, 0)]
        binned = [ring for ring, _ in self._parts(begin, max(begin, taken.head.rows))]
        codes = [self._codes[ring] for ring in binned]
        return Rows(
            values=np.concatenate([self._values[ring] for ring in parts]),
            codes=np.concatenate([*codes, taken.waiting.rows.codes[max(0, begin - taken.head.rows) :]]),
            at=np.concatenate([self._at[ring] for ring in parts]),
        )

    def arrivals(self, taken: Taken, rows: int) -> FloatArray:
        """Return by when each of the newest rows had come, ascending: what rows of several states are ordered by."""
        begin = max(taken.first, taken.observed - self.ordered_rows)
        parts = [ring for ring, _ in self._parts(begin, taken.observed)]
        arrivals = np.concatenate([self._arrival[ring] for ring in parts] or [self._arrival[:0]])
        ordered: FloatArray = np.maximum.accumulate(arrivals)[taken.observed - begin - self.held(taken, rows) :]
        return ordered

    @property
    def ordered_rows(self) -> int:
        """How many rows are looked at for their order: where a clock went back, those before the window matter too."""
        return self.window_rows + BLOCK_ROWS

    def origin(self) -> Counted:
        """Return what a reader of blocks has read that has read nothing."""
        return Counted(int(self._arrays["origin_blocks"][0]), self._arrays["origin_counts"].copy())

    def unread(self, taken: Taken, read: Counted) -> Unread:
        """Return the blocks that a reader has not read.

        By the clock of events only whole ones, so that it does not matter when somebody looks.
        """
        waiting = taken.waiting.ends, taken.waiting.head
        return self._blocks.since(taken.head, read, unended=not self.shape.by_event, waiting=waiting)

    def has_blocks(self, unread: Unread) -> bool:
        """Say whether blocks that were copied were not overwritten meanwhile."""
        return len(unread.ends) == 0 or self._blocks.holds(unread.first)


def head_of(digested: Arrays) -> Head:
    """Return the head that a copy of the totals holds."""
    rows, ended, hour, at, _ = digested["head"].tolist()
    return Head(int(rows), int(ended), int(hour), at, digested["total"])
