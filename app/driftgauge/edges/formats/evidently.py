"""The verdict in the shape of Evidently's results, for programs that read those."""

from __future__ import annotations

from typing import Any

from driftgauge.drift.reference.baseline import OUTPUTS
from driftgauge.drift.verdict.report import DriftReport


def drift_verdict(report: DriftReport) -> dict[str, Any]:
    """Return whether the features have drifted, together and each by itself."""
    features = [verdict for verdict in report.verdicts if verdict.name not in OUTPUTS]
    drifted = {own.name for own in features} & set(report.drifted)
    return {
        "dataset_drift": report.status == "drift_detected",
        "drift_share": len(drifted) / len(features) if features else 0.0,
        "number_of_columns": len(features),
        "number_of_drifted_columns": len(drifted),
        "drift_by_columns": {own.name: own.name in drifted for own in features},
    }
