"""State: everything that a monitor remembers of its rows, as numpy arrays over one buffer of fixed size."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from app.drift.bins import Binner, CodeArray, FloatArray, IntArray
from app.drift.window import Rows
from app.metrics import Stored

BLOCK_ROWS: Final = 512
"""Rows written at once, and the most that wait to be binned."""
SLACK_ROWS: Final = 4 * BLOCK_ROWS
"""Rows that the ring holds beyond the largest window, so that a reader is seldom overrun."""
_ALIGNMENT: Final = 64
_TRIES: Final = 8

# Places in the header.
_RESERVED, _COMMITTED, _DIGESTED, _LATEST = range(4)


@dataclass(frozen=True)
class Field:
    """One array of a layout."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes that the array takes."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


class Layout:
    """Where each array lies in a buffer; every one starts on a cache line."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self.fields: Final = tuple(fields)
        self.offsets: Final[dict[str, int]] = {}
        offset = 0
        for field in self.fields:
            self.offsets[field.name] = offset
            offset += -(-field.size_bytes // _ALIGNMENT) * _ALIGNMENT
        self.size_bytes: Final = offset

    def arrays(self, buffer: bytearray | memoryview) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays as views of `buffer`, which must hold `size_bytes`."""
        return {
            field.name: np.frombuffer(
                buffer, dtype=field.dtype, count=math.prod(field.shape), offset=self.offsets[field.name]
            ).reshape(field.shape)
            for field in self.fields
        }


def counter_fields(series: Sequence[Stored]) -> list[Field]:
    """Return one float64 array [children, width] for each counter and histogram."""
    return [Field(spec.name, "f8", (len(spec.children), spec.width)) for spec in series]


def state_layout(columns: int, bins: int, window_rows: int, series: Sequence[Stored]) -> Layout:
    """Return the layout of a monitor's state, for windows of up to `window_rows` rows."""
    capacity = window_rows + SLACK_ROWS
    return Layout(
        [
            Field("header", "f8", (8,)),
            Field("bin_rows", "i8", (columns, bins)),
            Field("values", "f8", (capacity, columns)),
            Field("codes", "u1", (capacity, columns)),
            Field("arrival", "f8", (capacity,)),
            Field("event", "f8", (capacity,)),
            *counter_fields(series),
        ]
    )


