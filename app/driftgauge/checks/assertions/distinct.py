"""Counts distinct rows exactly, in bounded memory: what does not fit is put into files."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from typing import IO, Final

import numpy as np

from driftgauge.checks.assertions.cells import HashArray

HELD: Final = 4_000_000
"""Most hashes in memory, of 8 bytes each; more are written to a temporary file for each part."""
PARTS: Final = 256


class DistinctCounter:
    """The number of distinct hashes of any number of rows.

    Two different rows share one of 2**64 hashes with a probability of 3 in 10,000 for 100 million rows, so the count
    is exact but for that. A hundred million rows take 0.8 GB in the folder of temporary files.
    """

    def __init__(self, held: int = HELD) -> None:
        self._held = held
        self._distinct: HashArray = np.empty(0, dtype=np.uint64)
        self._new: list[HashArray] = []
        self._waiting = 0
        self._files: list[IO[bytes]] = []
        self._open = ExitStack()

    def add(self, hashes: HashArray) -> None:
        """Count some rows."""
        self._new.append(np.unique(hashes))
        self._waiting += len(self._new[-1])
        if self._waiting > self._held:
            self._merge()

    def _merge(self) -> None:
        self._distinct = np.unique(np.concatenate([self._distinct, *self._new]))
        self._new, self._waiting = [], 0
        if self._files or len(self._distinct) > self._held:
            self._spill()

    def _spill(self) -> None:
        """Write the hashes to the files of their first eight bits; they are sorted."""
        if not self._files:
            self._files = [
                self._open.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  # the stack closes it
                for _ in range(PARTS)
            ]
        ends = np.searchsorted(self._distinct >> np.uint64(56), np.arange(PARTS + 1, dtype=np.uint64))
        for file, first, end in zip(self._files, ends, ends[1:], strict=False):
            file.write(self._distinct[first:end].tobytes())
        self._distinct = np.empty(0, dtype=np.uint64)

    def count(self) -> int:
        """Return the number of distinct hashes so far; nothing can be added afterwards."""
        self._merge()
        found = len(self._distinct)
        with self._open:
            for file in self._files:
                file.seek(0)
                found += len(np.unique(np.frombuffer(file.read(), dtype=np.uint64)))
        return found
