"""The alert on the share of rows that are unlike the reference."""

from __future__ import annotations

from collections.abc import Iterator

from driftgauge.alerting.alerts.alert import Alert
from driftgauge.alerting.alerts.shares import above_limit
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.scope import Scope
from driftgauge.alerting.templates import MODEL


def outlier_alerts(options: MonitoringOptions) -> Iterator[Alert]:
    """Yield the alert on a share of outliers above the limit of the settings, in sliding windows with enough rows."""
    labels = Scope(options.by).model
    yield Alert(
        "ModelOutlierRatioHigh",
        "warning",
        above_limit("model_outlier_ratio", "model_outlier_threshold_ratio", options, labels),
        options.hold,
        f"Many rows of {MODEL} are outliers.",
        f"{{{{ $value | humanizePercentage }}}} of the newest rows of {MODEL} are unlike the reference, more than "
        "outlier_threshold_ratio allows. Its predictions for them are guesses.",
        keeps=("model_name", "model_version"),
    )
