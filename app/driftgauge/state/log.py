"""Log: the newest rows of one worker in a ring, and its counters.

A record holds a row's number, its arrival, its time, its values and a checksum of all of these, so a torn,
overwritten or damaged row is recognised wherever it is read. Row n lies at place n modulo the capacity. The worker
writes records first and then the number of rows committed; it repeats that number, which it also knows itself,
with each write.
"""

from __future__ import annotations

import math
import threading
from contextlib import AbstractContextManager
from struct import Struct
from typing import Final

import numpy as np

from driftgauge.common.layout import Arrays, Buffer, WordArray
from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.windows.streams import StreamRows
from driftgauge.metrics.counters import Counters
from driftgauge.state.double_buffer import Damaged, DoubleBuffer, multipliers
from driftgauge.state.failpoints import Failpoint, no_failpoint
from driftgauge.state.shape import EXTRA_WORDS, StateShape

NUMBER, ARRIVAL, AT, VALUES = range(EXTRA_WORDS)
"""Words of a record: the number plus 1, the times, and the first value; the checksum is the last word."""

_HEAD: Final = Struct("=Qdd")
"""The words of a record before its values."""


class OwnCounters(AbstractContextManager[Counters]):
    """The counters of one worker, and the lock under which they are written and copied."""

    def __init__(self, shape: StateShape) -> None:
        self._layout = shape.counted
        self.lock: Final = threading.Lock()  # of its own, so that a refusal is counted while rows are appended
        self.words: Final[WordArray] = np.zeros(shape.counted.words, np.uint64)
        """All of them, as they are published."""
        live = shape.counted.arrays(self.words)
        self.counters: Final = Counters(shape.series, live)
        self.process: Final[FloatArray] = live["process"]
        """The numbers of the process, in the order of `metrics.PROCESS`, and its queue."""
        self.rows: Final[IntArray] = live["rows"]
        """Rows of the log that the counters contain, shape [1]."""

    def counting(self) -> AbstractContextManager[Counters]:
        """Give the counters to one writer at a time."""
        return self

    def __enter__(self) -> Counters:
        self.lock.acquire()
        return self.counters

    def __exit__(self, *_: object) -> None:
        self.lock.release()

    def copied(self) -> Arrays:
        """Return a copy by series, with `process` and `rows`."""
        with self.lock:
            return self.copied_by_holder()

    def copied_by_holder(self) -> Arrays:
        """Return the same for a caller that holds the lock."""
        return self._layout.arrays(self.words.copy())


class LogReader:
    """A log that another process may be writing to."""

    def __init__(self, shape: StateShape, buffer: Buffer, failpoint: Failpoint = no_failpoint) -> None:
        self._unread_rows = shape.unread_rows
        arrays = shape.log.arrays(buffer)
        self.committed: Final[IntArray] = arrays["committed"]
        self.records: Final[WordArray] = arrays["records"]
        self.counters: Final = DoubleBuffer("counters", shape.counted, arrays, failpoint)
        self.multipliers: Final = multipliers(shape.record_words - 1)
        """Factors of a record's checksum."""

    @property
    def rows(self) -> int:
        """Rows appended since the log began."""
        return int(self.committed[0])

    @property
    def written(self) -> int:
        """Rows after which the next worker goes on, with rows that a killed worker wrote and did not commit."""
        return max(self.rows, int(self.scan().max(initial=-1)) + 1)

    @property
    def uncounted(self) -> int:
        """Rows that the published counters do not contain; none if these are damaged."""
        try:
            return max(0, self.rows - int(self.counted()["rows"][0]))
        except Damaged:
            return 0

    def is_complete(self, position: int) -> bool:
        """Return whether no row is behind those that are committed; `position` is how far it was read."""
        rows = self.rows_after(position)
        return not self.read(rows, rows + 1).valid[0]

    def rows_after(self, position: int) -> int:
        """Return the rows appended: as their number says, or as many as are found if that is damaged."""
        rows = self.rows
        if rows <= position or self.read(rows - 1, rows).valid[0]:
            return max(rows, position)
        valid = self.read(position, position + self._unread_rows).valid
        return position + int(np.flatnonzero(valid).max(initial=-1)) + 1

    def counted(self) -> Arrays:
        """Return the published counters by series, with `process` and `rows`; Damaged if they are not whole."""
        return self.counters.read()[1]

    def read(self, begin: int, end: int) -> StreamRows:
        """Return copies of rows `begin` to `end`; none of them may be older than the ring."""
        numbers = np.arange(begin, end)
        records = self.records[numbers % len(self.records)]
        valid = (records[:, NUMBER].view(np.int64) == numbers + 1) & (self.checks(records) == records[:, -1])
        cells = records.view(np.float64)
        cells[~valid, ARRIVAL:VALUES] = -math.inf
        cells[~valid, VALUES:] = math.nan
        return StreamRows(cells[:, VALUES:-1], cells[:, ARRIVAL], cells[:, AT], valid)

    def arrivals(self, begin: int, end: int, limit: float = math.inf) -> FloatArray:
        """Return when rows `begin` to `end` had come, ascending; NaN-free, -inf before the first one known.

        An arrival later than `limit` is not known: it is of a clock that was ahead.
        """
        arrival = self.records[np.arange(begin, end) % len(self.records), ARRIVAL].view(np.float64)
        known = np.where(arrival <= limit, arrival, -math.inf)
        ordered: FloatArray = np.maximum.accumulate(np.nan_to_num(known, nan=-math.inf, posinf=-math.inf))
        return ordered

    def checks(self, records: WordArray) -> WordArray:
        """Return the checksums of records, shape [n]."""
        checks: WordArray = records[:, :-1] @ self.multipliers
        return checks

    def scan(self) -> IntArray:
        """Return the numbers of all rows that are valid, in no order."""
        numbers = self.records[:, NUMBER].astype(np.int64) - 1
        here = (numbers >= 0) & (numbers % len(self.records) == np.arange(len(self.records)))
        valid: IntArray = numbers[here & (self.checks(self.records) == self.records[:, -1])]
        return valid


