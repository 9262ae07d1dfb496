"""Gauges of performance, which ground truth gives."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from driftgauge.drift.performance.intervals import Estimate
from driftgauge.drift.performance.metrics import PERFORMANCE_METRICS, PerformanceMetric
from driftgauge.drift.performance.report import PerformanceReport, WindowPerformance
from driftgauge.drift.verdict.rule import LIMITS, SEVERITIES
from driftgauge.metrics.series import Kind, Labels

Sample = tuple[tuple[str, ...], float]
"""Values of the labels, and the number."""
Part = Literal["value", "lower", "upper"]
_PARTS: Final[tuple[tuple[Part, str, str], ...]] = (
    ("value", "", ""),
    ("lower", "_lower", " Lower end of its 95 % interval, in which `model_error_tau` rows count as one."),
    ("upper", "_upper", " Upper end of its 95 % interval, in which `model_error_tau` rows count as one."),
)
_MATURED: Final = "On matured predictions with ground truth."
MOST_CLASSES: Final = 50
"""Classes whose recall is exposed."""


@dataclass(frozen=True)
class PerformanceGauge:
    """A gauge read from a performance report; `labels` come after `model_name` and `model_version`."""

    name: str
    help: str
    labels: Labels
    samples: Callable[[PerformanceReport], list[Sample]]
    """Those that are NaN are left out."""
    type: ClassVar[Kind] = "gauge"


def _part(estimate: Estimate | None, part: Part) -> float:
    return math.nan if estimate is None else float(getattr(estimate, part))


def _words(metric: PerformanceMetric) -> str:
    return f"{metric.title}: {metric.help[0].lower()}{metric.help[1:]}"


def _of_metric(metric: PerformanceMetric, part: Part, suffix: str, words: str) -> PerformanceGauge:
    def samples(report: PerformanceReport) -> list[Sample]:
        return [((name,), _part(own.metrics.get(metric.name), part)) for name, own in report.windows.items()]

    return PerformanceGauge(f"{metric.gauge_name}{suffix}", f"{_words(metric)} {_MATURED}{words}", ("window",), samples)


def _of_segments(metric: PerformanceMetric, part: Part, suffix: str, words: str) -> PerformanceGauge:
    def samples(report: PerformanceReport) -> list[Sample]:
        return [(own.segment, _part(own.metrics.get(metric.name), part)) for own in report.segments]

    name = metric.gauge_name.replace("model_", "model_segment_", 1)
    text = f"{_words(metric)} By segment, of those with the most rows.{words}"
    return PerformanceGauge(f"{name}{suffix}", text, ("segment", "segment_value"), samples)


def _recall(part: Part, suffix: str, words: str) -> PerformanceGauge:
    def samples(report: PerformanceReport) -> list[Sample]:
        found = zip(report.classes[:MOST_CLASSES], report.main_window.recalls, strict=False)
        return [((name,), _part(own, part)) for name, own in found]

    return PerformanceGauge(
        f"model_class_recall{suffix}",
        f"Recall of a class: the share of its rows that were predicted as it (main window).{words}",
        ("class",),
        samples,
    )


def _windows(name: str, help: str, value: Callable[[WindowPerformance], float]) -> PerformanceGauge:
    return PerformanceGauge(
        name, help, ("window",), lambda report: [((window,), value(own)) for window, own in report.windows.items()]
    )


def _model(name: str, help: str, value: Callable[[PerformanceReport], float | None]) -> PerformanceGauge:
    def samples(report: PerformanceReport) -> list[Sample]:
        found = value(report)
        return [((), math.nan if found is None else found)]

    return PerformanceGauge(name, help, (), samples)


def _held_out(report: PerformanceReport) -> list[Sample]:
    verdicts = report.main_window.verdict.metrics
    return [((own.name,), math.nan if own.held_out is None else own.held_out) for own in verdicts]


def _drops(report: PerformanceReport) -> list[Sample]:
    return [
        ((verdict.name, name), verdict.drop) for name, own in report.windows.items() for verdict in own.verdict.metrics
    ]


def _floors(report: PerformanceReport) -> list[Sample]:
    verdicts = report.main_window.verdict.metrics
    return [((own.name,), math.nan if own.limit is None else own.limit) for own in verdicts]


def _severity(report: PerformanceReport) -> float:
    return 0.0 if report.severity is None else 1.0 + SEVERITIES.index(report.severity)


def _label_severity(report: PerformanceReport) -> float | None:
    if report.label_drift is None:
        return None
    severity = report.label_drift.severity
    return 0.0 if severity is None else 1.0 + SEVERITIES.index(severity)


_BY_METRIC: Final = tuple(
    gauge
    for metric in PERFORMANCE_METRICS
    for gauge in (
        *(_of_metric(metric, *part) for part in _PARTS),
        *(_of_segments(metric, *part) for part in _PARTS if metric.is_judged),
    )
)
PERFORMANCE_GAUGES: Final = (
    *_BY_METRIC,
    *(_recall(*part) for part in _PARTS),
    PerformanceGauge(
        "model_performance_held_out", "Value of a metric on the bundle's held-out rows.", ("metric",), _held_out
    ),
    PerformanceGauge(
        "model_performance_drop_ratio",
        "Increase for the worse of a metric against held-out rows, relative to them; negative if it is better.",
        ("metric", "window"),
        _drops,
    ),
    PerformanceGauge(
        "model_performance_drop_threshold_ratio",
        "Increase for the worse from which a significant one is reported.",
        ("severity",),
        lambda report: [((own,), report.policy.drop_thresholds[i]) for i, own in enumerate(LIMITS)],
    ),
    PerformanceGauge(
        "model_performance_floor",
        "Value that a metric should not fall below, or not exceed where lower is better (`performance_floors`).",
        ("metric",),
        _floors,
    ),
    _model(
        "model_performance_severity",
        "Severity of worse performance: 0 none, 2 warning, 3 critical. Alerts fire from 2.",
        _severity,
    ),
    _windows(
        "model_labelled_rows",
        "Matured predictions with ground truth in the window.",
        lambda own: own.cohort.rows,
    ),
    _model(
        "model_labelled_rows_required",
        "Predictions with ground truth from which performance is judged.",
        lambda report: report.policy.required_rows,
    ),
    _windows(
        "model_label_coverage_ratio",
        "Share of the window's matured predictions that have ground truth.",
        lambda own: own.cohort.coverage,
    ),
    _windows(
        "model_label_mean_lag_seconds",
        "Mean time from a prediction until its label became known.",
        lambda own: own.cohort.mean_lag_seconds,
    ),
    _model(
        "model_matured_timestamp_seconds",
        "Time of the end of the newest matured cohort: predictions before it are counted.",
        lambda report: report.matured_until,
    ),
    _model(
        "model_performance_timestamp_seconds",
        "Time of the last evaluation of ground truth.",
        lambda report: report.at,
    ),
    _model(
        "model_error_evidence_log10",
        "Evidence that the model's errors have changed (concept drift), as a decimal logarithm.",
        lambda report: None if report.errors is None else report.errors.log10,
    ),
    _model(
        "model_error_evidence_threshold_log10",
        "Evidence at which a change of the errors is significant, as a decimal logarithm.",
        lambda report: None if report.errors is None else report.errors.threshold_log10,
    ),
    _model(
        "model_error_tau",
        "Autocorrelation time of the model's errors: rows that carry the information of one independent row; 1 where "
        "it is not known.",
        lambda report: report.tau,
    ),
    _model(
        "model_label_psi_debiased",
        "Noise-corrected PSI of the labels of the main window against the target of the reference.",
        lambda report: None if report.label_drift is None else report.label_drift.psi_debiased,
    ),
    PerformanceGauge(
        "model_label_psi_threshold",
        "Noise-corrected PSI at which the change of the labels is large.",
        ("severity",),
        lambda report: (
            []
            if report.label_drift is None
            else [((own,), report.label_drift.thresholds[i]) for i, own in enumerate(LIMITS)]
        ),
    ),
    _model(
        "model_label_drift_severity",
        "Severity of the change of the labels: 0 none, 1 info, 2 warning, 3 critical.",
        _label_severity,
    ),
)
