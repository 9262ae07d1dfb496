"""How far each file was read: one SQLite database beside what is remembered of records."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final

from driftgauge.common.private_files import opened
from driftgauge.errors import IngestError
from driftgauge.state.seen_records import PREFIX as SEEN

FILE: Final = f"{SEEN}-files.sqlite3"
"""Beside what is remembered of records, and deleted with it."""
MOST: Final = 1_000_000
"""Files that are remembered; the least recently read are forgotten."""
_TABLE: Final = """
create table if not exists files (
    identity text primary key, path text, head blob, head_bytes integer, position integer, size integer, version text,
    at real
)
"""
_INDEX: Final = "create index if not exists by_at on files (at)"
_DROP: Final = "delete from files where rowid in (select rowid from files order by at limit ?)"


@dataclass(frozen=True)
class FilePosition:
    """How far a file was read."""

    identity: str
    path: str
    """Where it was then."""
    head: bytes
    """A hash of its first bytes, which tells it from a later file in its place."""
    head_bytes: int
    position: int
    """Bytes of its inflated content, or rows of a table, that were read."""
    size: int = -1
    """Its size once it was read to its end, otherwise -1."""
    version: str = ""
    """The version of the object that was read."""


class FilePositions:
    """The positions of one model's files; every method raises IngestError if the database fails."""

    def __init__(self, path: Path | None) -> None:
        """Keep them in a database in a folder that exists, or in memory for None."""
        self._path: Final = path
        with self._explained():
            if path is not None:
                os.close(opened(path, os.O_RDWR | os.O_CREAT))
            self._connection = sqlite3.connect(path or ":memory:", isolation_level=None)
            self._connection.execute("pragma journal_mode = wal")
            self._connection.execute("pragma synchronous = normal")
            self._connection.execute(_TABLE)
            self._connection.execute(_INDEX)

    def of(self, identity: str) -> FilePosition | None:
        """Return that of a file; None for one that was not read."""
        with self._explained():
            rows = self._connection.execute(
                "select identity, path, head, head_bytes, position, size, version from files where identity = ?",
                (identity,),
            ).fetchall()
        return FilePosition(*rows[0]) if rows else None

    def keep(self, own: FilePosition, now: float) -> None:
        """Keep how far a file was read, `now` in seconds since 1970."""
        with self._explained():
            self._connection.execute(
                "insert or replace into files values (?, ?, ?, ?, ?, ?, ?, ?)", (*astuple(own), now)
            )

    def at(self, paths: Sequence[str]) -> Sequence[str]:
        """Return the identities of the files that were read under some paths."""
        with self._explained():
            find = "select identity from files where path = ?"
            return [row[0] for path in paths for row in self._connection.execute(find, (path,)).fetchall()]

    def trim(self, most: int = MOST) -> None:
        """Forget the oldest of more than so many."""
        with self._explained():
            ((count,),) = self._connection.execute("select count(*) from files").fetchall()
            if count > most:
                self._connection.execute(_DROP, (count - most,))

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise IngestError(f"positions in files cannot be kept in {self._path or 'memory'}: {error}") from error
