"""Traffic, latency and failures of a model, from the counters of its state."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from driftgauge.drift.bins import FloatArray
from driftgauge.edges.web.facts import Traffic
from driftgauge.metrics.series import DROPPED, FAILED, LATENCY, PREDICTIONS, REJECTED

Arrays = Mapping[str, npt.NDArray[Any]]


def traffic_of(arrays: Arrays, latency_limit: float) -> Traffic:
    """Return the traffic that the counters of a monitor hold."""
    rejected = arrays[REJECTED.name][:, 0]
    most = int(rejected.argmax())
    latency = arrays[LATENCY.name].sum(axis=0)[:-1]
    return Traffic(
        predictions=float(arrays[PREDICTIONS.name].sum()),
        failures=float(arrays[FAILED.name].sum()),
        rejected=float(rejected.sum()),
        rejected_most=REJECTED.children[most][0] if rejected[most] > 0 else "",
        latency_p50=quantile(latency, LATENCY.buckets, 0.5),
        latency_p99=quantile(latency, LATENCY.buckets, 0.99),
        latency_limit=latency_limit,
        dropped=float(arrays[DROPPED.name].sum()),
    )


def quantile(counts: FloatArray, bounds: tuple[float, ...], level: float) -> float:
    """Return a quantile of a histogram as Prometheus does: a line within each bucket, the last bound beyond it.

    `counts` are those of each bucket, shape [bounds + 1]; the first bucket starts at 0. NaN without counts.
    """
    total = float(counts.sum())
    if total == 0.0:
        return math.nan
    wanted = level * total
    up_to = np.cumsum(counts)
    bucket = int(np.searchsorted(up_to, wanted, side="left"))
    if bucket >= len(bounds):
        return bounds[-1]
    low = bounds[bucket - 1] if bucket else 0.0
    before = float(up_to[bucket - 1]) if bucket else 0.0
    return low + (bounds[bucket] - low) * (wanted - before) / float(counts[bucket])
