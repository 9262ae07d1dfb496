"""Alerts on releases: a new version is worse than the one before, or a shadow version misses rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from driftgauge.alerting.alerts.alert import Alert
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.scope import Scope
from driftgauge.alerting.templates import MODEL
from driftgauge.drift.verdict.rule import LIMITS
from driftgauge.metrics.series import SHADOW_DROPPED

MEASURES: Final = (
    ("latency", "model_release_latency_change_ratio", "takes {} longer for a prediction than the version before."),
    ("errors", "model_release_error_change_ratio", "fails on {} more rows than the version before."),
)
"""The label of the alert, its metric, and what its description says."""


def release_alerts(options: MonitoringOptions) -> Iterator[Alert]:
    """Yield the alerts on versions that are worse than the one before, and on shadows."""
    scope, window = Scope(options.by), options.window
    for severity in LIMITS:
        limit = f'last_over_time(model_release_change_threshold_ratio{{severity="{severity}"}}[{window}])'
        for measure, metric, what in MEASURES:
            yield Alert(
                "ModelReleaseWorse",
                severity,
                f"max by ({scope.model()}) (min_over_time({metric}[{window}]))\n  > max by ({scope.model()}) ({limit})",
                options.hold,
                "A new version is slower than the one before, or fails more.",
                f"{MODEL} " + what.format("{{ $value | humanizePercentage }}"),
                keeps=("model_name", "model_version"),
                labels={"measure": measure},
            )
    yield _shadow(options)


def _shadow(options: MonitoringOptions) -> Alert:
    """Return the alert on rows that a shadow does not predict; a short peak of traffic raises none."""
    scope = Scope(options.by)
    return Alert(
        "ModelShadowRowsDropped",
        "warning",
        f"sum by ({scope.model('reason')}) (increase({SHADOW_DROPPED.name}[5m])) > 0",
        options.hold,
        "A shadow version misses rows.",
        f"About {{{{ $value | humanize }}}} rows in the last 5m were not predicted by the shadow {MODEL} "
        "({{ $labels.reason }}). The live version has answered them.",
        keeps=("model_name", "model_version"),
    )
