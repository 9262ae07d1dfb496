"""Untrusted files: only regular ones are read, and none larger than a limit."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

from driftgauge.errors import DriftgaugeError

_KINDS: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_AT_ONCE: Final = 65_536


class UnsafeFile(DriftgaugeError, OSError):
    """A file that is not read because of its kind or size."""


def open_bounded(path: Path, most_bytes: int) -> BinaryIO:
    """Open a regular file up to a size; UnsafeFile for any other, or another OSError.

    It never waits for a named pipe or a device, and reads nothing of a file that is too large.
    """
    # Checked before it is opened, because opening a device can have effects; and again, in case it was replaced.
    _check(path, path.stat(), most_bytes)
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    file = os.fdopen(os.open(path, flags), "rb")
    try:
        _check(path, os.fstat(file.fileno()), most_bytes)
    except OSError:
        file.close()
        raise
    return file


def read_bounded(path: Path, most_bytes: int) -> bytes:
    """Read a regular file up to a size; UnsafeFile for any other, or another OSError."""
    with open_bounded(path, most_bytes) as file:
        # Read by its stated size, because memory is reserved for what is requested.
        content = file.read(os.fstat(file.fileno()).st_size)
        while len(content) <= most_bytes and (more := file.read(_AT_ONCE)):  # /proc states 0, and a file may grow
            content += more
    if len(content) > most_bytes:
        raise _too_large(path, f"more than {most_bytes:,}", most_bytes)
    return content


def _check(path: Path, found: os.stat_result, most_bytes: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        what = next((name for is_one, name in _KINDS if is_one(found.st_mode)), "of another kind")
        raise UnsafeFile(f"{path} is {what}, not a regular file")
    if found.st_size > most_bytes:
        raise _too_large(path, f"{found.st_size:,}", most_bytes)


def _too_large(path: Path, size: str, most_bytes: int) -> UnsafeFile:
    return UnsafeFile(f"{path} has {size} bytes; at most {most_bytes:,} are read")
