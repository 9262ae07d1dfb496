"""Whether a release is so much worse than the one before that an action may take it back."""

from __future__ import annotations

from typing import Final

from driftgauge.drift.performance.intervals import wilson
from driftgauge.releases.figures import ENOUGH_REQUESTS, ERROR_FLOOR, Figures, compared

P99_REQUESTS: Final = 1_000
"""Fewest requests of both releases whose 99th percentile is compared: of 100 it is the slowest but one."""
Z: Final = 3.29
"""Normal quantile of the interval of the error ratio: a level of 0.999, because it is looked at often."""


def worse_release(
    now: Figures, before: Figures | None, critical: float, *, failed_rows: float = ENOUGH_REQUESTS
) -> str | None:
    """Return what has grown by a critical share over the release before, in words; None if nothing has for certain.

    `failed_rows` matter where no request succeeded. The error ratio must also be significantly higher.
    """
    if before is None:
        return None
    changes = compared(now, before)
    found = {"p50 latency": changes.p50_ratio}
    if min(now.requests, before.requests) >= P99_REQUESTS:
        found["p99 latency"] = changes.p99_ratio
    found["error ratio"] = _more_errors(now, before, failed_rows)
    worse = [f"{name} {ratio:+.0%}" for name, ratio in found.items() if ratio is not None and ratio >= critical]
    return ", ".join(worse) or None


def _more_errors(now: Figures, before: Figures, failed_rows: float) -> float | None:
    """Return how much the error ratio has grown; None unless that is significant.

    Rows of one request fail together, so requests are counted. Only those that succeeded are known.
    """
    if now.error_ratio is None or before.error_ratio is None or before.requests < ENOUGH_REQUESTS:
        return None
    requests = now.requests / (1.0 - now.error_ratio) if now.error_ratio < 1.0 else failed_rows
    if requests < ENOUGH_REQUESTS or wilson(now.error_ratio * requests, requests, Z).lower <= before.error_ratio:
        return None
    return (now.error_ratio + ERROR_FLOOR) / (before.error_ratio + ERROR_FLOOR) - 1.0
