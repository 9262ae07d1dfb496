"""Performance as JSON: the section of `GET /drift/status`, and what `GET /performance` answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.performance.cohort import Cohort
from driftgauge.drift.performance.cohort_spans import Span, cohorts_by
from driftgauge.drift.performance.intervals import LEVEL, Estimate
from driftgauge.drift.performance.metrics import measure, shown
from driftgauge.drift.performance.report import EvidenceFacts, LabelDrift, PerformanceReport, WindowPerformance
from driftgauge.edges.formats.estimates import estimate_json
from driftgauge.edges.formats.outcomes import OutcomeKinds, outcome_means


def performance_json(report: PerformanceReport | None) -> dict[str, Any] | None:
    """Return a report; None without one. Unknown numbers are NaN."""
    if report is None:
        return None
    return {
        "status": report.status,
        "severity": report.severity,
        "reason": report.reason,
        "evaluated_at": rfc3339(report.at),
        "matured_until": rfc3339(report.matured_until),
        "required_rows": report.policy.required_rows,
        "interval_level": LEVEL,
        "interval_tau": report.tau,
        "drop_thresholds": dict(zip(("warning", "critical"), report.policy.drop_thresholds, strict=True)),
        "held_out": None if report.held is None else _held_out(report),
        "windows": {name: _window(own, report.classes) for name, own in report.windows.items()},
        "segments": [
            {"feature": own.segment[0], "value": own.segment[1], "rows": own.rows, "metrics": metrics_json(own.metrics)}
            for own in report.segments
        ],
        "error_evidence": _evidence(report.errors),
        "label_drift": _label_drift(report.label_drift),
    }


def _held_out(report: PerformanceReport) -> dict[str, Any] | None:
    held = report.held
    if held is None:
        return None
    metrics = {name: shown(name, own, report.tau) for name, own in held.metrics.items()}
    return {"rows": held.rows, "in_sample": held.in_sample, "metrics": metrics_json(metrics)}


def metrics_json(metrics: Mapping[str, Estimate]) -> dict[str, Any]:
    """Return metrics with their intervals; unknown ones are left out."""
    return {name: estimate_json(own) for name, own in metrics.items() if own.is_known}


def _window(window: WindowPerformance, classes: Sequence[str]) -> dict[str, Any]:
    verdict = window.verdict
    return {
        **_rows(window.cohort),
        "status": verdict.status,
        "severity": verdict.severity,
        "reason": verdict.reason,
        "metrics": {
            own.name: {
                **estimate_json(own.current),
                "held_out": own.held_out,
                "drop_ratio": own.drop,
                "floor": own.limit,
                "severity": own.severity,
            }
            for own in verdict.metrics
            if own.current.is_known
        },
        "class_recall": {
            name: estimate_json(own) for name, own in zip(classes, window.recalls, strict=False) if own.is_known
        },
    }


def _rows(cohort: Cohort) -> dict[str, Any]:
    return {
        "rows": cohort.rows,
        "predictions": cohort.predicted,
        "coverage_ratio": cohort.coverage,
        "mean_lag_seconds": cohort.mean_lag_seconds,
    }


def _evidence(facts: EvidenceFacts | None) -> dict[str, Any] | None:
    if facts is None:
        return None
    since = None if facts.since is None else rfc3339(facts.since)
    return {"log10": facts.log10, "threshold_log10": facts.threshold_log10, "since": since, "tau": facts.tau}


def _label_drift(drift: LabelDrift | None) -> dict[str, Any] | None:
    if drift is None:
        return None
    shares = zip(drift.names, drift.shares, drift.reference_shares, strict=True)
    return {
        "severity": drift.severity,
        "rows": drift.rows,
        "psi": drift.psi,
        "psi_debiased": drift.psi_debiased,
        "thresholds": dict(zip(("warning", "critical"), drift.thresholds, strict=True)),
        "evidence": _evidence(drift.evidence),
        "bins": [{"name": name, "ratio": share, "reference_ratio": own} for name, share, own in shares if share or own],
    }


def history_json(
    cohorts: Iterable[Cohort],
    span: Span,
    segment: str | None = None,
    outcomes: OutcomeKinds | None = None,
    tau: float = 1.0,
) -> dict[str, Any]:
    """Return the performance by cohort; with a `segment`, a feature, also by its values.

    `tau` is the autocorrelation time of the errors; intervals of metrics are those of `tau` times fewer rows.
    """
    return {
        "by": span,
        "cohorts": [
            {
                "start": rfc3339(own.start),
                "end": rfc3339(own.end),
                **_rows(own),
                "metrics": metrics_json(measure(own.counts, tau)),
                "segments": [
                    {
                        "feature": name,
                        "value": value,
                        "rows": counts.rows,
                        "metrics": metrics_json(measure(counts, tau)),
                    }
                    for (name, value), counts in own.segments.items()
                    if name == segment
                ],
                "outcomes": outcome_means(own.outcomes, outcomes or {}, segment),
            }
            for own in cohorts_by(cohorts, span)
        ],
    }
