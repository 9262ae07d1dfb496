"""The alerts of the preset `two-minutes`: fixed limits on the rows of the last two minutes."""

from __future__ import annotations

from collections.abc import Iterator

from driftgauge.alerting.alerts.alert import FEATURE, Alert
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.scope import Scope
from driftgauge.alerting.templates import MODEL


def two_minute_alerts(options: MonitoringOptions) -> Iterator[Alert]:
    """Yield the alerts, which fire at once, as the rule does; the server has the series with the same preset."""
    scope, window = Scope(options.by), options.window
    limit = "last_over_time(model_recent_{}_threshold_ratio[" + window + "])"
    yield Alert(
        "ModelTwoMinuteOutliers",
        "warning",
        f"max by ({scope.model()}) (\n"
        f"  last_over_time(model_recent_outlier_ratio[{window}])\n"
        f"  > on ({scope.model('instance')}) {limit.format('outlier')}\n"
        f"  {scope.answering(window)}\n"
        f")",
        "",
        "Many rows of the last two minutes are outliers.",
        f"{{{{ $value | humanizePercentage }}}} of the rows of {MODEL} are outliers.",
        keeps=("model_name", "model_version"),
    )
    yield Alert(
        "ModelTwoMinuteMean",
        "warning",
        f"max by ({scope.feature()}) (\n"
        f"  last_over_time(model_feature_recent_mean_deviation_ratio[{window}])\n"
        f"  > on ({scope.model('instance')}) group_left () {limit.format('mean_deviation')}\n"
        f"  {scope.answering(window)}\n"
        f")",
        "",
        f"The mean of {{{{ $labels.feature_name }}}} of {MODEL} has moved within two minutes.",
        f"It is {{{{ $value | humanizePercentage }}}} off the mean of the training of {MODEL}.",
        dashboard=FEATURE,
        keeps=("model_name", "model_version", "feature_name"),
    )
