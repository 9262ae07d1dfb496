"""The files of a rolling reference in the folder of a model version: one for each day, and what is made of them.

A file has the digest of its content, which begins with a line of JSON. One that is damaged, or of another baseline, is
as if it were missing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import zlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from driftgauge.common.private_files import FileLock, opened
from driftgauge.drift.bins import CodeArray
from driftgauge.drift.rolling.reference import DayRows, RollingReference

PREFIX: Final = "rolling-"
_VERSION: Final = 1
_REFERENCE: Final = f"{PREFIX}reference"
_LOCK: Final = f"{PREFIX}lock"
_DAY: Final = re.compile(rf"{PREFIX}day-(-?[0-9]+)")
_DIGEST_BYTES: Final = hashlib.sha256().digest_size
_MOST_BYTES: Final = 256 << 20


class RollingFiles:
    """The days and the reference of a model version: in files that its workers share, or in memory."""

    def __init__(self, folder: Path | None, baseline_hash: str) -> None:
        """Use the files of a folder that exists, or memory for None; they are those of one training baseline."""
        self._folder = folder
        self._baseline = baseline_hash
        self._memory: dict[str, bytes] = {}

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        """Hold the lock of those who build while the block runs; gives false if another worker holds it."""
        if self._folder is None:
            yield True
            return
        with FileLock(self._folder / _LOCK).held_if_free() as is_held:
            yield is_held

    def days(self) -> set[int]:
        """Return the days that have a file, in days since 1970."""
        names = list(self._memory) if self._folder is None else [path.name for path in self._folder.glob(f"{PREFIX}*")]
        return {int(found[1]) for name in names if (found := _DAY.fullmatch(name))}

    def read_day(self, day: int) -> DayRows | None:
        """Return the rows of a day; None without a usable file."""
        found = self._read(_day_name(day))
        if found is None:
            return None
        head, body = found
        with contextlib.suppress(zlib.error, ValueError, KeyError, TypeError):
            codes: CodeArray = np.frombuffer(zlib.decompress(body), np.uint8).reshape(-1, head["columns"])
            return DayRows(day, codes)
        return None

    def write_day(self, rows: DayRows) -> None:
        """Keep the rows of a day: all of them or nothing. OSError if they cannot be written."""
        body = zlib.compress(np.ascontiguousarray(rows.codes).tobytes(), 1)
        self._write(_day_name(rows.day), {"columns": rows.codes.shape[1]}, body)

    def keep_days(self, days: Collection[int]) -> None:
        """Delete the files of all other days."""
        for day in self.days() - set(days):
            self._delete(_day_name(day))

    def forget_day(self, day: int) -> None:
        """Delete the file of a day."""
        self._delete(_day_name(day))

    def read_reference(self) -> RollingReference | None:
        """Return what was made of the days; None before it was, and for a file that cannot be used."""
        found = self._read(_REFERENCE)
        if found is None:
            return None
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            return _reference_of(json.loads(found[1]))
        return None

    def write_reference(self, reference: RollingReference) -> None:
        """Keep what was made of the days. OSError if it cannot be written."""
        self._write(_REFERENCE, {}, _reference_json(reference).encode())

    def _read(self, name: str) -> tuple[Mapping[str, Any], bytes] | None:
        """Return the head and the content of a file; None if there is none, or it cannot be used."""
        if self._folder is None:
            content = self._memory.get(name, b"")
        else:
            try:
                with os.fdopen(opened(self._folder / name, os.O_RDONLY), "rb") as file:
                    content = file.read(_MOST_BYTES)
            except OSError:
                return None
        digest, rest = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if digest != hashlib.sha256(rest).digest():
            return None
        line, _, body = rest.partition(b"\n")
        head = json.loads(line)
        is_ours = (head["version"], head["baseline"]) == (_VERSION, self._baseline)
        return (head, body) if is_ours else None

    def _write(self, name: str, head: Mapping[str, Any], body: bytes) -> None:
        line = json.dumps({"version": _VERSION, "baseline": self._baseline, **head}).encode()
        content = line + b"\n" + body
        content = hashlib.sha256(content).digest() + content
        if self._folder is None:
            self._memory[name] = content
            return
        new = self._folder / f"{name}.new"
        with os.fdopen(opened(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC), "wb") as file:
            file.write(content)
        os.replace(new, self._folder / name)

    def _delete(self, name: str) -> None:
        self._memory.pop(name, None)
        if self._folder is not None:
            (self._folder / name).unlink(missing_ok=True)


def _day_name(day: int) -> str:
    return f"{PREFIX}day-{day}"


def _reference_json(reference: RollingReference) -> str:
    return json.dumps(
        {
            "counts": reference.counts.tolist(),
            "days": reference.days.tolist(),
            "expected_range": {str(size): values.tolist() for size, values in reference.expected_range.items()},
            "first_day": reference.first_day,
            "last_day": reference.last_day,
            "built_at": reference.built_at,
        }
    )


def _reference_of(content: Mapping[str, Any]) -> RollingReference:
    return RollingReference(
        counts=np.array(content["counts"], np.int64),
        days=np.array(content["days"], np.int64),
        expected_range={int(size): np.array(values, np.float64) for size, values in content["expected_range"].items()},
        first_day=int(content["first_day"]),
        last_day=int(content["last_day"]),
        built_at=float(content["built_at"]),
    )
