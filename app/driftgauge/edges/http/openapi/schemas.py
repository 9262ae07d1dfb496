"""Schemas of answers for `/openapi.json` and `/docs`; tests check real answers against them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from driftgauge.models.bundle import Label


class Documented(BaseModel):
    """A body without further keys."""

    model_config = ConfigDict(extra="forbid")


class Error(Documented):
    """What is wrong, and what to do."""

    code: str
    message: str
    detail: dict[str, Any]


class ErrorAnswer(Documented):
    """The body of every error."""

    error: Error


_JOB_ID: Final = "The prediction_id under another name. In answers of `/predict` only with the setting `job_ids`."


class PredictionRow(Documented):
    """The prediction of one of many rows."""

    job_id: str | None = Field(None, description=_JOB_ID)
    prediction_id: str
    prediction: Label
    score: float
    is_outlier: bool | None = Field(None, description="Only with the setting `outliers`.")
    outlier_score: float | None = None


class PredictAnswer(Documented):
    """The prediction of one row; of many rows under `predictions`."""

    model_name: str
    model_version: str
    latency_ms: float
    job_id: str | None = Field(None, description=_JOB_ID)
    prediction_id: str | None = None
    prediction: Label | None = None
    score: float | None = None
    is_outlier: bool | None = Field(None, description="Only with the setting `outliers`.")
    outlier_score: float | None = Field(None, description="How unlike the reference the row is; 0 is most ordinary.")
    predictions: list[PredictionRow] | None = None


class TestedSample(Documented):
    """A sample of the bundle: its expected and its current prediction."""

    features: dict[str, float | str | None]
    prediction: Label
    score: float
    expected_prediction: Label
    expected_score: float


class TestAnswer(Documented):
    """Whether the model still predicts its samples as when the bundle was created."""

    ok: bool
    prediction: Label | None = Field(description="The prediction of the first sample; null if none may be shown.")
    samples: list[TestedSample]


class News(Documented):
    """What changed since an earlier verdict, in sentences."""

    since: str = Field(description="The time of that verdict: the last one until the time asked for, or the oldest.")
    changes: list[str]


class Monitoring(Documented):
    """Whether monitoring itself works."""

    healthy: bool
    problems: list[str]


class StateKept(Documented):
    """How windows and counters are kept."""

    kept: Literal["files", "memory"]
    workers: int = Field(description="Workers that share them.")
    notes: list[str] = Field(description="What the worker that answers could not use as it was when it started.")


class LogKept(Documented):
    """How predictions are logged."""

    kept: Literal["sqlite", "postgresql"]
    rows_queued: int = Field(description="Rows that wait to be written, in all workers.")
    rows: int | None = Field(description="Rows kept, of all models, at the last look; null before the first.")
    bytes: int | None = Field(description="Size at the last look, some seconds ago; null before the first.")
    oldest_at: str | None = Field(description="When the oldest row arrived; null without one.")
    rows_dropped: dict[str, int] = Field(description="Rows of the model that were not logged, by reason.")
    max_bytes: int
    free_bytes: int | None = Field(description="Free space of its disk; null for PostgreSQL.")
    max_age_seconds: float


class SentSignal(Documented):
    """Data points or spans that were sent to a collector, by all workers."""

    sent: int
    failed: int
    dropped: int | None = Field(None, description="Without room to wait; absent for metrics.")
    last_sent_at: str | None = Field(description="When a transmission last succeeded; null before the first.")
    problem: str | None = Field(description="Why the last one of any worker failed; null once one has arrived since.")


class SentTelemetry(Documented):
    """Metrics and traces that are sent to a collector."""

    endpoint: str = Field(description="The scheme, host and port of the collector.")
    protocol: Literal["http", "grpc"]
    trace_ratio: float
    signals: dict[str, SentSignal]


class WatchedMonitoring(Monitoring):
    """Whether monitoring itself works, and what it rests on."""

    state: StateKept
    prediction_log: LogKept | None = Field(description="Null if predictions are not logged.")
    telemetry: SentTelemetry | None = Field(None, description="Absent unless `otlp_endpoint` names a collector.")


class Worker(Documented):
    """The worker process that answers."""

    slot: int
    pid: int


class HealthOfMonitoring(Documented):
    """Whether monitoring itself works."""

    healthy: bool
    problems: list[str] = Field([], description="A sentence for each; with tokens, for callers that may read.")


class HealthyModel(Documented):
    """A live model version."""

    model_name: str
    model_version: str


class ListedModel(Documented):
    """A model version, and how it is."""

    model_name: str
    model_version: str | None = Field(description="Null for a model that could not be loaded.")
    live: bool = Field(description="Whether it is the version that answers requests for the model.")
    predicts: bool = Field(description="False for a model that is served elsewhere, and only monitored here.")
    task: str | None
    status: str | None = Field(description="The last verdict; null with monitoring disabled.")
    severity: str | None
    rows_observed: int | None
    healthy: bool
    problems: list[str]


class ListedModels(Documented):
    """Every model of the server."""

    models: list[ListedModel]


class Ready(Documented):
    """The answer of a successful probe of readiness."""

    health: Literal["ok"]
    unusable_models: list[str] = Field([], description="Models that could not be loaded.")


class Health(Documented):
    """The server's state."""

    health: Literal["ok", "starting"]
    version: str = Field("", description="Version of Driftgauge; with tokens, for callers that may read.")
    model_name: str | None = Field(description="Null where there are several models.")
    model_version: str | None
    models: list[HealthyModel] = Field([], description="The models, where there are several.")
    unusable_models: dict[str, str | None] = Field(
        {}, description="Models that could not be loaded, and why; null for callers that may not read."
    )
    worker: Worker | None = Field(None, description="The process that answers; with tokens, for callers that may read.")
    monitoring: HealthOfMonitoring


