"""Source positions: how far the messages of each partition are rows of a log, exactly, however a process ends.

Before rows are appended, a small file beside the log says which messages they come from and at which row of the log
they begin. The rows that the log really has then tell how many of them were appended: a process that was killed in
the middle goes on with the next one. A file is replaced as a whole, so a kill never leaves half of it.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

from driftgauge.common.private_files import FileLock, opened
from driftgauge.drift.bins import FloatArray
from driftgauge.state.folder import POSITIONS
from driftgauge.state.log import Log
from driftgauge.state.slot import Acquired, Slot
from driftgauge.state.slots import Slots

_OWNER: Final = f"{POSITIONS}owner"
_LOCK: Final = f"{POSITIONS}lock"
_OWNER_BYTES: Final = 6
LOCK_SECONDS: Final = 30.0
"""How long a worker waits for another one that takes partitions over."""
_MOST_BYTES: Final = 8_388_608
_END: Final = 1 << 62
"""More rows than a log has: one that is gone was read to its end before."""


class Partition(NamedTuple):
    """A part of a topic, whose messages are numbered by their offsets."""

    topic: str
    number: int


class Position(NamedTuple):
    """How far a partition was read; positions of one partition are ordered."""

    offset: int
    """Offset of the next message."""
    rows: int = 0
    """Rows of the messages from there on that were appended already."""


class Reached(NamedTuple):
    """How far the workers of a folder have read a partition."""

    position: Position
    is_followed: bool
    """Whether another worker that runs reads it."""


@dataclass(frozen=True)
class Appending:
    """Rows that are about to be appended."""

    partition: Partition
    before: Position
    after: Position
    start: int
    """Rows of the log before them."""
    rows: int

    def reached(self, log_rows: int) -> Position:
        """Return the position of a log that has this many rows by now."""
        appended = max(0, log_rows - self.start)
        return self.after if appended >= self.rows else _after_rows(self.before, appended)


def _after_rows(position: Position, more: int) -> Position:
    """Return a position after more rows of the same messages."""
    return position._replace(rows=position.rows + more)


@dataclass(frozen=True)
class _Saved:
    """The content of a file."""

    log: int
    """The key of the log that the rows were appended to."""
    positions: Mapping[Partition, Position]
    appending: Appending | None = None
    held: frozenset[Partition] = frozenset()
    """Partitions that the worker reads, if it runs."""
    topics: Mapping[str, int] = field(default_factory=dict)
    """Partitions that each topic had when it was first seen."""

    def reached(self, log_rows: int) -> Mapping[Partition, Position]:
        """Return the positions, given the rows of the log."""
        if (own := self.appending) is None:
            return self.positions
        return {**self.positions, own.partition: own.reached(log_rows)}


class SourcePositions:
    """The positions of one worker's partitions, and what the workers before and beside it have left.

    One thread uses it.
    """

    def __init__(
        self, folder: Path | None, number: int, key: int, log: Log, others: Callable[[], Sequence[Slot]]
    ) -> None:
        """Keep them beside a log, in memory without a folder; an earlier process of the slot is continued.

        `others` returns the slots of other workers, those of ended ones with all rows that they wrote.
        """
        self._folder: Final = folder
        self.number: Final = number
        """That of the worker's slot."""
        self._file: Final = None if folder is None else folder / f"{POSITIONS}{number}.json"
        self._log: Final = log
        self._others: Final = others
        known = None if self._file is None else _read(self._file)
        reached = {} if known is None else known.reached(log.rows if known.log == key else _END)
        self._saved = _Saved(key, reached, topics={} if known is None else known.topics)
        if known is not None and known.appending is not None:  # other rows may be next
            with suppress(OSError):  # then it is written with the next position
                self.keep()

    @classmethod
    def of(cls, slots: Slots, own: Acquired) -> SourcePositions:
        """Return those of an acquired slot."""
        return cls(slots.folder if slots.files else None, own.number, own.key, own.log, slots.completed)

    @cached_property
    def owner(self) -> str:
        """Tells the state from all others: the workers of one folder have the same."""
        return secrets.token_hex(_OWNER_BYTES) if self._folder is None else _owner_of(self._folder)

    def own(self, partition: Partition) -> Position | None:
        """Return how far this worker has read a partition; None if it has not."""
        return self._saved.positions.get(partition)

    def furthest(self, partition: Partition) -> Position | None:
        """Return how far any worker of the folder has read a partition; None if none has."""
        found = self.reached().get(partition)
        return None if found is None else found.position

    def reached(self) -> Mapping[Partition, Reached]:
        """Return how far the workers of the folder have read each partition."""
        found = dict(self._saved.positions)
        followed: set[Partition] = set()
        for positions, held in self._left_by_others():
            followed |= held
            for partition, position in positions.items():
                found[partition] = max(found.get(partition, position), position)
        return {partition: Reached(position, partition in followed) for partition, position in found.items()}

    def _left_by_others(self) -> list[tuple[Mapping[Partition, Position], frozenset[Partition]]]:
        """Return the positions of each other worker, and the partitions that it reads now."""
        slots = {slot.key: slot for slot in self._others()}
        known = [(saved, slots.get(saved.log)) for saved in self._files_of_others()]
        return [
            (saved.reached(_END), frozenset())
            if slot is None
            else (saved.reached(slot.log.written), saved.held if slot.is_running else frozenset())
            for saved, slot in known
        ]

    def _files_of_others(self) -> list[_Saved]:
        if self._folder is None:
            return []
        paths = (path for path in self._folder.glob(f"{POSITIONS}*.json") if path != self._file)
        return [saved for path in paths if (saved := _read(path)) is not None]

    def see(self, topic: str, partitions: int) -> None:
        """Keep how many partitions a topic has if it is seen for the first time; OSError if it cannot be kept."""
        if self.first_seen(topic) is None:
            self._keep(replace(self._saved, topics={**self._saved.topics, topic: partitions}))

    def first_seen(self, topic: str) -> int | None:
        """Return how many partitions a topic had when the folder first saw it; None if it has not."""
        files = (self._saved, *self._files_of_others())
        return min((own.topics[topic] for own in files if topic in own.topics), default=None)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep the other workers of the folder from taking partitions over; LockTimeout if one does it for too long."""
        if self._folder is None or not self.owner:  # which is read before, under the same lock
            yield
        else:
            with FileLock(self._folder / _LOCK).held(LOCK_SECONDS):
                yield

    @property
    def log_key(self) -> int:
        """Tells the worker's log from earlier ones."""
        return self._saved.log

    @property
    def log_rows(self) -> int:
        """Rows of the worker's log."""
        return self._log.rows

    def rows_since(self, rows: int) -> tuple[FloatArray, FloatArray]:
        """Return the values and times of the log's rows after its first ones, without those that are damaged.

        They are not older than the log holds.
        """
        found = self._log.reader.read(rows, self._log.rows)
        return found.values[found.valid], found.at[found.valid]

    def file_beside(self, ending: str) -> Path | None:
        """Return the file of this worker with another ending, which is deleted with the state; None in memory."""
        return None if self._file is None else self._file.with_suffix(ending)

    def start(self, partition: Partition, position: Position) -> None:
        """Say where a partition is read from; OSError if it cannot be kept."""
        self._keep(replace(self._saved, positions={**self._saved.positions, partition: position}))

    def hold(self, partitions: Collection[Partition]) -> None:
        """Say which partitions this worker reads from now on; OSError if it cannot be kept."""
        self._keep(replace(self._saved, held=frozenset(partitions)))

    def begin(self, partition: Partition, after: Position, rows: int) -> None:
        """Say that rows are about to be appended which end at a position; OSError if it cannot be kept.

        Nothing else appends to the log until `finish`.
        """
        before = self._saved.positions[partition]
        self._keep(replace(self._saved, appending=Appending(partition, before, after, self._log.rows, rows)))

    def finish(self) -> Position:
        """Take note that the rows were appended, and return the position after them."""
        own = self._saved.appending
        assert own is not None  # noqa: S101  # it was begun
        self._saved = replace(self._saved, positions=self._saved.reached(_END), appending=None)
        return own.after

    def settle(self) -> None:
        """Take note of the rows that were really appended, after a failure."""
        self._saved = replace(self._saved, positions=self._saved.reached(self._log.rows), appending=None)

    def keep(self) -> None:
        """Write what was finished, for the worker that reads a partition next; OSError if it cannot be kept."""
        self._keep(self._saved)

    def _keep(self, saved: _Saved) -> None:
        self._saved = saved
        if self._file is not None:
            new = self._file.with_suffix(".new")
            with os.fdopen(opened(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC), "wb") as file:
                file.write(_as_json(saved))
            os.replace(new, self._file)


