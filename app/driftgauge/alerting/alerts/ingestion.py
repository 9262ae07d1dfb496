"""Alerts on rows from the logs of other servers: records that cannot be read, a source that stops, a lag and losses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from driftgauge.alerting.alerts.alert import Alert
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.scope import Scope
from driftgauge.alerting.templates import MODEL
from driftgauge.drift.verdict.rule import LIMITS, Limit
from driftgauge.metrics.series import INGEST_REFUSED, INGESTED

RANGE: Final = "15m"
"""Range over which the share of refused records is taken."""
LOST_SECONDS: Final = 3_600
"""Time for which messages that were lost are said."""


def ingestion_alerts(options: MonitoringOptions) -> Iterator[Alert]:
    """Yield the alerts on rows from the logs of other servers."""
    scope = Scope(options.by)
    yield _refused(options, scope)
    yield _stopped(options, scope)
    for severity in LIMITS:
        yield _behind(options, scope, severity)
    yield _lost(options, scope)


def _refused(options: MonitoringOptions, scope: Scope) -> Alert:
    model = scope.model()
    refused = f"sum by ({model}) (increase({INGEST_REFUSED.name}[{RANGE}]))"
    return Alert(
        "ModelIngestRefused",
        "warning",
        f"{refused}\n"
        f"  / ({refused}\n"
        f"    + sum by ({model}) (increase({INGESTED.name}[{RANGE}])))\n"
        f"  > max by ({model}) (last_over_time(model_ingest_refused_threshold_ratio[{options.window}]))",
        options.hold,
        "Records from the logs of another server cannot be read.",
        f"{{{{ $value | humanizePercentage }}}} of the records of {MODEL} in the last {RANGE} could not be read. "
        "GET /ingest/errors lists the last ones with the reason.",
        keeps=("model_name", "model_version"),
    )


def _stopped(options: MonitoringOptions, scope: Scope) -> Alert:
    model, window = scope.model(), options.window
    return Alert(
        "ModelIngestStopped",
        "warning",
        f"time() - max by ({model}) (last_over_time(model_ingest_timestamp_seconds[{window}]))\n"
        f"  > max by ({model}) (last_over_time(model_ingest_age_threshold_seconds[{window}]))",
        options.hold,
        "The logs of another server have stopped coming in.",
        f"The newest record of {MODEL} arrived {{{{ $value | humanizeDuration }}}} ago. Its drift is no longer known.",
        keeps=("model_name", "model_version"),
    )


def _behind(options: MonitoringOptions, scope: Scope, severity: Limit) -> Alert:
    model, window = scope.model(), options.window
    limit = f'last_over_time(model_ingest_lag_threshold_messages{{severity="{severity}"}}[{window}])'
    return Alert(
        "ModelIngestLag",
        severity,
        f"sum by ({model}) (min_over_time(model_ingest_lag_messages[{window}]))\n  > max by ({model}) ({limit})",
        options.hold,
        "Reading predictions from Kafka is behind.",
        f"{{{{ $value | humanize }}}} messages of {MODEL} in Kafka are not counted yet, above the limit for "
        f"{severity}. Its drift is that of older rows.",
        keeps=("model_name", "model_version"),
    )


def _lost(options: MonitoringOptions, scope: Scope) -> Alert:
    """Return the alert on lost messages.

    It reads the time of the loss, because a process may come to deleted messages before its counter is scraped once.
    """
    return Alert(
        "ModelIngestMessagesLost",
        "warning",
        f"time() - max by ({scope.model()}) (last_over_time(model_ingest_lost_timestamp_seconds[{options.window}]))\n"
        f"  < {LOST_SECONDS}",
        "",
        "Messages in Kafka were deleted before they were counted.",
        f"Kafka had deleted messages of {MODEL} {{{{ $value | humanizeDuration }}}} ago, when a process came to them. "
        "The verdict on drift lacks their rows.",
        keeps=("model_name", "model_version"),
    )
