"""Counts distinct rows exactly, in bounded memory: what does not fit is put into files."""

from __future__ import annotations

import itertools
import weakref
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

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
        self._folder: TemporaryDirectory[str] | None = None
        """Holds the files of what was written, once something was."""

    def add(self, hashes: HashArray) -> None:
        """Count some rows."""
        self._new.append(np.unique(hashes))
        self._waiting += len(self._new[-1])
        if self._waiting > self._held:
            self._merge()

    def _merge(self) -> None:
        self._distinct = np.unique(np.concatenate([self._distinct, *self._new]))
        self._new, self._waiting = [], 0
        if self._folder or len(self._distinct) > self._held:
            self._spill()

    def _spill(self) -> None:
        """Append the hashes to the files of their first eight bits; they are sorted, and one file is open at a time."""
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="driftgauge-")
            weakref.finalize(self, self._folder.cleanup)  # also of a counter that is given up
        ends = np.searchsorted(self._distinct >> np.uint64(56), np.arange(PARTS + 1, dtype=np.uint64))
        for part, (first, end) in enumerate(itertools.pairwise(ends.tolist())):
            if first < end:
                with Path(self._folder.name, str(part)).open("ab") as file:
                    file.write(self._distinct[first:end].tobytes())
        self._distinct = np.empty(0, dtype=np.uint64)

    def count(self) -> int:
        """Return the number of distinct hashes so far; nothing can be added afterwards."""
        self._merge()
        if self._folder is None:
            return len(self._distinct)
        with self._folder as folder:
            return sum(len(np.unique(np.fromfile(file, dtype=np.uint64))) for file in Path(folder).iterdir())
