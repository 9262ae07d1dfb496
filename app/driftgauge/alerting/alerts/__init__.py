"""Alerts on the server, on drift, on the data, on ground truth, and on the monitoring itself.

Symptoms that users feel are critical; drift follows the verdict's severity. Limits are metrics, not numbers in rules.
Gauges are read over a range (`min_over_time`), so that one failed scrape neither resets an alert nor hides it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from driftgauge.alerting.alerts.actions import action_alerts
from driftgauge.alerting.alerts.alert import Alert, rule
from driftgauge.alerting.alerts.attributions import attribution_alerts
from driftgauge.alerting.alerts.classic import classic_alerts
from driftgauge.alerting.alerts.data import data_alerts
from driftgauge.alerting.alerts.drift import drift_alerts
from driftgauge.alerting.alerts.efficiency import efficiency_alerts
from driftgauge.alerting.alerts.ground_truth import ground_truth_alerts
from driftgauge.alerting.alerts.ingestion import ingestion_alerts
from driftgauge.alerting.alerts.notifications import notification_alerts
from driftgauge.alerting.alerts.outliers import outlier_alerts
from driftgauge.alerting.alerts.prediction_log import prediction_log_alerts
from driftgauge.alerting.alerts.quality import quality_alerts, request_alerts
from driftgauge.alerting.alerts.registry import registry_alerts
from driftgauge.alerting.alerts.releases import release_alerts
from driftgauge.alerting.alerts.server import server_alerts
from driftgauge.alerting.alerts.telemetry import telemetry_alerts
from driftgauge.alerting.alerts.two_minutes import two_minute_alerts
from driftgauge.alerting.alerts.watcher import WATCHDOG, watcher_alerts
from driftgauge.alerting.alerts.whole_rows import whole_row_alerts
from driftgauge.alerting.options import MonitoringOptions, Preset

__all__ = ["WATCHDOG", "alert_names", "alert_rules"]

PRESET_ALERTS: Final[Mapping[Preset, Callable[[MonitoringOptions], Iterable[Alert]]]] = {
    "two-minutes": two_minute_alerts,
    "classic": classic_alerts,
}
"""The alerts that a preset adds."""


def alert_rules(options: MonitoringOptions) -> dict[str, Any]:
    """Return the content of the alerting rules' file."""
    groups: dict[str, Iterable[Alert]] = {
        "driftgauge-server": server_alerts(options),
        "driftgauge-drift": [*drift_alerts(options), *whole_row_alerts(options), *attribution_alerts(options)],
        "driftgauge-data": [
            *data_alerts(options),
            *quality_alerts(options),
            *request_alerts(options),
            *outlier_alerts(options),
        ],
        "driftgauge-ground-truth": ground_truth_alerts(options),
        "driftgauge-prediction-log": prediction_log_alerts(options),
        "driftgauge-ingestion": ingestion_alerts(options),
        "driftgauge-releases": [*release_alerts(options), *registry_alerts(options)],
        "driftgauge-actions": action_alerts(options),
        "driftgauge-efficiency": efficiency_alerts(options),
        "driftgauge-monitoring": [*watcher_alerts(options), *notification_alerts(options), *telemetry_alerts(options)],
        **{f"driftgauge-{name}": PRESET_ALERTS[name](options) for name in options.presets},
    }
    return {
        "groups": [
            {"name": name, "rules": [rule(alert, options) for alert in alerts]} for name, alerts in groups.items()
        ]
    }


def alert_names(options: MonitoringOptions | None = None) -> tuple[str, ...]:
    """Return the names of the alerts of some options, by default the defaults, each once."""
    rules = [rule for group in alert_rules(options or MonitoringOptions())["groups"] for rule in group["rules"]]
    return tuple(dict.fromkeys(rule["alert"] for rule in rules))
