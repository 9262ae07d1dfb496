"""Reads numbers of predictions by chunk: features, also from the Parquet file of a closed day, or probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Column, Connection, Engine, func, select

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.errors import PredictionLogDayDamaged
from driftgauge.predictions.database import days_folder
from driftgauge.predictions.day_file import DayFile
from driftgauge.predictions.packing import SINGLE_BYTES, view
from driftgauge.predictions.schema import chunks, class_probabilities, day_files

MOST_KEYS: Final = 500
"""Values in one query; SQLite takes a bounded number of parameters."""
MOST_FILES: Final = 4
"""Files that stay open between pages: one for each version whose predictions alternate."""
HELD_BYTES: Final = 16 << 20
"""Packed features that are held between pages."""
QUERY_BYTES: Final = 8 << 20
"""Packed features of one query: a driver may hold its whole answer."""
Packed = NDArray[np.floating[Any]]
"""The numbers of a chunk, in single precision where that loses nothing."""


@dataclass(frozen=True)
class Stored:
    """Which numbers of predictions are read, and where they are."""

    chunk: Column[Any]
    content: Column[Any]
    rows: Column[Any] | None
    """The number of rows of a chunk; None if all numbers are in single precision, and their size tells it."""
    are_moved: bool
    """Whether those of closed days are in files."""


FEATURES: Final = Stored(chunks.c.chunk, chunks.c.features, chunks.c.rows, are_moved=True)
PROBABILITIES: Final = Stored(class_probabilities.c.chunk, class_probabilities.c.content, None, are_moved=False)


class ChunkReader:
    """Numbers of rows by chunk and position; some chunks of the page before are held, in bounded memory."""

    def __init__(self, engine: Engine, stored: Stored = FEATURES) -> None:
        """Read for one reading of predictions, and close it in the end."""
        self._stored: Final = stored
        self._folder: Final = days_folder(engine)
        self._held: dict[int, Packed] = {}
        self._files: dict[tuple[Any, ...], DayFile] = {}
        self.decoded = 0
        """Rows that were decoded to find the wanted ones."""
        self.unreadable: Final[set[int]] = set()
        """Chunks of which something cannot be read."""
        self.damage: str | None = None
        """What is known of the first damaged file."""

    def close(self) -> None:
        """Close the files."""
        while self._files:
            self._files.popitem()[1].close()

    def read(
        self, connection: Connection, wanted: Mapping[int, IntArray], widths: Mapping[int, int]
    ) -> Iterator[tuple[int, FloatArray]]:
        """Yield numbers by chunk, of its rows at the wanted positions, without chunks that are lost.

        `widths` are the numbers of a row of each chunk. Only the wanted rows of a chunk outlive the reading of it, but
        for HELD_BYTES of chunks that the next page may need.
        """
        held, self._held, size = self._held, {}, 0
        packed: Packed | None
        missing = wanted.keys() - held.keys()
        for number, packed in chain(
            ((number, held[number]) for number in wanted if number in held),
            _from_database(connection, self._stored, sorted(missing), widths),
        ):
            if number in missing:
                missing.remove(number)
                self.decoded += 0 if packed is None else len(packed)
            if packed is None:
                self.unreadable.add(number)
                continue
            yield number, self._rows_at(number, packed, wanted[number])
            if (size := size + packed.nbytes) <= HELD_BYTES:
                self._held[number] = packed
        # After the database: a chunk that is moved between the two queries is then found in a file.
        if missing and self._stored.are_moved:
            positions = {number: wanted[number] for number in sorted(missing)}
            yield from self._from_files(connection, positions, widths)

    def _rows_at(self, number: int, packed: Packed, positions: IntArray) -> FloatArray:
        """Return the rows of a chunk at positions, NaN where it has none."""
        inside = (positions >= 0) & (positions < len(packed))
        if inside.all():
            return packed[positions].astype(np.float64)
        self.unreadable.add(number)
        found = np.full((len(positions), packed.shape[1]), np.nan)
        found[inside] = packed[positions[inside]]
        return found

    def _from_files(
        self, connection: Connection, wanted: dict[int, IntArray], widths: Mapping[int, int]
    ) -> Iterator[tuple[int, FloatArray]]:
        own = day_files.c
        query = select(own.part, own.first_chunk, own.last_chunk, own.file).order_by(own.part)
        near = query.where(own.last_chunk >= min(wanted), own.first_chunk <= max(wanted))
        suspects: set[int] = set()
        for row in connection.execute(near).all():
            inside = {number: wanted[number] for number in wanted if row.first_chunk <= number <= row.last_chunk}
            if not inside:
                continue
            try:
                found = self._in_file(connection, row, inside)
            except PredictionLogDayDamaged as error:
                self.damage = self.damage or str(error)
                suspects |= inside.keys()
                continue
            for number, values in found.items():
                if values.shape[1] == widths[number]:
                    yield number, values
                    del wanted[number]
                else:
                    suspects.add(number)
        self.unreadable.update(suspects & wanted.keys())

    def _in_file(self, connection: Connection, row: Any, inside: Mapping[int, IntArray]) -> Mapping[int, FloatArray]:
        """Return the numbers of those chunks that a file has."""
        file = self._opened(connection, row)
        if file is None:
            return {}
        decoded = file.decoded
        found = file.rows(inside)
        self.decoded += file.decoded - decoded
        return found

    def _opened(self, connection: Connection, row: Any) -> DayFile | None:
        key = tuple(row)
        file = self._files.pop(key, None)
        if file is None:
            source = self._source(connection, row)
            try:
                file = None if source is None else DayFile(source)
            except FileNotFoundError:  # retention has deleted it, or its owner
                file = None
        if file is not None:
            self._files[key] = file  # as the newest
            if len(self._files) > MOST_FILES:
                self._files.pop(next(iter(self._files))).close()
        return file

    def _source(self, connection: Connection, row: Any) -> Path | bytes | None:
        if row.file is not None and self._folder is not None:
            return self._folder / str(row.file)
        content = connection.execute(select(day_files.c.content).where(day_files.c.part == row.part)).scalar()
        return None if content is None else bytes(content)


def _from_database(
    connection: Connection, stored: Stored, numbers: Sequence[int], widths: Mapping[int, int]
) -> Iterator[tuple[int, Packed | None]]:
    """Yield those chunks that the database holds, None for one of another size; about QUERY_BYTES at a time."""
    columns = (stored.chunk, stored.content, *(() if stored.rows is None else (stored.rows,)))
    for some in _of_few_bytes(connection, stored, numbers):
        for number, content, *rows in connection.execute(select(*columns).where(stored.chunk.in_(some))):
            width = widths[number]
            count = rows[0] if rows else len(content) // (SINGLE_BYTES * max(width, 1))
            try:
                yield number, view(content, count, width)
            except (ValueError, TypeError):
                yield number, None


def _of_few_bytes(connection: Connection, stored: Stored, numbers: Sequence[int]) -> Iterator[list[int]]:
    """Yield the numbers of chunks in groups whose content fits in QUERY_BYTES together, or of one chunk."""
    lengths = select(stored.chunk, func.length(stored.content)).order_by(stored.chunk)
    for first in range(0, len(numbers), MOST_KEYS):
        query = lengths.where(stored.chunk.in_(numbers[first : first + MOST_KEYS]))
        some: list[int] = []
        total = 0
        for number, length in connection.execute(query).all():
            if some and total + length > QUERY_BYTES:
                yield some
                some, total = [], 0
            some.append(number)
            total += length
        if some:
            yield some
