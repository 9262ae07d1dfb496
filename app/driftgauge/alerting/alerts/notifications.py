"""The alert on notifications that the server sends itself and that do not arrive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from driftgauge.alerting.alerts.alert import Alert
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.scope import Scope
from driftgauge.metrics.server_series import NOTIFICATIONS

RANGE: Final = "15m"
"""Range over which notifications are counted that were given up."""


def notification_alerts(options: MonitoringOptions) -> Iterator[Alert]:
    """Yield the alert on notifications that were given up."""
    yield Alert(
        "DriftgaugeNotificationsFailing",
        "warning",
        f'sum by ({Scope(options.by).job("name")}) (increase({NOTIFICATIONS.name}{{result="failed"}}[{RANGE}])) > 0',
        "",
        "Notifications of a server do not arrive.",
        "About {{ $value | humanize }} notifications of {{ $labels.job }} to {{ $labels.name }} were given up in the "
        f"last {RANGE}. /drift/status says why the last one did not arrive.",
    )
