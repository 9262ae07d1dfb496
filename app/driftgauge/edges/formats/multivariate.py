"""Comparisons of whole rows as JSON."""

from __future__ import annotations

from typing import Any, Final

from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.multivariate.compared import RESULTS, ComparedRows, RowComparison
from driftgauge.drift.multivariate.report import MultivariateReport

NOTE: Final = "One look at rows that are taken as independent, without a budget for false alarms."


def compared_json(known: ComparedRows | None) -> dict[str, Any] | None:
    """Return what a server knows of its comparisons; None where they are not made by interval."""
    if known is None:
        return None
    return {
        "severity": known.severity,
        "in_verdict": known.in_verdict,
        "thresholds": {"auc": dict(known.thresholds.by_limit)},
        "comparisons": {result: known.results.get(result, 0) for result in RESULTS},
        "last": None if known.last is None else comparison_json(known.last),
        "note": NOTE,
    }


def comparison_json(found: RowComparison) -> dict[str, Any]:
    """Return one comparison, when it was made and how long it took."""
    return {"compared_at": rfc3339(found.at), "seconds": found.seconds, **multivariate_json(found.report)}


def multivariate_json(found: MultivariateReport) -> dict[str, Any]:
    """Return a comparison of whole rows as JSON has it."""
    separation, rebuilt = found.separation, found.reconstruction
    return {
        "rows": found.rows,
        "reference_rows": found.reference_rows,
        "significant": found.is_significant,
        "reason": found.reason,
        "auc": None
        if separation is None
        else {"value": separation.auc, "low": separation.low, "high": separation.high},
        "columns": dict(found.columns),
        "reconstruction_error": None
        if rebuilt is None
        else {
            "components": rebuilt.components,
            "reference": rebuilt.reference,
            "current": rebuilt.current,
            "shift": rebuilt.shift,
            "low": rebuilt.low,
            "high": rebuilt.high,
        },
    }
