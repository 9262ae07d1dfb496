"""The alert on actions that alerts lead to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from driftgauge.alerting.alerts.alert import Alert
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.scope import Scope
from driftgauge.metrics.server_series import ACTIONS

RANGE: Final = "15m"
"""Time for which a failed action is looked back at."""
FAILURES: Final = ("failed", "unknown")
"""Results that need a look."""


def action_alerts(options: MonitoringOptions) -> Iterator[Alert]:
    """Yield the alert on an action that failed, or whose effect is unknown."""
    labels = Scope(options.by).job("action", "result")
    yield Alert(
        "DriftgaugeActionFailed",
        "warning",
        f'sum by ({labels}) (increase({ACTIONS.name}{{result=~"{"|".join(FAILURES)}"}}[{RANGE}])) > 0',
        "",
        "An action that an alert led to has failed.",
        "The action {{ $labels.action }} of {{ $labels.job }} ended as {{ $labels.result }} in the last "
        f"{RANGE}. GET /actions says why.",
    )
