"""Requests and responses that wait for each other: one SQLite database that all workers share.

Every method is part of one transaction. Errors of the database are IngestError.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import orjson

from driftgauge.common.private_files import opened
from driftgauge.errors import IngestError
from driftgauge.ingestion.records import HalfEvent, Pair

FILE: Final = "open_events.sqlite3"
BUSY_SECONDS: Final = 5.0
READ_SECONDS: Final = 0.2
"""Longest wait for the database where nothing but the number of halves is asked for."""
_TABLE: Final = """
create table if not exists open_events (
    id text, is_request integer, at real, arrival real, content blob, primary key (id, is_request)
)
"""
_INDEX: Final = "create index if not exists by_arrival on open_events (arrival)"
_WAITING: Final = "select count(*) from open_events where arrival >= ?"
_DROP: Final = "delete from open_events where rowid in (select rowid from open_events order by arrival, rowid limit ?)"


@dataclass(frozen=True)
class Joined:
    """What became of the halves of a batch."""

    pairs: Sequence[Pair]
    waiting: int
    """Halves that are kept until the other comes."""
    expired: int
    """Halves that waited too long, and were deleted."""
    dropped: int
    """The oldest of too many halves, which were deleted."""


class OpenEvents:
    """The open halves of one model's predictions."""

    def __init__(self, path: Path | None, *, wait_seconds: float, most: int) -> None:
        """Keep them in a database in a folder that exists, or in memory for None; it is opened at its first use."""
        self._path = path
        self._wait = wait_seconds
        self._most = most
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._open = 0

    @contextlib.contextmanager
    def joined(self, halves: Sequence[HalfEvent], now: float) -> Iterator[Joined]:
        """Join halves among themselves and with open ones, and keep the others.

        What the block does with the pairs belongs to the transaction: if it fails, nothing has changed. IngestError if
        the database fails.
        """
        with self._lock, self._transaction() as connection:
            pairs, waiting = _matched(connection, halves, now)
            expired = connection.execute("delete from open_events where arrival < ?", (now - self._wait,)).rowcount
            yield Joined(pairs, waiting, expired, self._dropped(connection))

    def waiting(self, now: float) -> int | None:
        """Return how many halves wait at this time; None if it is not known.

        It does not wait for those that join: a file is read by a connection of its own.
        """
        if self._path is None:
            return self._open
        if not self._path.exists():
            return 0
        with contextlib.suppress(sqlite3.Error):
            address = f"file:{quote(str(self._path))}?mode=ro"
            connection = sqlite3.connect(address, uri=True, timeout=READ_SECONDS, isolation_level=None)
            with contextlib.closing(connection):
                ((count,),) = connection.execute(_WAITING, (now - self._wait,)).fetchall()
                return int(count)
        return None

    def keep_in_memory(self) -> None:
        """Use no file, because its folder cannot be made; call it before the first use."""
        self._path = None

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _dropped(self, connection: sqlite3.Connection) -> int:
        ((count,),) = connection.execute("select count(*) from open_events").fetchall()
        self._open = min(count, self._most)
        if count <= self._most:
            return 0
        return connection.execute(_DROP, (count - self._most,)).rowcount

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._explained():
            connection = self._opened()
            connection.execute("begin immediate")
        try:
            with self._explained():
                yield connection
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("rollback")
            raise
        with self._explained():
            connection.execute("commit")

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            if self._path is not None:
                os.close(opened(self._path, os.O_RDWR | os.O_CREAT))
            connection = sqlite3.connect(
                ":memory:" if self._path is None else self._path,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = normal")
            connection.execute(_TABLE)
            connection.execute(_INDEX)
            self._connection = connection
        return self._connection

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise IngestError(
                f"requests and responses in {self._path or 'memory'} cannot be joined: {error}"
            ) from error


def _matched(connection: sqlite3.Connection, halves: Sequence[HalfEvent], now: float) -> tuple[list[Pair], int]:
    """Return the pairs, in the order in which they are complete; keep the halves that are alone, and count them."""
    waiting: dict[tuple[str, bool], HalfEvent] = {}
    pairs: list[Pair] = []
    for half in halves:
        other = waiting.pop((half.id, not half.is_request), None) or _open_half(connection, half)
        if other is None:
            waiting[half.id, half.is_request] = half
        else:
            waiting.pop((half.id, half.is_request), None)  # it came twice
            connection.execute("delete from open_events where id = ?", (half.id,))
            pairs.append((half, other) if half.is_request else (other, half))
    connection.executemany(
        "insert or replace into open_events values (?, ?, ?, ?, ?)",
        [(own.id, own.is_request, own.at, now, orjson.dumps(own.content)) for own in waiting.values()],
    )
    return pairs, len(waiting)


def _open_half(connection: sqlite3.Connection, half: HalfEvent) -> HalfEvent | None:
    """Return the other half, if it waits in the database."""
    found = connection.execute(
        "select at, content from open_events where id = ? and is_request = ?", (half.id, not half.is_request)
    ).fetchone()
    if found is None:
        return None
    at = float("nan") if found[0] is None else found[0]  # SQLite has no NaN
    return HalfEvent(half.id, not half.is_request, at, orjson.loads(found[1]))
