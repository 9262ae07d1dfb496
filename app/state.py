"""State: everything that a monitor remembers of its rows, as numpy arrays over one buffer of fixed size."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from app.drift.bins import Binner, BoolArray, CodeArray, FloatArray, IntArray
from app.drift.blocks import BlockRing, Blocks, Counted, block_shapes
from app.drift.buckets import Block, Ring, Summing, TimeSpan, Totals, bucket_shapes
from app.drift.evidence import Detector, Evidence, Rate
from app.drift.samples import Scales
from app.drift.window import Rows
from app.layout import Counters, Field, Layout, counter_fields
from app.metrics import LATE, Stored

BLOCK_ROWS: Final = 2_048
"""Most rows written at once, and that wait to be binned."""
CELLS_AT_ONCE: Final = 131_072
"""Cells that make a block of many columns: few enough to be binned while they are in the processor's cache, and in
a millisecond or two, which is how long the event loop waits for it."""
SLACK_ROWS: Final = 2 * BLOCK_ROWS
"""Rows that the ring holds beyond the largest window, so that a reader is seldom overrun."""
_TRIES: Final = 8

# Places in the header.
_RESERVED, _COMMITTED, _DIGESTED, _LATEST = range(4)


def state_layout(
    columns: int,
    bins: int,
    window_rows: int,
    series: Sequence[Stored],
    spans: Sequence[TimeSpan] = (),
    bets: int = 0,
) -> Layout:
    """Return the layout of a monitor's state, for windows of up to `window_rows` rows and of these times.

    `bets` are those of the detector whose evidence it remembers.
    """
    capacity = window_rows + SLACK_ROWS
    return Layout(
        [
            Field("header", "f8", (8,)),
            Field("bin_rows", "i8", (columns, bins)),
            Field("values", "f8", (capacity, columns)),
            Field("codes", "u1", (capacity, columns)),
            Field("arrival", "f8", (capacity,)),
            Field("event", "f8", (capacity,)),
            *(Field(*shape) for shape in bucket_shapes(spans, columns, bins)),
            *(Field(*shape) for shape in block_shapes(columns, bins)),
            Field("weighed_header", "f8", (6,)),
            Field("weighed_counts", "u4", (columns, bins)),
            Field("won", "f8", (bets,)),
            Field("evidence", "f8", (columns,)),
            Field("raised_since", "f8", (columns,)),
            Field("cleared_at", "f8", (columns,)),
            Field("settled_header", "f8", (2,)),
            Field("reached", "?", (2, columns)),
            *counter_fields(series),
        ]
    )


@dataclass(frozen=True)
class Snapshot:
    """What a state holds at one moment."""

    rows: Rows
    """The newest, by the clock that was asked for."""
    observed: int
    """Rows appended since the state began."""
    latest_event: float
    """Seconds since 1970; -inf without rows."""
    totals: tuple[Totals, ...]
    """What each time window holds."""


@dataclass(frozen=True)
class Settled:
    """Which thresholds effects have reached, and as of when."""

    reached: BoolArray
    """Shape [severities, columns]."""
    rows: int
    """Rows that had been appended."""
    clock: float
    """What time it was by the monitor's clock, seconds since 1970; -inf before the first row."""


