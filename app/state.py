"""State: everything that one worker remembers of its rows, as numpy arrays over one buffer of fixed size.

The buffer is memory, or a mapped file that other processes read and that outlives this one. A reader
never holds up the writer, and neither a reader nor the next owner ever sees half of anything:

- Rows: the writer reserves the places that it is about to overwrite, writes, then commits. A reader
  copies, looks at the reservation again, and copies anew if its rows were among them.
- What is derived of rows (bin codes, bin counts, buckets of time, blocks) is brought up to date a block
  at a time, in steps. A step writes beside what was there, and counts from the moment its number is written;
  one that was never finished is done again from the rows.
- Counters are counted in memory of the worker's own and published, all at once, with every batch.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from app.drift.bins import Binner, CodeArray, FloatArray, IntArray
from app.drift.blocks import BlockRing, Counted, Head, Unread, block_shapes
from app.drift.buckets import Block, Ring, Summing, TimeSpan, Totals, bucket_shapes
from app.drift.samples import Scales
from app.drift.waiting import Ahead, Waiting
from app.drift.window import Rows
from app.layout import Buffer, Counters, Field, Layout, counter_fields
from app.metrics import LATE, PROCESS, Stored
from app.versions import Arrays, Damaged, Versions, WordArray, multipliers, version_fields

BLOCK_ROWS: Final = 2_048
"""Most rows written at once, and that wait to be binned."""
CELLS_AT_ONCE: Final = 131_072
"""Cells that make a block of many columns: few enough to be binned while they are in the processor's cache, and in
a millisecond or two, which is how long the event loop waits for it."""
SLACK_ROWS: Final = 2 * BLOCK_ROWS
"""Rows that the ring holds beyond the largest window, so that a reader is seldom overrun."""
POINTS: Final = (
    *("append.reserved", "append.written", "append.committed"),
    *("digest.binned", "digest.blocks", "digest.bucket", "digest.rows", "digest.copied", "digest.checked"),
    *("digest.finished", "counters.copied", "counters.checked", "counters.published"),
)
"""Where a writer may be killed so that a test can tell what is left behind."""

_TRIES: Final = 8

# Places in the header.
_RESERVED, _COMMITTED, _FIRST = range(3)


class Overrun(Exception):
    """Other workers write faster than can be read, time and again."""


def go_on(point: str) -> None:
    """Pass a point of the protocol as if it were not there."""


@dataclass(frozen=True)
class StateShape:
    """What a state is for; two states of one shape have the same layout."""

    binner: Binner
    scales: Scales
    window_rows: int
    series: tuple[Stored, ...] = ()
    """Counters and histograms of a worker."""
    spans: tuple[TimeSpan, ...] = ()
    by_event: bool = False
    """Whose time rows have: that of their event, or of their arrival."""
    by_hour: bool = False
    """Whether evidence tells the hours of the day apart."""

    @property
    def capacity(self) -> int:
        """Rows that the ring holds."""
        return self.window_rows + SLACK_ROWS

    @cached_property
    def counted(self) -> Layout:
        """The layout of what a worker counts."""
        return Layout(
            [*counter_fields(self.series), Field("process", "f8", (len(PROCESS),)), Field("rows", "i8", (1,))]
        )

    @cached_property
    def digested(self) -> Layout:
        """The layout of what is known of all rows that were binned."""
        return Layout([Field("head", "f8", (5,)), Field("total", "i8", (self.binner.columns, self.binner.width))])

    @cached_property
    def layout(self) -> Layout:
        """The layout of a state."""
        columns, bins, capacity = self.binner.columns, self.binner.width, self.capacity
        return Layout(
            [
                Field("header", "i8", (3,)),
                Field("latest", "f8", (1,)),
                Field("values", "f8", (capacity, columns)),
                Field("codes", "u1", (capacity, columns)),
                Field("arrival", "f8", (capacity,)),
                Field("event", "f8", (capacity,)),
                Field("numbers", "i8", (capacity,)),
                Field("row_checks", "u8", (capacity,)),
                *version_fields("digest", self.digested.fields),
                *(Field(*shape) for shape in bucket_shapes(self.spans, columns, bins)),
                *(Field(*shape) for shape in block_shapes(columns, bins)),
                *version_fields("counters", self.counted.fields),
                # Where a reader of blocks begins that has read nothing: rows that were saved were weighed before.
                Field("origin_blocks", "i8", (1,)),
                Field("origin_counts", "u4", (columns, bins)),
            ]
        )


@dataclass(frozen=True)
class Taken:
    """What a state holds at one moment, but for its rows."""

    observed: int
    """Rows appended since the state began."""
    first: int
    """The oldest row that is held, unless it was overwritten."""
    latest_event: float
    """Seconds since 1970; -inf without rows."""
    head: Head
    step: int
    totals: tuple[Totals, ...]
    """What each time window holds."""
    waiting: Waiting
    """Rows behind the head, which are binned here alone."""

    @property
    def bin_rows(self) -> IntArray:
        """The rows counted in each bin since the state began, shape [columns, K]."""
        return self.waiting.head.total


@dataclass(frozen=True)
class Saved:
    """What could be saved of a state that is damaged."""

    values: FloatArray
    arrival: FloatArray
    event: FloatArray
    rows: int
    """That had been appended, as far as is known."""
    base: IntArray | None
    """Rows in each bin beyond those that were saved, shape [columns, K]."""
    counted: WordArray | None
    """The counters, as they were published last."""


class State:
    """A ring of the newest rows with their bin codes, buckets of time, cumulative bin counts, and counters.

    One process writes, whose own lock keeps its threads apart; others, which map the same buffer
    read-only, read. Rows are binned a block at a time, or when somebody wants to read: the owner in
    place, others a copy of the few that wait.
    """

    def __init__(
        self, shape: StateShape, buffer: Buffer | None = None, *, own: bool = True, reach: Callable[[str], None] = go_on
    ) -> None:
        """Make an empty state in memory, or see one in a buffer, which `begin` or `resume` makes usable to its owner.

        `reach` is told of each of the `POINTS` that a writer passes.
        """
        self.shape: Final = shape
        self.window_rows: Final = shape.window_rows
        self.own: Final = own
        self._reach = reach
        self._published = buffer is not None
        self._closed = False
        self._binner = shape.binner
        columns = shape.binner.columns
        self._block_rows = min(BLOCK_ROWS, max(1, CELLS_AT_ONCE // max(1, columns)))
        self._summing = Summing(shape.scales)
        self._arrays = shape.layout.arrays(bytearray(shape.layout.size_bytes) if buffer is None else buffer)
        self._header: IntArray = self._arrays["header"]
        self._latest: FloatArray = self._arrays["latest"]
        self._values: FloatArray = self._arrays["values"]
        self._codes: CodeArray = self._arrays["codes"]
        self._arrival: FloatArray = self._arrays["arrival"]
        self._event: FloatArray = self._arrays["event"]
        self._at = self._event if shape.by_event else self._arrival
        self._multipliers = multipliers(columns + 3)
        self._capacity = shape.capacity
        self._writing = threading.Lock()
        self._counting = threading.Lock()  # apart, so that a refusal is counted while rows are binned
        self._digest_versions = Versions("digest", shape.digested.fields, self._arrays, reach=reach)
        self._counter_versions = Versions("counters", shape.counted.fields, self._arrays, reach=reach)
        self._rings = tuple(Ring(span, shape.binner, self._summing, *self._of_span(span)) for span in shape.spans)
        blocks = self._named(block_shapes(columns, shape.binner.width))
        self._blocks = BlockRing(shape.binner, *blocks, by_hour=shape.by_hour)
        self._ahead = Ahead(shape.binner, self._summing, self._blocks, 2 * self._block_rows)
        self._words = np.zeros(-(-shape.counted.size_bytes // 8), dtype=np.uint64)
        self._live = shape.counted.arrays(self._words)
        self.counters: Final = Counters(shape.series, self._live)
        """The owner's, as of now."""
        self.process: Final[FloatArray] = self._live["process"]
        """What is known of the owner's process, in the order of `metrics.PROCESS`."""
        self._head = self._blocks.start()
        if buffer is None:
            self.begin()

    # ------------------------------------------------------------ beginning

    def begin(self, saved: Saved | None = None) -> None:
        """Make the state of an empty buffer, of zeros: without rows, or with those that were saved of another one."""
        for ring in self._rings:
            ring.clear()
        self._latest[0] = -math.inf
        if saved is None:
            self._keep_head(self._blocks.start())
        else:
            begin = saved.rows - len(saved.values)
            self._header[[_RESERVED, _COMMITTED, _FIRST]] = begin
            base = self._head.total if saved.base is None else saved.base
            self._keep_head(Head(begin, 0, 0, -math.inf, base))
            self.append(saved.values, saved.arrival, saved.event)
            self.digest()
            self._arrays["origin_blocks"][0] = self._head.ended
            self._arrays["origin_counts"][:] = self._head.total
            if saved.counted is not None:  # now, for rows that were late have been counted once
                self._words[:] = saved.counted
        self._live["rows"][0] = self.rows
        self.publish()

    def resume(self) -> int:
        """Go on where the last owner stopped, however it ended; Damaged if what it left contradicts itself.

        Returns the rows that it appended and did not count any more.
        """
        step, digested = self._digest_versions.read()
        self._head = _head_of(digested)
        _, counted = self._counter_versions.read()
        for name, array in counted.items():
            self._live[name][...] = array
        reserved, committed, first = self._header.tolist()
        binned = self._head.rows
        if not 0 <= first <= binned <= committed <= reserved <= committed + self._block_rows:
            raise Damaged("the numbers of rows contradict one another")
        if step != self._digest_versions.sequence:
            raise Damaged("the newest copy of the totals does not fit its checksum")
        if committed - binned > self._ahead.most_rows:
            raise Damaged("the rows that wait to be binned are too many")
        oldest = max(first, reserved - self._capacity)
        for begin in range(oldest, binned, self._block_rows):
            held = np.arange(begin, min(binned, begin + self._block_rows))
            if not self._fit(held % self._capacity, held).all():
                raise Damaged("rows do not fit their checksums")
        for buckets in self._rings:
            buckets.forget_after(step)
        if not (all(ring.is_sound for ring in self._rings) and self._blocks.is_sound(self._head)):
            raise Damaged("counts contradict one another")
        for ring, _ in self._parts(min(oldest, binned), binned, at_once=self._block_rows):
            self._codes[ring] = self._binner.codes(self._values[ring])
        if reserved != committed:  # rows that were never committed: the latest event may be theirs, places are
            events = [self._event[ring].max() for ring, _ in self._parts(binned, committed)]
            self._latest[0] = max([_latest_of(digested), *map(float, events)])
            self._header[_FIRST] = max(first, reserved - self._capacity)
            self._header[_RESERVED] = committed
        self.digest()
        uncounted = committed - int(self._live["rows"][0])
        self._live["rows"][0] = committed
        return int(max(0, uncounted))

    def save(self) -> Saved:
        """Return what is whole of a state that is damaged: rows that fit their checksums, and counters that do."""
        numbers: IntArray = self._arrays["numbers"]
        places = np.flatnonzero((numbers % self._capacity == np.arange(self._capacity)) & (numbers >= 0))
        places = places[self._fit(places, numbers[places])]
        places = places[np.argsort(numbers[places])]
        rows, base = int(numbers[places].max(initial=-1)) + 1, None
        try:
            head = _head_of(self._digest_versions.read()[1])
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

    # ------------------------------------------------------------ writing

    @property
    def rows(self) -> int:
        """Rows appended since the state began."""
        return int(self._header[_COMMITTED])

    @property
    def latest_event(self) -> float:
        """The largest event time appended, seconds since 1970; -inf without rows."""
        return float(self._latest[0])

    @property
    def newest_arrival(self) -> float:
        """When the last row came, seconds since 1970; -inf without rows."""
        rows = self.rows
        return float(self._arrival[(rows - 1) % self._capacity]) if rows > int(self._header[_FIRST]) else -math.inf

    def append(self, values: FloatArray, arrival: FloatArray | float, event: FloatArray) -> None:
        """Append rows, `values` of shape [n, columns], `arrival` a time or of shape [n], `event` [n], however many.

        RuntimeError if the state was closed.
        """
        arrival = np.broadcast_to(arrival, len(values))
        with self._writing:
            if self._closed:
                raise RuntimeError("the state is closed: the server has stopped")
            for first in range(0, len(values), self._block_rows):
                block = slice(first, first + self._block_rows)
                self._append_block(values[block], arrival[block], event[block])

    def _append_block(self, values: FloatArray, arrival: FloatArray, event: FloatArray) -> None:
        begin = self.rows
        end = begin + len(values)
        if end - self._head.rows > self._block_rows:
            self._digest()
        self._header[_RESERVED] = end
        self._reach("append.reserved")
        for ring, rows in self._parts(begin, end):
            self._values[ring] = values[rows]
            self._event[ring] = event[rows]
            self._arrival[ring] = arrival[rows]
        self._latest[0] = max(self._latest[0], event.max())
        self._reach("append.written")
        self._header[_COMMITTED] = end
        self._reach("append.committed")

    def digest(self) -> None:
        """Bin the rows that wait."""
        with self._writing:
            self._digest()

    def _digest(self) -> None:
        """Bin the rows that wait; the caller holds the writing lock."""
        if self._closed:
            return
        begin, end = self._head.rows, self.rows
        for ring, rows in self._parts(begin, end, at_once=self._block_rows):
            step = self._digest_versions.sequence + 1
            codes = self._binner.codes(self._values[ring])
            self._codes[ring] = codes
            self._reach("digest.binned")
            head, counts = self._blocks.add(self._head, codes, self._at[ring])
            self._reach("digest.blocks")
            self._count_in_time(ring, codes, counts, step)
            numbers = begin + np.arange(rows.start, rows.stop)
            self._arrays["numbers"][ring] = numbers
            self._arrays["row_checks"][ring] = self._checked(ring, numbers)
            self._reach("digest.rows")
            self._keep_head(head)
            self._reach("digest.finished")

    def _keep_head(self, head: Head) -> None:
        """Finish a step: from now on its counts are those of all rows before the head."""
        numbers = (head.ended, head.hour, head.at, self._latest[0])
        self._digest_versions.write({"head": (head.rows, *numbers), "total": head.total})
        self._head = head

    def _of_span(self, span: TimeSpan) -> list[npt.NDArray[Any]]:
        return self._named(bucket_shapes([span], self._binner.columns, self._binner.width))

    def _named(self, shapes: Sequence[tuple[str, str, tuple[int, ...]]]) -> list[npt.NDArray[Any]]:
        return [self._arrays[name] for name, *_ in shapes]

    def _count_in_time(self, ring: slice, codes: CodeArray, counts: IntArray, step: int) -> None:
        """Count digested rows in the buckets of the time windows, and those that the longest has no place for."""
        if not self._rings:
            return
        values = self._values[ring]
        block = Block(values, codes, self._at[ring], counts.astype(np.uint32), self._summing(values))
        late = []
        for buckets in self._rings:
            late.append(buckets.add(block, step))
            self._reach("digest.bucket")
        if min(late):
            with self.counting() as counters:
                counters.add(LATE.name, min(late))

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

    @contextmanager
    def counting(self) -> Iterator[Counters]:
        """Give the counters to one writer at a time."""
        with self._counting:
            yield self.counters

    @property
    def is_closed(self) -> bool:
        """Whether its owner has left."""
        return self._closed

    def publish(self) -> None:
        """Let other processes, and whoever comes after this one, know of all that was counted."""
        with self._counting:
            self._publish()

    def _publish(self) -> None:
        """Publish what was counted; the caller holds the lock."""
        if self._published and not self._closed:
            self._live["rows"][0] = self.rows
            self._counter_versions.write_words(self._words)
            self._reach("counters.published")

    def close(self) -> None:
        """Write nothing more, whoever asks: from now on the buffer may be another worker's."""
        with self._writing:
            self._digest()
            with self._counting:
                self._publish()
                self._closed = True

    # ------------------------------------------------------------ reading

    def check(self) -> None:
        """Raise Damaged if the totals or the counters are not whole, or numbers contradict one another."""
        self._counter_versions.read_words()
        for _ in range(_TRIES):
            step, digested = self._digest_versions.read_newest()
            with suppress(Overrun):
                self._require_sense(_head_of(digested), step)
                return

    def counted(self) -> Arrays:
        """Return what the worker has counted, by series, and `process`; what others read is published first."""
        if not self.own:
            return self._counter_versions.read()[1]
        with self._counting:  # so that no histogram is copied half counted, and nothing told that is not published
            self._publish()
            return self.shape.counted.arrays(self._words.copy())

    @contextmanager
    def held_up(self) -> Iterator[None]:
        """Let nobody append meanwhile; of no effect on a state of another process."""
        with self._writing:
            yield

    def take(self, now: float | None = None, *, held_up: bool = False) -> Taken:
        """Return what a state holds at `now`, but for its rows; without a time no time windows.

        By the clock of events these end with the latest one, `now` or not. `held_up` says that the caller keeps
        writers out. Of another worker's state: Damaged if it contradicts itself, Overrun if it is written too fast.
        """
        if held_up and self.own:
            return self._taken(now)
        if self.own:
            with self._writing:
                return self._taken(now)
        for _ in range(_TRIES):
            try:
                taken = self._taken(now)
            except Overrun:
                continue
            # A step that was under way wrote beside what was read; the one after it would not.
            if self._digest_versions.sequence == taken.step and self.is_still(taken, 0):
                return taken
        raise Overrun("another worker counted rows faster than they could be read, time and again")

    def _taken(self, now: float | None) -> Taken:
        if self.own:
            self._digest()
            step, head = self._digest_versions.sequence, self._head
        else:
            step, digested = self._digest_versions.read_newest()
            head = _head_of(digested)
            self._require_sense(head, step)
        observed, latest = self.rows, self.latest_event
        if observed - head.rows > self._ahead.most_rows:
            raise Overrun("another worker appended rows meanwhile")
        waiting = self._ahead.upto(observed, head, step, self._copied)
        totals: list[Totals] = []
        if now is not None:
            clock = latest if self.shape.by_event and math.isfinite(latest) else now
            totals = [ring.totals(clock, step) for ring in self._rings]
            if len(waiting):
                more = [ring.totals_of(waiting.block, clock) for ring in self._rings]
                totals = [own + further for own, further in zip(totals, more, strict=True)]
        return Taken(observed, int(self._header[_FIRST]), latest, head, step, tuple(totals), waiting)

    def _require_sense(self, head: Head, step: int) -> None:
        """Raise Damaged if the numbers of rows contradict one another, and not because they have just changed."""
        reserved, committed, first = self._header.tolist()
        ordered = 0 <= first <= head.rows <= committed <= reserved <= committed + self._block_rows
        few = committed - head.rows <= self._ahead.most_rows
        if not (ordered and few) and self._header.tolist() == [reserved, committed, first]:
            if self._digest_versions.sequence == step:
                raise Damaged("the numbers of rows contradict one another")
            raise Overrun("another worker counted rows meanwhile")

    def _copied(self, begin: int, end: int) -> tuple[FloatArray, FloatArray]:
        """Return copies of the values and the times of some rows."""
        parts = [ring for ring, _ in self._parts(begin, end)]
        return np.concatenate([self._values[ring] for ring in parts]), np.concatenate(
            [self._at[ring] for ring in parts]
        )

    def is_still(self, taken: Taken, rows: int) -> bool:
        """Say whether what was taken, and the newest rows of it copied since, was not overwritten meanwhile."""
        begin = min(taken.head.rows, max(taken.first, taken.observed - rows))
        return int(self._header[_RESERVED]) - begin <= self._capacity

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

    def codes_until(self, end: int, rows: int) -> Rows:
        """Return the codes and times, without values, of the newest `rows` of the first `end` rows.

        They must still be in the ring: the caller sees to it that nobody appends so many meanwhile.
        """
        with self._writing:
            if self._head.rows < end:
                self._digest()
        begin = max(int(self._header[_FIRST]), end - rows)
        parts = [ring for ring, _ in self._parts(begin, end)] or [slice(0, 0)]
        codes = np.concatenate([self._codes[ring] for ring in parts])
        return Rows(np.empty((len(codes), 0)), codes, np.concatenate([self._at[ring] for ring in parts]))

    def origin(self) -> Counted:
        """Return what a reader of blocks has read that has read nothing."""
        return Counted(int(self._arrays["origin_blocks"][0]), self._arrays["origin_counts"].copy())

    def room(self, blocks: int) -> int:
        """Return how many rows the owner may append until blocks could be overrun, so many having been read."""
        with self._writing:
            return self._blocks.room(self._head, blocks) - (self.rows - self._head.rows)

    def unread(self, taken: Taken, read: Counted) -> Unread:
        """Return the blocks that a reader has not read.

        By the clock of events only whole ones, so that it does not matter when somebody looks.
        """
        waiting = taken.waiting.ends, taken.waiting.head
        return self._blocks.since(taken.head, read, unended=not self.shape.by_event, waiting=waiting)

    def has_blocks(self, unread: Unread) -> bool:
        """Say whether blocks that were copied were not overwritten meanwhile."""
        return len(unread.ends) == 0 or self._blocks.holds(unread.first)


def _head_of(digested: Arrays) -> Head:
    rows, ended, hour, at, _ = digested["head"].tolist()
    return Head(int(rows), int(ended), int(hour), at, digested["total"])


def _latest_of(digested: Arrays) -> float:
    return float(digested["head"][-1])
