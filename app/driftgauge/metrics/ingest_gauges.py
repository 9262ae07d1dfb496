"""Gauges of records that come from the logs of other servers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from driftgauge.metrics.facts import IngestFacts, MonitorFacts
from driftgauge.metrics.monitor_gauge import MonitorGauge


def _of_ingestion(name: str, text: str, value: Callable[[IngestFacts], float | None]) -> MonitorGauge:
    """Declare a gauge of ingestion; None is absent."""

    def values(facts: MonitorFacts) -> float:
        known = None if facts.ingest is None else value(facts.ingest)
        return math.nan if known is None else known

    return MonitorGauge(name, text, (), values, of_ingestion=True)


INGEST_GAUGES: Final = (
    _of_ingestion(
        "model_ingest_timestamp_seconds",
        "Time of arrival of the newest record from the logs of other servers; absent before the first.",
        lambda facts: facts.last_received,
    ),
    _of_ingestion(
        "model_ingest_age_threshold_seconds",
        "Time without records after which the source of records counts as stopped.",
        lambda facts: facts.stale_seconds,
    ),
    _of_ingestion(
        "model_ingest_refused_threshold_ratio",
        "Share of records that cannot be read above which an alert is raised.",
        lambda facts: facts.refused_ratio,
    ),
    _of_ingestion(
        "model_ingest_seen_records_limit",
        "Number of the latest records that are remembered, so that they are not counted twice.",
        lambda facts: facts.seen_records,
    ),
    _of_ingestion(
        "model_ingest_open_events",
        "Requests and responses from the logs of other servers that wait for each other now.",
        lambda facts: facts.open_events,
    ),
)
