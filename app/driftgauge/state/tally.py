"""Counters of one worker, in memory of its own until they are published."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np

from driftgauge.metrics.counters import Counters
from driftgauge.state.shape import StateShape
from driftgauge.state.versions import Arrays, WordArray


class Tally:
    """The counters of one worker, and the lock under which they are written and copied."""

    def __init__(self, shape: StateShape) -> None:
        self._layout = shape.counted
        # A lock of its own, so that a refusal is counted while rows are binned.
        self.lock: Final = threading.Lock()
        self.words: Final[WordArray] = np.zeros(-(-shape.counted.size_bytes // 8), dtype=np.uint64)
        """All of them, as they are published."""
        self.live: Final = shape.counted.arrays(self.words)
        """The same by series, and `process` and `rows`."""
        self.counters: Final = Counters(shape.series, self.live)

    @contextmanager
    def counting(self) -> Iterator[Counters]:
        """Give the counters to one writer at a time."""
        with self.lock:
            yield self.counters

    def copied(self) -> Arrays:
        """Return a copy by series, and `process` and `rows`; the caller holds the lock."""
        return self._layout.arrays(self.words.copy())
