"""Live attributions as JSON."""

from __future__ import annotations

from typing import Any, Final

from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.attribution.known import AttributionRun, KnownAttributions

NOTE: Final = "One look, without a budget for false alarms; it is no part of the verdict."


def attributions_json(known: KnownAttributions) -> dict[str, Any]:
    """Return what a server knows of live attributions."""
    return {
        "ndcg": known.ndcg,
        "threshold": known.threshold,
        "drifted": known.has_drifted,
        "last": None if known.last is None else _run(known.last),
        "note": NOTE,
    }


def _run(last: AttributionRun) -> dict[str, Any]:
    report = last.report
    return {
        "compared_at": rfc3339(last.at),
        "seconds": last.seconds,
        "method": report.method,
        "rows": report.rows,
        "reference_rows": report.reference_rows,
        "ndcg": report.ndcg,
        "features": {
            own.feature: {
                "share": own.share,
                "reference_share": own.reference_share,
                "shift": own.shift,
                "standard_error": own.error,
                "significant": own.is_significant,
            }
            for own in report.shifts
        },
    }
