"""Schemas of `POST /labels` for `/openapi.json`; tests check real answers against them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pydantic import Field

from driftgauge.edges.http.openapi.bodies import ID, NUMBER, TIME
from driftgauge.edges.http.openapi.queries import query_parameters
from driftgauge.edges.http.openapi.schemas import Documented
from driftgauge.models.bundle import BundleInfo


class LabelCounts(Documented):
    """What became of labels."""

    matched: int = Field(description="The first label of a logged prediction.")
    repeated: int = Field(description="Known before: nothing changed.")
    corrected: int = Field(description="Replaced another value.")
    waiting: int = Field(description="The prediction is not logged yet; the label is kept for `label_wait_seconds`.")
    orphan: int = Field(description="Not kept, because too many labels wait.")
    not_sampled: int = Field(description="The prediction is not in the share that is logged.")
    refused: int = Field(description="Could not be read; see `errors`.")


class LabelError(Documented):
    """A row that was refused."""

    row: int = Field(description="Its position in the request, from 0.")
    prediction_id: str | None
    code: str
    message: str


class LabelsAnswer(Documented):
    """What became of the rows of a request."""

    model_name: str
    rows: int
    labels: LabelCounts
    outcomes: LabelCounts | None = Field(None, description="Of business outcomes, if the settings have some.")
    errors: list[LabelError] = Field(description="The first 100 refused rows.")


PARAMETERS: Final = query_parameters({"model": "Which model, where several are served."})


def labels_body(served: Sequence[tuple[BundleInfo, int]]) -> dict[str, Any]:
    """Return the schema of the body: a row, a list of rows, or a row in each line.

    `served` are the models and the most rows that they take.
    """
    classes = served[0][0].classes if served else ()
    most = {"maxItems": max(rows for _, rows in served)} if served else {}
    label: dict[str, Any] = {"anyOf": [{"type": ["string", "boolean"]}, NUMBER, {"type": "null"}]}
    outcome = {"anyOf": [{"type": ["string", "boolean"]}, NUMBER, {"type": "null"}]}
    row = {
        "type": "object",
        "properties": {
            "prediction_id": ID["anyOf"][0],
            "label": label,
            "observed_at": TIME,
            "outcomes": {"anyOf": [{"type": "object", "additionalProperties": outcome}, {"type": "null"}]},
        },
        "required": ["prediction_id"],
        "additionalProperties": False,
    }
    rows = {"type": "array", "items": row, "minItems": 1, **most}
    many = {"type": "object", "properties": {"labels": rows}, "required": ["labels"], "additionalProperties": False}
    sample: dict[str, Any] = {
        "prediction_id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "label": classes[-1] if classes else 1.5,
    }
    examples = {
        "one label": {"value": sample},
        "many labels": {"value": [sample, {**sample, "observed_at": "2026-01-31T12:00:00Z"}]},
    }
    json = {"schema": {"anyOf": [row, rows, many]}, "examples": examples}
    return {
        "required": True,
        "content": {
            "application/json": json,
            "application/x-ndjson": {"schema": {"type": "string", "description": "One such row in each line."}},
        },
    }
