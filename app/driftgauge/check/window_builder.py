"""Windows of tables while their rows are read: counts, a sample of rows, and evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import CodeArray, FloatArray, IntArray
from driftgauge.drift.evidence.detector import Detector, Evidence
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.windows.blocks import HOURS, Blocks, Ends, Head, cut_blocks, end_at, rows_by_hour, step_rows
from driftgauge.drift.windows.window import Rows, Window

SEED: Final = 0
"""Seed of the sample of a large window: the same rows on each run."""
_ROWS_AT_ONCE: Final = 4_096
_COUNTS_AT_ONCE: Final = 4_194_304
"""Most counts computed at once: by hour of the day, each row may be a block of its own."""


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

    def add(self, values: FloatArray, codes: CodeArray, at: FloatArray | None, table: Path) -> None:
        """Add rows, values and codes of shape [n, columns]; `at` holds their times, shape [n]."""
        if table not in self.tables:
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
        self._head = Head.start(binner.columns, binner.width)
        self._read = self._head.total.astype(np.uint32)
        self._evidence = detector.start()
        self._at_once = _ROWS_AT_ONCE
        if detector.by_hour:
            blocks = _COUNTS_AT_ONCE // (binner.columns * binner.width)
            self._at_once = max(step_rows(binner.columns), min(_ROWS_AT_ONCE, blocks))

    def add(self, codes: CodeArray, at: FloatArray) -> None:
        """Add timed rows, codes of shape [n, columns] and times of shape [n]."""
        for first in range(0, len(codes), self._at_once):
            part = slice(first, first + self._at_once)
            by_hour = self.detector.by_hour
            ends, self._head = cut_blocks(self._binner, self._head, codes[part], at[part], by_hour=by_hour)
            self._advance(ends)

    def close_window(self, window: Window, at: float) -> Evidence:
        """Return the evidence at the end of a window; `at` is that moment, seconds since 1970."""
        if window.start is None:
            whole = Blocks(window.counts[None], np.zeros(1, dtype=np.int64), np.array([at]))
            self._evidence = self.detector.advance(self._evidence, whole)
        else:
            self._advance(end_at(self._head))
        return self._evidence

    def _advance(self, ends: Ends) -> None:
        if len(ends):
            self._evidence = self.detector.advance(self._evidence, ends.blocks(self._read))
            self._read = ends.upto[-1]
