"""A drift report as JSON: what `GET /drift/status` answers and `driftgauge check --json` prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.bins import BoolArray, FloatArray
from driftgauge.drift.reference.baseline import OUTPUTS
from driftgauge.drift.verdict.column_statistics import COLUMN_STATISTICS
from driftgauge.drift.verdict.comparison import WindowReport
from driftgauge.drift.verdict.data_set import share_of
from driftgauge.drift.verdict.report import DriftReport, all_notes, score_means
from driftgauge.drift.verdict.rule import LIMITS, Limit
from driftgauge.drift.verdict.sizes import Sizes
from driftgauge.drift.verdict.two_minutes import MEAN_RATIO, OUTLIER_RATIO


@dataclass(frozen=True)
class Selection:
    """The part of a report that is written."""

    features: frozenset[str] | None = None
    """Columns; None is all of them."""
    windows: frozenset[str] | None = None
    """Windows whose statistics every column lists beside those of the main window; None is all of them."""
    is_summary: bool = False
    """Whether columns have the statistics that a person reads first, of the main window alone."""


EVERYTHING: Final = Selection()
SUMMARY: Final = Selection(windows=frozenset(), is_summary=True)


def report_json(report: DriftReport, selection: Selection = EVERYTHING) -> dict[str, Any]:
    """Return a report, or the part that is selected; NaN stands for what is not known."""
    columns = {
        name: _column(report, index, selection)
        for index, name in enumerate(report.baseline.names)
        if selection.features is None or name in selection.features
    }
    recent, reference = score_means(report)
    return {
        "status": report.status,
        "severity": report.severity,
        "reason": report.reason,
        "learning_until": timestamp(report.learning_until),
        "evaluated_at": timestamp(report.evaluated_at),
        "rows_observed": report.rows_observed,
        "drift_score": report.drift_score,
        "recent_mean": recent,
        "reference_mean": reference,
        "drifted_features": list(report.drifted),
        **_share(report),
        **_two_minutes(report),
        "baseline": _baseline(report),
        "evidence": _evidence(report),
        "thresholds": dict(zip(LIMITS, report.policy.psi_thresholds, strict=True)),
        "windows": {name: _window(window) for name, window in report.windows.items()},
        "features": {name: column for name, column in columns.items() if name not in OUTPUTS},
        **{name: columns[name] for name in OUTPUTS if name in columns},
        "correlation": _correlation(report),
    }


def _share(report: DriftReport) -> dict[str, Any]:
    """Return the share of the features that have drifted, and the one that the model's verdict asks for, if any."""
    asked = report.policy.drift_share
    return {} if asked is None else {"drift_share": {"ratio": share_of(report.verdicts), "threshold": asked}}


def _two_minutes(report: DriftReport) -> dict[str, Any]:
    """Return what the rule on the last two minutes says, if it is applied."""
    found = report.two_minutes
    if found is None:
        return {}
    said = {
        "alarms": found.alarms,
        "reason": found.reason,
        "rows": found.rows,
        "outlier_ratio": found.outlier_ratio,
        "outlier_threshold_ratio": OUTLIER_RATIO,
        "mean_threshold_ratio": MEAN_RATIO,
        "features": dict(found.features),
    }
    return {"two_minutes": said}


def _baseline(report: DriftReport) -> dict[str, Any]:
    baseline = report.baseline
    return {
        "hash": baseline.hash,
        "rows": baseline.rows,
        "created": baseline.created,
        "by_hour": baseline.is_by_hour,
        "notes": list(all_notes(report)),
    }


def _evidence(report: DriftReport) -> dict[str, Any]:
    return {
        "threshold_log10": report.evidence.threshold_log10,
        "false_alarm_rows": report.evidence.threshold / max(1, report.evidence.watched),
        "columns": report.evidence.watched,
        "tolerance": report.policy.budget.tolerance,
    }


def timestamp(at: float | None) -> str | None:
    """Return seconds since 1970 as RFC 3339 text with milliseconds; None stays None."""
    return None if at is None else rfc3339(at, "milliseconds")


def _window(window: WindowReport) -> dict[str, Any]:
    size = {"capacity": window.capacity} if window.seconds is None else {"seconds": window.seconds}
    return {"rows": window.rows, **size, "from": timestamp(window.start), "to": timestamp(window.end)}


def _correlation(report: DriftReport) -> dict[str, Any] | None:
    change = report.correlation
    if change is None:
        return None
    return {
        "pair": [report.baseline.names[index] for index in change.pair],
        "reference": change.reference,
        "current": change.current,
        "z": change.z,
        "p_value": change.p_value,
        "pairs": change.pairs,
        "rows": change.rows,
    }


def _column(report: DriftReport, index: int, selection: Selection) -> dict[str, Any]:
    verdict, column = report.verdicts[index], report.baseline.columns[index]
    summary = {
        "kind": column.kind,
        "status": verdict.status,
        "severity": verdict.severity,
        "reason": verdict.reason,
        "since": timestamp(verdict.since),
        "drift_score": report.effects[index].item(),
        "evidence_log10": report.evidence.log10[index].item(),
    }
    if selection.is_summary:
        return summary | _statistics(report.main, index, is_summary=True)
    listed = [name for name in report.windows if selection.windows is None or name in selection.windows]
    return {
        **summary,
        "evidence_threshold_log10": report.evidence.threshold_log10,
        "tau": report.evidence.tau[index].item(),
        "tau_reference": column.tau,
        "tau_live": None if (live := report.evidence.live) is None else live.tau[index].item(),
        **_statistics(report.main, index),
        "reference": {
            "rows": column.rows,
            "mean": column.mean,
            "std": column.std,
            "min": column.min,
            "max": column.max,
            "in_sample": column.in_sample,
        },
        "windows": {name: _statistics(report.windows[name], index) for name in listed},
    }


def _statistics(window: WindowReport, index: int, *, is_summary: bool = False) -> dict[str, Any]:
    sizes, has_threshold = window.sizes, window.capacity is not None
    by_psi = has_threshold and sizes.statistics[index] == "psi"
    return {
        "rows": window.rows,
        "psi_threshold": _limits(window.thresholds, index) if by_psi else None,
        "psi_threshold_origin": _origin(window.by_expected_range, index) if by_psi else None,
        **({} if sizes.statistics[index] == "psi" else {"judged_by": _judged_by(sizes, index, has_threshold)}),
        **{
            statistic.name: statistic.getter(window)[index].item()
            for statistic in COLUMN_STATISTICS
            if statistic.in_summary or not is_summary
        },
    }


def _judged_by(sizes: Sizes, index: int, has_threshold: bool) -> dict[str, Any]:
    """Return the statistic that the verdict on a column rests on, if it is another than PSI."""
    return {
        "statistic": sizes.statistics[index],
        "value": sizes.value[index].item(),
        "noise": sizes.noise[index].item(),
        "debiased": sizes.debiased[index].item(),
        "expected_max": sizes.expected_range[index].item(),
        "threshold": _limits(sizes.thresholds, index) if has_threshold else None,
        "threshold_origin": _origin(sizes.by_expected_range, index) if has_threshold else None,
    }


def _limits(thresholds: Mapping[Limit, FloatArray], index: int) -> dict[str, float]:
    return {limit: thresholds[limit][index].item() for limit in LIMITS}


def _origin(by_expected_range: BoolArray, index: int) -> str:
    """Say which of the two limits is the threshold."""
    return "expected_range" if by_expected_range[index] else "setting"
