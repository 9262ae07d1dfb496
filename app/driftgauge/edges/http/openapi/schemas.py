"""What the bodies look like, for `/openapi.json` and `/docs`; tests hold the real bodies against it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from driftgauge.models.bundle import Label


class Documented(BaseModel):
    """A body whose every key is known."""

    model_config = ConfigDict(extra="forbid")


class Error(Documented):
    """What went wrong."""

    code: str
    message: str
    detail: dict[str, Any]


class ErrorAnswer(Documented):
    """The one shape of an error."""

    error: Error


class PredictionRow(Documented):
    """The prediction of one row among many."""

    prediction_id: str
    prediction: Label
    score: float


class PredictAnswer(Documented):
    """The answer to one row, or under `predictions` to many."""

    model_name: str
    model_version: str
    latency_ms: float
    prediction_id: str | None = None
    prediction: Label | None = None
    score: float | None = None
    predictions: list[PredictionRow] | None = None


class TestedSample(Documented):
    """A sample of the bundle: what it answered then and now."""

    features: dict[str, float | str | None]
    prediction: Label
    score: float
    expected_prediction: Label
    expected_score: float


class TestAnswer(Documented):
    """Whether the model answers its samples as when the bundle was made."""

    ok: bool
    samples: list[TestedSample]


class Monitoring(Documented):
    """Whether monitoring itself works."""

    healthy: bool
    problems: list[str]


class StateKept(Documented):
    """How windows and counters are kept."""

    kept: Literal["files", "memory"]
    workers: int = Field(description="Workers that share them.")
    notes: list[str] = Field(description="What the worker that answers could not use as it was when it started.")


class WatchedMonitoring(Monitoring):
    """Whether monitoring itself works, and what it rests on."""

    state: StateKept


class Worker(Documented):
    """The process that answers."""

    slot: int
    pid: int


class Health(Documented):
    """The server's state."""

    health: Literal["ok", "starting"]
    version: str
    model_name: str
    model_version: str
    worker: Worker
    monitoring: Monitoring


class Alive(Documented):
    """The answer of a probe that succeeds."""

    health: Literal["ok"]


class ClassNames(RootModel[dict[str, str]]):
    """The name of each class by its place."""


class Metadata(Documented):
    """What the model takes and answers."""

    model_name: str
    model_version: str
    task: str
    created: str
    accepts_missing: bool
    features: list[dict[str, Any]]
    data_type: dict[str, str]
    data_structure: list[int | None]
    data_sample: list[list[bool | float | str | None]]
    prediction_type: str
    prediction_structure: list[int | None]
    prediction_sample: list[Label]
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
"""The parameters of paths, by name."""


def responses(
    codes: Sequence[int], body: type[BaseModel] | None, path: str, error: type[BaseModel]
) -> dict[int | str, dict[str, Any]]:
    """Return the answers of a route for the documentation, `error` being the shape of its errors."""
    described: dict[int | str, dict[str, Any]] = {
        code: {"model": error, "description": _DESCRIPTIONS[code]} for code in codes if code >= 400
    }
    if 503 in codes and 422 in codes:  # it predicts
        described[503] |= {"description": _OVERLOADED, "headers": {"Retry-After": _RETRY_AFTER}}
    if body is not None:
        described[200] = {"model": body}
    elif path == "/metrics":
        described[200] = {"content": {"text/plain": {}, "application/openmetrics-text": {}}}
    elif path.startswith("/runbooks"):
        described[200] = {"content": {"text/markdown": {}, "text/html": {}}}
    return described


_OVERLOADED: Final = "Too many requests wait for the model: try again after the seconds that Retry-After says"
_RETRY_AFTER: Final = {"schema": {"type": "integer"}, "description": "Seconds."}
_DESCRIPTIONS: Final = {
    400: "The body is not JSON, or not UTF-8, or not compressed as its Content-Encoding says",
    403: "A page of another site asks, whose origin is not among allowed_origins",
    404: "There is nothing of that name",
    406: "The Accept-Encoding leaves nothing to answer with",
    408: "The request did not come in time, its head or its body",
    413: "The body is too large, as it is or inflated",
    414: "The URL is too long",
    415: "The Content-Encoding is not read here; Accept-Encoding says which are",
    421: "The Host is not among allowed_hosts",
    422: "The rows cannot be used; the message names the field",
    431: "The header fields are too large, or too many",
    500: "The model failed on the rows",
    503: "Not ready",
}
