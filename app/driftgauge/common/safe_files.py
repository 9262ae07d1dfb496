"""Files of others, looked at before they are read: only regular ones, and none larger than expected."""

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
    """A file that is not read because of its kind or its size; the message says which."""


def open_bounded(path: Path, most_bytes: int) -> BinaryIO:
    """Open a regular file of at most so many bytes for reading; UnsafeFile or another OSError if it is none.

    A named pipe or a device is never waited for, and nothing of a file that is too large is read.
    """
    # Before it is opened, because opening a device can have an effect; and again, for it may have been replaced.
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
    """Read a regular file of at most so many bytes; UnsafeFile or another OSError if it is none."""
    with open_bounded(path, most_bytes) as file:
        # Asked for what it says that it has, because room is made for what is asked for.
        content = file.read(os.fstat(file.fileno()).st_size)
        while len(content) <= most_bytes and (more := file.read(_AT_ONCE)):  # /proc says 0, and a file may grow
            content += more
    if len(content) > most_bytes:
        raise _too_large(path, f"more than {most_bytes:,}", most_bytes)
    return content


def _check(path: Path, found: os.stat_result, most_bytes: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        what = next((name for is_one, name in _KINDS if is_one(found.st_mode)), "no regular file")
        raise UnsafeFile(f"{path} is {what}, not a regular file")
    if found.st_size > most_bytes:
        raise _too_large(path, f"{found.st_size:,}", most_bytes)


def _too_large(path: Path, size: str, most_bytes: int) -> UnsafeFile:
    return UnsafeFile(f"{path} has {size} bytes; at most {most_bytes:,} are read")
