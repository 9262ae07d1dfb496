"""A file of log lines that several processes append to."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 10 * 2**20
"""Size beyond which the file is emptied: its reader has forwarded the lines by then."""
FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
"""How it is opened: a pipe that nobody reads must not make the server wait."""


class LogFile:
    """Appends log lines to a file that never grows far beyond a limit.

    Emptying it in place needs no agreement between processes: each appends, so each continues at the new end. A line
    that cannot be written is dropped.
    """

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        """Open the file; OSError if it cannot be created."""
        self._descriptor: Final = os.open(path, FLAGS, 0o640)
        self._most_bytes: Final = most_bytes

    def write(self, line: str) -> None:
        """Append whole lines in one call of the system, so that those of other processes do not mix in."""
        text = line.encode(errors="backslashreplace")
        with suppress(OSError):
            if os.fstat(self._descriptor).st_size + len(text) > self._most_bytes:
                os.ftruncate(self._descriptor, 0)
            os.write(self._descriptor, text)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
