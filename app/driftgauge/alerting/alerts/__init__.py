"""Alerts on the server, on drift, on the data, on ground truth, and on the monitoring itself.

Symptoms that users feel are critical; drift follows the verdict's severity. Limits are metrics, not numbers in rules.
Gauges are read over a range (`min_over_time`), so that one failed scrape neither resets an alert nor hides it.
"""

from __future__ import annotations

from typing import Any

from driftgauge.alerting.alerts.alert import rule
from driftgauge.alerting.alerts.data import data_alerts
from driftgauge.alerting.alerts.drift import drift_alerts
from driftgauge.alerting.alerts.ground_truth import ground_truth_alerts
from driftgauge.alerting.alerts.ingestion import ingestion_alerts
from driftgauge.alerting.alerts.prediction_log import prediction_log_alerts
from driftgauge.alerting.alerts.quality import quality_alerts
from driftgauge.alerting.alerts.releases import release_alerts
from driftgauge.alerting.alerts.server import server_alerts
from driftgauge.alerting.alerts.watcher import WATCHDOG, watcher_alerts
from driftgauge.alerting.options import MonitoringOptions

__all__ = ["WATCHDOG", "alert_names", "alert_rules"]


def alert_rules(options: MonitoringOptions) -> dict[str, Any]:
    """Return the content of the alerting rules' file."""
    groups = {
        "driftgauge-server": server_alerts(options),
        "driftgauge-drift": drift_alerts(options),
        "driftgauge-data": [*data_alerts(options), *quality_alerts(options)],
        "driftgauge-ground-truth": ground_truth_alerts(options),
        "driftgauge-prediction-log": prediction_log_alerts(options),
        "driftgauge-ingestion": ingestion_alerts(options),
        "driftgauge-releases": release_alerts(options),
        "driftgauge-monitoring": watcher_alerts(options),
    }
    return {
        "groups": [
            {"name": name, "rules": [rule(alert, options) for alert in alerts]} for name, alerts in groups.items()
        ]
    }


def alert_names() -> tuple[str, ...]:
    """Return the names of all alerts, each once."""
    rules = [rule for group in alert_rules(MonitoringOptions())["groups"] for rule in group["rules"]]
    return tuple(dict.fromkeys(rule["alert"] for rule in rules))
