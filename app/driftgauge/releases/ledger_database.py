"""The SQLite database of the ledger: its tables, its transactions, and its errors."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from driftgauge.common.private_files import make_private, opened
from driftgauge.errors import LedgerError, LedgerUnavailable

LAYOUT: Final = 1
"""Version of the tables."""
BUSY_SECONDS: Final = 5.0

_TABLES: Final = """
create table versions (
    model text, version text, bundle text, digest text, role text, since real, primary key (model, version)
) without rowid;
create table changes (
    number integer primary key autoincrement, model text, at real, kind text, who text, reason text,
    from_version text, to_version text, begun text, before text
);
create table swaps (
    number integer primary key autoincrement, model text, version text, bundle text, digest text,
    kind text, who text, reason text, deadline real, state text, detail text
);
create table votes (swap integer, worker text, refusal text, primary key (swap, worker)) without rowid;
create table workers (worker text primary key, pid integer, models text) without rowid;
create table applied (worker text, model text, serial integer, primary key (worker, model)) without rowid;
create table models (model text primary key, configured text, serial integer) without rowid;
"""


class LedgerDatabase:
    """A database that several processes write; every error of it is a LedgerError."""

    def __init__(self, connection: sqlite3.Connection, path: Path | None) -> None:
        """Take an open database and its file, None for one in memory; tables that are missing are made."""
        self.path: Final = path
        self._connection = connection
        self._lock = threading.RLock()
        self._seen = -1
        self._make_tables()

    @classmethod
    def open(cls, path: Path, state_folder: Path) -> LedgerDatabase:
        """Open the database, a new one if there is none; LedgerError if it cannot be used."""
        try:
            make_private(path.parent, state_folder)
            os.close(opened(path, os.O_RDWR | os.O_CREAT))
        except OSError as error:
            raise LedgerUnavailable(f"cannot use {path}: {error.strerror or error}") from error
        with _explained(path):
            connection = _connected(path)
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = full")
        return cls(connection, path)

    @classmethod
    def in_memory(cls) -> LedgerDatabase:
        """Return a database of one process, which ends with it."""
        return cls(_connected(":memory:"), None)

    def _make_tables(self) -> None:
        with self.transaction():
            ((layout,),) = self.read("pragma user_version")
            if layout not in (0, LAYOUT):
                raise LedgerError(f"the ledger of releases has layout {layout}, and this version knows {LAYOUT} only")
            if layout == 0:
                for statement in _TABLES.split(";"):
                    self.run(statement)
                self.run(f"pragma user_version = {LAYOUT}")

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """Give the function that runs a statement; all statements take effect, or none."""
        with self._lock, _explained(self.path):
            self._connection.execute("begin immediate")
            try:
                yield self._connection.execute
            except BaseException:
                self._connection.execute("rollback")
                raise
            self._connection.execute("commit")

    def run(self, statement: str, *values: Any) -> int | None:
        """Run a statement inside a transaction that the caller holds; return the number of the row it inserted."""
        return self._connection.execute(statement, values).lastrowid

    def read(self, statement: str, *values: Any) -> list[Any]:
        """Return the rows of a query."""
        with self._lock, _explained(self.path):
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
def _explained(path: Path | None) -> Iterator[None]:
    """Turn an error of the database into a LedgerError that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise LedgerError(
            f"the ledger of releases in {path or 'memory'} cannot be used ({error}); "
            "without the folder, the server begins a new one with the bundle that the settings name"
        ) from error
