"""Options of rows that come from the logs of other servers."""

from __future__ import annotations

from pydantic import BaseModel, Field

from driftgauge.settings.time_zone import TimeZone


class IngestionSettings(BaseModel):
    """Predictions of models that other servers serve, taken from their logs."""

    ingest_time_zone: TimeZone = Field(
        "UTC", description="Zone of times that state none, as an IANA name, e.g. `Europe/Berlin`."
    )
    ingest_seen_records: int = Field(
        1_000_000,
        ge=1_000,
        le=1_000_000_000,
        description="Number of the latest records that a model remembers, so that a record that is sent again is not "
        "counted twice. They take 16 bytes each.",
    )
    ingest_join_wait_seconds: float = Field(
        300.0,
        gt=0,
        le=1e9,
        description="Time for which a request waits for its response, or a response for its request. Then it is "
        "counted as expired and dropped.",
    )
    ingest_max_open_events: int = Field(
        100_000,
        ge=1,
        description="Maximum number of requests and responses of a model that wait for each other; the oldest are "
        "dropped, and counted.",
    )
    ingest_dead_letter_bytes: int = Field(
        16_777_216,
        ge=4_096,
        description="Size of the files that keep records which cannot be read; the oldest are dropped. Default: "
        "16 MiB per model.",
    )
    ingest_refused_threshold_ratio: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of records that cannot be read above which `ModelIngestRefused` is raised.",
    )
    ingest_stale_seconds: float = Field(
        3_600.0,
        gt=0,
        le=1e9,
        description="Time without records after which `ModelIngestStopped` is raised, if there were records before.",
    )
    ingest_max_body_bytes: int = Field(
        16_777_216,
        ge=1,
        description="Largest accepted body of records, as it is sent; larger ones get 413. Default: 16 MiB.",
    )
    ingest_max_inflated_bytes: int = Field(
        67_108_864, ge=1, description="Largest accepted body of records once it is decompressed. Default: 64 MiB."
    )
    ingest_max_pending_requests: int = Field(
        64, ge=1, description="Maximum number of requests per worker whose records are taken in; further ones get 429."
    )
