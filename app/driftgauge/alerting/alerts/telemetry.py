"""The alert on metrics and traces that do not reach the collector of OpenTelemetry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from driftgauge.alerting.alerts.alert import Alert
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.scope import Scope
from driftgauge.metrics.server_series import TELEMETRY, TELEMETRY_LIMIT

RANGE: Final = "15m"
"""Range over which items are counted that were lost."""


def telemetry_alerts(options: MonitoringOptions) -> Iterator[Alert]:
    """Yield the alert on data points and spans that were lost."""
    scope = Scope(options.by)
    of_signal, of_job = scope.job("signal"), scope.job()
    lost = f'sum by ({of_signal}) (increase({TELEMETRY.name}{{result!="sent"}}[{RANGE}]))'
    everything = f"sum by ({of_signal}) (increase({TELEMETRY.name}[{RANGE}]))"
    yield Alert(
        "DriftgaugeTelemetryFailing",
        "warning",
        f"{lost} / {everything} > on ({of_job}) group_left () "
        f"max by ({of_job}) (last_over_time({TELEMETRY_LIMIT.name}[{options.window}]))",
        "",
        "Metrics or traces of a server do not reach the collector.",
        "{{ $value | humanizePercentage }} of the {{ $labels.signal }} of {{ $labels.job }} in the last "
        f"{RANGE} were lost. /drift/status says why the last ones did not arrive.",
    )
