"""What the page says of rows from the logs of other servers."""

from __future__ import annotations

from collections.abc import Mapping

from driftgauge.edges.web.facts import Ingestion, Reading
from driftgauge.edges.web.words import ago, count, second


def ingestion_list(ingestion: Ingestion | None, now: float) -> Mapping[str, str]:
    """Return what is said of rows from the logs of other servers at a time; empty without ingestion."""
    if ingestion is None:
        return {}
    found = {
        "Rows": f"{ingestion.rows.get('taken', 0):,} taken, {ingestion.rows.get('duplicate', 0):,} duplicates left out",
        "Refused records": _refused(ingestion.refused),
        "Newest record": _newest(ingestion, now),
    }
    if any(ingestion.events.values()):
        found["Requests and responses"] = ", ".join(
            f"{number:,} {result}" for result, number in ingestion.events.items() if number is not None
        )
    found["Back-pressure"] = f"{count(ingestion.deferred, 'request')} asked to come again"
    if ingestion.reading is not None:
        found["Kafka"] = _reading(ingestion.reading)
    return found


def _refused(reasons: Mapping[str, int]) -> str:
    if not reasons:
        return "none"
    parts = [f"{number:,} {reason}" for reason, number in sorted(reasons.items(), key=lambda own: -own[1])]
    return f"{sum(reasons.values()):,} ({', '.join(parts)})"


def _newest(ingestion: Ingestion, now: float) -> str:
    last = ingestion.last_received
    if last is None:
        return "none yet"
    age = max(0.0, now - last)
    limit = f"; stopped from {ago(ingestion.stale_seconds)}"
    return f"{second(last)} UTC, {ago(age)} ago{limit if age > ingestion.stale_seconds else ''}"


def _reading(reading: Reading) -> str:
    return (
        f"{count(reading.partitions, 'partition')}, {count(reading.messages, 'message')} read, {reading.lag:,} behind, "
        f"paused {count(reading.pauses, 'time')}, {count(reading.errors, 'error')} (this process)"
    )
