"""Business outcomes as JSON: the section of `GET /drift/status`, and those of cohorts in `GET /performance`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from driftgauge.drift.performance.intervals import LEVEL, Estimate
from driftgauge.drift.performance.outcomes import (
    Limits,
    OutcomeKind,
    OutcomeParts,
    OutcomeReport,
    outcome_estimate,
    segments_of,
)
from driftgauge.edges.formats.estimates import estimate_json

OutcomeKinds = Mapping[str, tuple[OutcomeKind, float]]
"""The kind of each outcome, and how many predictions count as one in its interval."""


def outcomes_json(reports: Mapping[str, OutcomeReport], parts: OutcomeParts) -> dict[str, Any]:
    """Return the outcomes by name, each with its versions and segments; unknown numbers are NaN."""
    return {
        name: {
            "kind": own.rule.kind,
            "window_seconds": own.rule.seconds,
            "absent": own.rule.absent,
            "interval_level": LEVEL,
            **_report(own),
            "limits": {"below": _limits(own.rule.limits.below), "above": _limits(own.rule.limits.above)},
            "versions": {version: _report(part) for version, part in own.versions.items()},
            "segments": [
                {"feature": segment.feature, "value": segment.value, **_report(segment.report)}
                for segment in segments_of(parts, name, own)
            ],
        }
        for name, own in reports.items()
    }


def outcome_means(parts: OutcomeParts, kinds: OutcomeKinds, segment: str | None) -> dict[str, Any]:
    """Return the outcomes of the predictions of a cohort; with a `segment`, a feature, also by its values."""
    return {
        name: {
            **(_mean(parts, (name, "", ""), *own)),
            "segments": [
                {"feature": part[1], "value": part[2], **_mean(parts, part, *own)} for part in _of(parts, name, segment)
            ],
        }
        for name, own in kinds.items()
        if (name, "", "") in parts
    }


def _of(parts: OutcomeParts, name: str, segment: str | None) -> Iterator[tuple[str, str, str]]:
    return (part for part in parts if segment and part[:2] == (name, segment))


def _mean(parts: OutcomeParts, part: tuple[str, str, str], kind: OutcomeKind, tau: float) -> dict[str, Any]:
    sums = parts[part]
    return {
        "rows": sums.rows,
        "predictions": sums.predictions,
        "coverage_ratio": sums.coverage,
        "mean": _estimate(outcome_estimate(sums, kind, tau)),
    }


def _report(report: OutcomeReport) -> dict[str, Any]:
    return {
        "status": report.status,
        "rows": report.rows,
        "coverage_ratio": report.coverage,
        "mean": _estimate(report.estimate),
        "interval_tau": report.tau,
    }


def _estimate(estimate: Estimate) -> dict[str, float] | None:
    return estimate_json(estimate) if estimate.is_known else None


def _limits(limits: Limits | None) -> dict[str, float] | None:
    return None if limits is None else dict(zip(("warning", "critical"), limits, strict=True))
