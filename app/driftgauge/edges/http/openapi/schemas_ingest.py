"""Schemas of the routes that take in rows of other servers, for `/openapi.json`; tests check real answers."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from driftgauge.edges.formats.ingest.formats import FORMATS
from driftgauge.edges.http.openapi.queries import query_parameters
from driftgauge.edges.http.openapi.schemas import Documented
from driftgauge.edges.http.openapi.schemas_labels import LabelCounts


class IngestRows(Documented):
    """What became of rows."""

    taken: int = Field(description="Rows that were counted.")
    duplicate: int = Field(description="Rows that were counted before, or come twice in the request.")


class RefusedRecords(Documented):
    """Records that cannot be read."""

    records: int = Field(description="All of them; `GET /ingest/errors` lists the last ones.")
    reasons: dict[str, int] = Field(description="Their number by reason.")


class IngestEvents(Documented):
    """Requests and responses."""

    joined: int = Field(description="Requests and responses that have found each other.")
    waiting: int = Field(description="Those that wait for the other half, for `ingest_join_wait_seconds`.")


class IngestAnswer(Documented):
    """What became of a request's records."""

    model_name: str
    rows: IngestRows
    refused: RefusedRecords
    events: IngestEvents
    labels: LabelCounts = Field(description="Labels and outcomes.")


class ValidationAnswer(IngestAnswer):
    """What became of a request's records, with the verdict in Evidently's shape."""

    dataset_drift: bool
    drift_share: float = Field(description="Share of the features that have drifted.")
    number_of_columns: int
    number_of_drifted_columns: int
    drift_by_columns: dict[str, bool]


class KafkaReading(Documented):
    """What this process reads from Kafka, since it started."""

    partitions: int = Field(description="Partitions that it reads.")
    messages: int = Field(description="Messages that it has read.")
    lag_messages: int = Field(description="Messages in these partitions that are not counted yet.")
    pauses: int = Field(description="How often it paused because its log had no room.")
    errors: int = Field(description="Errors of the client and the brokers.")


class IngestionSummary(Documented):
    """Rows from the logs of other servers, since the state was created."""

    rows: dict[str, int] = Field(description="Rows by what became of them.")
    refused_records: dict[str, int] = Field(
        description="Records that cannot be read, by reason. `GET /ingest/errors` lists the last ones."
    )
    events: dict[str, int | None] = Field(
        description="Requests and responses by what became of them, and those that wait for each other now: null if "
        "that is not known."
    )
    deferred_requests: int = Field(description="Requests that were answered with 429 or 503, to come again.")
    last_received_at: str | None = Field(description="When the newest record arrived.")
    kafka: KafkaReading | None = Field(description="Null without a consumer of Kafka.")


class IngestError(Documented):
    """A record that could not be read."""

    time: str = Field(description="When it arrived.")
    position: int = Field(description="Its position in its request, from 0.")
    reason: str
    message: str | None = Field(description="null without the scope `admin`, because it may quote a value.")
    record: str | None = Field(description="Shortened; null without the scope `admin`.")


class IngestErrors(Documented):
    """The last records that could not be read, the newest first."""

    model_name: str
    errors: list[IngestError]


_MODEL: Final = "Which model, where there are several."
FORMAT_PARAMETERS: Final = query_parameters({"format": f"Format of the records: {', '.join(FORMATS)}."})
MODEL_PARAMETERS: Final = query_parameters({"model": _MODEL})
ERROR_PARAMETERS: Final = query_parameters({"model": _MODEL, "limit": "Number of records, at most 1000."})
