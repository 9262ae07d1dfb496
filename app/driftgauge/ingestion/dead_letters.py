"""Records that could not be read, kept as JSON lines with the reason: the newest of them, within a limit of bytes."""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from driftgauge.common.private_files import FileLock, opened
from driftgauge.common.quoting import shortened
from driftgauge.common.rfc3339 import rfc3339
from driftgauge.ingestion.records import RefusedRecord

FILE: Final = "dead_letters.jsonl"
OLDER: Final = "dead_letters.1.jsonl"
MOST_RECORD_BYTES: Final = 65_536
"""Bytes of a record that are kept."""
MOST_IN_MEMORY: Final = 1_000
LOCK_SECONDS: Final = 5.0
Letter = Mapping[str, Any]


class DeadLetters:
    """The refused records of a model: in two files that its workers share, or in memory."""

    def __init__(self, folder: Path | None, most_bytes: int, *, with_records: bool = True) -> None:
        """Use the files of a folder that exists, or memory for None.

        Without `with_records` only the reason is kept, because some features must not be written down.
        """
        self._folder = folder
        self._most = most_bytes // 2
        self._with_records = with_records
        self._memory: deque[Letter] = deque(maxlen=MOST_IN_MEMORY)
        self._lock = threading.Lock()

    def keep(self, refused: Sequence[RefusedRecord], now: float) -> None:
        """Keep refused records, which arrived `now`; OSError or LockTimeout if they cannot be written."""
        letters = [self._letter(own, now) for own in refused]
        if self._folder is None:
            self._memory.extend(letters)
        elif letters:
            lines = [json.dumps(letter, ensure_ascii=False).encode() + b"\n" for letter in letters]
            with self._lock, FileLock(self._folder / "dead_letters.lock").held(LOCK_SECONDS):
                self._append(self._folder, lines)

    def last(self, count: int) -> Sequence[Letter]:
        """Return the newest letters, the newest first; OSError if they cannot be read."""
        if self._folder is None:
            return list(reversed(self._memory))[:count]
        lines: list[bytes] = []
        for name in (FILE, OLDER):
            if len(lines) < count:
                lines += reversed(_lines(self._folder / name))
        found = (_parsed(line) for line in lines[:count])
        return [letter for letter in found if letter is not None]

    def _append(self, folder: Path, lines: Sequence[bytes]) -> None:
        path = folder / FILE
        with os.fdopen(opened(path, os.O_RDWR | os.O_CREAT | os.O_APPEND), "ab") as file:
            used = file.tell()
        content = b"".join(lines)
        if used and used + len(content) > self._most:
            os.replace(path, folder / OLDER)
        while len(content) > self._most and len(lines) > 1:  # the newest are worth most
            lines = lines[len(lines) // 2 :]
            content = b"".join(lines)
        with os.fdopen(opened(path, os.O_RDWR | os.O_CREAT | os.O_APPEND), "ab") as file:
            file.write(content)

    def _letter(self, own: RefusedRecord, now: float) -> Letter:
        text = own.record[: min(MOST_RECORD_BYTES, self._most // 4)].decode("utf-8", "backslashreplace")
        return {
            "time": rfc3339(now, "milliseconds"),
            "position": own.position,
            "reason": str(own.error.reason),
            "message": own.error.message if self._with_records else None,
            "record": text if self._with_records else None,
        }


def shown(letter: Letter, *, with_record: bool) -> dict[str, Any]:
    """Return a letter as an answer lists it: shortened, and without the values of the record unless they may be read.

    A message may quote a value too.
    """
    record = letter["record"] if with_record else None
    message = letter["message"] if with_record else None
    return {**letter, "message": message, "record": None if record is None else shortened(record)}


def _lines(path: Path) -> list[bytes]:
    try:
        with os.fdopen(opened(path, os.O_RDONLY), "rb") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def _parsed(line: bytes) -> Letter | None:
    """Return a letter; None for a line that is damaged."""
    try:
        letter = json.loads(line)
        return {name: letter[name] for name in ("time", "position", "reason", "message", "record")}
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
