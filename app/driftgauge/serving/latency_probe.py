"""What a batch takes, measured at start: a fast model answers on the event loop, a slow one in a thread."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from driftgauge.errors import ModelFailed
from driftgauge.models.bundle import BundleInfo
from driftgauge.models.predictor import Predictor, batch_of
from driftgauge.models.timing import median_seconds

INLINE_SECONDS: Final = 0.002
"""What a batch may take on the event loop; one that takes longer goes to the model's thread."""
WATCHED_SECONDS: Final = 2e-8
"""What it takes to watch one value of a row; benchmarks/ measures it."""
_PROBE_ROWS: Final = 256


@dataclass(frozen=True)
class Cost:
    """What it takes to predict and watch a batch: so long, and so much longer for each row."""

    fixed_seconds: float
    row_seconds: float

    def seconds(self, rows: int) -> float:
        """Return what so many rows take."""
        return self.fixed_seconds + self.row_seconds * rows


def measure_latency(predictor: Predictor, info: BundleInfo, clock: Callable[[], float] = time.perf_counter) -> Cost:
    """Return what a batch takes, by the median of a few predictions of the bundle's samples; `clock` in seconds.

    Without samples it is not known, and taken for slow. Of a model that is slow for one row many are not tried.
    """
    if not info.samples:
        return Cost(math.inf, 0.0)
    samples = [sample.features for sample in info.samples]
    one = median_seconds(predictor, batch_of(info.features, samples[:1]), clock)
    if one > INLINE_SECONDS:
        return Cost(one, 0.0)
    lot = batch_of(info.features, [samples[place % len(samples)] for place in range(_PROBE_ROWS)])
    try:
        many = median_seconds(predictor, lot, clock)
    except ModelFailed:  # it takes rows one by one only
        return Cost(math.inf, 0.0)
    by_row = max(0.0, many - one) / (_PROBE_ROWS - 1)
    return Cost(max(0.0, one - by_row), by_row + WATCHED_SECONDS * len(info.features))
