"""Counters of one worker, in its own memory until they are published."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.metrics.counters import Counters
from driftgauge.state.layout import Arrays, WordArray
from driftgauge.state.shape import StateShape


class OwnCounters:
    """The counters of one worker, and the lock under which they are written and copied."""

    def __init__(self, shape: StateShape) -> None:
        self._layout = shape.counted
        self.lock: Final = threading.Lock()  # of its own, so that a refusal is counted while rows are appended
        self.words: Final[WordArray] = np.zeros(shape.counted.words, np.uint64)
        """All of them, as they are published."""
        live = shape.counted.arrays(self.words)
        self.counters: Final = Counters(shape.series, live)
        self.process: Final[FloatArray] = live["process"]
        """The numbers of the process, in the order of `metrics.PROCESS`."""
        self.rows: Final[IntArray] = live["rows"]
        """Rows of the log that the counters contain, shape [1]."""

    @contextmanager
    def counting(self) -> Iterator[Counters]:
        """Give the counters to one writer at a time."""
        with self.lock:
            yield self.counters

    def copied(self) -> Arrays:
        """Return a copy by series, with `process` and `rows`."""
        with self.lock:
            return self._layout.arrays(self.words.copy())
