"""Windows of tables while their rows are read: counts, a sample of rows, and evidence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import CodeArray, FloatArray, IntArray
from driftgauge.drift.evidence.detector import Detector, Evidence
from driftgauge.drift.evidence.progress import Progress, rows_at_once
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.windows.blocks import HOURS, Blocks, end_at, rows_by_hour
from driftgauge.drift.windows.window import Rows, Window

SEED: Final = 0
"""Seed of the sample of a large window: the same rows on each run."""


class WindowBuilder:
    """A window that is being read: counts of all rows, and a uniform sample of them.

    Each row draws a random key, and the rows with the smallest keys are held (reservoir sampling without
    replacement). The sample does not depend on how the rows are split into parts.
    """

    def __init__(self, key: int, name: str, baseline: Baseline, most: int) -> None:
        self.key: Final = key
        self.tables: Final[list[Path]] = []
        self.held = 0
        self._name = name
        self._binner = baseline.binner
        self._random = np.random.default_rng(SEED)
        columns = len(baseline.columns)
        self._rows = 0
        self._counts: IntArray = np.zeros((columns, self._binner.width), dtype=np.int64)
        self._times = (np.inf, -np.inf)
        self._hours: IntArray = np.zeros(HOURS, dtype=np.int64)
        # The system assigns memory only when it is written to.
        self._keys: FloatArray = np.empty(most)
        self._values: FloatArray = np.empty((most, columns))
        self._codes: CodeArray = np.empty((most, columns), dtype=np.uint8)
        self._at: FloatArray = np.empty(most)

    def add(self, values: FloatArray, codes: CodeArray, at: FloatArray | None, table: Path | None) -> None:
        """Add rows, values and codes of shape [n, columns]; `at` holds their times, shape [n].

        `table` is their file; None if they are in memory.
        """
        if table is not None and table not in self.tables:
            self.tables.append(table)
        if at is None:
            at = np.full(len(values), np.nan)
        else:
            self._hours += rows_by_hour(at)
            self._times = min(self._times[0], float(at.min())), max(self._times[1], float(at.max()))
        self._rows += len(values)
        self._counts += self._binner.counts(codes)
        self._hold(values, codes, at)

    def _hold(self, values: FloatArray, codes: CodeArray, at: FloatArray) -> None:
        keys = self._random.random(len(values))
        room = min(len(self._keys) - self.held, len(values))
        if room:
            slots = np.arange(self.held, self.held + room)
            self._put(slots, np.arange(room), values, codes, at, keys)
            self.held += room
        replacing = np.flatnonzero(keys[room:] < self._keys[: self.held].max()) + room
        if replacing.size == 0:
            return
        pooled = np.concatenate([self._keys, keys[replacing]])
        kept = np.zeros(len(pooled), dtype=np.bool_)
        kept[np.argpartition(pooled, self.held - 1)[: self.held]] = True
        leaving = np.flatnonzero(~kept[: self.held])
        self._put(leaving, replacing[kept[self.held :]], values, codes, at, keys)

    def _put(
        self, slots: IntArray, chosen: IntArray, values: FloatArray, codes: CodeArray, at: FloatArray, keys: FloatArray
    ) -> None:
        for held, given in ((self._values, values), (self._codes, codes), (self._at, at), (self._keys, keys)):
            held[slots] = given[chosen]

    def window(self) -> Window:
        """Return the window of all rows so far."""
        timed = self._times[0] <= self._times[1]
        return Window(
            name=self._name,
            rows=self._rows,
            start=self._times[0] if timed else None,
            end=self._times[1] if timed else None,
            counts=self._counts,
            sample=self._sample(),
            capacity=self._rows,
            hours=self._hours if timed else None,
        )

    def _sample(self) -> Rows:
        if self.held < self._rows:  # in an order that does not depend on the parts
            order = np.argsort(self._keys)
            self._keys, self._at, self._codes = self._keys[order], self._at[order], self._codes[order]
            self._values = self._values[order]
        return Rows(self._values[: self.held], self._codes[: self.held], self._at[: self.held])


class EvidenceAccumulator:
    """Evidence over all windows: timed rows in blocks, a window without times as one block."""

    def __init__(self, binner: Binner, detector: Detector) -> None:
        self._binner = binner
        self.detector: Final = detector
        self._progress = Progress.start(binner, detector)
        self._at_once = rows_at_once(binner, detector)

    def add(self, codes: CodeArray, at: FloatArray) -> None:
        """Add timed rows, codes of shape [n, columns] and times of shape [n]."""
        for first in range(0, len(codes), self._at_once):
            part = slice(first, first + self._at_once)
            self._progress = self._progress.after(self._binner, self.detector, codes[part], at[part])

    def close_window(self, window: Window, at: float) -> Evidence:
        """Return the evidence at the end of a window; `at` is that moment, seconds since 1970."""
        if window.start is None:
            whole = Blocks(window.counts[None], np.zeros(1, dtype=np.int64), np.array([at]))
            evidence = self.detector.advance(self._progress.evidence, whole)
            self._progress = replace(self._progress, evidence=evidence)
        else:
            self._progress = self._progress.weighing(self.detector, end_at(self._progress.head))
        return self._progress.evidence
