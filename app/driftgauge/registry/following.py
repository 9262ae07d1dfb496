"""What is known of the aliases that a server follows: one SQLite file that all workers share."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar, Final

from driftgauge.common.shared_database import Schema, SharedDatabase
from driftgauge.errors import LedgerError, LedgerUnavailable
from driftgauge.registry.fetching import FOLDER

DATABASE: Final = "following.db"


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


class FollowingDatabase(SharedDatabase):
    """The database of followed aliases; every error of it is a LedgerError."""

    schema: ClassVar = Schema(
        name="what is known of followed aliases",
        layout=1,
        tables=(
            "create table following (model text, address text, content text, primary key (model, address)) "
            "without rowid"
        ),
        advice="without the file, the server asks the registry again",
        failed=LedgerError,
        unavailable=LedgerUnavailable,
    )


class FollowingFile:
    """The file in the state folder; every error of it is a LedgerError."""

    def __init__(self, state_folder: Path) -> None:
        """Open the file, a new one if there is none."""
        self.path: Final = state_folder / FOLDER / DATABASE
        self._database: Final = FollowingDatabase.open(self.path, state_folder)
        self.close: Final = self._database.close

    def read(self, model: str, address: str) -> Following:
        """Return what is known of a model that follows an address."""
        rows = self._database.read("select content from following where model = ? and address = ?", model, address)
        return _parsed(rows[0][0]) if rows else Following()

    def update(self, model: str, address: str, change: Callable[[Following], Following]) -> Following:
        """Replace what is known of a model, and return it."""
        with self._database.transaction():
            new = change(self.read(model, address))
            content = json.dumps(asdict(new))
            self._database.run("insert or replace into following values (?, ?, ?)", model, address, content)
        return new


def _parsed(text: str) -> Following:
    try:
        content = json.loads(text)
        held = content.pop("held", None)
        return Following(**content, held=None if held is None else Held(**held))
    except (ValueError, TypeError, AttributeError) as error:
        advice = FollowingDatabase.schema.advice
        raise LedgerError(f"what {DATABASE} holds of an alias cannot be read ({error}); {advice}") from error
