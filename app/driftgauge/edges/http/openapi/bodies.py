"""JSON Schema of prediction requests for `/openapi.json`; it rejects what the server refuses."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from driftgauge.common.moments import TIME_PATTERN
from driftgauge.edges.formats.dataframes import RECORDS, SPLIT
from driftgauge.edges.formats.fields import ID_LENGTH, ID_PATTERN
from driftgauge.edges.formats.predict_json import LISTS
from driftgauge.models.bundle import BundleInfo, Feature

NOTHING: Final[Mapping[str, Any]] = {"type": "null"}
ID: Final[Mapping[str, Any]] = {
    "anyOf": [{"type": "string", "minLength": 1, "maxLength": ID_LENGTH, "pattern": ID_PATTERN}, NOTHING]
}
LATEST_SECONDS: Final = 253_402_300_799
"""The end of the year 9999, in seconds since 1970."""
EARLIEST_SECONDS: Final = -62_135_596_800
TIME: Final[Mapping[str, Any]] = {
    "anyOf": [
        {"type": "string", "pattern": TIME_PATTERN},
        {"type": "number", "minimum": EARLIEST_SECONDS, "maximum": LATEST_SECONDS},
        NOTHING,
    ]
}
"""RFC 3339 text, or seconds since 1970."""
_LARGEST: Final = sys.float_info.max
NUMBER: Final[Mapping[str, Any]] = {"type": "number", "minimum": -_LARGEST, "maximum": _LARGEST}
"""A finite number."""


def predict_body(info: BundleInfo, max_rows: int) -> dict[str, Any]:
    """Return the schema of `POST /predict`'s body, with the model's features and samples.

    It cannot express that ids and times match the number of rows, and values the number of columns.
    """
    named = {
        "type": "object",
        "properties": {feature.name: _value(feature) for feature in info.features},
        "required": [feature.name for feature in info.features if not feature.accepts_missing],
        "additionalProperties": False,
        "minProperties": 1,
    }
    count = len(info.features)
    values = [_value(feature) for feature in info.features]
    row = {"anyOf": [named, {"type": "array", "prefixItems": values, "minItems": count, "maxItems": count}]}
    rows = _list(row, max_rows)
    one = _object(["features"], features=row, prediction_id=ID, timestamp=TIME)
    several = {
        "prediction_ids": {"anyOf": [_list(ID["anyOf"][0], max_rows), NOTHING]},
        "timestamps": {"anyOf": [_list(TIME, max_rows), NOTHING]},
    }
    split = _split(info, max_rows)
    shapes = [
        one,
        *(_object([shape], **{shape: rows}, **several) for shape in LISTS),
        _object([SPLIT], **{SPLIT: split}, **several),
        rows,
    ]
    return {
        "required": True,
        "content": {"application/json": {"schema": {"anyOf": shapes}, "examples": _examples(info)}},
    }


def any_of(documented: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the request body of a route that takes the bodies of several models."""
    if len(documented) == 1:
        return documented[0]
    contents = [own["content"]["application/json"] for own in documented]
    schemas = [own["schema"] for own in contents]
    examples = {
        f"{name} of model {place}": example
        for place, own in enumerate(contents, 1)
        for name, example in own["examples"].items()
    }
    content = {"application/json": {"schema": {"anyOf": schemas}, "examples": examples}}
    return {"required": True, "content": content}


def _split(info: BundleInfo, max_rows: int) -> dict[str, Any]:
    """Return the schema of MLflow's `dataframe_split`: columns in any order, and rows of their values."""
    names = [feature.name for feature in info.features]
    required = [{"contains": {"const": feature.name}} for feature in info.features if not feature.accepts_missing]
    columns = {
        "type": "array",
        "items": {"enum": names},
        "minItems": 1,
        "maxItems": len(names),
        "uniqueItems": True,
        **({"allOf": required} if required else {}),
    }
    value = {"type": ["string", "number", "boolean", "null"]}
    data = _list({"type": "array", "items": value, "minItems": 1, "maxItems": len(names)}, max_rows)
    return _object(["columns", "data"], columns=columns, data=data, index={})


def _list(items: Mapping[str, Any], max_rows: int) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1, "maxItems": max_rows}


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _value(feature: Feature) -> dict[str, Any]:
    texts = [{"type": "string"}] * (feature.kind != "numeric")
    others = [NUMBER, {"type": "boolean"}] * (feature.kind != "text")
    return {"anyOf": [*texts, *others, *[NOTHING] * feature.accepts_missing]}


def _examples(info: BundleInfo) -> dict[str, Any]:
    if not info.shown_samples:
        return {}
    rows = [sample.features for sample in info.shown_samples]
    return {
        "one row by name": {"value": {"features": rows[0]}},
        "one row in order": {"value": {"features": list(rows[0].values())}},
        "many rows": {"value": {"instances": rows}},
        "many rows in order": {"value": {"data": [list(row.values()) for row in rows]}},
        "a list of records": {"value": rows},
        "MLflow's dataframe_split": {
            "value": {SPLIT: {"columns": list(rows[0]), "data": [list(row.values()) for row in rows]}}
        },
        "MLflow's dataframe_records": {"value": {RECORDS: rows}},
    }
