"""Windows of tables while their rows come in: what is held of them, and the evidence that they make."""

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
"""Of the random keys that decide which rows of a large window are held: the same rows each time."""
_ROWS_AT_ONCE: Final = 4_096
_COUNTS_AT_ONCE: Final = 4_194_304
"""Counts that are made at once: where hours matter, each row may be a block of its own."""


class WindowBuilder:
    """A window while its rows come in: counts of all, and the rows themselves up to a bound.

    Each row has a random key, and those with the smallest keys are held: a uniform sample without
    replacement, the same whatever the sizes of the parts that the rows come in.
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
        # Memory that is never written to is never taken.
        self._keys: FloatArray = np.empty(most)
        self._values: FloatArray = np.empty((most, columns))
        self._codes: CodeArray = np.empty((most, columns), dtype=np.uint8)
        self._at: FloatArray = np.empty(most)

    def add(self, values: FloatArray, codes: CodeArray, at: FloatArray | None, table: Path) -> None:
        """Count rows, shape [n, columns] as their codes; `at` are their times, shape [n]."""
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
            places = np.arange(self.held, self.held + room)
            self._put(places, np.arange(room), values, codes, at, keys)
            self.held += room
        coming = np.flatnonzero(keys[room:] < self._keys[: self.held].max()) + room
        if coming.size == 0:
            return
        pooled = np.concatenate([self._keys, keys[coming]])
        staying = np.zeros(len(pooled), dtype=np.bool_)
        staying[np.argpartition(pooled, self.held - 1)[: self.held]] = True
        leaving = np.flatnonzero(~staying[: self.held])
        self._put(leaving, coming[staying[self.held :]], values, codes, at, keys)

    def _put(
        self, places: IntArray, chosen: IntArray, values: FloatArray, codes: CodeArray, at: FloatArray, keys: FloatArray
    ) -> None:
        for held, given in ((self._values, values), (self._codes, codes), (self._at, at), (self._keys, keys)):
            held[places] = given[chosen]

    def window(self) -> Window:
        """Return what came in."""
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
        if self.held < self._rows:  # in an order that does not depend on the parts that the rows came in
            order = np.argsort(self._keys)
            self._keys, self._at, self._codes = self._keys[order], self._at[order], self._codes[order]
            self._values = self._values[order]
        return Rows(self._values[: self.held], self._codes[: self.held], self._at[: self.held])


class Weighing:
    """The evidence of rows with times, block by block; rows without have no order, and each window is one block."""

    def __init__(self, binner: Binner, detector: Detector) -> None:
        self._binner = binner
        self._detector = detector
        self._head = Head.start(binner.columns, binner.width)
        self._read = self._head.total.astype(np.uint32)
        self._evidence = detector.start()
        self._at_once = _ROWS_AT_ONCE
        if detector.by_hour:
            blocks = _COUNTS_AT_ONCE // (binner.columns * binner.width)
            self._at_once = max(step_rows(binner.columns), min(_ROWS_AT_ONCE, blocks))

    def add(self, codes: CodeArray, at: FloatArray) -> None:
        """Weigh rows, codes of shape [n, columns], their times of shape [n]."""
        for first in range(0, len(codes), self._at_once):
            part = slice(first, first + self._at_once)
            by_hour = self._detector.by_hour
            ends, self._head = cut_blocks(self._binner, self._head, codes[part], at[part], by_hour=by_hour)
            self._weigh(ends)

    def ended(self, window: Window, at: float) -> Evidence:
        """Return the evidence at the end of a window that ended at a moment, seconds since 1970."""
        if window.start is None:
            whole = Blocks(window.counts[None], np.zeros(1, dtype=np.int64), np.array([at]))
            self._evidence = self._detector.advance(self._evidence, whole)
        else:
            self._weigh(end_at(self._head))
        return self._evidence

    def _weigh(self, ends: Ends) -> None:
        if len(ends):
            self._evidence = self._detector.advance(self._evidence, ends.blocks(self._read))
            self._read = ends.upto[-1]
