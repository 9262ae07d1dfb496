"""Reads the features of predictions by chunk: from the database, or from the Parquet file of a closed day."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, select

from driftgauge.drift.bins import FloatArray
from driftgauge.predictions.database import days_folder
from driftgauge.predictions.day_file import DayFile
from driftgauge.predictions.packing import unpack
from driftgauge.predictions.rows import LoggedModel
from driftgauge.predictions.schema import chunks, day_files

MOST_KEYS: Final = 500
"""Values in one query; SQLite takes a bounded number of parameters."""
MOST_FILES: Final = 4
"""Files that stay open between pages: one for each version whose predictions alternate."""


class ChunkReader:
    """Features by chunk; those of the page before are not read again."""

    def __init__(self, engine: Engine) -> None:
        """Read for one reading of predictions, and close it in the end."""
        self._folder: Final = days_folder(engine)
        self._held: dict[int, FloatArray] = {}
        self._files: dict[tuple[Any, ...], DayFile] = {}

    def close(self) -> None:
        """Close the files."""
        while self._files:
            self._files.popitem()[1].close()

    def read(
        self, connection: Connection, numbers: set[int], known: Mapping[int, LoggedModel]
    ) -> Mapping[int, FloatArray]:
        """Return the features of chunks by their number, without those that are lost; `known` has their versions."""
        found = {number: self._held[number] for number in numbers if number in self._held}
        missing = sorted(numbers - found.keys())
        for first in range(0, len(missing), MOST_KEYS):
            query = select(chunks).where(chunks.c.chunk.in_(missing[first : first + MOST_KEYS]))
            for row in connection.execute(query):
                found[row.chunk] = unpack(row.features, row.rows, len(known[row.version].features))
        # After the database: a chunk that is moved between the two queries is then found in a file.
        if missing := sorted(numbers - found.keys()):
            found |= self._from_files(connection, missing)
        self._held = found
        return found

    def _from_files(self, connection: Connection, missing: list[int]) -> dict[int, FloatArray]:
        own = day_files.c
        query = select(own.part, own.first_chunk, own.last_chunk, own.file).order_by(own.part)
        near = query.where(own.last_chunk >= missing[0], own.first_chunk <= missing[-1])
        found: dict[int, FloatArray] = {}
        for row in connection.execute(near).all():
            wanted = [one for one in missing if row.first_chunk <= one <= row.last_chunk and one not in found]
            if wanted and (file := self._opened(connection, row)) is not None:
                found |= file.chunks(wanted)
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