class Counters:
    """Counters and histograms in arrays of a buffer, by the names that `metrics` declares."""

    def __init__(self, series: Sequence[Stored], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self.series: Final = tuple(series)
        self._arrays: Final[dict[str, FloatArray]] = {spec.name: arrays[spec.name] for spec in series}
        self._children = {spec.name: {child: i for i, child in enumerate(spec.children)} for spec in series}
        self._buckets = {spec.name: np.array(spec.buckets) for spec in series}

    @classmethod
    def in_memory(cls, series: Sequence[Stored]) -> Counters:
        """Return counters over a buffer of their own."""
        layout = Layout(counter_fields(series))
        return cls(series, layout.arrays(bytearray(layout.size_bytes)))

    def has(self, name: str, *labels: str) -> bool:
        """Say whether a series was declared with such a child."""
        return labels in self._children[name]

    def add(self, name: str, amount: float = 1.0, *labels: str) -> None:
        """Add to a counter's child; KeyError for one that was not declared."""
        self._arrays[name][self._children[name][labels], 0] += amount

    def observe(self, name: str, values: FloatArray | float, *labels: str) -> None:
        """Count values, a number or shape [n], in a histogram's buckets (`le`) and its sum."""
        row = self._arrays[name][self._children[name][labels]]
        numbers = np.atleast_1d(np.asarray(values, dtype=np.float64))
        places = np.searchsorted(self._buckets[name], numbers, side="left")
        row[:-1] += np.bincount(places, minlength=len(row) - 1)
        row[-1] += numbers.sum()

    def copy(self) -> dict[str, FloatArray]:
        """Return the numbers of this moment, shapes [children, width]."""
        return {name: array.copy() for name, array in self._arrays.items()}


class State:
    """A ring of the newest rows with their bin codes, cumulative bin counts, and counters.

    The ring is append-only. A writer first reserves the places it is about to overwrite, then
    writes, then commits; a reader copies, looks at the reservation again, and copies anew if its
    rows were among them. So no reader ever holds up a writer. Rows are binned a block at a time, or
    when somebody wants to read.
    """

    def __init__(self, binner: Binner, window_rows: int, series: Sequence[Stored]) -> None:
        self.layout: Final = state_layout(binner.columns, binner.width, window_rows, series)
        self.window_rows: Final = window_rows
        self._binner = binner
        self._arrays = self.layout.arrays(bytearray(self.layout.size_bytes))
        self._header: FloatArray = self._arrays["header"]
        self._values: FloatArray = self._arrays["values"]
        self._codes: CodeArray = self._arrays["codes"]
        self._arrival: FloatArray = self._arrays["arrival"]
        self._event: FloatArray = self._arrays["event"]
        self._bin_rows: IntArray = self._arrays["bin_rows"]
        self._capacity = len(self._arrival)
        self._header[_LATEST] = -math.inf
        self._writing = threading.Lock()
        self.counters: Final = Counters(series, self._arrays)

    @property
    def rows(self) -> int:
        """Rows appended since the state began."""
        return int(self._header[_COMMITTED])

    @property
    def latest_event(self) -> float:
        """The largest event time appended, seconds since 1970; -inf without rows."""
        return float(self._header[_LATEST])

    def append(self, values: FloatArray, arrival: float, event: FloatArray) -> None:
        """Append rows, `values` of shape [n, columns] and `event` of shape [n], however many."""
        with self._writing:
            for first in range(0, len(values), BLOCK_ROWS):
                block = slice(first, first + BLOCK_ROWS)
                self._append_block(values[block], arrival, event[block])

    def _append_block(self, values: FloatArray, arrival: float, event: FloatArray) -> None:
        begin = self.rows
        end = begin + len(values)
        if end - int(self._header[_DIGESTED]) > BLOCK_ROWS:
            self._digest()
        self._header[_RESERVED] = end
        for ring, rows in self._parts(begin, end):
            self._values[ring] = values[rows]
            self._event[ring] = event[rows]
            self._arrival[ring] = arrival
        self._header[_LATEST] = max(self._header[_LATEST], event.max())
        self._header[_COMMITTED] = end

    def _digest(self) -> None:
        """Bin the rows that wait; the caller holds the writing lock."""
        begin, end = int(self._header[_DIGESTED]), self.rows
        for ring, _ in self._parts(begin, end):
            codes = self._binner.codes(self._values[ring])
            self._codes[ring] = codes
            self._bin_rows += self._binner.counts(codes)
        self._header[_DIGESTED] = end

    def _parts(self, begin: int, end: int) -> Iterator[tuple[slice, slice]]:
        """Yield the one or two stretches of the ring that rows `begin` to `end` lie in, oldest first."""
        start, rows = begin % self._capacity, end - begin
        before_wrap = min(rows, self._capacity - start)
        if before_wrap:
            yield slice(start, start + before_wrap), slice(0, before_wrap)
        if rows > before_wrap:
            yield slice(0, rows - before_wrap), slice(before_wrap, rows)

    def newest(self, rows: int, *, by_event: bool = False) -> tuple[Rows, int]:
        """Return a copy of the newest `rows` rows (at most `window_rows`) and how many came in all.

        The rows' times are those of their arrival, or of their event.
        """
        for _ in range(_TRIES):
            with self._writing:
                self._digest()
                end = self.rows
            begin = max(0, end - min(rows, self.window_rows))
            copied = self._copy(begin, end, by_event)
            if int(self._header[_RESERVED]) - begin <= self._capacity:
                return copied, end
        with self._writing:  # writers were faster all along: hold them up once
            self._digest()
            end = self.rows
            return self._copy(max(0, end - min(rows, self.window_rows)), end, by_event), end

    def _copy(self, begin: int, end: int, by_event: bool) -> Rows:
        times = self._event if by_event else self._arrival
        parts = [ring for ring, _ in self._parts(begin, end)] or [slice(0, 0)]
        return Rows(
            values=np.concatenate([self._values[ring] for ring in parts]),
            codes=np.concatenate([self._codes[ring] for ring in parts]),
            at=np.concatenate([times[ring] for ring in parts]),
        )

    def bin_rows(self) -> IntArray:
        """Return the rows counted in each bin since the state began, shape [columns, K]."""
        with self._writing:
            self._digest()
            return self._bin_rows.copy()

    @contextmanager
    def counting(self) -> Iterator[Counters]:
        """Give the counters to one writer at a time."""
        with self._writing:
            yield self.counters
