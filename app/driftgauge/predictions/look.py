"""What a look at the prediction log found, which the workers of a service share."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import Engine, func, select

from driftgauge.common.shared_text import SharedText
from driftgauge.predictions.database import reading
from driftgauge.predictions.retention import size_of
from driftgauge.predictions.rows import MICROSECONDS
from driftgauge.predictions.schema import predictions


@dataclass(frozen=True)
class LogLook:
    """The size of the log at a time."""

    at: float
    """Seconds since 1970."""
    bytes: int
    rows: int
    """Predictions kept, by their numbers; numbers that were left out count in PostgreSQL."""
    oldest: float | None
    """When the oldest prediction arrived, seconds since 1970; None without one."""
    free_bytes: int | None
    """Free space of the disk; None for a database elsewhere."""


def look_at(engine: Engine, at: float, free_bytes: int | None) -> LogLook:
    """Look at a database; PredictionLogError if it cannot be read."""
    own = predictions.c
    with reading(engine) as connection:
        ends = connection.execute(select(func.min(own.seq), func.max(own.seq))).one()
        first = select(func.coalesce(own.arrival, own.time)).where(own.seq == ends[0])
        oldest = None if ends[0] is None else int(connection.execute(first).scalar_one()) / MICROSECONDS
        size = size_of(connection)
    return LogLook(at, size, 0 if ends[0] is None else ends[1] - ends[0] + 1, oldest, free_bytes)


class SharedLook:
    """The newest look of any worker."""

    def __init__(self, shared: SharedText | None = None) -> None:
        """Share looks in a file, by default with no other process."""
        self._shared: Final = shared or SharedText()
        self._known: tuple[str, LogLook | None] = "", None

    def latest(self) -> LogLook | None:
        """Return the newest look, which reads a small file; None before the first."""
        text, (known, found) = self._shared.read(), self._known
        if text != known:
            with suppress(ValueError, TypeError):  # a damaged file; the next look replaces it
                found = LogLook(**json.loads(text))
            self._known = text, found
        return found

    def renew(self, make: Callable[[], LogLook]) -> None:
        """Share what `make` finds now; raises what it does and what `SharedText.replace` does."""
        self._shared.replace(lambda: json.dumps(asdict(make())))
