"""Numbers with their intervals as JSON."""

from __future__ import annotations

from driftgauge.drift.performance.intervals import Estimate


def estimate_json(estimate: Estimate) -> dict[str, float]:
    """Return a number with its interval."""
    return {"value": estimate.value, "lower": estimate.lower, "upper": estimate.upper}
