"""The rows of each client as one worker has counted them: a small file beside its log."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from driftgauge.common.private_files import opened

PREFIX: Final = "clients-"
_MOST_BYTES: Final = 1_048_576
_WIDEST_SECONDS: Final = 1 << 40


@dataclass(frozen=True)
class Counts:
    """Rows by client, in buckets of time."""

    width_seconds: int
    buckets: dict[int, dict[str, int]]
    """Rows of each client by the number of the bucket: the time since 1970, divided by the width."""

    def as_json(self) -> str:
        """Return the content of a file."""
        return json.dumps({"width_seconds": self.width_seconds, "buckets": self.buckets})


class ClientsFile:
    """The file of one worker, and those of the others in its folder."""

    def __init__(self, folder: Path, slot: int) -> None:
        """Take the folder of the model version and the number of the worker's slot."""
        self._folder = folder
        self._own = folder / f"{PREFIX}{slot}.json"

    def read_own(self) -> Counts | None:
        """Return what an earlier process of the slot counted; None without it, or where it is damaged."""
        return _read(self._own)

    def read_others(self) -> Sequence[Counts]:
        """Return what the other workers counted; damaged files are left out."""
        others = (path for path in self._folder.glob(f"{PREFIX}*.json") if path != self._own)
        return [found for path in others if (found := _read(path))]

    def write(self, content: str) -> None:
        """Replace the worker's own file: all of it or nothing. OSError if it cannot be written."""
        new = self._own.with_suffix(".new")
        with os.fdopen(opened(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC), "w", encoding="utf-8") as file:
            file.write(content)
        os.replace(new, self._own)


def _read(path: Path) -> Counts | None:
    try:
        with os.fdopen(opened(path, os.O_RDONLY), "rb") as file:
            return _parsed(json.loads(file.read(_MOST_BYTES)))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _parsed(content: Any) -> Counts:
    """Return the content of a file; an error of many kinds if it is damaged."""
    width = content["width_seconds"]
    if not (isinstance(width, int) and 10 <= width <= _WIDEST_SECONDS and width % 10 == 0):
        raise ValueError(width)
    if (factor := width // 10) & (factor - 1):
        raise ValueError(width)
    buckets = {
        int(number): {str(client): int(rows) for client, rows in own.items() if int(rows) > 0}
        for number, own in content["buckets"].items()
    }
    return Counts(width, buckets)
