"""A SQLite database that several processes write: its tables, its transactions, and its errors."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from driftgauge.common.private_files import make_private, opened
from driftgauge.errors import DriftgaugeError

BUSY_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Schema:
    """The tables of a database, and what its errors say."""

    name: str
    """What it is called in messages, e.g. `the ledger of releases`."""
    layout: int
    """Version of the tables."""
    tables: str
    """Statements that make them, with semicolons between."""
    advice: str
    """What to do where it cannot be used."""
    failed: type[DriftgaugeError]
    """Raised where it cannot be read or written."""
    unavailable: type[DriftgaugeError]
    """Raised where its folder cannot be used at all."""


class SharedDatabase:
    """A database that several processes write; every error of it is that of its schema."""

    schema: ClassVar[Schema]

    def __init__(self, connection: sqlite3.Connection, path: Path | None) -> None:
        """Take an open database and its file, None for one in memory; tables that are missing are made."""
        self.path: Final = path
        self._connection = connection
        self._lock = threading.RLock()
        self._seen = -1
        self._make_tables()

    @classmethod
    def open(cls, path: Path, state_folder: Path) -> Self:
        """Open the database, a new one if there is none; an error of its schema if it cannot be used."""
        try:
            make_private(path.parent, state_folder)
            os.close(opened(path, os.O_RDWR | os.O_CREAT))
        except OSError as error:
            raise cls.schema.unavailable(f"cannot use {path}: {error.strerror or error}") from error
        with _explained(cls.schema, path):
            connection = _connected(path)
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = full")
        return cls(connection, path)

    @classmethod
    def in_memory(cls) -> Self:
        """Return a database of one process, which ends with it."""
        return cls(_connected(":memory:"), None)

    def _make_tables(self) -> None:
        with self.transaction():
            ((layout,),) = self.read("pragma user_version")
            own = self.schema
            if layout not in (0, own.layout):
                raise own.failed(f"{own.name} has layout {layout}, and this version knows {own.layout} only")
            if layout == 0:
                for statement in own.tables.split(";"):
                    self.run(statement)
                self.run(f"pragma user_version = {own.layout}")

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """Give the function that runs a statement; all statements take effect, or none."""
        with self._lock, _explained(self.schema, self.path):
            self._connection.execute("begin immediate")
            try:
                yield self._connection.execute
                self._connection.execute("commit")
            except BaseException:
                if self._connection.in_transaction:  # SQLite may have rolled back itself, as on a full disk
                    self._connection.execute("rollback")
                raise

    def run(self, statement: str, *values: Any) -> int | None:
        """Run a statement inside a transaction that the caller holds; return the number of the row it inserted."""
        return self._connection.execute(statement, values).lastrowid

    def read(self, statement: str, *values: Any) -> list[Any]:
        """Return the rows of a query."""
        with self._lock, _explained(self.schema, self.path):
            return self._connection.execute(statement, values).fetchall()

    def has_changed(self) -> bool:
        """Return whether another process has written since the last call."""
        ((version,),) = self.read("pragma data_version")
        changed: bool = version != self._seen
        self._seen = version
        return changed


def _connected(path: Path | str) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


@contextlib.contextmanager
def _explained(schema: Schema, path: Path | None) -> Iterator[None]:
    """Turn an error of the database into one of its schema that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise schema.failed(f"{schema.name} in {path or 'memory'} cannot be used ({error}); {schema.advice}") from error