class State:
    """A ring of the newest rows with their bin codes, buckets of time, cumulative bin counts, and counters.

    The ring is append-only. A writer first reserves the places it is about to overwrite, then
    writes, then commits; a reader copies, looks at the reservation again, and copies anew if its
    rows were among them. So no reader ever holds up a writer. Rows are binned a block at a time, or
    when somebody wants to read.
    """

    def __init__(
        self,
        binner: Binner,
        scales: Scales,
        window_rows: int,
        series: Sequence[Stored],
        *,
        spans: Sequence[TimeSpan] = (),
        by_event: bool = False,
        detector: Detector | None = None,
    ) -> None:
        """Make an empty state.

        `by_event` says whose time rows have: that of their event, or of their arrival. Blocks are for
        the detector, whose evidence is remembered; without one they are counted all the same.
        """
        bets = detector.bets if detector else 0
        self.layout: Final = state_layout(binner.columns, binner.width, window_rows, series, spans, bets)
        self.window_rows: Final = window_rows
        self._binner = binner
        self._block_rows = min(BLOCK_ROWS, max(1, CELLS_AT_ONCE // max(1, binner.columns)))
        self._summing = Summing(scales)
        self._arrays = self.layout.arrays(bytearray(self.layout.size_bytes))
        self._header: FloatArray = self._arrays["header"]
        self._values: FloatArray = self._arrays["values"]
        self._codes: CodeArray = self._arrays["codes"]
        self._arrival: FloatArray = self._arrays["arrival"]
        self._event: FloatArray = self._arrays["event"]
        self._at = self._event if by_event else self._arrival
        self._bin_rows: IntArray = self._arrays["bin_rows"]
        self._capacity = len(self._arrival)
        self._header[_LATEST] = -math.inf
        self._writing = threading.Lock()
        self._counting = threading.Lock()  # apart, so that a refusal is counted while rows are binned
        self._rings = tuple(Ring(span, binner, self._summing, *self._of_span(span)) for span in spans)
        for ring in self._rings:
            ring.clear()
        by_hour = detector is not None and detector.by_hour
        self._blocks = BlockRing(binner, *self._named(block_shapes(binner.columns, binner.width)), by_hour=by_hour)
        self._blocks.clear()
        self.counters: Final = Counters(series, self._arrays)
        self._detector = detector
        if detector:
            self.weigh(detector.start(), self._blocks.start())
            self.settle(Settled(self._arrays["reached"], 0, -math.inf))

    @property
    def rows(self) -> int:
        """Rows appended since the state began."""
        return int(self._header[_COMMITTED])

    @property
    def latest_event(self) -> float:
        """The largest event time appended, seconds since 1970; -inf without rows."""
        return float(self._header[_LATEST])

    def append(self, values: FloatArray, arrival: FloatArray | float, event: FloatArray) -> None:
        """Append rows, `values` of shape [n, columns], `arrival` a time or of shape [n], `event` [n], however many."""
        arrival = np.broadcast_to(arrival, len(values))
        with self._writing:
            for first in range(0, len(values), self._block_rows):
                block = slice(first, first + self._block_rows)
                self._append_block(values[block], arrival[block], event[block])

    def _append_block(self, values: FloatArray, arrival: FloatArray, event: FloatArray) -> None:
        begin = self.rows
        end = begin + len(values)
        if end - int(self._header[_DIGESTED]) > self._block_rows:
            self._digest()
        self._header[_RESERVED] = end
        for ring, rows in self._parts(begin, end):
            self._values[ring] = values[rows]
            self._event[ring] = event[rows]
            self._arrival[ring] = arrival[rows]
        self._header[_LATEST] = max(self._header[_LATEST], event.max())
        self._header[_COMMITTED] = end

    def _digest(self) -> None:
        """Bin the rows that wait; the caller holds the writing lock."""
        begin, end = int(self._header[_DIGESTED]), self.rows
        for ring, _ in self._parts(begin, end, at_once=self._block_rows):
            codes = self._binner.codes(self._values[ring])
            counts = self._blocks.add(codes, self._at[ring])
            self._codes[ring] = codes
            self._bin_rows += counts
            self._count_in_time(ring, codes, counts)
        self._header[_DIGESTED] = end

    def _of_span(self, span: TimeSpan) -> list[npt.NDArray[Any]]:
        return self._named(bucket_shapes([span], self._binner.columns, self._binner.width))

    def _named(self, shapes: Sequence[tuple[str, str, tuple[int, ...]]]) -> list[npt.NDArray[Any]]:
        return [self._arrays[name] for name, *_ in shapes]

    def _count_in_time(self, ring: slice, codes: CodeArray, counts: IntArray) -> None:
        """Count digested rows in the buckets of the time windows, and those that the longest has no place for."""
        if not self._rings:
            return
        values = self._values[ring]
        block = Block(values, codes, self._at[ring], counts.astype(np.uint32), self._summing(values))
        late = min([buckets.add(block) for buckets in self._rings])
        if late:
            with self.counting() as counters:
                counters.add(LATE.name, late)

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

    def snapshot(self, now: float, *, rows: int | None = None) -> Snapshot:
        """Return a copy of the newest `rows` rows (all that are held, by default) and the time windows at `now`.

        By the clock of events the time windows end with the latest one, `now` or not.
        """
        for _ in range(_TRIES):
            taken = self._begin(now)
            copied = self._copy(taken, rows)
            if int(self._header[_RESERVED]) - (taken.observed - len(copied)) <= self._capacity:
                return replace(taken, rows=copied)
        with self._writing:  # writers were faster all along: hold them up once
            taken = self._frozen(now)
            return replace(taken, rows=self._copy(taken, rows))

    def _begin(self, now: float) -> Snapshot:
        with self._writing:
            return self._frozen(now)

    def _frozen(self, now: float) -> Snapshot:
        """Return all but the rows, which are the most; the caller holds the writing lock."""
        self._digest()
        latest = self.latest_event
        clock = latest if self._at is self._event and math.isfinite(latest) else now
        return Snapshot(
            rows=Rows(self._values[:0], self._codes[:0], self._at[:0]),
            observed=self.rows,
            latest_event=latest,
            totals=tuple(ring.totals(clock) for ring in self._rings),
        )

    def _copy(self, taken: Snapshot, rows: int | None) -> Rows:
        wanted = self.window_rows if rows is None else min(rows, self.window_rows)
        begin = max(0, taken.observed - wanted)
        parts = [ring for ring, _ in self._parts(begin, taken.observed)] or [slice(0, 0)]
        return Rows(
            values=np.concatenate([self._values[ring] for ring in parts]),
            codes=np.concatenate([self._codes[ring] for ring in parts]),
            at=np.concatenate([self._at[ring] for ring in parts]),
        )

    def codes_until(self, end: int, rows: int) -> Rows:
        """Return the codes and times, without values, of the newest `rows` of the first `end` rows.

        They must still be in the ring: the caller sees to it that nobody appends so many meanwhile.
        """
        with self._writing:
            if int(self._header[_DIGESTED]) < end:
                self._digest()
        parts = [ring for ring, _ in self._parts(max(0, end - rows), end)] or [slice(0, 0)]
        codes = np.concatenate([self._codes[ring] for ring in parts])
        return Rows(np.empty((len(codes), 0)), codes, np.concatenate([self._at[ring] for ring in parts]))

    def evidence(self) -> Evidence:
        """Return the evidence of the rows weighed so far; ValueError for a state without a detector."""
        if self._detector is None:
            raise ValueError("a state without a detector holds no evidence")
        with self._writing:
            rows, seconds, since, until, threshold, _ = self._arrays["weighed_header"].tolist()
            raised_since = self._arrays["raised_since"].copy()
            return Evidence(
                won=self._arrays["won"].copy(),
                values=self._arrays["evidence"].copy(),
                raised=~np.isnan(raised_since),
                since=raised_since,
                cleared=self._arrays["cleared_at"].copy(),
                threshold=threshold,
                rate=Rate(rows, seconds, None if math.isnan(since) else since, until),
                tau=self._detector.tau,
            )

    @property
    def room(self) -> int:
        """How many rows may be appended until blocks could be overrun that are not yet weighed."""
        with self._writing:
            return self._blocks.room(self._weighed_blocks) - (self.rows - int(self._header[_DIGESTED]))

    def unweighed(self) -> tuple[Blocks, Counted, int]:
        """Return the blocks that the evidence has not weighed, how far it is when it has, and the rows lost to it.

        By the clock of events only whole blocks, so that it does not matter when somebody looks.
        """
        with self._writing:
            self._digest()
            unread = self._blocks.since(self._counted(), unended=self._at is not self._event)
        return unread.counted()

    def weigh(self, evidence: Evidence, counted: Counted) -> None:
        """Keep evidence together with the rows that it has weighed: none may be weighed again."""
        rate = evidence.rate
        since = math.nan if rate.since is None else rate.since
        header = (rate.rows, rate.seconds, since, rate.until, evidence.threshold, counted.blocks)
        with self._writing:
            self._arrays["weighed_header"][:] = header
            self._arrays["weighed_counts"][:] = counted.counts
            self._arrays["won"][:] = evidence.won
            self._arrays["evidence"][:] = evidence.values
            self._arrays["raised_since"][:] = evidence.since
            self._arrays["cleared_at"][:] = evidence.cleared

    def settled(self) -> Settled:
        """Return which thresholds effects have reached."""
        with self._writing:
            rows, clock = self._arrays["settled_header"].tolist()
            return Settled(self._arrays["reached"].copy(), int(rows), clock)

    def settle(self, settled: Settled) -> None:
        """Keep which thresholds effects have reached."""
        with self._writing:
            self._arrays["settled_header"][:] = settled.rows, settled.clock
            self._arrays["reached"][:] = settled.reached

    @property
    def _weighed_blocks(self) -> int:
        return int(self._arrays["weighed_header"][-1])

    def _counted(self) -> Counted:
        return Counted(self._weighed_blocks, self._arrays["weighed_counts"].copy())

    def bin_rows(self) -> IntArray:
        """Return the rows counted in each bin since the state began, shape [columns, K]."""
        with self._writing:
            self._digest()
            return self._bin_rows.copy()

    @contextmanager
    def counting(self) -> Iterator[Counters]:
        """Give the counters to one writer at a time."""
        with self._counting:
            yield self.counters
