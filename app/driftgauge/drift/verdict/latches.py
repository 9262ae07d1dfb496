"""Latches: which thresholds the effects have reached."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.bins import BoolArray
from driftgauge.drift.verdict.rule import LIMITS

CLEARED: Final = 0.8
"""A latched threshold is released when the effect falls below this part of it."""


@dataclass(frozen=True)
class Latches:
    """The thresholds that effects have reached, and as of when."""

    latched: BoolArray
    """Shape [limits, columns]."""
    rows: int
    """Rows that had been counted."""
    clock: float
    """The time by the monitor's clock, seconds since 1970; -inf before the first row."""

    @classmethod
    def start(cls, columns: int) -> Latches:
        """Return the latches before the first row."""
        return cls(np.zeros((len(LIMITS), columns), np.bool_), 0, -math.inf)
