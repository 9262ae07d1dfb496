"""Rows of messages: decoded, and appended to the log exactly once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, Protocol

from driftgauge.common.private_files import LockTimeout
from driftgauge.edges.kafka.batches import Batch
from driftgauge.ingestion.records import Decoded, IngestedRows
from driftgauge.metrics.series import INGEST
from driftgauge.monitor.monitor import ColumnMonitor
from driftgauge.state.source_positions import Partition, Position, SourcePositions

ROWS_AT_ONCE: Final = 2_048
"""Rows that are appended in one step: half of the room in the smallest log."""
CATCH_UP_SECONDS: Final = 0.5
"""How long a catch-up waits for another worker that evaluates."""


class MessageDecoder(Protocol):
    """Decodes the messages of one format."""

    def decode_messages(self, messages: Sequence[bytes], keys: Sequence[bytes]) -> Decoded:
        """Return what messages hold, in their order; `keys` has 16 bytes for each of them."""


class RowKeeper(Protocol):
    """Takes what is not appended to the log."""

    def has_room(self, rows: int) -> bool:
        """Say whether this number of rows can be put in line for the prediction log now."""

    def keep(self, rows: IngestedRows, arrival: float) -> None:
        """Count rows that were observed, and put them in line for the prediction log."""

    def take(self, decoded: Decoded) -> object:
        """Take in ground truth, halves of predictions, and refused records."""


class RowFollower(Protocol):
    """Reads the rows that were appended to the log."""

    def follow(self) -> None:
        """Read them once they are many."""

    def finish(self) -> None:
        """Read all of them."""


def _within(batch: Batch, rows: IngestedRows, end: int) -> Position:
    """Return the position before a row of a batch: its message, and the rows of that message before it."""
    record = rows.records[end]
    return Position(int(batch.messages[record].offset()), end - bisect_left(rows.records, record))


def _always(_: Partition) -> bool:
    return True


class RowTaker:
    """Appends the rows of batches to the log of one monitor, from their positions on."""

    def __init__(
        self,
        monitor: ColumnMonitor,
        decoder: MessageDecoder,
        keeper: RowKeeper,
        clock: Callable[[], float],
        profile: RowFollower | None = None,
    ) -> None:
        """Decode with `decoder`; `clock` gives the time of day in seconds since 1970; `profile` follows the log."""
        self._monitor: Final = monitor
        self._decoder: Final = decoder
        self._keeper: Final = keeper
        self._clock: Final = clock
        self._profile: Final = profile
        self.last_received: float | None = None
        """When the newest rows were appended, seconds since 1970; None before the first."""
        self.rows = 0
        """Rows that were appended."""

    @property
    def sources(self) -> SourcePositions:
        """How far each partition was read."""
        return self._monitor.store.sources

    def take(
        self, batch: Batch, wait: Callable[[Partition], bool], is_own: Callable[[Partition], bool] = _always
    ) -> bool:
        """Append the rows of a batch that are not yet; return whether all of them are.

        `wait` is called while there is no room, `is_own` before each step; both return whether the partition is still
        this process's. Otherwise the rest is left to its next owner.
        """
        known = self.sources.own(batch.partition)
        if known is None:
            known = Position(batch.messages[0].offset())
            self.sources.start(batch.partition, known)
        left = batch.after(known.offset)
        if left is None:
            return True
        decoded = self._decoder.decode_messages(left.values, left.keys)
        if decoded.halves or decoded.labels or decoded.refused:
            refused = [replace(own, key=left.keys[own.position]) for own in decoded.refused]
            self._keeper.take(replace(decoded, rows=None, refused=refused))
        if decoded.rows is None:
            self.sources.start(batch.partition, Position(batch.end, known.rows))
            return True
        return self._append(left, left.dated(decoded.rows), known, wait, is_own)

    def _append(
        self,
        batch: Batch,
        rows: IngestedRows,
        known: Position,
        wait: Callable[[Partition], bool],
        is_own: Callable[[Partition], bool],
    ) -> bool:
        """Append rows in steps; those that an earlier process appended are passed."""
        first = known.rows
        if first >= len(rows):
            self.sources.start(batch.partition, Position(batch.end, first - len(rows)))
            return True
        while first < len(rows):
            if not is_own(batch.partition):
                return False
            end = min(first + ROWS_AT_ONCE, len(rows))
            after = Position(batch.end) if end == len(rows) else _within(batch, rows, end)
            if self._step(batch.partition, after, rows, slice(first, end)):
                first = end
            elif not (self._made_room(end - first) or wait(batch.partition)):
                return False
        return True

    def _step(self, partition: Partition, after: Position, rows: IngestedRows, part: slice) -> bool:
        """Append some rows if there is room for all of them; return whether there was."""
        monitor, now, count = self._monitor, self._clock(), part.stop - part.start
        columns, event = rows.columns[part], rows.event[part]
        with monitor.observing:
            if monitor.store.room < count or not self._keeper.has_room(count):
                return False
            self.sources.begin(partition, after, count)
            try:
                monitor.observe(columns, arrival=now, event=event, source=INGEST)
            except BaseException:
                self.sources.settle()
                raise
            self.sources.finish()
        own = IngestedRows(columns, event, rows.ids[part], rows.keys[part], rows.classes[part])
        self._keeper.keep(own, now)
        self.last_received = now
        self.rows += count
        if self._profile is not None:
            self._profile.follow()
        return True

    def finish(self) -> None:
        """Take note that no more rows come from this process."""
        if self._profile is not None:
            self._profile.finish()

    def _made_room(self, count: int) -> bool:
        """Catch up if the log of the state is full; return whether there is room for some rows."""
        if self._monitor.store.room < count:
            with suppress(LockTimeout):
                self._monitor.catch_up(self._clock(), CATCH_UP_SECONDS)
        return self._monitor.store.room >= count and self._keeper.has_room(count)
