"""Reads the numbers of pages of predictions, and ahead of them where their rows are scattered over many chunks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, Engine

from driftgauge.drift.bins import BoolArray, FloatArray, IntArray
from driftgauge.predictions.chunk_reader import FEATURES, ChunkReader, Stored

AHEAD_BYTES: Final = 24 << 20
"""Numbers that are read ahead."""
SCATTERED: Final = 16
"""Rows decoded for each row of a page from which on numbers are read ahead."""
Widths = Mapping[int, int]
"""The numbers of a row by version."""


@dataclass(frozen=True)
class Places:
    """Where the numbers of rows are: three arrays of shape [n]."""

    version: IntArray
    chunk: IntArray
    position: IntArray

    @classmethod
    def of(cls, rows: Sequence[Any]) -> Places:
        """Take them from rows that have version, chunk and position in the end."""
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


@dataclass(frozen=True)
class _Ahead:
    """Numbers of rows of one version, by their keys in ascending order."""

    keys: IntArray
    values: FloatArray


class FeatureReader:
    """The features of one page after another, or the probabilities.

    The rows of a page may lie in all chunks, if events came in any order. Then a page costs as much as the whole log,
    and all pages together would cost its square. So features of many more rows are read at once, in bounded memory.
    """

    def __init__(self, engine: Engine, stored: Stored = FEATURES) -> None:
        """Read for one reading of predictions, and close it in the end."""
        self._chunks: Final = ChunkReader(engine, stored)
        self._ahead: dict[int, _Ahead] = {}
        self._is_scattered = False

    def close(self) -> None:
        """Close the files."""
        self._chunks.close()

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
    ) -> Mapping[int, FloatArray]:
        """Return the numbers of a page's rows by version, NaN where their chunk is lost.

        Versions that are not in `widths` are left out. `following` gives the places of so many rows, of which the
        page's are the first.
        """
        if self._is_scattered and not self._has(page):
            self._read_ahead(connection, following(_most_rows(page, widths)), widths)
        found: dict[int, FloatArray] = {}
        missing = np.isin(page.version, list(widths))
        for number in np.unique(page.version[missing]).tolist():
            where = np.flatnonzero(page.version == number)
            found[number] = np.full((len(where), widths[number]), np.nan)
            if (ahead := self._ahead.get(number)) is not None:
                index, is_there = _find(ahead.keys, page.keys[where])
                found[number][is_there] = ahead.values[index[is_there]]
                missing[where[is_there]] = False
        if missing.any():
            decoded = self._chunks.decoded
            self._fill(connection, page, np.flatnonzero(missing), widths, found)
            self._is_scattered |= self._chunks.decoded - decoded > SCATTERED * len(page)
        return found

    def _has(self, page: Places) -> bool:
        """Return whether some of a page's rows were read ahead: rows that came meanwhile are read by themselves."""
        return any(bool(_find(own.keys, page.keys)[1].any()) for own in self._ahead.values())

    def _read_ahead(self, connection: Connection, places: Places, widths: Widths) -> None:
        self._ahead = {}
        places = places.at(np.flatnonzero(np.isin(places.version, list(widths))))
        places = places.at(np.argsort(places.keys))
        found = {
            number: np.full((int(count), widths[number]), np.nan)
            for number, count in zip(
                *map(np.ndarray.tolist, np.unique(places.version, return_counts=True)), strict=True
            )
        }
        decoded = self._chunks.decoded
        self._fill(connection, places, np.arange(len(places)), widths, found)
        self._is_scattered = self._chunks.decoded - decoded > 2 * len(places)
        keys = places.keys
        self._ahead = {number: _Ahead(keys[places.version == number], values) for number, values in found.items()}

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
    return max(len(page), AHEAD_BYTES // (8 * max(widest, 1)))


def _find(keys: IntArray, wanted: IntArray) -> tuple[IntArray, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Return the index of wanted keys, and whether they are there."""
    if not len(keys):
        return np.zeros(len(wanted), dtype=np.int64), np.zeros(len(wanted), dtype=np.bool_)
    index = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return index, keys[index] == wanted
