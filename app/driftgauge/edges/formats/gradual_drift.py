"""The long time windows of a model as JSON: gradual drift, which shorter windows do not show."""

from __future__ import annotations

from typing import Any, Final

from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.gradual.report import GradualReport, GradualWindow
from driftgauge.drift.verdict.rule import LIMITS

NOTE: Final = (
    "Time windows of a week or more. A change counts if it is larger than the usual differences between days explain: "
    "at most a warning, and no part of the model's verdict."
)
"""What the numbers are."""


def gradual_json(found: GradualReport) -> dict[str, Any]:
    """Return the verdicts on the long windows."""
    return {
        "severity": found.severity,
        "changed": list(found.changed),
        "days": found.variation.days,
        "windows": {window.name: _window(found, window) for window in found.windows},
        "note": NOTE,
    }


def _window(found: GradualReport, window: GradualWindow) -> dict[str, Any]:
    features = {
        name: {
            "psi_debiased": window.psi_debiased[index].item(),
            "psi_threshold": {limit: window.thresholds[index, place].item() for place, limit in enumerate(LIMITS)},
            "psi_threshold_origin": "variation_of_days" if window.by_days[index] else "setting",
            "psi_of_days": window.variation[index].item(),
            "severity": window.severities[index],
        }
        for index, name in enumerate(found.report.baseline.names)
    }
    return {
        "rows": window.rows,
        "days": window.days,
        "reason": window.reason,
        "from": rfc3339(window.start),
        "to": rfc3339(window.end),
        "features": features,
    }
