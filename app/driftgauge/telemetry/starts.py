"""Since when each counter counts, kept for the next process that sends for the same server."""

from __future__ import annotations

import math
import os
import struct
import zlib
from hashlib import blake2b
from pathlib import Path
from typing import Final

from driftgauge.common.replacing import replacing
from driftgauge.common.safe_files import read_bounded

FILE: Final = "sums"
NANOSECONDS: Final = 1_000_000_000
SPARE_SERIES: Final = 10_000
"""Series that are remembered beyond twice those of the last transmission; the oldest are forgotten first."""
MOST_BYTES: Final = 268_435_456
_MAGIC: Final = b"DGSUMS1\n"
_HEAD: Final = struct.Struct("<dI")  # when points were last sent, and the checksum of all that follows
_SERIES: Final = struct.Struct("<8sdd")  # digest, last value, start
Key = tuple[str, tuple[tuple[str, str], ...]]
"""A series: its name, and its labels."""


def nanoseconds(at: float) -> int:
    """Return a time in seconds as OpenTelemetry counts it."""
    return round(at * NANOSECONDS)


class Starts:
    """Since when each series counts: a count that has become smaller began after the points before.

    OpenTelemetry's data model forbids a cumulative sum to fall while its start time stays. A sum can fall while no
    process sends, such as after damage to the state, or with the CPU time of a worker that was replaced. So the last
    values are in a file, which is on the disk before they are sent.
    """

    def __init__(self, since: float, folder: Path | None = None) -> None:
        """`since` is when counters began, seconds since 1970; without a folder, remember in memory."""
        self.since: Final = since
        self._path: Final = None if folder is None else folder / FILE
        self._known: dict[bytes, tuple[float, float]] = {}
        self._sent_at: float | None = None
        self._series = 0

    def of(self, key: Key, value: float) -> int:
        """Return since when a series counts, given its value now."""
        own = _digest(key)
        last, start = self._known.pop(own, (0.0, self.since))  # and put at the end: the oldest stand first
        if value < last:
            start = self.since if self._sent_at is None else self._sent_at
        self._known[own] = value, start
        self._series += 1
        return nanoseconds(start)

    def sent(self, at: float) -> None:
        """Note that points of this time are complete."""
        self._sent_at = at
        for own in list(self._known)[: -(2 * self._series + SPARE_SERIES)]:
            del self._known[own]
        self._series = 0

    def load(self) -> None:
        """Go on from the last values of another process; a file that is missing or damaged has none."""
        if self._path is None:
            return
        try:
            content = read_bounded(self._path, MOST_BYTES)
            sent_at, checksum = _HEAD.unpack_from(content, len(_MAGIC))
            series = content[len(_MAGIC) + _HEAD.size :]
            if not content.startswith(_MAGIC) or zlib.crc32(series) != checksum or not math.isfinite(sent_at):
                return
            self._known = {own: (last, start) for own, last, start in _SERIES.iter_unpack(series)}
            self._sent_at = sent_at
        except (OSError, struct.error):
            return

    def save(self) -> None:
        """Write the last values to the disk; OSError if they cannot be written."""
        if self._path is None or self._sent_at is None:
            return
        series = b"".join(_SERIES.pack(own, last, start) for own, (last, start) in self._known.items())
        with replacing(self._path) as new:
            new.touch(0o600)
            with new.open("wb") as file:
                file.write(_MAGIC + _HEAD.pack(self._sent_at, zlib.crc32(series)) + series)
                file.flush()
                os.fsync(file.fileno())


def _digest(key: Key) -> bytes:
    name, labels = key
    parts = [name, *(part for label in labels for part in label)]
    return blake2b("\0".join(parts).encode(), digest_size=8).digest()
