"""Gauges of a monitor itself and of its ground truth, rather than of its report."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from driftgauge.drift.performance.estimated import ESTIMATED_METRICS, EstimatedMetric
from driftgauge.drift.performance.outcomes import SEVERITIES, Limits, OutcomeLimits, OutcomeReport
from driftgauge.metrics.alias_gauges import ALIAS_GAUGES
from driftgauge.metrics.attribution_gauges import ATTRIBUTION_GAUGES
from driftgauge.metrics.facts import LabelFacts, MonitorFacts
from driftgauge.metrics.gauges import Numbers
from driftgauge.metrics.gradual_gauges import GRADUAL_GAUGES
from driftgauge.metrics.ingest_gauges import INGEST_GAUGES
from driftgauge.metrics.monitor_gauge import MonitorGauge
from driftgauge.metrics.outlier_gauges import OUTLIER_GAUGES
from driftgauge.metrics.release_gauges import RELEASE_GAUGES
from driftgauge.metrics.rolling_gauges import ROLLING_GAUGES
from driftgauge.metrics.size_gauges import SIZE_GAUGES
from driftgauge.metrics.stream_gauges import STREAM_GAUGES
from driftgauge.metrics.two_minute_gauges import TWO_MINUTE_GAUGES
from driftgauge.metrics.whole_row_gauges import WHOLE_ROW_GAUGES


def _of_labels(name: str, help: str, value: Callable[[LabelFacts], float | None]) -> MonitorGauge:
    """Declare a gauge of the labels that came in; it is absent without a value."""

    def values(facts: MonitorFacts) -> float:
        found = None if facts.labels is None else value(facts.labels)
        return math.nan if found is None else found

    return MonitorGauge(name, help, (), values, of_monitoring=False, of_labels=True)


OUTCOME: Final = "outcome_name"
QUEUE_LIMIT: Final = "limit"
QUEUE_LIMITS: Final = ("requests", "rows")
"""What may wait for a model, in the order of `MonitorFacts.queue`."""


def _of_outcomes(name: str, help: str, value: Callable[[OutcomeReport], float]) -> MonitorGauge:
    """Declare a gauge of each business outcome that the settings name."""

    def values(facts: MonitorFacts) -> Numbers:
        known = {} if facts.labels is None else facts.labels.outcomes
        return np.array([value(report) for report in known.values()], dtype=np.float64)

    return MonitorGauge(name, help, (OUTCOME,), values, of_monitoring=False, of_labels=True)


def _of_outcome_limits(name: str, help: str, limits: Callable[[OutcomeLimits], Limits | None]) -> MonitorGauge:
    """Declare the gauge of a limit of outcomes; it is absent for an outcome without it."""

    def values(facts: MonitorFacts) -> Numbers:
        known = {} if facts.labels is None else facts.labels.outcomes
        found = [limits(report.rule.limits) or (math.nan, math.nan) for report in known.values()]
        return np.array(found, dtype=np.float64).reshape(len(found), 2)

    return MonitorGauge(name, help, (OUTCOME, "severity"), values, of_monitoring=False, of_labels=True)


_SEVERITIES: Final = {status: float(number) for number, status in enumerate(SEVERITIES)}
_MATURE: Final = "Of the newest mature predictions."
_OUTCOME_GAUGES: Final = (
    _of_outcomes(
        "model_outcome_mean",
        f"Mean of a business outcome; for an event its rate. {_MATURE}",
        lambda report: report.estimate.value,
    ),
    _of_outcomes(
        "model_outcome_mean_lower",
        f"Lower end of the 95 % interval of a business outcome's mean, in which `model_outcome_tau` predictions count "
        f"as one. {_MATURE}",
        lambda report: report.estimate.lower,
    ),
    _of_outcomes(
        "model_outcome_mean_upper",
        f"Upper end of the 95 % interval of a business outcome's mean, in which `model_outcome_tau` predictions count "
        f"as one. {_MATURE}",
        lambda report: report.estimate.upper,
    ),
    _of_outcomes(
        "model_outcome_tau",
        "Autocorrelation time of a business outcome: predictions that carry the information of one independent "
        f"prediction; 1 where it is not known. {_MATURE}",
        lambda report: report.tau,
    ),
    _of_outcomes(
        "model_outcome_rows", f"Predictions that a business outcome's mean is of. {_MATURE}", lambda report: report.rows
    ),
    _of_outcomes(
        "model_outcome_severity",
        "Verdict on a business outcome: 0 normal, 1 warning, 2 critical; absent with too few rows.",
        lambda report: _SEVERITIES.get(report.status, math.nan),
    ),
    _of_outcome_limits(
        "model_outcome_threshold_below",
        "Value below which the whole interval of a business outcome's mean raises an alert.",
        lambda limits: limits.below,
    ),
    _of_outcome_limits(
        "model_outcome_threshold_above",
        "Value above which the whole interval of a business outcome's mean raises an alert.",
        lambda limits: limits.above,
    ),
)
_LABEL_GAUGES: Final = (
    *_OUTCOME_GAUGES,
    _of_labels("model_labels_waiting", "Labels whose predictions are not logged yet.", lambda labels: labels.waiting),
    _of_labels(
        "model_label_timestamp_seconds",
        "Time of arrival of the newest label or outcome; absent before the first.",
        lambda labels: labels.last_received,
    ),
    _of_labels(
        "model_label_age_threshold_seconds",
        "Time without labels after which they count as missing.",
        lambda labels: labels.missing_seconds,
    ),
)


def _of_estimates(metric: EstimatedMetric) -> MonitorGauge:
    """Declare the gauge of an estimated metric; a window without an estimate is left out."""

    def values(facts: MonitorFacts) -> Numbers:
        windows = facts.report.windows if facts.report else ()
        return np.array([facts.estimated.get(window, {}).get(metric.name, math.nan) for window in windows])

    return MonitorGauge(metric.gauge, metric.help, ("window",), values)


MONITOR_GAUGES: Final = (
    *map(_of_estimates, ESTIMATED_METRICS),
    *_LABEL_GAUGES,
    MonitorGauge(
        "model_evaluation_timestamp_seconds",
        "Time of the last evaluation on the server's clock.",
        (),
        lambda facts: facts.evaluated_at,
    ),
    MonitorGauge(
        "model_evaluation_age_threshold_seconds",
        "Time after which the last evaluation counts as stale.",
        (),
        lambda facts: facts.limits.evaluation_age_seconds,
    ),
    MonitorGauge(
        "model_evaluation_duration_seconds",
        "CPU time of the last evaluation.",
        (),
        lambda facts: facts.evaluation_seconds,
    ),
    MonitorGauge(
        "model_prediction_latency_threshold_seconds",
        "Time above which the 95th percentile of the prediction latency raises an alert.",
        ("severity",),
        lambda facts: np.array(facts.limits.latency_seconds),
        of_monitoring=False,
    ),
    MonitorGauge(
        "model_prediction_latency_rise_threshold_ratio",
        "Increase of the 95th percentile of the prediction latency over its past that raises an alert: 0.5 is 50 %.",
        ("severity",),
        lambda facts: np.array(facts.limits.latency_rise),
        of_monitoring=False,
    ),
    MonitorGauge(
        "model_queue_used_ratio",
        "Share of the requests (`max_queued_requests`) and of the rows (`max_queued_rows`) that may wait for the model "
        "which do, in all workers, within the last second. At 1 requests are rejected.",
        (QUEUE_LIMIT,),
        lambda facts: np.array(facts.queue),
        of_monitoring=False,
        applies=lambda facts: facts.queue is not None,
    ),
    MonitorGauge(
        "model_state_persistent",
        "1 if windows and counters are kept in files, 0 if a restart of this worker would lose them.",
        (),
        lambda facts: facts.persistent,
        of_monitoring=False,
    ),
    MonitorGauge(
        "model_monitoring_healthy",
        "1 if monitoring works, 0 if it has a problem (see /drift/status).",
        (),
        lambda facts: facts.healthy,
    ),
    MonitorGauge(
        "model_client_rows_ratio",
        "Share of the newest rows, as many as the main window holds, that a token sent; of the ten with the most rows.",
        ("client",),
        lambda facts: np.array(list(facts.clients.values()), dtype=np.float64),
    ),
    *RELEASE_GAUGES,
    *ALIAS_GAUGES,
    *GRADUAL_GAUGES,
    *ROLLING_GAUGES,
    *INGEST_GAUGES,
    *STREAM_GAUGES,
    *OUTLIER_GAUGES,
    *SIZE_GAUGES,
    *TWO_MINUTE_GAUGES,
    *WHOLE_ROW_GAUGES,
    *ATTRIBUTION_GAUGES,
)
