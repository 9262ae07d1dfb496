"""Every gauge: name, help, labels, and its values from a report or facts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from driftgauge.drift.bins import MISSING, UNSEEN, BoolArray, FloatArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.verdict.column_statistics import COLUMN_STATISTICS, MOMENTS, ColumnStatistic
from driftgauge.drift.verdict.comparison import WindowReport
from driftgauge.drift.verdict.moved import Share
from driftgauge.drift.verdict.policy import Statistic, Thresholded
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.rule import JUDGED_ROWS, LIMITS, SEVERITIES, Severity, Status
from driftgauge.metrics.series import FEATURE, Kind, Labels

Numbers = FloatArray | float
"""Values of a gauge's children, in the shape of its labels; NaN for an absent child."""
ORIGINS: Final = ("reference", "live")
STATS: Final = tuple(statistic.name for statistic in MOMENTS)


@dataclass(frozen=True)
class ReportGauge:
    """A gauge read from a report; `labels` come after `model_name` and `model_version`."""

    name: str
    help: str
    labels: Labels
    values: Callable[[DriftReport], Numbers]
    type: ClassVar[Kind] = "gauge"


@dataclass(frozen=True)
class ShareGauge:
    """A gauge of the share of rows that changed most, of columns with a significant change.

    `labels` are the column's name and which rows these are. The rows change with the data, but are one of a few texts
    that the baseline fixes, and a column has one of them at a time.
    """

    name: str
    help: str
    value: Callable[[Share], float]
    labels: ClassVar[Labels] = (FEATURE, "rows")
    type: ClassVar[Kind] = "gauge"


def _columns(name: str, help: str, value: Callable[[WindowReport], FloatArray]) -> ReportGauge:
    """Declare a gauge of every column in every window."""

    def values(report: DriftReport) -> FloatArray:
        return np.stack([value(window) for window in report.windows.values()], axis=1)

    return ReportGauge(name, help, (FEATURE, "window"), values)


def _column_gauge(statistic: ColumnStatistic) -> ReportGauge:
    """Declare the gauge of a statistic of the table."""
    return _columns(f"model_feature_{statistic.gauge}", statistic.help, statistic.values)


def _windows(name: str, help: str, value: Callable[[WindowReport], float | None]) -> ReportGauge:
    """Declare a gauge of every window; None leaves a window out."""

    def values(report: DriftReport) -> FloatArray:
        return _optional(value(window) for window in report.windows.values())

    return ReportGauge(name, help, ("window",), values)


def _optional(values: Iterable[float | None]) -> FloatArray:
    """Return numbers as an array, NaN for None."""
    return np.array(list(values), dtype=np.float64)


def _thresholds(report: DriftReport) -> FloatArray:
    """Return the effective thresholds of PSI where it judges; time windows have none."""
    windows = report.windows.values()
    found = np.stack([[window.thresholds[limit] for limit in LIMITS] for window in windows]).transpose(2, 0, 1)
    return (
        found if report.policy.judges_by_psi else np.where(judged_by(report.main, "psi")[:, None, None], found, np.nan)
    )


def judged_by(window: WindowReport, statistic: Statistic) -> BoolArray:
    """Return which columns' verdicts rest on a statistic, shape [columns]."""
    return np.array([own == statistic for own in window.sizes.statistics], dtype=np.bool_)


def _limits(special: str, statistic: Thresholded) -> Callable[[DriftReport], FloatArray]:
    """Return the limits of a special bin's ratio: the reference's own ratio plus the setting."""

    def values(report: DriftReport) -> FloatArray:
        codes = report.baseline.special_codes[special]
        own = reference_shares(report.baseline)[np.arange(len(codes)), codes]
        points = report.policy.thresholds(statistic, report.baseline.names)
        limits: FloatArray = np.where(codes < 0, np.nan, own)[:, None] + points
        return limits

    return values


def reference_shares(baseline: Baseline) -> FloatArray:
    """Return the share of the reference's rows in each bin, shape [columns, K]."""
    shares: FloatArray = baseline.counts / baseline.counts.sum(axis=1, keepdims=True)
    return shares


def _autocorrelation(report: DriftReport) -> FloatArray:
    """Return the autocorrelation times of the reference and of live rows, shape [columns, origins]."""
    baseline, live = report.baseline, report.evidence.live
    measured = np.full(len(baseline.columns), np.nan) if live is None else live.tau
    return np.stack([np.where(baseline.timed, baseline.tau, np.nan), measured], axis=1)


def _feature_values(report: DriftReport) -> FloatArray:
    """Return the moments and quantiles of the main window, in the order of `STATS`."""
    return np.stack([statistic.values(report.main) for statistic in MOMENTS], axis=1)


def _correlation_changes(report: DriftReport) -> FloatArray:
    return np.full(len(report.baseline.names), np.nan) if report.correlation is None else report.correlation.by_column


def _evidence_threshold(report: DriftReport) -> FloatArray:
    """Return the threshold of the columns that have a detector."""
    return np.where(np.isnan(report.evidence.values), np.nan, report.evidence.threshold_log10)


def _severity(severity: Severity | None) -> float:
    """Return the number of a severity; alerts fire from 2."""
    return 0.0 if severity is None else 1.0 + SEVERITIES.index(severity)


