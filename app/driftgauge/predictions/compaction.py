"""Moves the features of closed days into Parquet files, one bounded part at a time.

A file is complete on the disk before the transaction that names it and deletes its chunks. A process that is killed
between the two leaves a file without a row, which the next upkeep deletes. Only the process that is alone may call
these functions.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Engine, case, cast, delete, func, insert, select

from driftgauge.common.private_files import make_private, opened
from driftgauge.drift.bins import FloatArray
from driftgauge.errors import PredictionLogError
from driftgauge.predictions.chunk_reader import MOST_KEYS
from driftgauge.predictions.database import days_folder, reading, writing
from driftgauge.predictions.day_file import write_day_file
from driftgauge.predictions.packing import DOUBLE_BYTES, SINGLE_BYTES, unpack
from driftgauge.predictions.rows import MICROSECONDS, LoggedModel
from driftgauge.predictions.schema import chunks, day_files, versions

DAY_SECONDS: Final = 86_400
CLOSING_SECONDS: Final = 600
"""Time after midnight (UTC) at which a day is closed: rows that arrived before it are written by then."""
PART_BYTES: Final = 16 << 20
"""Packed features of one file; it bounds the memory and the time of a step."""
MOST_CHUNKS: Final = 20_000
"""Chunks of one file."""
UNFINISHED: Final = ".new"
FAILPOINTS: Final = ("written", "renamed", "recorded", "committed")
"""Steps at which a test may kill the process."""
Failpoint = Callable[[str], None]


def no_failpoint(_: str) -> None:
    """Pass a failpoint."""


@dataclass(frozen=True)
class _Part:
    version: int
    day: str
    numbers: Sequence[int]


def compact(engine: Engine, now: float, failpoint: Failpoint = no_failpoint) -> bool:
    """Move features of closed days into one file; return whether there was something to move.

    `now` is in seconds since 1970. PredictionLogError if the database or the disk fails.
    """
    part = _next_part(engine, now)
    if part is None:
        return False
    names, values = _content(engine, part)
    folder = days_folder(engine)
    if folder is None:
        buffer = BytesIO()
        rows = write_day_file(buffer, names, part.numbers, values)
        content = buffer.getvalue()
        place: dict[str, Any] = {"content": content, "bytes": len(content)}
        failpoint("written")
    else:
        name = f"{part.day}-{part.version}-{part.numbers[0]}.parquet"
        with _explained(folder):
            make_private(folder, folder.parent)
            rows, size = _write_file(folder / name, names, part.numbers, values, failpoint)
        place = {"file": name, "bytes": size}
    _record(engine, part, {**place, "rows": rows}, failpoint)
    failpoint("committed")
    return True


def remove_orphans(engine: Engine) -> int:
    """Delete files that no row names; return how many."""
    folder = days_folder(engine)
    if folder is None or not folder.exists():
        return 0
    with reading(engine) as connection:
        known = set(connection.execute(select(day_files.c.file)).scalars())
    orphans = [path for path in folder.iterdir() if path.name not in known]
    with _explained(folder):
        for path in orphans:
            path.unlink(missing_ok=True)
    return len(orphans)


def _next_part(engine: Engine, now: float) -> _Part | None:
    """Return the oldest chunks of one closed day and version, as many as one file takes.

    A chunk of another size than its rows have stays where it is: nobody can tell its rows.
    """
    before = int((now - CLOSING_SECONDS) // DAY_SECONDS) * DAY_SECONDS * MICROSECONDS
    own = chunks.c
    arrived = func.coalesce(own.arrived, own.last_time)
    with reading(engine) as connection:
        widths = _widths(connection)
        if not widths:
            return None
        length = func.length(own.features)
        numbers_held = cast(own.rows, BigInteger) * case(widths, value=own.version)  # null for other versions
        is_whole = length.in_([SINGLE_BYTES * numbers_held, DOUBLE_BYTES * numbers_held])
        query = select(own.chunk, own.version, arrived, length).where(is_whole).order_by(own.chunk)
        oldest = connection.execute(query.limit(1)).first()
        if oldest is None or oldest[2] >= before:
            return None
        # SQLite gives out the number after the largest in the table: the newest chunk stays, so that none comes twice.
        newest = connection.execute(select(func.max(own.chunk))).scalar_one()
        rows = connection.execute(query.where(own.chunk < newest).limit(MOST_CHUNKS)).all()
    numbers: list[int] = []
    size = 0
    for number, version, at, size_of_one in rows:
        if version != oldest[1] or _day(at) != _day(oldest[2]):
            continue
        if numbers and size + size_of_one > PART_BYTES:
            break
        numbers.append(number)
        size += size_of_one
    return _Part(oldest[1], _day(oldest[2]), numbers) if numbers else None


def _widths(connection: Connection) -> dict[int, int]:
    """Return how many features each version has, without those whose description cannot be read."""
    own = versions.c
    rows = connection.execute(select(own.version, own.name, own.description)).all()
    models = {row.version: LoggedModel.read("", row.name, row.description) for row in rows}
    return {version: len(model.features) for version, model in models.items() if model.is_readable}


def _day(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds // MICROSECONDS, UTC).date().isoformat()


def _content(engine: Engine, part: _Part) -> tuple[Sequence[str], Sequence[FloatArray]]:
    """Return names of the features, and the values of each chunk."""
    values: list[FloatArray] = []
    with reading(engine) as connection:
        own = versions.c
        row = connection.execute(select(own.name, own.description).where(own.version == part.version)).one()
        names = [feature.name for feature in LoggedModel.read("", row.name, row.description).features]
        for some in _batches(part.numbers):
            query = select(chunks.c.rows, chunks.c.features).where(chunks.c.chunk.in_(some)).order_by(chunks.c.chunk)
            values += [unpack(blob, rows, len(names)) for rows, blob in connection.execute(query)]
    return names, values


def _write_file(
    path: Path, names: Sequence[str], numbers: Sequence[int], values: Sequence[FloatArray], failpoint: Failpoint
) -> tuple[int, int]:
    """Write a file that survives a loss of power once it has its name; return its rows and its size."""
    unfinished = path.with_name(path.name + UNFINISHED)
    with os.fdopen(opened(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC), "r+b") as file:
        rows = write_day_file(file, names, numbers, values)
        file.flush()
        os.fsync(file.fileno())
        size = os.fstat(file.fileno()).st_size
    failpoint("written")
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    failpoint("renamed")
    return rows, size


def _record(engine: Engine, part: _Part, stored: dict[str, Any], failpoint: Failpoint) -> None:
    """Name the file in the database, and delete the chunks that it holds."""
    first, last = part.numbers[0], part.numbers[-1]
    row = {"version": part.version, "day": part.day, "first_chunk": first, "last_chunk": last, **stored}
    with writing(engine) as connection:
        connection.execute(insert(day_files).values(**row))
        for some in _batches(part.numbers):
            connection.execute(delete(chunks).where(chunks.c.chunk.in_(some)))
        failpoint("recorded")


def _batches(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for first in range(0, len(numbers), MOST_KEYS):
        yield numbers[first : first + MOST_KEYS]


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PredictionLogError(f"the prediction log ({folder}): {error.strerror or error}") from error
