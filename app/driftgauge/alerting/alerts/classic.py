"""The alerts of a widely copied home-grown monitor, under their names, repaired so that they work.

Their limits are numbers in the rules, as they are printed. `driftgauge monitoring render --preset classic` adds them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from driftgauge.alerting.alerts.alert import FEATURE, GROUND_TRUTH, Alert
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.scope import Scope
from driftgauge.alerting.templates import MODEL

LATENCY_SECONDS: Final = "1"
SCORE_SHIFT: Final = "0.1"
STANDARD_DEVIATIONS: Final = "2"
ACCURACY_DROP: Final = "0.05"
GRADUAL_PSI: Final = "0.15"
SCORE_MIDDLE: Final = "0.5"
SCORE_DISTANCE: Final = "0.2"
OF_MODEL: Final = ("model_name", "model_version")
OF_FEATURE: Final = (*OF_MODEL, "feature_name")


def classic_alerts(options: MonitoringOptions) -> Iterator[Alert]:
    """Yield the alerts, all of them over the replicas of a deployment."""
    scope = Scope(options.by)
    yield _latency(scope)
    yield from _scores(scope)
    yield _feature(options, scope)
    yield _accuracy(scope)
    yield _gradual(scope)


def _latency(scope: Scope) -> Alert:
    bucket = "rate(model_prediction_latency_seconds_bucket[5m])"
    return Alert(
        "ModelLatencyHigh",
        "warning",
        f"histogram_quantile(0.95, sum by ({scope.model('batch_size_bucket', 'le')}) ({bucket})) > {LATENCY_SECONDS}",
        "5m",
        "Predictions take longer than a second.",
        "The 95th percentile of latency is {{ $value | humanizeDuration }} for {{ $labels.batch_size_bucket }} "
        f"requests to {MODEL}.",
        keeps=OF_MODEL,
    )


def _scores(scope: Scope) -> Iterator[Alert]:
    """Yield the alerts on the mean score. A histogram has no series under its bare name, so sums are divided."""
    yield Alert(
        "PredictionDrift",
        "warning",
        f"abs(\n  {_mean_score(scope, '1h')}\n  - {_mean_score(scope, '24h')}\n) > {SCORE_SHIFT}",
        "15m",
        "The mean score has moved within a day.",
        f"The mean score of {MODEL} in the last hour is {{{{ $value | printf `%.2f` }}}} away from that of the "
        "last day.",
        keeps=OF_MODEL,
    )
    yield Alert(
        "PredictionDistributionAnomaly",
        "warning",
        f"abs(\n  {_mean_score(scope, '5m')}\n  - {SCORE_MIDDLE}\n) > {SCORE_DISTANCE}",
        "2h",
        "The mean score is far from one half.",
        f"The mean score of {MODEL} is {{{{ $value | printf `%.2f` }}}} away from {SCORE_MIDDLE}.",
        keeps=OF_MODEL,
    )


def _mean_score(scope: Scope, window: str) -> str:
    total, count = (
        f"sum by ({scope.model()}) (increase(model_prediction_score_{part}[{window}]))" for part in ("sum", "count")
    )
    return f"{total} / {count}"


def _feature(options: MonitoringOptions, scope: Scope) -> Alert:
    """Return the alert on the mean of a feature: only the mean has the label `stat`, which the match leaves out."""
    mean, expected, deviation = (
        f"last_over_time({series}[{options.window}])"
        for series in (
            'model_feature_value{stat="mean"}',
            "model_feature_reference_mean",
            "model_feature_reference_std",
        )
    )
    return Alert(
        "FeatureDrift",
        "warning",
        f"max by ({scope.feature()}) (\n"
        f"  abs({mean} - ignoring (stat) {expected})\n"
        f"  / ignoring (stat) ({deviation} > 0)\n"
        f"  {scope.answering(options.window)}\n"
        f") > {STANDARD_DEVIATIONS}",
        "30m",
        f"The mean of {{{{ $labels.feature_name }}}} of {MODEL} has moved.",
        f"It is {{{{ $value | printf `%.1f` }}}} standard deviations away from that of the reference of {MODEL}.",
        dashboard=FEATURE,
        keeps=OF_FEATURE,
    )


def _accuracy(scope: Scope) -> Alert:
    """Return the alert on accuracy: each of the two averages has a range of its own, because a quotient has none."""
    return Alert(
        "ModelPerformanceDegradation",
        "critical",
        f"max by ({scope.model()}) (\n"
        f"  1 - avg_over_time(model_accuracy[1h]) / avg_over_time(model_accuracy[24h])\n"
        f") > {ACCURACY_DROP}",
        "30m",
        "The model has become less accurate within a day.",
        f"The accuracy of {MODEL} in the last hour is {{{{ $value | humanizePercentage }}}} below that of the "
        "last day.",
        dashboard=GROUND_TRUTH,
        keeps=OF_MODEL,
    )


def _gradual(scope: Scope) -> Alert:
    """Return the alert on slow drift, on a series that the preset records."""
    return Alert(
        "GradualDataDrift",
        "warning",
        f"max by ({scope.feature()}) (avg_over_time(feature_psi_score[7d])) > {GRADUAL_PSI}",
        "1d",
        f"{{{{ $labels.feature_name }}}} of {MODEL} drifts slowly.",
        f"Its PSI of the last seven days is {{{{ $value | printf `%.2f` }}}} on average. Other alerts on {MODEL} say "
        "whether the change is significant.",
        dashboard=FEATURE,
        keeps=OF_FEATURE,
    )
