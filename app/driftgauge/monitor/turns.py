"""Turns that the workers of a server take at work which one of them does for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from driftgauge.common.private_files import FileLock


class Turns:
    """A lock of the workers that share a folder; None for this process alone."""

    def __init__(self, folder: Path | None, name: str) -> None:
        self._path: Final = None if folder is None else folder / f"shared-{name}-turn.lock"

    def once(self, is_due: Callable[[], bool], work: Callable[[], object]) -> None:
        """Do work if it is due and no other worker is at it."""
        if not is_due():
            return
        with self.alone() as is_alone:
            if is_alone and is_due():  # another worker may have done it meanwhile
                work()

    @contextmanager
    def alone(self, wait_seconds: float | None = None) -> Iterator[bool]:
        """Hold the lock; gives false if another worker has it and there is no wait, LockTimeout if that is too long."""
        if self._path is None:
            yield True
            return
        lock = FileLock(self._path)
        if wait_seconds is not None:
            with lock.held(wait_seconds):
                yield True
            return
        with lock.held_if_free() as is_held:
            yield is_held