REPORT_GAUGES: Final = (
    *(_column_gauge(statistic) for statistic in COLUMN_STATISTICS if statistic.gauge),
    _columns(
        "model_feature_chi_squared_ratio",
        "Pearson's chi-squared statistic of the window's bins against the reference's, by its degrees of freedom: 1 by "
        "chance.",
        lambda window: window.significance.chi_squared / window.significance.degrees,
    ),
    ReportGauge(
        "model_feature_psi_threshold",
        "Noise-corrected PSI at which a change is large: the setting, or the expected range where that is higher. "
        "Absent where another statistic judges the column.",
        (FEATURE, "window", "severity"),
        _thresholds,
    ),
    ReportGauge(
        "model_feature_missing_ratio_threshold",
        "Missing ratio above which an alert fires: the reference's own plus the setting.",
        (FEATURE, "severity"),
        _limits(MISSING, "missing"),
    ),
    ReportGauge(
        "model_feature_unseen_ratio_threshold",
        "Unseen ratio above which an alert fires: the expected ratio plus the setting.",
        (FEATURE, "severity"),
        _limits(UNSEEN, "unseen"),
    ),
    ReportGauge(
        "model_feature_correlation_change_z",
        "Largest change of the column's correlation with another column, in standard errors (main window). The two "
        "columns at the top are the pair that changed most.",
        (FEATURE,),
        _correlation_changes,
    ),
    ReportGauge(
        "model_correlation_change_z",
        "Largest change of the correlation between two columns, in standard errors (main window). For inspection "
        "only; it does not affect alerts.",
        (),
        lambda report: math.nan if report.correlation is None else abs(report.correlation.z),
    ),
    ReportGauge(
        "model_feature_value",
        "Statistics of the finite values of a column in the main window, by stat.",
        (FEATURE, "stat"),
        _feature_values,
    ),
    ReportGauge(
        "model_feature_reference_mean",
        "Mean of a column in the reference.",
        (FEATURE,),
        lambda report: report.baseline.numbers("mean"),
    ),
    ReportGauge(
        "model_feature_reference_std",
        "Population standard deviation of a column in the reference.",
        (FEATURE,),
        lambda report: report.baseline.numbers("std"),
    ),
    ReportGauge(
        "model_feature_evidence_log10",
        "Evidence that the column's rows differ from the reference, as a decimal logarithm; 0 is no evidence.",
        (FEATURE,),
        lambda report: report.evidence.log10,
    ),
    ReportGauge(
        "model_feature_evidence_threshold_log10",
        "Evidence at which a column's drift is significant, as a decimal logarithm. The false-alarm budget sets it.",
        (FEATURE,),
        _evidence_threshold,
    ),
    ReportGauge(
        "model_feature_autocorrelation_rows",
        "Autocorrelation time: number of consecutive rows equivalent to one independent row. `reference` is absent if "
        "the baseline was built without --time, `live` if it is by hour of the day.",
        (FEATURE, "origin"),
        _autocorrelation,
    ),
    ReportGauge(
        "model_feature_drift_severity",
        "Severity of a column's drift: 0 none, 1 info, 2 warning, 3 critical. Alerts fire from 2.",
        (FEATURE,),
        lambda report: _optional(_severity(verdict.severity) for verdict in report.verdicts),
    ),
    ReportGauge(
        "model_feature_drift_since_timestamp_seconds",
        "When the column's change became significant, on the monitor's clock. Absent without a significant change.",
        (FEATURE,),
        lambda report: _optional(verdict.since for verdict in report.verdicts),
    ),
    ReportGauge(
        "model_drift_severity",
        "Severity of the model's drift: 0 none, 1 info, 2 warning, 3 critical. Alerts fire from 2.",
        (),
        lambda report: _severity(report.severity),
    ),
    ReportGauge(
        "model_drift_score",
        "Largest change of all columns, in units of its threshold for a warning. From 1 it is large, significant "
        "or not.",
        (),
        lambda report: report.drift_score,
    ),
    ReportGauge(
        "model_drifted_features", "Features with status drift_detected.", (), lambda report: len(report.drifted)
    ),
    ReportGauge(
        "model_evaluated_features",
        "Columns with enough rows for a verdict.",
        (),
        lambda report: sum(verdict.status is not Status.INSUFFICIENT_DATA for verdict in report.verdicts),
    ),
    _windows("model_window_rows", "Rows in the window.", lambda window: window.rows),
    _windows(
        "model_window_capacity_rows", "Rows that the sliding window holds when full.", lambda window: window.capacity
    ),
    _windows(
        "model_window_required_rows",
        "Rows that the window needs to judge the size of a change, or 10 for each bin of a column if more.",
        lambda window: None if window.capacity is None else JUDGED_ROWS,
    ),
    _windows(
        "model_window_span_seconds",
        "Time that a time window covers.",
        lambda window: window.seconds,
    ),
    ReportGauge(
        "model_window_max_age_seconds",
        "Time after which a row is dropped from the sliding windows.",
        (),
        lambda report: report.policy.max_age_seconds,
    ),
)
SHARE_GAUGES: Final = (
    ShareGauge(
        "model_feature_moved_ratio",
        "Share of the window's rows that explains most of a column's significant change; rows says which. Absent where "
        "the mean explains more.",
        lambda share: share.ratio,
    ),
    ShareGauge(
        "model_feature_moved_reference_ratio",
        "Share of the reference's rows to compare with model_feature_moved_ratio.",
        lambda share: share.reference_ratio,
    ),
)
