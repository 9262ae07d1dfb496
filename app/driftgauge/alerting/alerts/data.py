"""Alerts on the data: missing and unseen values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from driftgauge.alerting.alerts.alert import FEATURE, Alert
from driftgauge.alerting.alerts.shares import above_limit
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.scope import Scope
from driftgauge.alerting.templates import MODEL, asked
from driftgauge.drift.verdict.rule import LIMITS, Limit

KINDS: Final = (
    (
        "ModelMissingValues",
        "model_feature_missing_ratio",
        "has more missing values than the reference.",
        "have no value",
    ),
    (
        "ModelUnseenCategories",
        "model_feature_unseen_ratio",
        "has values that the reference does not have.",
        "have a value that the reference does not have",
    ),
)
"""Name of the alert, its metric, and what its summary and its description say of feature and rows."""


def data_alerts(options: MonitoringOptions) -> Iterator[Alert]:
    """Yield the alerts on values that are missing, or that the reference does not have."""
    for severity in LIMITS:
        for name, metric, has, have in KINDS:
            yield Alert(
                name,
                severity,
                _expr(options, metric, severity),
                options.hold,
                f"{{{{ $labels.feature_name }}}} of {MODEL} {has}",
                f"{{{{ $value | humanizePercentage }}}} of rows {have}" + _limit(options, metric, severity) + ".",
                dashboard=FEATURE,
                keeps=("model_name", "model_version", "feature_name"),
                # The drift that follows from it ends a little later, and is no news while this alert fires.
                keeps_firing=options.hold,
            )


def _expr(options: MonitoringOptions, metric: str, severity: Limit) -> str:
    return above_limit(metric, f'{metric}_threshold{{severity="{severity}"}}', options, Scope(options.by).feature)


def _limit(options: MonitoringOptions, metric: str, severity: Limit) -> str:
    limit = asked("max", f'last_over_time({metric}_threshold{{%s, severity="{severity}"}}[{options.window}])', options)
    percentage = "{{ . | first | value | humanizePercentage }}"
    return f"{{{{ with {limit} }}}} (limit for {severity}: {percentage}){{{{ end }}}}"
