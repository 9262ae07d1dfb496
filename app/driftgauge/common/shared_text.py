"""A text that several processes share: one of them replaces it, all read the newest."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Final

from driftgauge.common.private_files import FileLock, opened

PREFIX: Final = "shared-"
"""The names of the files begin with it."""
MOST_BYTES: Final = 64 << 20
LOCK_SECONDS: Final = 10.0
_Mark = tuple[int, int, int]
"""What tells a file from the one before: inode, time of change, size."""


class SharedText:
    """A text in a small file, or in memory. A look at it costs the status of the file while that is unchanged."""

    def __init__(self, folder: Path | None = None, name: str = "") -> None:
        """Use the file of this name in a folder that exists, or memory for None."""
        self._path: Final = None if folder is None else folder / f"{PREFIX}{name}.json"
        self._known: tuple[_Mark | None, str] = None, ""
        """What tells the file that was read or replaced last, and the text."""

    def read(self) -> str:
        """Return the newest text, the last one known if the file cannot be read; empty before the first."""
        if self._path is not None:
            with suppress(OSError, UnicodeDecodeError):
                if _mark(os.lstat(self._path)) != self._known[0]:
                    with os.fdopen(opened(self._path, os.O_RDONLY), "rb") as file:
                        self._known = _mark(os.fstat(file.fileno())), file.read(MOST_BYTES).decode()
        return self._known[1]

    def replace(self, make: Callable[[], str], wait_seconds: float = LOCK_SECONDS) -> None:
        """Replace the text by what `make` returns now.

        It is called under a lock, so that no newer text of another process is replaced by an older one; others wait
        for it, so it should be quick. Raises what `make` does, LockTimeout if another process has the lock for longer
        than `wait_seconds`, and OSError if the file cannot be written; then this
        process goes on with the new text until another one replaces it.
        """
        with nullcontext() if self._path is None else FileLock(self._path.with_suffix(".lock")).held(wait_seconds):
            text = make()
            if text == self.read():
                return
            self._known = self._known[0], text
            if self._path is not None:
                self._known = self._written(self._path, text), text

    @staticmethod
    def _written(path: Path, text: str) -> _Mark:
        """Replace the file: all of it or nothing."""
        part = path.with_suffix(".part")
        with os.fdopen(opened(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC), "wb") as file:
            file.write(text.encode())
            file.flush()
            mark = _mark(os.fstat(file.fileno()))
        os.replace(part, path)
        return mark


def _mark(status: os.stat_result) -> _Mark:
    return status.st_ino, status.st_mtime_ns, status.st_size
