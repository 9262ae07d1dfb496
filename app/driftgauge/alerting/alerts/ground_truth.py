"""Alerts on ground truth: labels that no longer come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from driftgauge.alerting.alerts.alert import Alert
from driftgauge.alerting.alerts.templates import MODEL
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.scope import Scope
from driftgauge.metrics.series import PREDICTIONS

TRAFFIC: Final = "1d"
"""Range in which there must be predictions."""


def ground_truth_alerts(options: MonitoringOptions) -> Iterator[Alert]:
    """Yield the alerts on ground truth."""
    yield _missing(options, Scope(options.by))


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
        keeps=("model_name", "model_version"),
    )
