"""Schemas of `GET /predictions` for `/openapi.json`; tests check real answers against them."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from driftgauge.edges.http.openapi.queries import query_parameters
from driftgauge.edges.http.openapi.schemas import Documented
from driftgauge.models.bundle import Label


class LoggedPrediction(Documented):
    """A prediction as it is in the log, and what is known of its ground truth."""

    prediction_id: str
    timestamp: str = Field(description="The time of the event, or of the arrival of a request without one.")
    arrived_at: str
    model_name: str
    model_version: str
    prediction: Label | None
    score: float | None
    probabilities: dict[str, float | None] | None = Field(
        description="The probability of each class, of models of 3 to 64 classes; null where it is not known."
    )
    latency_seconds: float
    source: str | None
    caller: str | None
    features: dict[str, float | str | None] | None = Field(
        None,
        description="Numbers and categories as the monitor saw them, texts as their length, and hashed columns as "
        "their hash. Columns of `prediction_log_drop` are missing.",
    )
    label: Label | None = Field(None, description="Only with `labels=true`: null while it is not known.")
    observed_at: str | None = Field(None, description="When the label became known.")
    outcomes: dict[str, float] | None = None


class LoggedPredictions(Documented):
    """A page of the prediction log."""

    model_name: str
    predictions: list[LoggedPrediction]
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last one.")


PARAMETERS: Final = query_parameters(
    {
        "model": "Which model, where several are served.",
        "version": "Only predictions of this version.",
        "id": "The id of a prediction; may be repeated, at most 100 times.",
        "since": "Predictions from then on: how long ago (`24h`, `7d`) or a moment (RFC 3339, or seconds since 1970).",
        "until": "Predictions before then, in the same form.",
        "limit": "Predictions of a page, 1 to 1000; by default 100.",
        "cursor": "Where the page begins: `next_cursor` of the page before, which the Link header also has.",
        "features": "`false` leaves the features out.",
        "labels": "`true` adds labels and business outcomes.",
    }
)
"""The parameters of its query."""