class Log:
    """The log of this worker: the only writer. The caller keeps its threads apart and its rows within the ring."""

    def __init__(
        self,
        shape: StateShape,
        buffer: Buffer | None = None,
        *,
        counters: OwnCounters | None = None,
        failpoint: Failpoint = no_failpoint,
    ) -> None:
        """Write to a buffer, by default to memory; go on with `counters` if they are given."""
        self.reader: Final = LogReader(shape, bytearray(shape.log.size_bytes) if buffer is None else buffer, failpoint)
        self.counters: Final = counters or OwnCounters(shape)
        self.rows = 0
        """Rows appended since the log began."""
        self._shape = shape
        self._capacity: Final = shape.capacity
        self._failpoint = failpoint
        self._closed = False
        self._row: Final[WordArray] = np.zeros(shape.record_words, np.uint64)
        """A record while it is put together, so that it is copied at once; and its parts."""
        self._cells: Final[FloatArray] = self._row.view(np.float64)
        self._values: Final[FloatArray] = self._cells[VALUES:-1]
        self._checked: Final[WordArray] = self._row[:-1]
        self._check: Final[WordArray] = self._row[-1:].reshape(())

    def resume(self, position: int, *, intact: bool) -> str:
        """Continue after the last owner, however it ended; return what was found damaged, empty for nothing.

        `position` is how far the log was read; `intact` says whether everything that was written is there.
        """
        is_new = intact and position == self.reader.rows == 0 and not self.reader.records[0].any()
        valid, damages = np.empty(0, np.int64) if is_new else self.reader.scan(), []  # a scan brings in all pages
        newest = max(position, int(valid.max(initial=-1)) + 1)
        committed = self.reader.rows
        self.rows = committed if intact and newest < committed <= position + self._shape.unread_rows else newest
        kept = int((valid >= self.rows - self._shape.window_rows).sum())
        if (lost := min(self.rows, self._shape.window_rows) - kept) > 0:
            damages.append(f"{lost} rows are damaged")
        self.counters.rows[0] = self.rows
        try:
            self.counters.words[:] = self.reader.counters.read_words()[1]
        except Damaged:
            damages.append("its counters are damaged and begin at 0")
        return "; ".join(damages)

    def latest_at(self) -> float:
        """Return the latest time of the rows that are held, seconds since 1970; -inf without rows."""
        if self.rows == 0:
            return -math.inf
        held = self.reader.scan() % self._shape.capacity
        return float(self.reader.records[held, AT].view(np.float64).max(initial=-math.inf))

    def append(self, values: FloatArray, arrival: FloatArray, at: FloatArray) -> None:
        """Append rows: `values` of shape [n, columns], `arrival` and `at` of shape [n], no more than there is room."""
        place, rows = self.rows % self._capacity, len(values)
        if place + rows > self._capacity:  # in two steps, as the ring begins again between them
            first = self._capacity - place
            self.append(values[:first], arrival[:first], at[:first])
            self.append(values[first:], arrival[first:], at[first:])
            return
        records = self.reader.records[place : place + rows]
        cells = records.view(np.float64)
        records[:, NUMBER] = np.arange(self.rows + 1, self.rows + rows + 1)
        cells[:, ARRIVAL] = arrival
        cells[:, AT] = at
        cells[:, VALUES:-1] = values
        records[:, -1] = self.reader.checks(records)
        self._failpoint("append.written")
        with self.counters.lock:  # another thread may publish
            self.rows = self.reader.committed[0] = self.rows + rows
        self._failpoint("append.committed")

    def append_row(self, values: FloatArray, arrival: float, at: float) -> None:
        """Append a single row as `append` does, in a third of its time; `values` have shape [columns]."""
        rows = self.rows + 1
        _HEAD.pack_into(self._row.data, 0, rows, arrival, at)
        self._values[:] = values
        self._checked.dot(self.reader.multipliers, out=self._check)  # `@` takes a microsecond more
        self.reader.records[self.rows % self._capacity] = self._row
        self._failpoint("append.written")
        with self.counters.lock:  # another thread may publish
            self.rows = self.reader.committed[0] = rows
        self._failpoint("append.committed")

    def repeat(self) -> None:
        """Write the number of rows again; what the last owner did not count stays uncounted for a successor."""
        self.reader.committed[0] = self.rows

    def publish(self) -> None:
        """Let other processes, and the successor of this one, know all that was counted."""
        with self.counters.lock:
            self._publish()

    def published(self) -> Arrays:
        """Do the same, and return a copy of exactly what was published; a request has no need of the copy."""
        with self.counters.lock:
            self._publish()
            return self.counters.copied_by_holder()

    def _publish(self) -> None:
        if not self._closed:
            self.counters.rows[0] = self.reader.committed[0] = self.rows
            self.reader.counters.write_words(self.counters.words)

    def emptied(self) -> Log:
        """Return a log in memory that continues the number of rows and the counters; its rows count as damaged."""
        log = Log(self._shape, counters=self.counters)
        log.rows = self.rows
        log.publish()
        return log

    def close(self) -> None:
        """Publish and write nothing more: from now on the slot may be another worker's."""
        self.publish()
        with self.counters.lock:
            self._closed = True
