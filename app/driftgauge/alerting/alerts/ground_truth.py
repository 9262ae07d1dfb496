"""Alerts on ground truth: labels that no longer come, and predictions or business outcomes that are worse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from driftgauge.alerting.alerts.alert import GROUND_TRUTH, Alert
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.scope import Scope
from driftgauge.alerting.templates import MODEL
from driftgauge.drift.verdict.rule import LIMITS, SEVERITIES, Limit
from driftgauge.metrics.series import PREDICTIONS

TRAFFIC: Final = "1d"
"""Range in which there must be predictions."""


def ground_truth_alerts(options: MonitoringOptions) -> Iterator[Alert]:
    """Yield the alerts on ground truth."""
    scope = Scope(options.by)
    yield _missing(options, scope)
    for severity in LIMITS:
        yield _degraded(options, scope, severity)
    for severity in LIMITS:
        yield _outcome(options, scope, severity)


def _degraded(options: MonitoringOptions, scope: Scope, severity: Limit) -> Alert:
    """Return the alert on performance of at least a severity, by the replica that evaluated last.

    Replicas with a log of their own each judge their own predictions; the worst counts.
    """
    level = 1 + SEVERITIES.index(severity)
    return Alert(
        "ModelPerformanceDegraded",
        severity,
        f"max by ({scope.model()}) (min_over_time(model_performance_severity[{options.window}])) >= {level}",
        options.hold,
        f"The predictions of {MODEL} have become worse.",
        f"On matured predictions of {MODEL} with ground truth a metric has dropped significantly against its "
        "held-out value, or is beyond its floor.",
        dashboard=GROUND_TRUTH,
        keeps=("model_name", "model_version"),
    )


def _outcome(options: MonitoringOptions, scope: Scope, severity: Limit) -> Alert:
    """Return the alert on a business outcome of at least a severity; the worst of all replicas counts."""
    level = SEVERITIES.index(severity)
    outcome = scope.model("outcome_name")
    return Alert(
        "ModelOutcomeBeyondLimit",
        severity,
        f"max by ({outcome}) (min_over_time(model_outcome_severity[{options.window}])) >= {level}",
        options.hold,
        f"A business outcome of {MODEL} is beyond its limit.",
        f"The outcome {{{{ $labels.outcome_name }}}} of matured predictions of {MODEL} is beyond its limit with its "
        "whole 95 % interval.",
        dashboard=GROUND_TRUTH,
        keeps=("model_name", "model_version"),
    )


def _missing(options: MonitoringOptions, scope: Scope) -> Alert:
    """Return the alert on labels that no longer come; the newest of all replicas counts."""
    model, window = scope.model(), options.window
    return Alert(
        "ModelLabelsMissing",
        "warning",
        f"time() - max by ({model}) (last_over_time(model_label_timestamp_seconds[{window}]))\n"
        f"  > max by ({model}) (last_over_time(model_label_age_threshold_seconds[{window}]))\n"
        f"  and on ({model}) sum by ({model}) (increase({PREDICTIONS.name}[{TRAFFIC}])) > 0",
        options.hold,
        "Ground truth has stopped coming in.",
        f"The newest label of {MODEL} arrived {{{{ $value | humanizeDuration }}}} ago. Newer predictions cannot be "
        "judged by their labels.",
        dashboard=GROUND_TRUTH,
        keeps=("model_name", "model_version"),
    )
