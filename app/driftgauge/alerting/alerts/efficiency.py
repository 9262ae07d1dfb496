"""The alert on latency that has risen above its own past."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from driftgauge.alerting.alerts.alert import Alert
from driftgauge.alerting.efficiency import LATENCY_MEAN, LATENCY_P95, LATENCY_RISE, PAST_MEAN, PAST_P95_HIGH
from driftgauge.alerting.options import MonitoringOptions, duration, milliseconds
from driftgauge.alerting.scope import Scope
from driftgauge.alerting.templates import MODEL
from driftgauge.drift.verdict.rule import LIMITS

HOLDS: Final = 3
"""Times `--hold` that a rise lasts before its alert: shorter ones are those of a busy minute."""
MEAN_RISE: Final = 1.1
"""Least rise of the mean beside that of the percentile, which jumps where it reaches another bucket."""

LEAST_SECONDS: Final = 0.005
"""Latency below which a rise is no alert: a caller does not notice it."""


def efficiency_alerts(options: MonitoringOptions) -> Iterator[Alert]:
    """Yield the alerts on latency that has risen above its own past."""
    scope = Scope(options.by)
    for severity in LIMITS:
        limit = (
            f"max by ({scope.model()}) (\n"
            f'    last_over_time(model_prediction_latency_rise_threshold_ratio{{severity="{severity}"}}'
            f"[{options.window}])\n  )"
        )
        yield Alert(
            "ModelLatencyRegressed",
            severity,
            f"{LATENCY_RISE}\n"
            f"  > on ({scope.model()}) group_left () {limit}\n"
            f"  and {LATENCY_P95} > {PAST_P95_HIGH}\n"
            f"  and {LATENCY_P95} > {LEAST_SECONDS}\n"
            f"  and {LATENCY_MEAN} > {MEAN_RISE} * {PAST_MEAN}",
            duration(HOLDS * milliseconds(options.hold)),
            "Predictions are slower than they used to be.",
            "The 95th percentile of latency of {{ $labels.batch_size_bucket }} requests to "
            f"{MODEL} is {{{{ $value | humanizePercentage }}}} above its median of the last 7 days.",
            keeps=("model_name", "model_version"),
        )
