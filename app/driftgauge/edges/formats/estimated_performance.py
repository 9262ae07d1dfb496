"""Estimated performance as JSON."""

from __future__ import annotations

from typing import Any

from driftgauge.drift.performance.estimated import ASSUMPTION
from driftgauge.drift.performance.held_out import Estimated


def estimated_json(estimated: Estimated) -> dict[str, Any]:
    """Return the estimates by window beside the metrics of the held-out rows, or why there are none."""
    return {
        "unavailable": estimated.unavailable,
        "assumption": None if estimated.unavailable else ASSUMPTION,
        "held_out": dict(estimated.held_out),
        "windows": {name: dict(own) for name, own in estimated.windows.items()},
    }
