"""What is known of the aliases that a server follows: one SQLite file that all workers share."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from driftgauge.common.private_files import make_private, opened
from driftgauge.errors import LedgerError, LedgerUnavailable
from driftgauge.registry.fetching import FOLDER

DATABASE: Final = "following.db"
BUSY_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Held:
    """A rollback that could not move the alias, because the registry did not answer."""

    from_version: str
    """The version that the alias named; it is not loaded again while the alias names it."""
    to_version: str
    reason: str
    who: str
    at: float


@dataclass(frozen=True)
class Following:
    """What is known of the alias of one model."""

    version: str | None = None
    """The version that the alias named last; None before the first answer."""
    run: str | None = None
    """The run of that version."""
    polled_at: float | None = None
    """When the registry answered last, seconds since 1970."""
    asked_at: float | None = None
    """When it was asked first."""
    polls: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    """Failures by reason."""
    problem: str | None = None
    """Why the live version is not the one that the alias names; None if it is."""
    refused: str | None = None
    """A version that could not be loaded."""
    attempts: int = 0
    """How often it could not."""
    retry_at: float = 0.0
    held: Held | None = None
    recorded: str | None = None
    """The verdict that was written to the run of the version last."""
    recorded_at: float = 0.0


class FollowingFile:
    """The file in the state folder; every error of it is a LedgerError."""

    def __init__(self, state_folder: Path) -> None:
        """Open the file, a new one if there is none."""
        self.path: Final = state_folder / FOLDER / DATABASE
        try:
            make_private(self.path.parent, state_folder)
            os.close(opened(self.path, os.O_RDWR | os.O_CREAT))
        except OSError as error:
            raise LedgerUnavailable(f"cannot use {self.path}: {error.strerror or error}") from error
        self._lock = threading.Lock()
        with self._explained():
            self._connection = sqlite3.connect(
                self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("pragma journal_mode = wal")
            self._connection.execute(
                "create table if not exists following (model text, address text, content text, "
                "primary key (model, address)) without rowid"
            )

    def read(self, model: str, address: str) -> Following:
        """Return what is known of a model that follows an address."""
        with self._lock, self._explained():
            return self._read(model, address)

    def update(self, model: str, address: str, change: Callable[[Following], Following]) -> Following:
        """Replace what is known of a model, and return it."""
        with self._lock, self._explained():
            self._connection.execute("begin immediate")
            try:
                new = change(self._read(model, address))
                self._connection.execute(
                    "insert or replace into following values (?, ?, ?)", (model, address, json.dumps(asdict(new)))
                )
            except BaseException:
                self._connection.execute("rollback")
                raise
            self._connection.execute("commit")
            return new

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _read(self, model: str, address: str) -> Following:
        rows = self._connection.execute(
            "select content from following where model = ? and address = ?", (model, address)
        ).fetchall()
        return _parsed(json.loads(rows[0][0])) if rows else Following()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise LedgerError(
                f"{self.path} cannot be used ({error}); without the file, the server asks the registry again"
            ) from error


def _parsed(content: dict[str, Any]) -> Following:
    held = content.pop("held", None)
    return Following(**content, held=None if held is None else Held(**held))
