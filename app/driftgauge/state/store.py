"""Store: the state of one model version, as one worker sees it.

Rows and counters go to the worker's own log. Windows, totals and evidence are those of all workers: the holder of the
evaluation lock catches up with all logs and writes the checkpoint. A worker whose files are truncated, deleted or
replaced while it serves continues in memory.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from driftgauge.common.layout import Arrays
from driftgauge.common.private_files import LockTimeout
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.evidence.live_dependence import LiveDependence
from driftgauge.drift.verdict.latches import Latches
from driftgauge.drift.windows.window import Rows
from driftgauge.errors import Reason
from driftgauge.state.backlog import Backlog
from driftgauge.state.catch_up import CatchUp, PendingRows
from driftgauge.state.checkpoint import Checkpoint
from driftgauge.state.double_buffer import Damaged
from driftgauge.state.files import LOCK_SECONDS, StateKey
from driftgauge.state.folding import fold
from driftgauge.state.log import Log
from driftgauge.state.notes import EMPTIED, LEFT_OUT, MEASURED_AGAIN, Notes
from driftgauge.state.root import FOLDED, Root
from driftgauge.state.shape import StateShape
from driftgauge.state.slot import Acquired, Recovery, Slot, log_ends
from driftgauge.state.slots import CHECKPOINT_FILE, Slots
from driftgauge.state.snapshot import SlotTotals, StateSnapshot
from driftgauge.state.source_positions import SourcePositions
from driftgauge.state.totals import Totals

_SOUND_SECONDS: Final = 0.001
"""How long single rows rely on a file not being truncated, after a look: that costs as much as writing a row."""


class Store:
    """The log of this worker, the logs of the others, and the checkpoint of all."""

    def __init__(self, slots: Slots, own: Acquired) -> None:
        """Use what `slots` has acquired."""
        self.shape: Final = slots.shape
        self.number: Final = own.number
        self.uncounted: Final = own.uncounted
        self.uncounted_source: Final = own.source
        """Rows that the worker before this one appended and did not count, and who observed them."""
        self.recoveries: Final[Sequence[Recovery]] = slots.recoveries
        self.left_out: Mapping[int, str] = {}
        """The slots of other workers that could not be read last, and why."""
        self.lost: str | None = None
        """Why this worker does not use its files any more."""
        self.latest_at: float = max(own.log.latest_at(), own.checkpoint.read().progress.head.at)
        """The latest time of a row, seconds since 1970; -inf without rows."""
        self.counting: Final = own.log.counters.counting
        """Gives this worker's counters to one writer at a time, as a context manager."""
        self.counters: Final = own.log.counters.counters
        self.counters_lock: Final = own.log.counters.lock
        """What `counting` holds. A program uses it itself where an interrupt (Ctrl-C) would leave that locked."""
        self.process: Final = own.log.counters.process
        """The numbers of this worker's process, in the order of `metrics.PROCESS`, and its queue."""
        self.history: Final = slots.history
        self.unused: Final = slots.unused
        self.sources: Final = SourcePositions.of(slots, own)
        """How far messages of other programs are rows of this worker's log."""
        self.evaluations: Final = threading.RLock()
        """Held by the thread of this process that evaluates."""
        self._slots = slots
        self._key, self._own_file = own.key, f"{own.number}.log"
        self._log, self._checkpoint = own.log, own.checkpoint
        self._appending = threading.RLock()
        self._catch_up = CatchUp(self.shape)
        self._totals = Totals(self.shape, own.checkpoint.read())
        self._backlog = Backlog(self.shape.unread_rows, own.checkpoint.read().positions[own.key], self._read_position)
        self._damages = Notes()
        self.note: Final = self._damages.add
        self._is_closed = False
        self._sound_until = 0.0

    @classmethod
    def in_memory(cls, shape: StateShape) -> Store:
        """Return a store of one worker that ends with its process."""
        checkpoint = Checkpoint(shape)
        checkpoint.commit(checkpoint.read().with_position(0, 0, ()), {})
        return cls(Slots(Path(), StateKey("", "", ""), shape), Acquired(0, 0, Log(shape), checkpoint))

    @classmethod
    def open(cls, slots: Slots) -> Store:
        """Acquire a slot; StateUnavailable and StateError as in `Slots.acquire`."""
        return cls(slots, slots.acquire())

    # ------------------------------------------------------------ rows and counters of this worker

    def append(self, values: FloatArray, arrival: FloatArray, at: FloatArray) -> int:
        """Append rows as long as there is room; return how many were appended. RuntimeError if the server has stopped.

        `values` have shape [n, columns], `arrival` and `at` (the rows' times by the monitor's clock) [n].
        """
        with self._appending:
            if self._is_closed:
                raise RuntimeError("the state is closed: the server has stopped")
            self._require_own_log()
            rows = len(values)
            if self._backlog.rows(self._log) + rows > self._backlog.most:
                rows = max(0, min(rows, self.room))
            if rows:
                self._log.append(values[:rows], arrival[:rows], at[:rows])
                newest = at[0] if rows == 1 else at[:rows].max()  # the latter takes a microsecond more
                self.latest_at = max(self.latest_at, float(newest))
            return rows

    def append_row(self, values: FloatArray, arrival: float, at: float) -> bool:
        """Append a row, `values` of shape [columns], as `append` does; return whether there was room."""
        with self._appending:
            if self._is_closed:
                raise RuntimeError("the state is closed: the server has stopped")
            if (now := time.monotonic()) > self._sound_until:
                self._require_own_log()
                self._sound_until = now + _SOUND_SECONDS
            if self._backlog.is_full(self._log):
                return False
            self._log.append_row(values, arrival, at)
            self.latest_at = max(self.latest_at, at)
            return True

    @property
    def room(self) -> int:
        """Rows that can be appended until a catch-up; negative after the checkpoint was damaged."""
        return self._backlog.room(self._log)

    @property
    def is_half_full(self) -> bool:
        """Whether half of the room is taken, so that it is time for a catch-up."""
        return self._backlog.is_half_full(self._log)

    def fills(self) -> bool:
        """Say the same for each row of a stream; see `Backlog.fills`."""
        return self._backlog.fills(self._log)

    def _read_position(self, known: int) -> int:
        """Return how far this worker's log was read, by whichever worker."""
        with contextlib.suppress(Damaged):  # the next evaluation repairs it
            if not self._slots.is_cut(CHECKPOINT_FILE):
                return self._checkpoint.read().positions.get(self._key, known)
        return known

    def publish(self) -> None:
        """Let other workers, and the successor of this one, know all that was counted."""
        self._require_own_log()
        self._log.publish()

    def leave(self) -> None:
        """Write everything to the disk and give the slot back, when the worker ends in good order."""
        with self._appending:
            self._require_own_log()
            self._log.close()
            self._is_closed = True
            self._require_files()
        self._slots.leave()

    def disown(self) -> None:
        """Give the slot up in a forked child, to which it does not belong; its parent keeps it."""
        self._slots.abandon()

    # ------------------------------------------------------------ files that are lost

    @property
    def is_persistent(self) -> bool:
        """Whether state is kept in files, where the next worker looks for them."""
        self._require_files()
        return len(self._slots.files) > 1

    @property
    def workers(self) -> int:
        """Workers that use the state."""
        return 1 + sum(slot.is_running for slot in self._others()[0])

    @property
    def notes(self) -> list[str]:
        """What was found damaged, when this worker started and since."""
        damages = (Recovery(Reason.STATE_DAMAGED, text) for text in self._damages.texts)
        return [f"{own.reason}: {own.text}" for own in (*self.recoveries, *damages)]

    def _require_own_log(self) -> None:
        """Continue in memory if this worker's log was truncated: to use it would end the process."""
        if self._slots.is_cut(self._own_file):
            self._require_files()

    def _require_files(self) -> None:
        """Continue in memory without files that other workers do not find any more.

        A checkpoint continues as it was read last, without time windows. A log continues its counters without rows:
        the next catch-up counts those that none has read as damaged.
        """
        if not self._slots.lost():
            return
        with self._appending:
            lost = self._slots.lost()  # nothing if another thread has just left them
            if CHECKPOINT_FILE in lost:
                self._checkpoint = self._checkpoint.without_pages()
            if self._own_file in lost:
                self._log = self._log.emptied()
            self._slots.files = {name: file for name, file in self._slots.files.items() if name not in lost}
            for why in lost.values():
                self.lost = self.lost or why
                self.note(f"{why}; this worker continues in memory")

    # ------------------------------------------------------------ all workers

    def _others(self) -> tuple[list[Slot], Root]:
        """Return the slots of other workers that can be read, and the root; what cannot be read is noted.

        No row is both in one of these slots and in the carried counters of this root.
        """
        self._require_files()
        others = self._slots.others()
        self.left_out = self._slots.left_out
        self.note(*self.left_out.values())
        root = self.root  # after the files were listed: a log that is folded later counts as a log here
        return [slot for slot in others if root.positions.get(slot.key) != FOLDED], root

    @property
    def root(self) -> Root:
        """The root of the checkpoint, or as it was read last if it is damaged now."""
        self._require_files()
        return self._checkpoint.read_or_last()

    @property
    def rows(self) -> int:
        """Rows that all workers appended since the state began."""
        others, root = self._others()
        read = sum(slot.log.rows_after(root.positions.get(slot.key, 0)) for slot in others)
        return self._totals.folded(root.carried).rows + self._log.rows + read

    def counted(self) -> list[SlotTotals]:
        """Return what each slot has counted, by number; the sum never falls.

        What this worker counts meanwhile is not in it: it is lost if the worker is killed before it publishes again.
        """
        self._require_own_log()
        published = self._log.published()
        self._totals.read(*self._others())
        return self._with_own(published)

    def own_and_known(self) -> list[SlotTotals]:
        """Return the totals of this worker, and those of the others as they were read last."""
        return self._with_own(self._log.counters.copied())

    def _with_own(self, counted: Arrays) -> list[SlotTotals]:
        return self._totals.with_own(SlotTotals(self.number, True, counted, self._log.rows))

    # ------------------------------------------------------------ the evaluation lock: what follows needs it

    @contextlib.contextmanager
    def evaluating(self, wait_seconds: float = LOCK_SECONDS) -> Iterator[None]:
        """Hold the evaluation lock, over all threads and workers; what is damaged in the own files is repaired first.

        LockTimeout if another worker holds it too long, or this one has left.
        """
        with self.evaluations, contextlib.ExitStack() as stack:
            self._require_files()
            if CHECKPOINT_FILE in self._slots.files:
                stack.enter_context(self._slots.evaluation_lock().held(wait_seconds))
                self._require_files()
            if self._is_closed:  # by now the slot may be another worker's
                raise LockTimeout("the server has stopped")
            with self._appending:
                self._log.repeat()
            self._slots.restore_headers()
            self.note(self._checkpoint.repair())
            yield
            self._backlog.update()

    def _logs(self) -> tuple[dict[int, Slot], Root]:
        """Return the slots by key, in one order for all workers, and the root, which has a read position of each."""
        slots = [Slot(self.number, self._key, self._log.reader), *self._others()[0]]
        logs = {slot.key: slot for slot in sorted(slots, key=lambda slot: slot.number)}
        for key in [key for key in logs if key not in self._checkpoint.read().positions]:  # it was begun again
            position = logs[key].log.rows_after(0) - self.shape.window_rows
            self._checkpoint.commit(self._checkpoint.read().with_position(key, position, logs), {})
        return logs, self._checkpoint.read()

    def pending(self, limit: float, now: float) -> PendingRows | None:
        """Return the next rows that no commit has counted, None if there are none.

        `limit` is the latest plausible time, seconds since 1970; anything later is of a clock that was ahead. Then
        buckets later than `now` are dropped, and such rows get that time.
        """
        slots, before = self._logs()
        root, dropped = self._catch_up.without_future(before, limit, now)
        if root is not before:
            self.note(f"the clock was ahead: {dropped} buckets of time windows later than now were dropped")
            self._checkpoint.commit(root, {})
        logs = log_ends(slots, root, self.note)
        logs[self._key] = self._log.reader, self._log.rows  # known, whatever the file says: damaged rows are passed
        return self._catch_up.read(logs, root, limit, now)

    def commit(self, pending: PendingRows, latches: Latches | None = None) -> None:
        """Count rows, and update the evidence with the blocks that they complete: all of it or nothing."""
        before, lost = self._checkpoint.with_levels(self._checkpoint.read())
        root, pages, damaged = self._catch_up.count(self._checkpoint, before, pending)
        self._slots.failpoint("catch_up.binned")
        self._checkpoint.commit(root if latches is None else replace(root, latches=latches), pages)
        found = {LEFT_OUT: pending.damaged, EMPTIED: damaged.size, MEASURED_AGAIN: lost}
        self.note(*(text for text, some in found.items() if some))
        self._backlog.update()

    def begin_with(self, live: LiveDependence) -> None:
        """Begin with what is known of the rows of earlier versions. The caller holds the lock."""
        self._checkpoint.commit(self._checkpoint.read().begun_with(live, self.shape.detector), {})

    def keep(self, latches: Latches, evaluated_at: float) -> None:
        """Keep the latches of an evaluation, and when it was made."""
        self._checkpoint.commit(replace(self._checkpoint.read(), latches=latches, evaluated_at=evaluated_at), {})

    def snapshot(self, now: float) -> StateSnapshot:
        """Return the newest rows that were counted, as many as the largest window holds, and what is derived of all.

        `now`, seconds since 1970, is the end of the time windows.
        """
        logs, root = self._logs()
        rows, progress = self._newest(logs, root), root.progress
        totals, damaged = self._checkpoint.totals(root, now)
        if damaged.size:
            self.note(EMPTIED)
            self._checkpoint.commit(root.without(damaged), {})
        observed = self._totals.folded(root.carried).rows + sum(root.positions[key] for key in logs)
        return StateSnapshot(rows, totals, observed, progress.head.at, progress.evidence, root.latches)

    def newest(self) -> Rows:
        """Return the newest rows that were counted; see `snapshot`."""
        return self._newest(*self._logs())

    def _newest(self, logs: Mapping[int, Slot], root: Root) -> Rows:
        rows, damaged = self._catch_up.newest(
            {key: slot.log for key, slot in logs.items()}, root.positions, root.progress.head.at
        )
        for key in damaged if self.lost is None else ():
            self.note(f"{logs[key].number}.log: damaged rows were left out of the windows")
        return rows

    def fold(self, oldest: float, among: Collection[int] | None = None) -> None:
        """Carry and delete logs that no worker holds and whose rows arrived before `oldest`; see `folding.fold`."""
        if CHECKPOINT_FILE in self._slots.files:
            fold(self._slots, self._checkpoint, self._catch_up, oldest, self.note, among)
