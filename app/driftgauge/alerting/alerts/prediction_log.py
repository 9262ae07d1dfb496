"""Alerts on the prediction log: predictions that are not logged, a damaged database, a disk that is nearly full."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from driftgauge.alerting.alerts.alert import Alert
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.scope import Scope
from driftgauge.alerting.templates import MODEL
from driftgauge.errors import LOG_DROPS, Reason
from driftgauge.metrics.series import LOG_DROPPED

INTENDED: Final = (Reason.NOT_SAMPLED, Reason.PREDICTION_ID_REPEATED)
"""Reasons that are the operator's or the caller's own choice."""


def prediction_log_alerts(options: MonitoringOptions) -> Iterator[Alert]:
    """Yield the alerts on the prediction log."""
    scope = Scope(options.by)
    yield _not_logged(scope)
    yield _disk(options, scope)
    yield _damaged(options, scope)


def _not_logged(scope: Scope) -> Alert:
    reasons = "|".join(reason for reason in LOG_DROPS if reason not in INTENDED)
    return Alert(
        "ModelPredictionsNotLogged",
        "warning",
        f'sum by ({scope.model("reason")}) (increase({LOG_DROPPED.name}{{reason=~"{reasons}"}}[5m])) > 0',
        "",
        "Predictions are missing from the prediction log.",
        f"About {{{{ $value | humanize }}}} predictions of {MODEL} were answered in the last 5m but not logged "
        "({{ $labels.reason }}). Their labels will be orphans.",
        keeps=("model_name", "model_version"),
    )


def _disk(options: MonitoringOptions, scope: Scope) -> Alert:
    server, window = scope.job("instance"), options.window
    return Alert(
        "DriftgaugeDiskNearlyFull",
        "warning",
        f"max by ({server}) (max_over_time(prediction_log_disk_free_bytes[{window}]))\n"
        f"  < max by ({server}) (last_over_time(prediction_log_disk_free_threshold_bytes[{window}]))",
        options.hold,
        "The disk of the prediction log is nearly full.",
        "{{ $labels.instance }} has {{ $value | humanize1024 }}B of disk left. At half of the threshold "
        "(prediction_log_disk_free_threshold_bytes) predictions are no longer logged; they are still answered.",
        keeps=("instance",),
    )


def _damaged(options: MonitoringOptions, scope: Scope) -> Alert:
    return Alert(
        "DriftgaugePredictionLogDamaged",
        "warning",
        f"max by ({scope.job('instance')}) (max_over_time(prediction_log_damaged_files[{options.window}])) > 0",
        "",
        "A database of the prediction log is damaged.",
        "{{ $labels.instance }} goes on with its prediction log in a new file (damaged so far: {{ $value }}). "
        "Predictions and labels in a damaged file are not read any more.",
        keeps=("instance",),
    )
