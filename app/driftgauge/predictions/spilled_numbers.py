"""Numbers of rows in a temporary file, by parts of the order of time: for a log whose events came in any order.

The chunks of the log are read once, in the order in which they were written, and each row's numbers go to the part that
its time belongs to. Then one part after another fits in memory.
"""

from __future__ import annotations

import shutil
import tempfile
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final

import numpy as np
from sqlalchemy import Connection, Engine, Select, func, select

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.errors import PredictionLogError
from driftgauge.predictions.database import days_folder, reading
from driftgauge.predictions.packing import DOUBLE_BYTES, pack, unpack
from driftgauge.predictions.rows import Cursor
from driftgauge.predictions.schema import predictions

RESERVE_BYTES: Final = 536_870_912
"""Free space that stays: with less, a server with the default `prediction_log_min_free_bytes` stops logging."""
KEY_BYTES: Final = 8
_MIB: Final = 1 << 20
Bound = tuple[int, int]
"""Time and number of the last row of a part."""


@dataclass(frozen=True)
class Remaining:
    """The rows of a selection that are still to be read."""

    engine: Engine
    start: Cursor
    """The place after which they begin."""
    after: Callable[[Cursor], Select[Any]]
    """Gives the query for the rows after a place."""
    model: int
    versions: Sequence[int] | None
    """Numbers of the selected versions; None for all."""

    def bounds(self, rows: int) -> list[Bound]:
        """Return the last row of each part of this number of rows; PredictionLogError if the database fails."""
        own, found = predictions.c, list[Bound]()
        cursor: Cursor | None = self.start
        while cursor is not None:
            query = self.after(cursor).with_only_columns(own.time, own.seq)
            backwards = query.order_by(None).order_by(own.time.desc(), own.seq.desc())
            with reading(self.engine) as connection:
                row = connection.execute(query.limit(1).offset(rows - 1)).first()
                cursor = None if row is None else Cursor(row.time, row.seq)
                last = row or connection.execute(backwards.limit(1)).first()
            if last is not None:
                found.append((last.time, last.seq))
        return found

    def scan(self, bounds: Sequence[Bound], rows: int) -> Iterator[tuple[Connection, IntArray]]:
        """Yield the rows in the order in which they were written, with a connection for each step.

        They have the columns part, version, chunk and position; a step looks at this number of rows.
        """
        own = predictions.c
        ends = self.after(self.start).with_only_columns(func.min(own.seq), func.max(own.seq))
        with reading(self.engine) as connection:
            first, last = connection.execute(ends.order_by(None).limit(None)).one()
        if first is None:  # retention has deleted them all
            return
        # Without the index of the model, which would be in another order.
        query = select(own.time, own.seq, own.version, own.chunk, own.position).where(own.model + 0 == self.model)
        if self.versions is not None:
            query = query.where(own.version.in_(self.versions))
        start = (self.start.time, self.start.seq)
        for low in range(first, last + 1, rows):
            with reading(self.engine) as connection:
                found = connection.execute(query.where(own.seq >= low, own.seq < low + rows)).all()
                inside = [
                    (bisect_left(bounds, place), *rest)
                    for time, seq, *rest in found
                    if start < (place := (time, seq)) <= bounds[-1]
                ]
                if inside:
                    yield connection, np.array(inside, dtype=np.int64)


@dataclass(frozen=True)
class KeyedNumbers:
    """Numbers of rows of one version, by their keys in ascending order."""

    keys: IntArray
    values: FloatArray


@dataclass(frozen=True)
class _Extent:
    """Where rows of a part are in the file."""

    version: int
    offset: int
    rows: int
    width: int
    bytes: int
    """Of the packed numbers, which follow the keys."""


