"""Options that bound what clients can ask for: sizes, queues, connections and timeouts."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, Field, model_validator


class LimitSettings(BaseModel):
    """Sizes, counts and times that a request may reach."""

    max_body_bytes: int = Field(8_388_608, ge=1, description="Largest accepted request body; larger ones get 413.")
    max_pending_bytes: int = Field(
        268_435_456, ge=1, description="Total size of large bodies being read at once; beyond it requests get 503."
    )
    max_rows: int = Field(10_000, ge=1, description="Maximum number of rows in a request.")
    max_batch_rows: int = Field(
        2_048, ge=1, description="Maximum number of rows per model call; waiting requests are combined up to it."
    )
    max_queued_requests: int = Field(
        1_024, ge=1, description="Maximum number of requests waiting for the model; further ones get 503."
    )
    max_queued_rows: int = Field(
        50_000, ge=1, description="Maximum number of rows waiting for the model; a request that exceeds it gets 503."
    )
    max_connections: int | None = Field(
        None,
        ge=1,
        description="Maximum number of open connections per worker. Default: 10,000, or less if the limit of open "
        "files is lower.",
    )
    max_header_bytes: int = Field(65_536, ge=1_024, description="Largest accepted request head; larger ones get 431.")
    max_header_count: int = Field(100, ge=10, description="Maximum number of header fields; more get 431.")
    max_url_bytes: int = Field(8_192, ge=256, description="Longest accepted URL; longer ones get 414.")
    head_timeout_seconds: float = Field(
        10.0,
        gt=0,
        allow_inf_nan=False,
        description="Time limit for receiving a request head, counted from its first byte; then 408.",
    )
    body_timeout_seconds: float = Field(
        30.0, gt=0, allow_inf_nan=False, description="Time limit for receiving a request body; then 408."
    )
    answer_timeout_seconds: float = Field(
        60.0,
        gt=0,
        allow_inf_nan=False,
        description="Time limit for a client to receive a response; then the connection is closed.",
    )
    idle_timeout_seconds: float = Field(
        75.0,
        gt=0,
        allow_inf_nan=False,
        description="Time limit for an idle connection, before its first request and between requests.",
    )

    max_requests_per_second: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="Average number of requests per second that one caller may send; further ones get 429. Each worker "
        "admits an equal part. Default: no limit.",
    )
    max_request_burst: int | None = Field(
        None,
        ge=1,
        description="Number of requests that a caller may send at once before `max_requests_per_second` applies. "
        "Default: those of one second.",
    )
    max_concurrent_requests: int | None = Field(
        None,
        ge=1,
        description="Maximum number of requests of one caller that each worker answers at the same time; further ones "
        "get 429. Default: no limit.",
    )
    max_queue_share_ratio: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Share of a model's queue (`max_queued_requests`, `max_queued_rows`) that one caller may hold; "
        "beyond it requests get 429. 1 is no limit.",
    )

    @model_validator(mode="after")
    def _burst_has_a_rate(self) -> Self:
        if self.max_request_burst is not None and self.max_requests_per_second is None:
            raise ValueError("max_request_burst needs max_requests_per_second: set both, or neither")
        return self

    @model_validator(mode="after")
    def _largest_body_fits(self) -> Self:
        if self.max_pending_bytes < self.max_body_bytes:
            raise ValueError("max_pending_bytes must not be below max_body_bytes: the largest body would never be read")
        return self
