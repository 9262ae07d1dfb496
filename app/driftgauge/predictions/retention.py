"""Deletes the oldest predictions: those that are too old, and more where the log is too large.

Predictions are deleted in the order in which they were written, so event times of a replay do not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Engine, delete, func, select

from driftgauge.predictions.database import reading, writing
from driftgauge.predictions.rows import MICROSECONDS
from driftgauge.predictions.schema import chunks, class_probabilities, day_files, predictions

STEP_ROWS: Final = 2_000
"""Rows of one transaction: it holds up the writers for some milliseconds."""
NEAR_ROWS: Final = 20_000
"""Rows of one chunk stand at most so far apart, because they were written in one transaction."""
FULL_RATIO: Final = 0.95
"""Part of the limit that is left after predictions were deleted for its sake."""
ROW_BYTES: Final = 130
"""Estimate of a row with its two indexes in PostgreSQL, without its features."""
_MOST_STEPS: Final = 100_000


@dataclass(frozen=True)
class Limits:
    """How much is kept."""

    max_age_seconds: float
    max_bytes: int


def retain(engine: Engine, limits: Limits, now: float) -> int:
    """Delete what is beyond the limits; return how many predictions that were. `now` is in seconds since 1970."""
    before = int((now - limits.max_age_seconds) * MICROSECONDS)
    deleted = 0
    for _ in range(_MOST_STEPS):
        gone = _delete_oldest(engine, before)
        deleted += gone
        if gone < STEP_ROWS:
            break
    return deleted + _shrink(engine, limits.max_bytes)


def used_bytes(engine: Engine) -> int:
    """Return the size of what is stored; space that deleted rows left is used again, and does not count.

    SQLite has a write-ahead log of some 16 MiB beside it.
    """
    with reading(engine) as connection:
        return size_of(connection)


def size_of(connection: Connection) -> int:
    """Return the same within a transaction."""
    files = int(connection.execute(select(func.coalesce(func.sum(day_files.c.bytes), 0))).scalar_one())
    if connection.dialect.name == "sqlite":
        pages, free, size = (
            int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size + files
    first, last = connection.execute(select(func.min(predictions.c.seq), func.max(predictions.c.seq))).one()
    features = connection.execute(select(func.coalesce(func.sum(func.length(chunks.c.features)), 0))).scalar_one()
    given = func.coalesce(func.sum(func.length(class_probabilities.c.content)), 0)
    features += connection.execute(select(given)).scalar_one()
    return files + int(features) + (0 if first is None else (last - first + 1) * ROW_BYTES)


def _shrink(engine: Engine, max_bytes: int) -> int:
    """Delete the oldest predictions of a log that is too large."""
    if used_bytes(engine) <= max_bytes:
        return 0
    deleted = 0
    for _ in range(_MOST_STEPS):
        gone = _delete_oldest(engine, None)
        deleted += gone
        if gone == 0 or used_bytes(engine) <= FULL_RATIO * max_bytes:
            break
    return deleted


def _delete_oldest(engine: Engine, before: int | None) -> int:
    """Delete some of the oldest predictions, those that arrived before a time if one is given; return how many."""
    own = predictions.c
    oldest = select(own.seq, func.coalesce(own.arrival, own.time)).order_by(own.seq).limit(STEP_ROWS)
    with writing(engine) as connection:
        rows = connection.execute(oldest).all()
        old = [seq for seq, arrival in rows if before is None or arrival < before]
        if not old:
            return 0
        # Workers write side by side, so some newer rows may stand among the old: they go with a later step.
        connection.execute(delete(predictions).where(own.seq.in_(old) if len(old) < len(rows) else own.seq <= old[-1]))
        near = select(own.chunk).order_by(own.seq).limit(NEAR_ROWS).subquery()
        first_used = connection.execute(select(func.min(near.c.chunk))).scalar()
        unused = chunks.c.chunk < first_used if first_used is not None else chunks.c.chunk <= _last_chunk(connection)
        connection.execute(delete(chunks).where(unused))
        given = delete(class_probabilities)
        connection.execute(given if first_used is None else given.where(class_probabilities.c.chunk < first_used))
        # The files themselves go with the next upkeep, so that a loss of power leaves no row without its file.
        files = delete(day_files)
        connection.execute(files if first_used is None else files.where(day_files.c.last_chunk < first_used))
        return len(old)


def _last_chunk(connection: Connection) -> int:
    return int(connection.execute(select(func.coalesce(func.max(chunks.c.chunk), 0))).scalar_one())
