"""Slots: which log of a folder belongs to which worker.

A slot is a log and a lock. A worker acquires the first slot whose lock is free, so a replacement continues where its
predecessor stopped, and a thousand of them leave as many files as one.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from driftgauge.common.private_files import FileLock, LockTimeout, allocate, make_private
from driftgauge.common.processes import boot_id, pid_of, service_id
from driftgauge.errors import Reason, StateError
from driftgauge.metrics.series import SOURCES
from driftgauge.state.checkpoint import Checkpoint
from driftgauge.state.failpoints import Failpoint, no_failpoint
from driftgauge.state.files import (
    EVALUATION_LOCK,
    HEADER_BYTES,
    OPEN_SECONDS,
    FileIdentity,
    Lease,
    MappedFile,
    StateKey,
    Truncated,
    Unsound,
    create,
    layout_hash,
    parse_header,
    read_header,
)
from driftgauge.state.folder import refuse_old
from driftgauge.state.history_file import HistoryFile
from driftgauge.state.log import Log, LogReader
from driftgauge.state.root import FOLDED
from driftgauge.state.shape import StateShape
from driftgauge.state.slot import Acquired, Recovery, Slot, StateUnavailable
from driftgauge.state.uncounted import count_left, source_of

CHECKPOINT_FILE: Final = "checkpoint.state"
_LOG_FILE: Final = re.compile(r"(0|[1-9][0-9]?)\.log")


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
        source: str = SOURCES[0],
        failpoint: Failpoint = no_failpoint,
    ) -> None:
        """Use a folder in `state_dir`, by default that itself.

        `service` is the `service_id` of the supervisor, `source` who observes rows.
        """
        self.folder: Final = folder
        self.shape: Final = shape
        self.source: Final = source
        self.failpoint: Final = failpoint
        self.recoveries: Final[list[Recovery]] = []
        """What was found when this worker started."""
        self.files: dict[str, MappedFile] = {}
        """The checkpoint and the log of this worker, by name, as long as other workers find them."""
        self.left_out: Mapping[int, str] = {}
        """The slots of other workers that could not be read last, and why."""
        self._state_dir = state_dir or folder
        self._service = service_id() if service is None else service
        self._boot = boot_id()
        self._lock: FileLock | None = None
        self._seen: dict[int, tuple[MappedFile, LogReader]] = {}
        series = [(spec.name, spec.children, spec.buckets) for spec in shape.series]
        log = layout_hash([*shape.log.fields, *shape.counted.fields], series, shape.clock)
        spans, detector = [span.name for span in shape.spans], shape.detector
        evidence = (detector.budget, detector.by_hour, detector.watched.tolist(), detector.tolerance.tolist())
        pages = [*shape.page.fields, *shape.level.fields]
        whole = layout_hash([*shape.root.fields, *pages], spans, *evidence, log)
        self.history: Final = HistoryFile(
            folder, key, shape.history, self._service, lambda: CHECKPOINT_FILE in self.files, failpoint
        )
        """The history, which is shared while the checkpoint is."""
        self._log_identity = FileIdentity(**vars(key), kind="log", layout=log)
        self._identity = FileIdentity(**vars(key), kind="checkpoint", layout=whole)

    # ------------------------------------------------------------ this worker

    def acquire(self) -> Acquired:
        """Acquire a slot and continue where its last worker stopped.

        StateUnavailable if no state can be kept here; StateError if the folder must not be used.
        """
        refuse_old(self.folder)
        try:
            make_private(self.folder, self._state_dir)
            with self.evaluation_lock().held(OPEN_SECONDS):
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
        other_checkpoint = self._identity.difference(self.folder / CHECKPOINT_FILE)
        for log in self._logs():
            with contextlib.suppress(OSError):  # a file that no worker can use
                header = read_header(log)
                lease, baseline = Lease.read(header), str(parse_header(header).get("baseline"))[:12]
                why = self._log_identity.difference(log) or other_checkpoint
                if why and lease.service != self._service and not FileLock(log.with_suffix(".lock")).is_free():
                    raise StateError(
                        f"{self.folder} is used by process {pid_of(lease.service)} with baseline {baseline}, and its "
                        f"state cannot be shared: {why}. Stop that server first, or give this one another state_dir"
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
        file = self._opened(CHECKPOINT_FILE)
        for log in self._logs():
            if self._log_identity.difference(log) and FileLock(log.with_suffix(".lock")).is_free():
                log.unlink(missing_ok=True)  # of another baseline or other settings, and no worker uses it
        checkpoint = Checkpoint(self.shape, file.body, failpoint=self.failpoint)
        if damage := checkpoint.repair():
            self._recovered(Reason.STATE_DAMAGED, f"{CHECKPOINT_FILE}: {damage}")
        return checkpoint

    def _resumed(self, number: int, checkpoint: Checkpoint) -> Acquired:
        root, name = checkpoint.read(), f"{number}.log"
        file = self._opened(name)
        if root.positions.get(file.key) == FOLDED:  # a worker was killed before it deleted the file
            file.path.unlink()
            file = self._opened(name)
        log, is_whole = Log(self.shape, file.body, failpoint=self.failpoint), file.lease.is_whole
        damage = log.resume(root.positions.get(file.key, 0), intact=is_whole)
        if not is_whole:
            lost = damage or "what was written in the last seconds may be lost"
            self._recovered(Reason.POWER_LOSS, f"{name}: the machine stopped: {lost}")
        elif damage:
            self._recovered(Reason.STATE_DAMAGED, f"{name}: {damage}")
        uncounted = max(0, log.rows - int(log.counters.rows[0]))
        if file.key not in root.positions:  # if the checkpoint is new, the rows of the largest window are counted again
            keys = [slot.key for slot in self.others()]
            checkpoint.commit(root.with_position(file.key, log.rows - self.shape.window_rows, keys), {})
        # Should the machine stop from now on, the mark of an orderly stop is no longer true.
        file.sign(Lease.own(self._service))
        log.repeat()
        return Acquired(number, file.key, log, checkpoint, uncounted, source_of(self.folder, number, file.key))

    def _opened(self, name: str) -> MappedFile:
        """Return a file of this worker; it is new if there was none that can be used."""
        path, is_log = self.folder / name, name != CHECKPOINT_FILE
        identity = self._log_identity if is_log else self._identity
        layout = self.shape.log if is_log else self.shape.checkpoint

        def fill(buffer: memoryview) -> None:
            if is_log:
                Log(self.shape, buffer).publish()
            else:
                Checkpoint(self.shape, buffer).repair()

        try:
            self.files[name] = MappedFile(path, identity, layout)
        except Truncated as error:
            self._recovered(Reason.STATE_TRUNCATED, f"{name}: {error}")
            allocate(path, HEADER_BYTES + layout.size_bytes)
            return self._opened(name)
        except (FileNotFoundError, ValueError) as error:
            if isinstance(error, ValueError):
                self._recovered(Reason.STATE_FOREIGN, f"{name}: {error}; it begins empty")
            create(path, identity, layout, fill, self._service)
            return self._opened(name)
        return self.files[name]

    def _recovered(self, reason: Reason, text: str) -> None:
        self.recoveries.append(Recovery(reason, text))

    def leave(self) -> None:
        """Write everything to the disk, mark the log as left in good order, and give the slot back."""
        for file in self.files.values():
            file.content.flush()
        self.history.flush()
        for name in self.files.keys() - {CHECKPOINT_FILE}:
            self.files[name].sign(replace(self.files[name].lease, clean=True))
        self.release()

    def release(self) -> None:
        """Give the slot back."""
        if self._lock is not None:
            self._lock.release()

    def abandon(self) -> None:
        """Give the slot up in a forked child; the parent keeps it."""
        if self._lock is not None:
            self._lock.abandon()

    # ------------------------------------------------------------ while it runs

    def is_cut(self, name: str) -> bool:
        """Return whether a file of this worker was truncated: reading behind its end would end this process."""
        file = self.files.get(name)
        return file is not None and file.is_cut

    def lost(self) -> Mapping[str, str]:
        """Return the files of this worker that other workers do not find any more, and why; with its log both."""
        lost = {name: why for name, file in self.files.items() if (why := file.damage())}
        logs = [why for name, why in lost.items() if name != CHECKPOINT_FILE]
        return dict.fromkeys(self.files, logs[0]) if logs else lost

    def restore_headers(self) -> None:
        """Write the headers of this worker's files again if they are damaged."""
        for file in self.files.values():
            file.restore_header(self._service)

    def evaluation_lock(self) -> FileLock:
        """Return the lock of the worker that evaluates."""
        return FileLock(self.folder / EVALUATION_LOCK)

    def others(self) -> list[Slot]:
        """Return the slots of other workers, running or ended, by number; none if this one shares no log."""
        found: dict[int, tuple[MappedFile, LogReader]] = {}
        left_out: dict[int, str] = {}
        try:
            logs = self._logs() if self.files.keys() - {CHECKPOINT_FILE} else []
        except OSError as error:
            logs, left_out[-1] = [], f"only this worker's own state can be read: {error}"
        for path in logs:
            if path.name in self.files:
                continue
            try:
                found[int(path.stem)] = self._mapped(path)
            except FileNotFoundError:
                pass
            except (OSError, Unsound) as error:
                left_out[int(path.stem)] = f"{path.name} is left out: {getattr(error, 'strerror', None) or error}"
            except ValueError:  # of another baseline or layout: its worker is about to be replaced
                pass
        self._seen, self.left_out = found, left_out
        return [Slot(own, file.key, log, file.lease.is_running(self._boot)) for own, (file, log) in found.items()]

    def completed(self) -> list[Slot]:
        """Return the slots of other workers, those of ended ones with all rows that they wrote; OSError if it fails."""
        found = self.others()
        for slot in found:
            lock = FileLock(self.folder / f"{slot.number}.lock")
            if lock.acquire():  # or its worker runs, and commits its rows itself
                try:
                    self.complete(slot)
                finally:
                    lock.release()
        return found

    def complete(self, slot: Slot) -> None:
        """Commit and count the rows that a killed worker wrote last: no other worker counts them before.

        The caller holds the lock of the slot.
        """
        written = slot.log.written
        if written == slot.log.rows and not slot.log.uncounted:
            return
        with contextlib.suppress(FileNotFoundError, ValueError):  # it was deleted or replaced
            file = MappedFile(self.folder / f"{slot.number}.log", self._log_identity, self.shape.log)
            if file.key == slot.key:
                log = LogReader(self.shape, file.body)
                log.committed[0] = written
                count_left(self.shape, log, source_of(self.folder, slot.number, slot.key) or self.source)

    def _mapped(self, path: Path) -> tuple[MappedFile, LogReader]:
        """Return the log of another worker; a file that is still there is mapped once."""
        status, before = os.lstat(path), self._seen.get(int(path.stem))
        if before and before[0].known == (status.st_ino, status.st_size):
            return before
        file = MappedFile(path, self._log_identity, self.shape.log, writable=False)
        return file, LogReader(self.shape, file.body)

    def _logs(self) -> list[Path]:
        """Return the logs in the folder, by number."""
        names = [name for name in os.listdir(self.folder) if _LOG_FILE.fullmatch(name)]
        return [self.folder / name for name in sorted(names, key=lambda name: int(name.removesuffix(".log")))]

    def unused(self) -> frozenset[int]:
        """Return the keys of the logs that no worker holds."""
        free = [slot for slot in self.others() if FileLock(self.folder / f"{slot.number}.lock").is_free()]
        return frozenset(slot.key for slot in free)

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
