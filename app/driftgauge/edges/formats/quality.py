"""What windows say of constraints, as JSON."""

from __future__ import annotations

import math
from typing import Any

from driftgauge.drift.quality.report import ConstraintVerdict, Example, QualityReport
from driftgauge.drift.quality.requests import RequestReport, RequestVerdict
from driftgauge.edges.formats.drift_status import timestamp


def quality_json(report: QualityReport | None, requests: RequestReport | None = None) -> dict[str, Any] | None:
    """Return a report on constraints, worst first; None without constraints. A table has no `requests`."""
    if report is None:
        return None
    return {
        "severity": report.severity,
        "reason": report.reason,
        "constraints": len(report.verdicts),
        "evidence_threshold_log10": report.evidence_threshold_log10,
        "violations": [_violation(verdict) for verdict in report.violated],
        "notes": list(report.notes),
        **({} if requests is None else {"requests": _requests(requests)}),
    }


def _requests(report: RequestReport) -> dict[str, Any]:
    return {
        "severity": report.severity,
        "reason": report.reason,
        "seconds": report.seconds,
        "rows": report.rows,
        "thresholds": dict(report.thresholds),
        "violations": {own.constraint: own.violations for own in report.verdicts},
        "violated": [_violated(own) for own in report.violated],
    }


def _violated(verdict: RequestVerdict) -> dict[str, Any]:
    return {
        "constraint": verdict.constraint,
        "severity": verdict.severity,
        "reason": verdict.reason,
        "violations": verdict.violations,
        "ratio": verdict.ratio,
        "examples": [{"field": own.field, "message": own.message, "at": timestamp(own.at)} for own in verdict.examples],
    }


def _violation(verdict: ConstraintVerdict) -> dict[str, Any]:
    return {
        "feature": verdict.feature,
        "constraint": verdict.constraint,
        "severity": verdict.severity,
        "reason": verdict.reason,
        "window": verdict.window,
        "rows": verdict.rows,
        "violations": verdict.violations,
        "ratio": verdict.ratio,
        "allowed_ratio": verdict.allowed,
        "thresholds": dict(verdict.thresholds),
        "evidence_log10": verdict.evidence_log10,
        "examples": [_example(own) for own in verdict.examples],
    }


def _example(example: Example) -> dict[str, Any]:
    row = {} if example.row is None else {"row": example.row}
    return {"value": example.value, "at": None if math.isnan(example.at) else timestamp(example.at), **row}
