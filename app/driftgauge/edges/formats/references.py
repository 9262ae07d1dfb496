"""The references of a model as JSON: the baseline of the training, and the days before."""

from __future__ import annotations

from typing import Any, Final

from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.rolling.report import RollingReport
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.rule import LIMITS
from driftgauge.drift.windows.time_spans import DAY_SECONDS

NOTE: Final = (
    "Sizes of changes and p-values, without evidence and without a budget of false alarms: at most a warning, and no "
    "part of the model's verdict."
)
"""What the numbers of the rolling reference are."""


def references_json(found: RollingReport | None) -> dict[str, Any] | None:
    """Return both references and the main window against each; None without a rolling reference."""
    if found is None:
        return None
    return {"training": _training(found.report), "rolling": _rolling(found)}


def _training(report: DriftReport) -> dict[str, Any]:
    main = report.main
    features = {
        name: {
            "rows": report.baseline.columns[index].rows,
            "psi_debiased": main.psi.debiased[index].item(),
            "psi_threshold": {limit: main.thresholds[limit][index].item() for limit in LIMITS},
            "psi_threshold_origin": _origin(by_expected_range=bool(main.by_expected_range[index])),
            "p_value": main.significance.p_value[index].item(),
            "severity": report.verdicts[index].severity,
        }
        for index, name in enumerate(report.baseline.names)
    }
    return {"severity": report.severity, "window": main.name, "features": features}


def _rolling(found: RollingReport) -> dict[str, Any]:
    reference, severities = found.reference, found.severities
    features = {
        name: {
            "rows": int(reference.rows[index]),
            "days": int(reference.days[index]),
            "psi_debiased": found.psi_debiased[index].item(),
            "psi_threshold": {limit: found.thresholds[index, place].item() for place, limit in enumerate(LIMITS)},
            "psi_threshold_origin": _origin(by_expected_range=bool(found.by_expected_range[index])),
            "p_value": found.p_value[index].item(),
            "severity": severities[index],
        }
        for index, name in enumerate(found.report.baseline.names)
    }
    is_known = bool(reference.is_known.any())
    return {
        "severity": found.severity,
        "window": found.report.main.name,
        "changed": list(found.changed),
        "from": rfc3339(reference.first_day * DAY_SECONDS) if is_known else None,
        "to": rfc3339((reference.last_day + 1) * DAY_SECONDS) if is_known else None,
        "built_at": rfc3339(reference.built_at),
        "note": NOTE,
        "features": features,
    }


def _origin(*, by_expected_range: bool) -> str:
    """Say which of the two limits is the threshold."""
    return "expected_range" if by_expected_range else "setting"
