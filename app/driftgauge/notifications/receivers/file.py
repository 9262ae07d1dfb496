"""A file with a line of JSON for each message."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from driftgauge.common.private_files import opened

BEFORE: Final = ".1"
"""End of the name of the file before."""


def append(path: Path, line: bytes, max_bytes: int) -> None:
    """Append a line; a file that would become too large is kept beside the new one, in place of an older one.

    OSError if it cannot be written.
    """
    if _size(path) + len(line) + 1 > max_bytes and _size(path):
        path.replace(path.with_name(path.name + BEFORE))
    descriptor = opened(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    with os.fdopen(descriptor, "ab") as file:
        file.write(line + b"\n")
        file.flush()
        os.fsync(descriptor)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
