"""A drift report as JSON: what `GET /drift/status` answers and `driftgauge check --json` prints."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from driftgauge.drift.reference.baseline import PREDICTION, RESERVED
from driftgauge.drift.statistics.two_sample import LEVELS
from driftgauge.drift.verdict.comparison import WindowReport
from driftgauge.drift.verdict.report import DriftReport, score_means
from driftgauge.drift.verdict.rule import SEVERITIES
from driftgauge.drift.verdict.wording import notes

_FIRST: Final = datetime.min.replace(tzinfo=UTC).timestamp()


def report_json(report: DriftReport) -> dict[str, Any]:
    """Return what a report says; NaN stands for what is not known."""
    columns = {name: _column(report, place) for place, name in enumerate(report.baseline.names)}
    recent, reference = score_means(report)
    return {
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
            "by_hour": report.baseline.is_by_hour,
            "notes": list(notes(report.baseline)),
        },
        "evidence": {
            "threshold_log10": report.evidence.threshold_log10,
            "false_alarm_rows": report.evidence.threshold / max(1, report.evidence.watched),
            "columns": report.evidence.watched,
            "tolerance": report.policy.budget.tolerance,
        },
        "thresholds": dict(zip(SEVERITIES, report.policy.psi_thresholds, strict=True)),
        "windows": {name: _window(window) for name, window in report.windows.items()},
        "features": {name: column for name, column in columns.items() if name not in RESERVED},
        **{name: columns[name] for name in RESERVED if name in columns},
        "correlation": _correlation(report),
    }


def rfc3339(at: float | None) -> str | None:
    """Return a time in seconds since 1970 as RFC 3339 text in UTC; None stays None."""
    if at is None:
        return None
    # Where a window begins may lie before the first time that has a name.
    return datetime.fromtimestamp(max(at, _FIRST), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _window(window: WindowReport) -> dict[str, Any]:
    size = {"capacity": window.capacity} if window.seconds is None else {"seconds": window.seconds}
    return {"rows": window.rows, **size, "from": rfc3339(window.start), "to": rfc3339(window.end)}


def _correlation(report: DriftReport) -> dict[str, Any] | None:
    change = report.correlation
    if change is None:
        return None
    return {
        "pair": [report.baseline.names[place] for place in change.pair],
        "reference": change.reference,
        "current": change.current,
        "z": change.z,
        "p_value": change.p_value,
        "pairs": change.pairs,
        "rows": change.rows,
    }


def _column(report: DriftReport, place: int) -> dict[str, Any]:
    verdict, column = report.verdicts[place], report.baseline.columns[place]
    return {
        "kind": column.kind,
        "status": verdict.status,
        "severity": verdict.severity,
        "reason": verdict.reason,
        "since": rfc3339(verdict.since),
        "evidence_log10": report.evidence.log10[place].item(),
        "evidence_threshold_log10": report.evidence.threshold_log10,
        "tau": column.tau,
        **_statistics(report.main, place),
        "reference": {
            "rows": column.rows,
            "mean": column.mean,
            "std": column.std,
            "min": column.min,
            "max": column.max,
            "in_sample": column.in_sample,
        },
        "windows": {name: _statistics(window, place) for name, window in report.windows.items()},
    }


def _statistics(window: WindowReport, place: int) -> dict[str, Any]:
    sample, significance = window.sample, window.significance
    judged = window.capacity is not None
    return {
        "rows": window.rows,
        "psi": window.psi.psi[place].item(),
        "psi_debiased": window.psi.debiased[place].item(),
        "psi_noise": window.psi.noise[place].item(),
        "psi_threshold": {s: window.thresholds[s][place].item() for s in SEVERITIES} if judged else None,
        "psi_expected_max": window.expected_range[place].item(),
        "p_value": significance.p_value[place].item(),
        "chi_squared": significance.chi_squared[place].item(),
        "chi_squared_degrees": significance.degrees[place].item(),
        "js_distance": window.js_distance[place].item(),
        "value_rows": sample.rows[place].item(),
        "ks_statistic": sample.ks_statistic[place].item(),
        "wasserstein_ratio": sample.wasserstein_ratio[place].item(),
        "finite_rows": sample.finite_rows[place].item(),
        "mean_shift": sample.mean_shift[place].item(),
        "mean": sample.mean[place].item(),
        "std": sample.std[place].item(),
        "min": sample.min[place].item(),
        "max": sample.max[place].item(),
        **{f"p{100 * level:02.0f}": own.item() for level, own in zip(LEVELS, sample.quantiles[:, place], strict=True)},
        "missing_ratio": window.shares.missing[place].item(),
        "unseen_ratio": window.shares.unseen[place].item(),
        "out_of_range_ratio": window.shares.out_of_range[place].item(),
    }
