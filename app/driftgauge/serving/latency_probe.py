"""Latency of a batch, measured at start, decides between event loop and thread."""

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
"""Longest batch that runs on the event loop; a longer one goes to the model's thread."""
OBSERVE_SECONDS: Final = 2e-8
"""Seconds to observe one value of a row; benchmarks/ measures it."""
_PROBE_ROWS: Final = 256


@dataclass(frozen=True)
class LatencyModel:
    """Latency of a batch: fixed seconds plus seconds per row."""

    fixed_seconds: float
    row_seconds: float

    def seconds(self, rows: int) -> float:
        """Return the latency of a batch of this many rows."""
        return self.fixed_seconds + self.row_seconds * rows


def measure_latency(
    predictor: Predictor, info: BundleInfo, clock: Callable[[], float] = time.perf_counter
) -> LatencyModel:
    """Return the latency of a batch, from the median of a few predictions; `clock` in seconds.

    The rows are the bundle's samples; without samples the model counts as slow. If one row is slow already,
    larger batches are not tried.
    """
    if not info.samples:
        return LatencyModel(math.inf, 0.0)
    samples = [sample.features for sample in info.samples]
    one = median_seconds(predictor, batch_of(info.features, samples[:1]), clock)
    if one > INLINE_SECONDS:
        return LatencyModel(one, 0.0)
    probe = batch_of(info.features, [samples[i % len(samples)] for i in range(_PROBE_ROWS)])
    try:
        many = median_seconds(predictor, probe, clock)
    except ModelFailed:  # the model accepts single rows only
        return LatencyModel(math.inf, 0.0)
    by_row = max(0.0, many - one) / (_PROBE_ROWS - 1)
    return LatencyModel(max(0.0, one - by_row), by_row + OBSERVE_SECONDS * len(info.features))
