"""Slots: which file of a folder is whose worker's, and what becomes of those that cannot be used as they are.

A slot is a file and a lock. A worker takes the first slot that nobody holds, so a replacement goes on where the
one before it stopped, and a thousand of them leave as many files as one.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from dataclasses import replace
from mmap import mmap
from pathlib import Path
from typing import Final

from driftgauge.drift.evidence.detector import Detector
from driftgauge.errors import DriftgaugeError, Reason
from driftgauge.state.files import (
    HEADER_BYTES,
    Busy,
    FileLock,
    Identity,
    Lease,
    Unsound,
    beginning_of,
    boot_id,
    create,
    head_of,
    is_cut,
    layout_hash,
    make_private,
    open_mapped,
)
from driftgauge.state.memory import MAX_SLOTS, Memory, MemoryShape, Retired, RetiredTotals, retired_layout
from driftgauge.state.points import go_on
from driftgauge.state.reader import StateReader
from driftgauge.state.shape import Overrun, Saved, StateShape
from driftgauge.state.shared_files import MEMORY_FILE, RETIRED_FILE, SharedFiles
from driftgauge.state.slot import Owner, OwnSlot, Recovery, Slot
from driftgauge.state.state import State
from driftgauge.state.versions import Damaged

TAKE_SECONDS: Final = 60.0
"""How long a worker that starts waits for others that do: each may have to look through its rows."""
EVALUATION_LOCK: Final = "evaluation.lock"
"""Held by whoever evaluates, and by whoever takes a slot or makes a file."""
_SLOT_FILE: Final = re.compile(r"(0|[1-9][0-9]?)\.state")


class Unusable(DriftgaugeError):
    """A folder in which no state can be kept; the message says why."""


class Slots:
    """The folder of one model and version, as one worker sees it."""

    def __init__(
        self,
        folder: Path,
        owner: Owner,
        shape: StateShape,
        detector: Detector,
        *,
        root: Path | None = None,
        reach: Callable[[str], None] = go_on,
    ) -> None:
        """Use a folder, which lies in `root` or is the root itself; see `make_private`."""
        self.folder: Final = folder
        self._root = root or folder
        self.left_out: Final[dict[int, str]] = {}
        """Files of other slots that cannot be opened, and why."""
        self.shape: Final = shape
        self.recoveries: Final[list[Recovery]] = []
        """What happened while this worker took its slot."""
        self._reach = reach
        self._boot = boot_id()
        self._most = 1 if shape.by_event else MAX_SLOTS
        self._lock: FileLock | None = None
        self._own: OwnSlot | None = None
        self._files = SharedFiles(folder, self.recoveries)
        self._seen: dict[int, tuple[tuple[int, int], Slot | None]] = {}
        self._detector = detector
        series = [(spec.name, spec.children, spec.buckets) for spec in shape.series]
        state = layout_hash([*shape.layout.fields, *shape.counted.fields], series, shape.by_event, shape.by_hour)
        self._identity = Identity("slot", owner.model_name, owner.model_version, owner.baseline, state)
        width = shape.binner.width
        self._memory_shape = MemoryShape(shape.binner.columns, width, detector.bets, MAX_SLOTS)
        weighed = layout_hash(self._memory_shape.fields, detector.budget, state)
        self._memory_identity = replace(self._identity, kind="evaluation", layout=weighed)
        self._retired_identity = replace(self._identity, kind="retired")

    # ------------------------------------------------------------ this worker's own

    def take(self) -> tuple[OwnSlot, Memory, RetiredTotals]:
        """Take a slot and go on where its last worker stopped; Unusable if nothing can be kept here."""
        try:
            make_private(self.folder, self._root)
            with FileLock(self.folder / EVALUATION_LOCK).held(TAKE_SECONDS):
                # Left by workers that were killed: only who holds the lock makes files.
                for left in self.folder.glob("*.new"):
                    left.unlink(missing_ok=True)
                memory, retired = self._memory(), self._retired()
                own = self._taken(retired.read())
        except (OSError, Busy) as error:
            self.release()
            where = getattr(error, "filename", None) or self.folder
            raise Unusable(f"{where}: {getattr(error, 'strerror', None) or error}") from error
        self._own = own
        self._inode = os.stat(self._path(own.number)).st_ino
        return own, memory, retired

    def _taken(self, retired: Retired) -> OwnSlot:
        for number in range(self._most):
            lock = FileLock(self.folder / f"{number}.lock")
            if lock.take():
                self._lock = lock
                own = self._resumed(number, retired)
                self._mend(own, retired)
                return own
        few = "; with clock=event there is one worker" if self._most == 1 else ""
        raise Unusable(f"{self.folder}: {self._most} worker(s) use it already{few}")

    def _mend(self, own: OwnSlot, retired: Retired) -> None:
        """Rebuild idle slots after a power loss, because their rows are still in the windows."""
        for number in sorted(self._numbers() - {own.number}):
            with contextlib.suppress(OSError):  # this worker has a slot of its own, and goes on without that one
                if not self._is_sound(number):
                    self._mend_alone(number, retired)

    def _mend_alone(self, number: int, retired: Retired) -> None:
        """Build a slot anew unless a worker holds it."""
        lock = FileLock(self.folder / f"{number}.lock")
        if lock.take():
            try:
                mended = self._resumed(number, retired)
                if mended.file is not None:
                    replace(Lease.own(), pid=0).write(mended.file)
            finally:
                lock.release()

    def _is_sound(self, number: int) -> bool:
        """Say whether the file of a slot can be read by others as it is, or is not of this model and its settings."""
        try:
            slot = self._seen_as(number)
            if slot is None:
                return True
            if not Lease.read(head_of(self._path(number))).is_whole:
                return False
            slot.state.check()
        except Damaged:
            return False
        except (Overrun, Unsound):  # the latter is mended by whoever takes it
            pass
        return True

    def _resumed(self, number: int, retired: Retired) -> OwnSlot:
        path = self._path(number)
        saved: Saved | None = None
        try:
            file, key = open_mapped(path, self._identity, self.shape.layout, writable=True)
        except FileNotFoundError:
            pass
        except ValueError as error:
            saved = self._rest(path, str(error))
        else:
            if key not in retired.keys:
                try:
                    return self._resumed_as_it_is(number, key, file)
                except Damaged as error:
                    lost = not Lease.read(file[:HEADER_BYTES]).is_whole
                    reason = Reason.POWER_LOSS if lost else Reason.STATE_DAMAGED
                    saved = self._saved(path, memoryview(file)[HEADER_BYTES:], reason, str(error))
        made: list[State] = []

        def fill(buffer: memoryview) -> None:
            made.append(State(self.shape, buffer, reach=self._reach))
            made[0].begin(saved)

        file, key = create(path, self._identity, self.shape.layout, fill)
        return OwnSlot(number, key, made[0], file)

    def _resumed_as_it_is(self, number: int, key: int, file: mmap) -> OwnSlot:
        if not Lease.read(file[:HEADER_BYTES]).is_whole:
            raise Damaged("the machine stopped before all of it was on the disk")
        state = State(self.shape, memoryview(file)[HEADER_BYTES:], reach=self._reach)
        # First of all: should the machine stop from now on, the mark of a stop in good order is no longer true.
        Lease.own().write(file)
        file.flush(0, HEADER_BYTES)
        uncounted = state.resume()
        return OwnSlot(number, key, state, file, uncounted=uncounted)

    def _rest(self, path: Path, why: str) -> Saved | None:
        """Return what can be saved of a file that does not fit: nothing, unless it is only too short."""
        size = self.shape.layout.size_bytes
        content = beginning_of(path, HEADER_BYTES + size)
        try:
            self._identity.key(content)
        except ValueError:
            text = f"{path.name}: {why}; begun anew"
            self.recoveries.append(Recovery(Reason.STATE_FOREIGN, text))
            return None
        rest = bytearray(content[HEADER_BYTES:].ljust(size, b"\0"))
        return self._saved(path, memoryview(rest), Reason.STATE_TRUNCATED, why)

    def _saved(self, path: Path, buffer: memoryview, reason: Reason, why: str) -> Saved:
        saved = StateReader(self.shape, buffer).save()
        counters = "counters went on" if saved.counted is not None else "counters begin at 0"
        text = f"{path.name}: {why}; {len(saved.values)} rows were saved, {counters}"
        self.recoveries.append(Recovery(reason, text))
        return saved

    @property
    def cut_off(self) -> str | None:
        """The name of a file of this worker's that was cut off while it uses it, if there is one."""
        own = self._own
        mapped = {**self._files.mapped, **({self._path(own.number).name: own.file} if own and own.file else {})}
        return next((name for name, file in mapped.items() if is_cut(file)), None)

    def leave(self) -> None:
        """Write everything to the disk and give the slot back, once the state is closed: the next one goes on here."""
        if self._own is not None and self._own.file is not None:
            self._own.file.flush()
            for file in self._files.mapped.values():
                file.flush()
            replace(Lease.read(self._own.file[:HEADER_BYTES]), clean=True).write(self._own.file)
            self._own.file.flush()
        self.release()

    def release(self) -> None:
        """Give the slot back."""
        if self._lock is not None:
            self._lock.release()

    @property
    def is_there(self) -> bool:
        """Whether this worker's file is where the next one looks for it."""
        if self._own is None or self._own.file is None:
            return False
        try:
            return os.stat(self._path(self._own.number)).st_ino == self._inode
        except OSError:
            return False

    def evaluating(self) -> FileLock:
        """Return the lock of whoever evaluates."""
        return FileLock(self.folder / EVALUATION_LOCK)

    # ------------------------------------------------------------ of all workers

    def _memory(self) -> Memory:
        shape = self._memory_shape
        return self._files.opened(
            MEMORY_FILE,
            self._memory_identity,
            shape.layout,
            lambda buffer: Memory(shape, self._detector, buffer),
        )

    def _retired(self) -> RetiredTotals:
        layout = retired_layout(self.shape)
        return self._files.opened(
            RETIRED_FILE, self._retired_identity, layout, lambda buffer: RetiredTotals(self.shape, buffer)
        )

    def others(self) -> list[Slot]:
        """Return the slots of others, of workers that run and of such as have ended, by their numbers.

        Files of another baseline or layout are left out: their workers are about to be replaced.
        """
        found: dict[int, tuple[tuple[int, int], Slot | None]] = {}
        self.left_out.clear()
        for number in self._numbers() - ({self._own.number} if self._own else set()):
            try:
                status = os.lstat(self._path(number))
                known = status.st_ino, status.st_size
                before = self._seen.get(number)
                found[number] = before if before and before[0] == known else (known, self._seen_as(number))
            except FileNotFoundError:
                pass
            except OSError as error:
                self.left_out[number] = error.strerror or str(error)
            except Unsound as error:
                self.left_out[number] = str(error)
        self._seen = found
        return [slot for _, (_, slot) in sorted(found.items()) if slot is not None]

    def _numbers(self) -> set[int]:
        """Return the slots that have a file."""
        return {int(name.removesuffix(".state")) for name in os.listdir(self.folder) if _SLOT_FILE.fullmatch(name)}

    def _seen_as(self, number: int) -> Slot | None:
        try:
            file, key = open_mapped(self._path(number), self._identity, self.shape.layout, writable=False)
        except Unsound:
            raise
        except ValueError:
            return None
        return Slot(number, key, StateReader(self.shape, memoryview(file)[HEADER_BYTES:]), file, self._boot)

    def retire(self, totals: RetiredTotals, is_needed: Callable[[Slot], bool]) -> None:
        """Fold idle slots into the retired totals and delete them. The caller holds the evaluation lock."""
        for slot in self.others():
            with contextlib.suppress(Damaged, Overrun):  # then it is left out of all sums until a worker mends it
                if not is_needed(slot):
                    self._retire_alone(totals, slot, is_needed)

    def _retire_alone(self, totals: RetiredTotals, slot: Slot, is_needed: Callable[[Slot], bool]) -> None:
        """Retire a slot unless a worker takes it meanwhile."""
        lock = FileLock(self.folder / f"{slot.number}.lock")
        if lock.take():
            try:
                if not is_needed(slot):
                    self._retire(totals, slot)
            finally:
                lock.release()

    def _retire(self, totals: RetiredTotals, slot: Slot) -> None:
        before = totals.read()
        if slot.key not in before.keys:
            words = before.words.copy()
            added = self.shape.counted.arrays(words)
            for name, array in slot.state.counted().items():
                added[name] += array
            taken = slot.state.take()
            still_there = {other.key for other in self.others()}
            keys = frozenset({slot.key} | (before.keys & still_there))
            totals.write(Retired(words, before.bin_rows + taken.bin_rows, before.rows + taken.observed, keys))
            for file in self._files.mapped.values():
                file.flush()
        self._path(slot.number).unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number}.state"
