"""Slots: which log of a folder belongs to which worker.

A slot is a log and a lock. A worker acquires the first slot whose lock is free, so a replacement continues where its
predecessor stopped, and a thousand of them leave as many files as one.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from mmap import mmap
from pathlib import Path
from typing import Final

from driftgauge.common.private_files import FileLock, LockTimeout, allocate, make_private
from driftgauge.errors import DriftgaugeError, Reason, StateError
from driftgauge.state.checkpoint import Checkpoint
from driftgauge.state.failpoints import Failpoint, no_failpoint
from driftgauge.state.files import (
    EVALUATION_LOCK,
    HEADER_BYTES,
    OPEN_SECONDS,
    FileIdentity,
    Lease,
    Truncated,
    Unsound,
    boot_id,
    create,
    is_cut,
    layout_hash,
    open_mapped,
    parse_header,
    read_header,
    service_id,
)
from driftgauge.state.folder import refuse_old
from driftgauge.state.layout import Layout
from driftgauge.state.log import Log, LogReader
from driftgauge.state.root import FOLDED
from driftgauge.state.shape import StateShape

CHECKPOINT_FILE: Final = "checkpoint.state"
_LOG_FILE: Final = re.compile(r"(0|[1-9][0-9]?)\.log")


class StateUnavailable(DriftgaugeError):
    """No state can be kept in the folder; the message says why."""


@dataclass(frozen=True)
class StateKey:
    """Whose state it is."""

    model_name: str
    model_version: str
    baseline: str
    """Hash of the baseline."""


@dataclass(frozen=True)
class Recovery:
    """What could not be used as it was found when a worker started, and what was done."""

    reason: Reason
    text: str


@dataclass(frozen=True)
class Slot:
    """The log of a worker that runs or has ended."""

    number: int
    key: int
    """Tells the log from earlier ones of the slot."""
    log: LogReader
    file: mmap | None = None
    boot: str = ""

    @property
    def is_running(self) -> bool:
        """Whether a process uses it, as far as its process id tells."""
        return self.file is None or Lease.read(self.file[:HEADER_BYTES]).is_running(self.boot)


@dataclass(frozen=True)
class Acquired:
    """The slot of this worker."""

    number: int
    key: int
    log: Log
    checkpoint: Checkpoint
    uncounted: int = 0
    """Rows that the worker before this one appended and did not count."""


@dataclass(frozen=True)
class OwnFile:
    """A file of this worker, mapped."""

    content: mmap
    inode: int
    header: bytes
    """What its header must be."""


class Slots:
    """The folder of one model and version, as one worker sees it. It shares nothing until it has acquired a slot."""

    def __init__(
        self,
        folder: Path,
        key: StateKey,
        shape: StateShape,
        *,
        state_dir: Path | None = None,
        service: int | None = None,
        failpoint: Failpoint = no_failpoint,
    ) -> None:
        """Use a folder in `state_dir`, by default that itself; `service` is the `service_id` of the supervisor."""
        self.folder: Final = folder
        self.shape: Final = shape
        self.failpoint: Final = failpoint
        self.recoveries: Final[list[Recovery]] = []
        """What was found when this worker started."""
        self.left_out: Mapping[int, str] = {}
        """The slots of other workers that could not be read last, and why."""
        self._state_dir = state_dir or folder
        self._service = service_id() if service is None else service
        self._boot = boot_id()
        self._lock: FileLock | None = None
        self._files: dict[str, OwnFile] = {}
        """This worker's files, by name; the log is acquired last."""
        self._seen: dict[int, tuple[tuple[int, int], Slot]] = {}
        series = [(spec.name, spec.children, spec.buckets) for spec in shape.series]
        log = layout_hash([*shape.log.fields, *shape.counted.fields], series, shape.clock)
        spans, detector = [span.name for span in shape.spans], shape.detector
        whole = layout_hash([*shape.root.fields, *shape.page.fields], spans, detector.budget, detector.by_hour, log)
        self._log_identity = FileIdentity("log", key.model_name, key.model_version, key.baseline, log)
        self._identity = replace(self._log_identity, kind="checkpoint", layout=whole)

    # ------------------------------------------------------------ this worker

    def acquire(self) -> Acquired:
        """Acquire a slot and continue where its last worker stopped.

        StateUnavailable if no state can be kept here; StateError if the folder must not be used.
        """
        refuse_old(self.folder)
        try:
            make_private(self.folder, self._state_dir)
            with FileLock(self.folder / EVALUATION_LOCK).held(OPEN_SECONDS):
                self._require_free()
                for left in self.folder.glob("*.new"):  # of killed workers: the holder of the lock creates files
                    left.unlink(missing_ok=True)
                number = self._acquire_lock()
                return self._resumed(number, self._checkpoint())
        except (OSError, LockTimeout) as error:
            self.release()
            where = getattr(error, "filename", None) or self.folder
            raise StateUnavailable(f"{where}: {getattr(error, 'strerror', None) or error}") from error

    def check(self) -> None:
        """Raise StateError if this service must not use the folder; acquires and changes nothing."""
        refuse_old(self.folder)
        with contextlib.suppress(OSError, LockTimeout):  # no state can be kept here, so nothing stands in the way
            if (self.folder / EVALUATION_LOCK).exists():
                with self.evaluation_lock().held(OPEN_SECONDS):
                    self._require_free()

    def _require_free(self) -> None:
        """Raise StateError if another service uses the folder for something else. The caller holds the lock."""
        checkpoint = self.folder / CHECKPOINT_FILE
        for log in self._logs():
            with contextlib.suppress(OSError):  # a file that no worker can use
                header = read_header(log)
                lease, baseline = Lease.read(header), str(parse_header(header).get("baseline"))[:12]
                why = _difference(log, self._log_identity) or _difference(checkpoint, self._identity)
                if why and lease.service != self._service and not FileLock(log.with_suffix(".lock")).is_free():
                    raise StateError(
                        f"{self.folder} is used by process {lease.service_pid} with baseline {baseline}, and its state "
                        f"cannot be shared: {why}. Stop that server first, or give this one another state_dir"
                    )

    def _acquire_lock(self) -> int:
        for number in range(self.shape.max_workers):
            lock = FileLock(self.folder / f"{number}.lock")
            if lock.acquire():
                self._lock = lock
                return number
        few = f"; with clock={self.shape.clock} there is one worker" if self.shape.max_workers == 1 else ""
        raise StateUnavailable(f"{self.folder}: {self.shape.max_workers} worker(s) use it already{few}")

    def _checkpoint(self) -> Checkpoint:
        layout, fill = self.shape.checkpoint, lambda buffer: Checkpoint(self.shape, buffer).repair()
        file, _ = self._opened(CHECKPOINT_FILE, self._identity, layout, fill)
        for log in self._logs():
            if _difference(log, self._log_identity) and FileLock(log.with_suffix(".lock")).is_free():
                log.unlink(missing_ok=True)  # of another baseline or other settings, and no worker uses it
        checkpoint = Checkpoint(self.shape, memoryview(file)[HEADER_BYTES:], failpoint=self.failpoint)
        if damage := checkpoint.repair():
            self.recoveries.append(Recovery(Reason.STATE_DAMAGED, f"{CHECKPOINT_FILE}: {damage}"))
        return checkpoint

    def _opened(
        self, name: str, identity: FileIdentity, layout: Layout, fill: Callable[[memoryview], object]
    ) -> tuple[mmap, int]:
        """Return a file, mapped, and its key; the file is new if there was none that can be used."""
        path = self.folder / name
        try:
            try:
                file, key = open_mapped(path, identity, layout, writable=True)
            except Truncated as error:
                self.recoveries.append(Recovery(Reason.STATE_TRUNCATED, f"{name}: {error}"))
                allocate(path, HEADER_BYTES + layout.size_bytes)
                file, key = open_mapped(path, identity, layout, writable=True)
        except (FileNotFoundError, ValueError) as error:
            if isinstance(error, ValueError):
                self.recoveries.append(Recovery(Reason.STATE_FOREIGN, f"{name}: {error}; it begins empty"))
            file, key = create(path, identity, layout, fill, self._service)
        self._files[name] = OwnFile(file, os.stat(path).st_ino, identity.header(key))
        return file, key

    def _resumed(self, number: int, checkpoint: Checkpoint) -> Acquired:
        layout, fill = self.shape.log, lambda buffer: Log(self.shape, buffer).publish()
        root, name = checkpoint.read(), f"{number}.log"
        file, key = self._opened(name, self._log_identity, layout, fill)
        if root.positions.get(key) == FOLDED:  # a worker was killed before it deleted the file
            (self.folder / name).unlink()
            file, key = self._opened(name, self._log_identity, layout, fill)
        lease = Lease.read(file[:HEADER_BYTES])
        log = Log(self.shape, memoryview(file)[HEADER_BYTES:], failpoint=self.failpoint)
        damage = log.resume(root.positions.get(key, 0), intact=lease.is_whole)
        if not lease.is_whole:
            lost = damage or "what was written in the last seconds may be lost"
            self.recoveries.append(Recovery(Reason.POWER_LOSS, f"{name}: the machine stopped: {lost}"))
        elif damage:
            self.recoveries.append(Recovery(Reason.STATE_DAMAGED, f"{name}: {damage}"))
        uncounted = max(0, log.rows - int(log.counters.rows[0]))
        if key not in root.positions:  # if the checkpoint is new, the rows of the largest window are observed again
            keys = [slot.key for slot in self.others()]
            checkpoint.commit(root.with_position(key, log.rows - self.shape.window_rows, keys), {})
        # Should the machine stop from now on, the mark of an orderly stop is no longer true.
        Lease.own(self._service).write(file)
        file.flush(0, HEADER_BYTES)
        log.repeat()
        return Acquired(number, key, log, checkpoint, uncounted)

    def leave(self) -> None:
        """Write everything to the disk, mark the log as left in good order, and give the slot back."""
        for own in self._files.values():
            own.content.flush()
        for name, own in self._files.items():
            if name != CHECKPOINT_FILE:
                replace(Lease.read(own.content[:HEADER_BYTES]), clean=True).write(own.content)
                own.content.flush(0, HEADER_BYTES)
        self.release()

    def release(self) -> None:
        """Give the slot back."""
        if self._lock is not None:
            self._lock.release()

    # ------------------------------------------------------------ while it runs

    def shares(self, name: str) -> bool:
        """Return whether other workers find a file of this worker."""
        return name in self._files

    def is_cut(self, name: str) -> bool:
        """Return whether a file of this worker was truncated: reading behind its end would end this process."""
        own = self._files.get(name)
        return own is not None and is_cut(own.content)

    def lost(self) -> Mapping[str, str]:
        """Return the files of this worker that cannot be shared any more, and why; with its log both."""
        lost = {name: why for name, own in self._files.items() if (why := self._damage(name, own))}
        logs = [why for name, why in lost.items() if name != CHECKPOINT_FILE]
        return dict.fromkeys(self._files, logs[0]) if logs else lost

    def _damage(self, name: str, own: OwnFile) -> str:
        if is_cut(own.content):
            return f"{name}: it was truncated while a worker used it"
        try:
            return "" if os.stat(self.folder / name).st_ino == own.inode else f"{name} was replaced"
        except OSError:
            return f"{name} is gone"

    def give_up(self, names: Collection[str]) -> None:
        """Share some files of this worker no more."""
        self._files = {name: own for name, own in self._files.items() if name not in names}

    def restore_headers(self) -> None:
        """Write the headers of this worker's files again if they are damaged."""
        for own in self._files.values():
            if own.content[: len(own.header)] != own.header:
                own.content[: len(own.header)] = own.header
                Lease.own(self._service).write(own.content)

    def evaluation_lock(self) -> FileLock:
        """Return the lock of the worker that evaluates."""
        return FileLock(self.folder / EVALUATION_LOCK)

    def others(self) -> list[Slot]:
        """Return the slots of other workers, running or ended, by number; none if this one shares no log.

        Logs of another baseline or layout are left out: their workers are about to be replaced.
        """
        found: dict[int, tuple[tuple[int, int], Slot]] = {}
        left_out: dict[int, str] = {}
        try:
            logs = self._logs() if self._files.keys() - {CHECKPOINT_FILE} else []
        except OSError as error:
            logs, left_out[-1] = [], f"only this worker's own state can be read: {error}"
        for path in logs:
            number = int(path.stem)
            if path.name in self._files:
                continue
            try:
                status = os.lstat(path)
                known = status.st_ino, status.st_size
                before = self._seen.get(number)
                # A mapped file keeps its inode, so no other file has it; of others nothing is kept.
                found[number] = known, before[1] if before and before[0] == known else self._slot(number, path)
            except FileNotFoundError:
                pass
            except OSError as error:
                left_out[number] = f"{path.name} is left out: {error.strerror or error}"
            except Unsound as error:
                left_out[number] = f"{path.name} is left out: {error}"
            except ValueError:  # of another baseline or layout: its worker is about to be replaced
                pass
        self._seen, self.left_out = found, left_out
        return [slot for _, slot in found.values()]

    def _slot(self, number: int, path: Path) -> Slot:
        file, key = open_mapped(path, self._log_identity, self.shape.log, writable=False)
        return Slot(number, key, LogReader(self.shape, memoryview(file)[HEADER_BYTES:]), file, self._boot)

    def _logs(self) -> list[Path]:
        """Return the logs in the folder, by number."""
        names = [name for name in os.listdir(self.folder) if _LOG_FILE.fullmatch(name)]
        return [self.folder / name for name in sorted(names, key=lambda name: int(name.removesuffix(".log")))]

    def remove(self, slot: Slot, before: Callable[[], bool]) -> None:
        """Delete a log unless a worker holds it or `before`, which is called with its lock held, returns False."""
        lock = FileLock(self.folder / f"{slot.number}.lock")
        if lock.acquire():
            try:
                if before():
                    self.failpoint("fold.committed")
                    (self.folder / f"{slot.number}.log").unlink(missing_ok=True)
                    self.failpoint("fold.deleted")
            finally:
                lock.release()


def _difference(path: Path, identity: FileIdentity) -> str:
    """Return why a file is of another identity; empty if it is of this one, damaged or not there."""
    try:
        identity.key(read_header(path))
    except (OSError, Unsound):
        pass
    except ValueError as error:
        return str(error)
    return ""
