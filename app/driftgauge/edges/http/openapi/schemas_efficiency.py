"""Throughput, failures, latency and the queue as the OpenAPI document describes them."""

from __future__ import annotations

from pydantic import Field

from driftgauge.edges.http.openapi.schemas import Documented


class RecentLatency(Documented):
    """Percentiles of the time from a request's arrival until its rows are predicted; null without requests."""

    p50: float | None
    p95: float | None
    p99: float | None


class QueueUsed(Documented):
    """Shares of `max_queued_requests` and `max_queued_rows` that wait for the model, over all workers."""

    requests: float | None
    rows: float | None


class EfficiencySummary(Documented):
    """What all workers answered in the last minutes; null where nothing was counted."""

    seconds: float = Field(description="The time over which it was counted: five minutes, or since the server began.")
    rows_per_second: float | None = Field(description="Null in the first five seconds.")
    requests_per_second: float | None
    failed_ratio: float | None = Field(description="Share of the accepted rows on which the model failed.")
    overloaded_ratio: float | None = Field(description="Share of the requests rejected because the queue was full.")
    latency_seconds: RecentLatency
    queue_used: QueueUsed = Field(description="Within the last second.")
