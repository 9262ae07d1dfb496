"""Which file is the prediction log: the newest one, because a damaged file stays where it is and a new one begins.

A file that other processes have open must not be renamed: SQLite deletes the write-ahead log by its name when the last
of them closes it, and would delete that of the new file.
"""

from __future__ import annotations

import os
import re
import sqlite3
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from driftgauge.common.private_files import FileLock, LockTimeout, opened
from driftgauge.errors import PredictionLogError

FOLDER: Final = "predictions"
FILE: Final = "log.sqlite3"
DAYS: Final = "days"
LOCK: Final = "damage.lock"
LOCK_SECONDS: Final = 10.0
_FILES: Final = re.compile(r"log(?:-(\d+))?\.sqlite3")
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_EMPTIED: Final = "no such table"
"""What SQLite says of a file that was emptied after it was opened."""


def sqlite_file(state_folder: Path) -> Path:
    """Return the file of the embedded database in a state folder: the newest, after others were damaged."""
    folder = state_folder / FOLDER
    return _numbered(folder, max(_numbers(folder), default=1))


def days_of(file: Path) -> Path:
    """Return the folder of the Parquet files of a database."""
    number = _number(file.name) or 1
    return file.with_name(DAYS if number == 1 else f"{DAYS}-{number}")


def damaged_files(folder: Path) -> int:
    """Return how many damaged databases lie in a folder."""
    return max(0, len(_numbers(folder)) - 1)


def is_replaced(engine: Engine) -> bool:
    """Return whether the log goes on in another file than that of an engine."""
    if engine.dialect.name != "sqlite":
        return False
    file = Path(str(engine.url.database))
    return _numbered(file.parent, (_number(file.name) or 1) + 1).exists()


def is_damage(error: BaseException | None) -> bool:
    """Return whether an error says that a file of SQLite is damaged."""
    if not isinstance(error, sqlite3.Error):
        return False
    code = getattr(error, "sqlite_errorcode", None)
    return (code is not None and code & 0xFF in _DAMAGED) or str(error).startswith(_EMPTIED)


def replace_damaged(file: Path) -> bool:
    """Begin the file after a damaged one; return false if another process has. PredictionLogError if the disk fails."""
    after = _numbered(file.parent, (_number(file.name) or 1) + 1)
    try:
        with FileLock(file.parent / LOCK).held(LOCK_SECONDS):
            if after.exists():
                return False
            os.close(opened(after, os.O_RDWR | os.O_CREAT))
            return True
    except (OSError, LockTimeout) as error:
        raise PredictionLogError(f"cannot begin a prediction log after the damaged {file.name}: {error}") from error


def _numbered(folder: Path, number: int) -> Path:
    return folder / (FILE if number == 1 else f"log-{number}.sqlite3")


def _numbers(folder: Path) -> list[int]:
    try:
        names = os.listdir(folder)
    except OSError:  # there is none yet, or whoever opens a file in it says why not
        return []
    return [number for name in names if (number := _number(name)) is not None]


def _number(name: str) -> int | None:
    found = _FILES.fullmatch(name)
    return None if found is None else int(found[1] or 1)
