"""Reads the numbers of pages of predictions; where rows are scattered over chunks, those of many pages at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, Engine

from driftgauge.drift.bins import BoolArray, FloatArray, IntArray
from driftgauge.predictions.chunk_reader import FEATURES, ChunkReader, Stored
from driftgauge.predictions.packing import DOUBLE_BYTES
from driftgauge.predictions.rows import Cursor
from driftgauge.predictions.spilled_numbers import KeyedNumbers, Remaining, SpilledNumbers, most_bytes

AHEAD_BYTES: Final = 24 << 20
"""Numbers that are read ahead."""
AHEAD_ROWS: Final = 100_000
"""Most rows that are read ahead, but for a larger page."""
PARTS_AHEAD: Final = 2
"""Parts of a temporary file that are as large as what is read ahead: a page may need two of them."""
SCATTERED: Final = 16
"""Rows decoded for each row of a page from which on numbers are read ahead."""
WASTEFUL: Final = 2
"""Rows decoded for each row that is read ahead from which on the next rows are read in the same way."""
Widths = Mapping[int, int]
"""The numbers of a row by version."""


@dataclass(frozen=True)
class Places:
    """Where the numbers of rows are: three arrays of shape [n]."""

    version: IntArray
    chunk: IntArray
    position: IntArray

    @classmethod
    def of(cls, rows: Sequence[Any] | IntArray) -> Places:
        """Take them from rows that have version, chunk and position in the end."""
        if isinstance(rows, np.ndarray):
            return cls(*rows[:, -3:].T)
        return cls(*np.array([tuple(row[-3:]) for row in rows], dtype=np.int64).reshape(-1, 3).T)

    def __len__(self) -> int:
        return len(self.version)

    @property
    def keys(self) -> IntArray:
        """A number for each place."""
        return (self.chunk << 32) | self.position

    def at(self, where: IntArray) -> Places:
        """Return some of them."""
        return Places(self.version[where], self.chunk[where], self.position[where])


class FeatureReader:
    """The features of one page after another, or the probabilities.

    The rows of a page may lie in all chunks, if events came in any order. Then a page costs as much as the whole log,
    and all pages together would cost its square. So features of many more rows are read at once, in bounded memory.
    """

    def __init__(self, engine: Engine, stored: Stored = FEATURES) -> None:
        """Read for one reading of predictions, and close it in the end."""
        self._chunks: Final = ChunkReader(engine, stored)
        self._ahead: dict[int, KeyedNumbers] = {}
        self._is_scattered = False
        self._is_wasteful = False
        """Whether reading ahead decodes many times the rows that it reads."""
        self._spilled: SpilledNumbers | None = None
        self._parts: dict[int, Mapping[int, KeyedNumbers]] = {}
        """Parts of the temporary file that are in memory."""

    def close(self) -> None:
        """Close the files; temporary ones are deleted."""
        self._chunks.close()
        if self._spilled is not None:
            self._spilled.close()

    @property
    def wants_spill(self) -> bool:
        """Whether all that is left should be read once."""
        return self._is_wasteful and self._spilled is None

    def spill(self, remaining: Remaining, widths: Widths) -> None:
        """Read the numbers of the remaining rows into a temporary file; PredictionLogError if there is no room."""
        widest = max(widths.values(), default=1)
        rows = max(1, _rows_ahead(widest) // PARTS_AHEAD)
        bounds = remaining.bounds(rows)
        if not bounds:
            return
        self._ahead = {}
        self._spilled = spilled = SpilledNumbers(remaining.engine, bounds, most_bytes(len(bounds), rows, widest))
        for connection, scanned in remaining.scan(bounds, rows):
            inside = scanned[np.isin(scanned[:, 1], list(widths))]
            places, parts = Places.of(inside), inside[:, 0]
            for number, values in self._filled(connection, places, widths).items():
                own = np.flatnonzero(places.version == number)
                spilled.add(parts[own], number, places.keys[own], values)

    @property
    def damage(self) -> str | None:
        """What is known of the first damaged file."""
        return self._chunks.damage

    def damaged(self, page: Places, found: Mapping[int, FloatArray]) -> BoolArray:
        """Say which rows of a page that was read have numbers that cannot be read."""
        damaged = np.zeros(len(page), dtype=np.bool_)
        if self._chunks.unreadable:
            suspect = np.isin(page.chunk, list(self._chunks.unreadable))
            for number, values in found.items():
                where = page.version == number
                damaged[where] = suspect[where] & np.isnan(values).all(axis=1)
        return damaged

    def read(
        self,
        connection: Connection,
        page: Places,
        widths: Widths,
        following: Callable[[int], Places],
        ends: tuple[Cursor, Cursor],
    ) -> Mapping[int, FloatArray]:
        """Return the numbers of a page's rows by version, NaN where their chunk is lost.

        Versions that are not in `widths` are left out. `following` gives the places of so many rows, of which the
        page's are the first; `ends` are the first and the last row of the page.
        """
        if self._spilled is not None:
            wanted = self._spilled.parts_between(*ends)
            self._parts = {part: self._parts.get(part) or self._spilled.read(part) for part in wanted}
        elif self._is_scattered and not self._has(page):
            self._read_ahead(connection, following(_most_rows(page, widths)), widths, _most_rows(page, widths))
        found: dict[int, FloatArray] = {}
        missing = np.isin(page.version, list(widths))
        for number in np.unique(page.version[missing]).tolist():
            where = np.flatnonzero(page.version == number)
            found[number] = np.full((len(where), widths[number]), np.nan)
            for held in (self._ahead, *self._parts.values()):
                if (own := held.get(number)) is not None:
                    index, is_there = _find(own.keys, page.keys[where])
                    found[number][is_there] = own.values[index[is_there]]
                    missing[where[is_there]] = False
        if missing.any():
            decoded = self._chunks.decoded
            self._fill(connection, page, np.flatnonzero(missing), widths, found)
            self._is_scattered |= self._chunks.decoded - decoded > SCATTERED * len(page)
        return found

    def _has(self, page: Places) -> bool:
        """Return whether some of a page's rows were read ahead: rows that came meanwhile are read by themselves."""
        return any(bool(_find(own.keys, page.keys)[1].any()) for own in self._ahead.values())

    def _read_ahead(self, connection: Connection, places: Places, widths: Widths, most: int) -> None:
        self._ahead = {}
        is_all = len(places) < most
        places = places.at(np.flatnonzero(np.isin(places.version, list(widths))))
        places = places.at(np.argsort(places.keys))
        decoded = self._chunks.decoded
        found = self._filled(connection, places, widths)
        self._is_scattered = self._chunks.decoded - decoded > WASTEFUL * len(places)
        self._is_wasteful = self._is_scattered and not is_all
        keys = places.keys
        self._ahead = {number: KeyedNumbers(keys[places.version == number], values) for number, values in found.items()}

    def _filled(self, connection: Connection, places: Places, widths: Widths) -> dict[int, FloatArray]:
        """Return the numbers of rows by version, in the order of `places`."""
        numbers, counts = np.unique(places.version, return_counts=True)
        found = {
            number: np.full((count, widths[number]), np.nan)
            for number, count in zip(numbers.tolist(), counts.tolist(), strict=True)
        }
        self._fill(connection, places, np.arange(len(places)), widths, found)
        return found

    def _fill(
        self,
        connection: Connection,
        places: Places,
        where: IntArray,
        widths: Widths,
        found: Mapping[int, FloatArray],
    ) -> None:
        """Read the numbers of some rows into arrays by version, in which rows have the order of `places`."""
        index = np.empty(len(places), dtype=np.int64)
        for number in found:
            own = places.version == number
            index[own] = np.arange(np.count_nonzero(own))
        order = where[np.argsort(places.chunk[where], kind="stable")]
        numbers, first = np.unique(places.chunk[order], return_index=True)
        rows_of = dict(zip(numbers.tolist(), np.split(order, first[1:]), strict=True))
        wanted = {number: places.position[rows] for number, rows in rows_of.items()}
        of_chunk = {number: widths[int(places.version[rows[0]])] for number, rows in rows_of.items()}
        for number, values in self._chunks.read(connection, wanted, of_chunk):
            rows = rows_of[number]
            found[int(places.version[rows[0]])][index[rows]] = values


def _most_rows(page: Places, widths: Widths) -> int:
    """Return how many rows are read ahead."""
    widest = max((widths.get(number, 1) for number in np.unique(page.version).tolist()), default=1)
    return max(len(page), _rows_ahead(widest))


def _rows_ahead(widest: int) -> int:
    """Return how many rows of at most `widest` numbers fit in what is read ahead."""
    return min(AHEAD_ROWS, AHEAD_BYTES // (DOUBLE_BYTES * max(widest, 1)))


def _find(keys: IntArray, wanted: IntArray) -> tuple[IntArray, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Return the index of wanted keys, and whether they are there."""
    if not len(keys):
        return np.zeros(len(wanted), dtype=np.int64), np.zeros(len(wanted), dtype=np.bool_)
    index = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return index, keys[index] == wanted
