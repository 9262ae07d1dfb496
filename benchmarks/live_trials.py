"""Verdicts over long streams: evidence and effect as a monitor has them, without its report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from driftgauge.drift.bins import BoolArray, FloatArray, IntArray
from driftgauge.drift.evidence.detector import Detector
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.windows.blocks import Blocks

WINDOWS: Final = (1_000, 10_000)
JUDGED_ROWS: Final = 500
DAY_SECONDS: Final = 86_400.0
LEARNING_DAYS: Final = 14.0
PSI_LIMITS: Final = (0.1, 0.2)
CLEARED: Final = 0.8


@dataclass
class Verdicts:
    """What was said at each look, arrays of shape [columns] at each."""

    at: list[float] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    raised: list[BoolArray] = field(default_factory=list)
    drifted: list[BoolArray] = field(default_factory=list)
    critical: list[BoolArray] = field(default_factory=list)
    tau: list[FloatArray] = field(default_factory=list)

    def onsets(self, after_rows: int) -> int:
        """Count how often any column's drift begins after so many rows."""
        drifted = np.array(self.drifted)
        begins = drifted[1:] & ~drifted[:-1]
        return int(begins[np.array(self.rows)[1:] > after_rows].sum())

    def part(self, said: list[BoolArray], after_rows: int = 0) -> float:
        """Return in which part of the looks any column is said to be so."""
        chosen = np.array(said)[np.array(self.rows) > after_rows]
        return float(chosen.any(axis=1).mean()) if len(chosen) else 0.0


class Watch:
    """Evidence and windows of one stream."""

    def __init__(
        self, baseline: Baseline, detector: Detector, *, max_age: float | None = None, learning_days: float = 0.0
    ) -> None:
        self._baseline, self._detector = baseline, detector
        self._max_age, self._learning = max_age, learning_days * DAY_SECONDS
        self._seen = detector.start()
        self._counts: IntArray = np.zeros((0, *baseline.counts.shape), np.int64)
        self._at: FloatArray = np.zeros(0)
        self._rows = 0
        self._began: float | None = None
        self._latched: BoolArray = np.zeros((2, len(baseline.columns)), np.bool_)
        self.verdicts: Final = Verdicts()

    def over(self, lots: Iterable[Blocks]) -> Watch:
        """Look after each lot of blocks."""
        for lot in lots:
            self._look(lot)
        return self

    def _look(self, lot: Blocks) -> None:
        self._seen = self._detector.advance(self._seen, lot)
        self._counts = np.concatenate([self._counts, lot.counts])[-WINDOWS[-1] // 50 :]
        self._at = np.concatenate([self._at, lot.at])[-WINDOWS[-1] // 50 :]
        self._rows += int(lot.rows.sum())
        now = float(lot.at[-1])
        self._began = now if self._began is None else self._began
        largest = np.fmax.reduce([self._effects(rows, now) for rows in WINDOWS])
        reached = np.stack([largest, largest * PSI_LIMITS[0] / PSI_LIMITS[1]])
        self._latched = (reached >= 1.0) | (self._latched & (reached >= CLEARED))
        raised, said = self._seen.raised, self.verdicts
        is_learning = now < self._began + self._learning
        said.at.append(now)
        said.rows.append(self._rows)
        said.raised.append(raised)
        said.drifted.append(raised & self._latched[0])
        said.critical.append(raised & self._latched[1] & (not is_learning))
        said.tau.append(self._seen.tau)

    def _effects(self, rows: int, now: float) -> FloatArray:
        """Return PSI over its threshold in one window, NaN where there are too few rows; shape [columns]."""
        blocks = rows // 50
        young = np.ones(len(self._at), np.bool_) if self._max_age is None else self._at > now - self._max_age
        counts = self._counts[-blocks:][young[-blocks:]].sum(axis=0)
        held = int(counts[0].sum())
        psi = self._baseline.psi(counts)
        limits = np.maximum(PSI_LIMITS[0], self._baseline.expected_range(held))
        few = held < np.maximum(JUDGED_ROWS, 10 * psi.bins)
        effects: FloatArray = np.where(few, np.nan, psi.debiased / limits)
        return effects
