"""The time that a predictor takes for a batch."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Final

from driftgauge.models.predictor import Batch, Predictor

_PROBES: Final = 5


def median_seconds(predictor: Predictor, batch: Batch, clock: Callable[[], float]) -> float:
    """Return the median seconds of a few predictions of a batch; `clock` in seconds."""
    predictor.predict(batch)  # the first call warms caches
    times = []
    for _ in range(_PROBES):
        started = clock()
        predictor.predict(batch)
        times.append(clock() - started)
    return statistics.median(times)