class Alive(Documented):
    """The answer of a successful probe."""

    health: Literal["ok"]


class ClassNames(RootModel[dict[str, str]]):
    """The name of each class by its index."""


class ModelAbout(Documented):
    """Whose the model is, and what it was made from; null is not stated."""

    owner: str | None = Field(description="Person or team that the model belongs to.")
    contact: str | None = Field(description="Where to reach them.")
    description: str | None = Field(description="What the model is for.")
    docs_url: str | None = Field(description="Address of its documentation.")
    training_data: str | None = Field(description="What it was trained on.")
    code_version: str | None = Field(description="Version of the code that trained it.")


class Metadata(Documented):
    """The model's inputs and predictions."""

    model_name: str
    model_version: str
    task: str
    created: str
    about: ModelAbout | None = Field(description="Null if nothing is stated.")
    accepts_missing: bool
    features: list[dict[str, Any]]
    data_type: dict[str, str]
    data_structure: list[int | None]
    data_sample: list[list[bool | float | str | None]]
    prediction_type: str
    prediction_structure: list[int | None]
    prediction_sample: list[Label]
    outlier_type: dict[str, str] | None = Field(description="Null without the setting `outliers`.")
    outlier_structure: list[int | None] | None
    outlier_sample: list[tuple[bool, float]] | None
    performance: dict[str, Any] | None
    libraries: dict[str, str]


PARAMETERS: Final = {
    name: {"name": name, "in": "path", "required": True, "schema": {"type": "string"}, "description": text}
    for name, text in {
        "alert": "The alert's name, e.g. ModelFeatureDrift.",
        "model_name": "The model's name.",
        "model_version": "The model's version.",
    }.items()
}
"""Path parameters by name."""


OF_MODEL: Final = (
    {
        "name": "model",
        "in": "query",
        "required": False,
        "schema": {"type": "string"},
        "description": "Which model, where there are several.",
    },
)
"""Query parameters of routes that describe a model."""


def responses(
    codes: Sequence[int], body: type[BaseModel] | None, path: str, error: type[BaseModel]
) -> dict[int | str, dict[str, Any]]:
    """Return the documented answers of a route; `error` is the schema of its errors."""
    described: dict[int | str, dict[str, Any]] = {
        code: {"model": error, "description": _DESCRIPTIONS[code]} for code in codes if code >= 400
    }
    if 503 in codes and 422 in codes:  # it predicts
        described[503] |= {"description": _OVERLOADED, "headers": {"Retry-After": _RETRY_AFTER}}
    if body is not None:
        described[200] = {"model": body}
        if path == "/predictions":
            described[200] |= {"content": _JSON_LINES}
        if path in ("/drift/status", "/diagnosis"):
            described[307] = {"description": "Browsers are sent to the page, which shows the same."}
    elif path == "/metrics":
        described[200] = {"content": {"text/plain": {}, "application/openmetrics-text": {}}}
    elif path == "/drift/report":
        described[200] = {"content": {"text/html": {}}}
    elif path.startswith("/runbooks"):
        described[200] = {"content": {"text/markdown": {}, "text/html": {}}}
    return described


_JSON_LINES: Final = {
    "application/x-ndjson": {
        "schema": {"type": "string", "description": "A JSON object in each line, like those of `predictions`."}
    }
}
_OVERLOADED: Final = "The queue of the model is full. Retry after the seconds in Retry-After."
_RETRY_AFTER: Final = {"schema": {"type": "integer"}, "description": "Seconds to wait before the next attempt."}
_DESCRIPTIONS: Final = {
    400: "The body is not valid JSON in UTF-8, or not compressed as Content-Encoding claims.",
    429: "The caller sends too many requests; `Retry-After` says when to try again.",
    401: "The request has no token, or an unknown one.",
    403: "The token lacks the scope of the route, or the request comes from a page of another site whose origin is "
    "not in allowed_origins.",
    404: "Not found.",
    406: "Accept-Encoding excludes every available encoding.",
    408: "The head or body of the request did not arrive in time.",
    409: "The versions of the model do not allow this now.",
    413: "The body is too large, compressed or inflated.",
    414: "The URL is too long.",
    415: "The Content-Encoding is not supported; Accept-Encoding lists the supported ones.",
    421: "The Host is not in allowed_hosts.",
    422: "The rows are not valid; the message names the field.",
    431: "The header fields are too large or too many.",
    500: "The model failed on the rows.",
    503: "The server is starting or stopping.",
}
