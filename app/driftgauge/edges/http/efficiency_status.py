"""What the status and the page say of throughput, failures, latency and the queue in the last minutes."""

from __future__ import annotations

from typing import Any

from driftgauge.edges.http.model_monitoring import ModelMonitoring
from driftgauge.edges.web.facts import Efficiency
from driftgauge.metrics.facts import MonitorFacts


def efficiency_of(model: ModelMonitoring, facts: MonitorFacts) -> Efficiency | None:
    """Return what a model answered in the last minutes; None for one that this server does not serve."""
    return None if facts.queue is None else model.recent.efficiency(facts.arrays, facts.queue)


def efficiency_json(found: Efficiency) -> dict[str, Any]:
    """Return it for the status; NaN where unknown."""
    return {
        "seconds": found.seconds,
        "rows_per_second": found.rows_per_second,
        "requests_per_second": found.requests_per_second,
        "failed_ratio": found.failed_ratio,
        "overloaded_ratio": found.overloaded_ratio,
        "latency_seconds": {"p50": found.latency_p50, "p95": found.latency_p95, "p99": found.latency_p99},
        "queue_used": {"requests": found.queued_requests_ratio, "rows": found.queued_rows_ratio},
    }
