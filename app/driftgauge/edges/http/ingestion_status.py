"""What the status and the page say of rows from the logs of other servers: the same from each worker."""

from __future__ import annotations

from typing import Any

from driftgauge.common.rfc3339 import rfc3339
from driftgauge.edges.http.ground_truth import counts_of
from driftgauge.edges.web.facts import Ingestion, Reading
from driftgauge.metrics.facts import MonitorFacts
from driftgauge.metrics.series import INGEST_DEFERRED, INGEST_EVENTS, INGEST_REFUSED, INGESTED


def ingestion_of(facts: MonitorFacts) -> Ingestion | None:
    """Return what came from the logs of other servers; None for a model that this server alone serves."""
    known, stream = facts.ingest, facts.stream
    if known is None:
        return None
    return Ingestion(
        rows=counts_of(facts, INGESTED),
        refused={reason: count for reason, count in counts_of(facts, INGEST_REFUSED).items() if count},
        events={**counts_of(facts, INGEST_EVENTS), "waiting": known.open_events},
        deferred=sum(counts_of(facts, INGEST_DEFERRED).values()),
        last_received=known.last_received,
        stale_seconds=known.stale_seconds,
        reading=None
        if stream is None
        else Reading(stream.partitions, stream.messages, int(stream.lag), stream.pauses, stream.errors),
    )


def ingestion_json(ingestion: Ingestion | None) -> dict[str, Any] | None:
    """Return what came from the logs of other servers; None for a model that this server alone serves."""
    if ingestion is None:
        return None
    last, reading = ingestion.last_received, ingestion.reading
    return {
        "rows": ingestion.rows,
        "refused_records": ingestion.refused,
        "events": ingestion.events,
        "deferred_requests": ingestion.deferred,
        "last_received_at": None if last is None else rfc3339(last),
        "kafka": None
        if reading is None
        else {
            "partitions": reading.partitions,
            "messages": reading.messages,
            "lag_messages": reading.lag,
            "pauses": reading.pauses,
            "errors": reading.errors,
        },
    }