class SpilledNumbers:
    """The numbers of rows by part, in a temporary file without a name, which ends with the process at the latest."""

    def __init__(self, engine: Engine, bounds: Sequence[Bound], most_bytes: int) -> None:
        """Open a file for `most_bytes`; PredictionLogError if the disk has no room.

        It is in the folder of the log, or in the folder for temporary files (`TMPDIR`) for a database elsewhere.
        """
        self.bounds: Final = bounds
        self._extents: Final[list[list[_Extent]]] = [[] for _ in bounds]
        self._end = 0
        days = days_folder(engine)
        self._folder: Final = None if days is None else days.parent
        try:
            self._refuse_full(most_bytes)
            self._file: Final[IO[bytes]] = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115
        except OSError as error:
            raise self._explained(error) from error

    def close(self) -> None:
        """Close the file, which deletes it."""
        self._file.close()

    def add(self, parts: IntArray, version: int, keys: IntArray, values: FloatArray) -> None:
        """Append rows of a version, each to its part; PredictionLogError if the disk fails.

        `parts` and `keys` have the shape [n], `values` [n, k].
        """
        order = np.argsort(parts, kind="stable")
        numbers, first = np.unique(parts[order], return_index=True)
        try:
            for part, rows in zip(numbers.tolist(), np.split(order, first[1:]), strict=True):
                packed = pack(values[rows])
                self._write(keys[rows].tobytes() + packed)
                extent = _Extent(version, self._end, len(rows), values.shape[1], len(packed))
                self._extents[part].append(extent)
                self._end += KEY_BYTES * len(rows) + len(packed)
        except OSError as error:
            raise self._explained(error) from error

    def _write(self, content: bytes) -> None:
        view = memoryview(content)
        while view:
            view = view[self._file.write(view) :]

    def parts_between(self, first: Cursor, last: Cursor) -> range:
        """Return the numbers of the parts that rows from the first to the last belong to."""
        low, high = (bisect_left(self.bounds, (own.time, own.seq)) for own in (first, last))
        return range(low, min(high + 1, len(self.bounds)))

    def read(self, part: int) -> Mapping[int, KeyedNumbers]:
        """Return the numbers of a part by version; PredictionLogError if the disk fails."""
        keys: dict[int, list[IntArray]] = {}
        values: dict[int, list[FloatArray]] = {}
        try:
            for own in self._extents[part]:
                self._file.seek(own.offset)
                content = self._read(KEY_BYTES * own.rows + own.bytes)
                keys.setdefault(own.version, []).append(np.frombuffer(content, np.int64, own.rows))
                packed = content[KEY_BYTES * own.rows :]
                values.setdefault(own.version, []).append(unpack(packed, own.rows, own.width))
        except OSError as error:
            raise self._explained(error) from error
        found = {}
        for version, some in keys.items():
            together = np.concatenate(some)
            order = np.argsort(together)
            found[version] = KeyedNumbers(together[order], np.concatenate(values[version])[order])
        return found

    def _read(self, size: int) -> bytes:
        content = b""
        while len(content) < size:
            more = self._file.read(size - len(content))
            if not more:
                raise OSError("it is shorter than what was written")
            content += more
        return content

    def _refuse_full(self, most_bytes: int) -> None:
        free = shutil.disk_usage(self._folder or tempfile.gettempdir()).free
        if most_bytes > free - RESERVE_BYTES:
            raise PredictionLogError(
                f"the prediction log: its events came in another order than that of their time, so reading them takes "
                f"a temporary file of up to {most_bytes // _MIB + 1:,} MiB in {self._place}, where {free // _MIB:,} "
                f"MiB are free and {RESERVE_BYTES // _MIB} MiB are to stay free: read a shorter time, or make room"
            )

    @property
    def _place(self) -> str:
        return str(self._folder or "the folder for temporary files (TMPDIR)")

    def _explained(self, error: OSError) -> PredictionLogError:
        return PredictionLogError(
            f"the prediction log: cannot use a temporary file in {self._place}: {error.strerror or error}. Reading "
            "events in the order of their time takes one where they came in another: read a shorter time, or make room"
        )


def most_bytes(parts: int, rows: int, width: int) -> int:
    """Return the most bytes of a file of so many parts, each with this number of rows of `width` numbers."""
    return parts * rows * (KEY_BYTES + DOUBLE_BYTES * width)
