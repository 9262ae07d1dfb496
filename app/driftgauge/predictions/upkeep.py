"""Keeps the prediction log in order: one process at a time deletes and compacts, each looks at the free disk space."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from driftgauge.common.private_files import FileLock
from driftgauge.predictions.compaction import compact, remove_orphans
from driftgauge.predictions.look import SharedLook, look_at
from driftgauge.predictions.retention import Limits, retain
from driftgauge.predictions.store import PredictionStore

INTERVAL_SECONDS: Final = 60.0
SIZE_SECONDS: Final = 10.0
"""Time between two looks at the size of the log, by whichever worker."""
LOOK_SECONDS: Final = 2.0
"""Time for which a look at the free disk space is believed."""
MOST_FILES: Final = 8
"""Files of closed days that one interval writes."""
LOCK: Final = "upkeep.lock"
_ADVISORY_LOCK: Final = 0x64726967


def free_bytes(folder: Path) -> int:
    """Return the free space of the disk that holds a folder."""
    return shutil.disk_usage(folder).free


class DiskGuard:
    """Says whether the disk has room for more predictions."""

    def __init__(self, folder: Path | None, min_free_bytes: int, free: Callable[[Path], int] = free_bytes) -> None:
        """Watch the disk of a folder; without one, of a database elsewhere, there is always room."""
        self._folder: Final = folder
        self._min_free_bytes: Final = min_free_bytes
        self._free: Final = free
        self._looked_at = -LOOK_SECONDS
        self.free_bytes: int | None = None
        """Free space at the last look; None before the first, and without a folder."""

    def has_room(self) -> bool:
        """Return whether the log may grow."""
        if self._folder is None:
            return True
        now = time.monotonic()
        if self.free_bytes is None or now - self._looked_at >= LOOK_SECONDS:
            nearest = next(own for own in (self._folder, *self._folder.parents) if own.exists())
            self.free_bytes = self._free(nearest)
            self._looked_at = now
        return self.free_bytes >= self._min_free_bytes


class Upkeep:
    """Deletes by interval what is beyond the limits and compacts closed days, in a thread of its own."""

    def __init__(
        self,
        store: Callable[[], PredictionStore],
        limits: Limits,
        clock: Callable[[], float],
        failed: Callable[[Exception], None],
        folder: Path | None = None,
        has_room: Callable[[], bool] = lambda: True,
        looks: SharedLook | None = None,
    ) -> None:
        """Look after what `store` opens; processes that share `folder` take turns.

        Files of closed days are only written while the disk `has_room`. `looks` are shared with other workers.
        """
        self.looks: Final = looks or SharedLook()
        """The size of the log, as it was last looked at."""
        self._has_room: Final = has_room
        self._store: Final = store
        self._limits: Final = limits
        self._clock: Final = clock
        self._failed: Final = failed
        self._folder: Final = folder
        self._is_closing: Final = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="prediction-log-upkeep", daemon=True)
        self._thread.start()

    def close(self, seconds: float) -> None:
        """End the thread, and wait for it at most so long."""
        self._is_closing.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        began = time.monotonic()
        while True:
            try:
                if time.monotonic() - began >= INTERVAL_SECONDS:
                    began = time.monotonic()
                    self.once()
                else:
                    self.look()
            except Exception as error:
                if self._is_closing.is_set():  # the database may have been closed in the middle
                    return
                self._failed(error)
            if self._is_closing.wait(min(SIZE_SECONDS, INTERVAL_SECONDS)):
                return

    def look(self) -> None:
        """Look at the size of the log, unless another worker has just done so; PredictionLogError if that fails."""
        known = self.looks.latest()
        if known is None or not 0.0 <= self._clock() - known.at < SIZE_SECONDS / 2:
            self._look(self._store())

    def _look(self, store: PredictionStore) -> None:
        free = None if self._folder is None else free_bytes(self._folder)
        self.looks.renew(lambda: look_at(store.engine, self._clock(), free))

    def once(self) -> None:
        """Delete and compact, unless another process does; PredictionLogError if the database or the disk fails."""
        store = self._store()
        if self._folder is None:
            with store.alone(_ADVISORY_LOCK) as is_alone:
                self._keep(store, is_alone=is_alone)
            return
        with FileLock(self._folder / LOCK).held_if_free() as is_alone:
            self._keep(store, is_alone=is_alone)

    def _keep(self, store: PredictionStore, *, is_alone: bool) -> None:
        if is_alone:
            remove_orphans(store.engine)
            retain(store.engine, self._limits, self._clock())
            for _ in range(MOST_FILES):
                if self._is_closing.is_set() or not self._has_room() or not compact(store.engine, self._clock()):
                    break
        self._look(store)
