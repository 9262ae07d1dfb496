"""The workers that take part in swaps: each holds a lock that ends with its process."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from typing import Final

from driftgauge.common.private_files import FileLock
from driftgauge.errors import LedgerError
from driftgauge.releases.ledger import Ledger


class Membership:
    """This worker among those of a ledger."""

    def __init__(self, ledger: Ledger, models: Sequence[str]) -> None:
        """Register this worker, which serves some models; LedgerError if its lock file cannot be made."""
        self.models: Final = models
        self.worker: Final = uuid.uuid4().hex
        self._ledger = ledger
        self._lock = self._lock_of(self.worker)
        try:
            if self._lock is not None:
                self._lock.acquire()
        except OSError as error:
            raise LedgerError(f"cannot lock {error.filename}: {error.strerror or error}") from error
        ledger.add_worker(self.worker, os.getpid(), models)

    def running(self, model: str) -> dict[str, int]:
        """Return the process ids of the workers of a model that run."""
        ended = self.remove_ended()
        return {worker: pid for worker, pid in self._ledger.workers(model).items() if worker not in ended}

    def remove_ended(self) -> list[str]:
        """Remove the workers that have ended, and return them."""
        ended = [own for own in self._ledger.workers() if own != self.worker and self._has_ended(own)]
        if ended:
            self._ledger.remove_workers(ended)
            for worker in ended:
                self._delete(worker)
        return ended

    def leave(self) -> None:
        """Take part no longer."""
        self._ledger.remove_workers([self.worker])
        self._delete(self.worker)
        if self._lock is not None:
            self._lock.release()

    def _lock_of(self, worker: str) -> FileLock | None:
        folder = self._ledger.folder
        return None if folder is None else FileLock(folder / f"{worker}.lock")

    def _has_ended(self, worker: str) -> bool:
        lock = self._lock_of(worker)
        return lock is None or lock.is_free()

    def _delete(self, worker: str) -> None:
        if self._ledger.folder is not None:
            (self._ledger.folder / f"{worker}.lock").unlink(missing_ok=True)
