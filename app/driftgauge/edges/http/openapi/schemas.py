"""What the bodies look like, for `/openapi.json` and `/docs`; tests hold the real bodies against it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from driftgauge.drift.verdict.rule import Status
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


class Thresholds(Documented):
    """A threshold for each severity."""

    warning: float
    critical: float


class Statistics(Documented):
    """A column in one window; null is what is not known (yet), or has no meaning for such a column.

    PSI, Jensen-Shannon, chi-squared, the p-value and the ratios come from `rows`, KS and Wasserstein from
    `value_rows`, the moments and quantiles from `finite_rows`.
    """

    rows: int
    psi: float | None
    psi_debiased: float | None
    psi_noise: float | None
    psi_threshold: Thresholds | None
    psi_expected_max: float | None
    p_value: float | None
    chi_squared: float | None
    chi_squared_degrees: float | None
    js_distance: float | None
    value_rows: int
    ks_statistic: float | None
    wasserstein_ratio: float | None
    finite_rows: int
    mean_shift: float | None
    mean: float | None
    std: float | None
    min: float | None
    max: float | None
    p05: float | None
    p50: float | None
    p95: float | None
    missing_ratio: float | None
    unseen_ratio: float | None
    out_of_range_ratio: float | None


class Reference(Documented):
    """A column in the reference."""

    rows: int
    mean: float | None
    std: float | None
    min: float | None
    max: float | None
    in_sample: bool


class Column(Statistics):
    """The verdict on a column, and its statistics in the main window."""

    kind: Literal["numeric", "categorical"]
    status: Status
    severity: Literal["warning", "critical"] | None
    reason: str
    since: str | None
    evidence_log10: float | None
    evidence_threshold_log10: float
    tau: float | None
    reference: Reference
    windows: dict[str, Statistics]


class Window(Documented):
    """What a window covers: a number of rows, its `capacity`, or of `seconds`."""

    model_config = ConfigDict(extra="allow")  # `from` is a word of Python
    rows: int
    capacity: int | None = None
    seconds: int | None = None
    to: str | None


class CorrelationChange(Documented):
    """The two features whose correlation changed most, of all `pairs`; z in standard errors."""

    pair: list[str]
    reference: float
    current: float
    z: float
    p_value: float
    pairs: int
    rows: int


class BaselineAbout(Documented):
    """Which baseline is compared with."""

    hash: str
    rows: int
    created: str
    by_hour: bool
    notes: list[str]


class EvidenceAbout(Documented):
    """What evidence is compared with: a false alarm takes so many rows of all `columns` on average, at least."""

    threshold_log10: float
    false_alarm_rows: float
    columns: int
    tolerance: float


class DriftStatus(Documented):
    """Whether what the model sees still looks like its baseline."""

    model_name: str
    model_version: str
    status: Status
    severity: Literal["warning", "critical"] | None
    reason: str
    evaluated_at: str
    report_age_seconds: float
    rows_observed: int
    drift_score: float | None
    recent_mean: float | None
    reference_mean: float | None
    drifted_features: list[str]
    baseline: BaselineAbout
    evidence: EvidenceAbout
    thresholds: Thresholds
    windows: dict[str, Window]
    features: dict[str, Column]
    correlation: CorrelationChange | None
    prediction: Column | None = None
    prediction_class: Column | None = None
    monitoring: WatchedMonitoring


MODEL_PARAMETER: Final = {
    "name": "model",
    "in": "query",
    "required": False,
    "schema": {"type": "string"},
    "description": "Which model, where several are watched.",
}

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
