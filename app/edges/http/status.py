"""`GET /drift/status`: a report as JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from app.drift.baseline import PREDICTION, RESERVED
from app.drift.report import SEVERITIES, DriftReport, WindowReport, score_means
from app.monitor import Monitor


def drift_status(monitor: Monitor, problems: list[str]) -> dict[str, Any]:
    """Return what a monitor's last report says; NaN stands for what is not known."""
    report = monitor.last.report
    columns = {name: _column(report, place) for place, name in enumerate(report.baseline.names)}
    recent, reference = score_means(report)
    return {
        "model_name": monitor.model_name,
        "model_version": monitor.model_version,
        "status": report.status,
        "severity": report.severity,
        "reason": report.reason,
        "evaluated_at": rfc3339(report.evaluated_at),
        "rows_observed": report.rows_observed,
        "drift_score": columns[PREDICTION]["psi_debiased"] if PREDICTION in columns else None,
        "recent_mean": recent,
        "reference_mean": reference,
        "drifted_features": list(report.drifted),
        "baseline": {
            "hash": report.baseline.hash,
            "rows": report.baseline.rows,
            "created": report.baseline.created,
        },
        "thresholds": dict(zip(SEVERITIES, report.policy.psi_thresholds, strict=True)),
        "windows": {str(size): _window(window) for size, window in report.windows.items()},
        "features": {name: column for name, column in columns.items() if name not in RESERVED},
        **{name: columns[name] for name in RESERVED if name in columns},
        "monitoring": {"healthy": not problems, "problems": problems},
    }


def rfc3339(at: float | None) -> str | None:
    """Return a time in seconds since 1970 as RFC 3339 text in UTC; None stays None."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _window(window: WindowReport) -> dict[str, Any]:
    return {
        "rows": window.rows,
        "capacity": window.capacity,
        "from": rfc3339(window.start),
        "to": rfc3339(window.end),
    }


def _column(report: DriftReport, place: int) -> dict[str, Any]:
    verdict, column = report.verdicts[place], report.baseline.columns[place]
    return {
        "kind": column.kind,
        "status": verdict.status,
        "severity": verdict.severity,
        "reason": verdict.reason,
        "since": rfc3339(verdict.since),
        **_statistics(report.main, place),
        "reference": {
            "rows": column.rows,
            "mean": column.mean,
            "std": column.std,
            "min": column.min,
            "max": column.max,
            "in_sample": column.in_sample,
        },
        "windows": {str(size): _statistics(window, place) for size, window in report.windows.items()},
    }


def _statistics(window: WindowReport, place: int) -> dict[str, Any]:
    return {
        "rows": window.rows,
        "psi": window.psi.psi[place].item(),
        "psi_debiased": window.psi.debiased[place].item(),
        "psi_noise": window.psi.noise[place].item(),
        "psi_threshold": {severity: window.thresholds[severity][place].item() for severity in SEVERITIES},
        "natural_variation": window.natural_variation[place].item(),
        "mean": window.moments.mean[place].item(),
        "std": window.moments.std[place].item(),
        "min": window.moments.min[place].item(),
        "max": window.moments.max[place].item(),
        "missing_ratio": window.shares.missing[place].item(),
        "unseen_ratio": window.shares.unseen[place].item(),
        "out_of_range_ratio": window.shares.out_of_range[place].item(),
    }