def _owner_of(folder: Path) -> str:
    """Return the identity of the state in a folder, which its first reader gives it; OSError if it cannot be kept."""
    path, own = folder / _OWNER, secrets.token_hex(_OWNER_BYTES)
    with FileLock(folder / _LOCK).held(LOCK_SECONDS), os.fdopen(opened(path, os.O_RDWR | os.O_CREAT), "r+b") as file:
        known = file.read(2 * _OWNER_BYTES + 1).decode("ascii", "replace")
        if re.fullmatch(rf"[0-9a-f]{{{2 * _OWNER_BYTES}}}", known):
            return known
        file.seek(0)
        file.truncate()
        file.write(own.encode())
    return own


def _as_json(saved: _Saved) -> bytes:
    positions = [[*partition, *position] for partition, position in saved.positions.items()]
    own = saved.appending
    appending = own and [*own.partition, *own.before, *own.after, own.start, own.rows]
    content = {
        "log": saved.log,
        "positions": positions,
        "appending": appending,
        "held": sorted(saved.held),
        "topics": saved.topics,
    }
    return json.dumps(content).encode()


def _read(path: Path) -> _Saved | None:
    """Return the content of a file; None without it, or where it is damaged."""
    try:
        with os.fdopen(opened(path, os.O_RDONLY), "rb") as file:
            return _parsed(json.loads(file.read(_MOST_BYTES)))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _parsed(content: Any) -> _Saved:
    """Return the content of a file; an error of many kinds if it is damaged."""
    positions = {
        Partition(str(topic), int(number)): Position(int(offset), int(rows))
        for topic, number, offset, rows in content["positions"]
    }
    held = frozenset(Partition(str(topic), int(number)) for topic, number in content.get("held", ()))
    topics = {str(topic): int(count) for topic, count in content.get("topics", {}).items()}
    if content["appending"] is None:
        return _Saved(int(content["log"]), positions, None, held, topics)
    topic, *numbers = content["appending"]
    number, offset, before, after, then, start, rows = (int(own) for own in numbers)
    own = Appending(Partition(str(topic), number), Position(offset, before), Position(after, then), start, rows)
    return _Saved(int(content["log"]), positions, own, held, topics)
