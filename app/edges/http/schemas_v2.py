"""What the bodies of the Open Inference Protocol look like, for `/openapi.json`; tests hold real bodies against it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from app.bundles import BundleInfo, Feature, Label, Sample
from app.drift.bins import category_name
from app.edges.formats.fields import ID_LENGTH
from app.edges.formats.infer_v2 import DATATYPES, OUTPUTS, input_datatype
from app.edges.http.schemas import Documented


class InferOutput(Documented):
    """One value for each row."""

    name: Literal["prediction", "score", "prediction_id"]
    shape: list[int]
    datatype: Literal["BOOL", "INT64", "FP64", "BYTES"]
    data: list[Label]


class InferAnswer(Documented):
    """The answer to all rows."""

    model_name: str
    model_version: str
    id: str
    outputs: list[InferOutput]


class V2Error(Documented):
    """What went wrong: the code, a colon, and what to do."""

    error: str


class V2Tensor(Documented):
    """A tensor of the model; -1 in its shape is the number of rows."""

    name: str
    datatype: Literal["BOOL", "INT64", "FP64", "BYTES"]
    shape: list[int]


class V2ModelMetadata(Documented):
    """What the model takes, in tensors of one feature each, and what it answers."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[V2Tensor]
    outputs: list[V2Tensor]


class V2ServerMetadata(Documented):
    """Which server this is, and what it adds to the protocol."""

    name: str
    version: str
    extensions: list[str]


class V2Live(Documented):
    """Whether the process runs."""

    live: bool


class V2Ready(Documented):
    """Whether the server predicts, or the model of a name."""

    name: str | None = None
    ready: bool


def infer_schema(info: BundleInfo) -> dict[str, Any]:
    """Return the schema of `POST /v2/models/{name}/infer`'s body, with the model's features and samples."""
    nothing = {"type": "null"}
    id_ = {"type": "string", "minLength": 1, "maxLength": ID_LENGTH}
    time = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}, nothing]}
    outputs = {"type": "array", "items": _object(["name"], name={"enum": list(OUTPUTS)})}
    schema = _object(
        ["inputs"],
        inputs={"anyOf": [*_matrix_inputs(info), _column_inputs(info)]},
        id={"anyOf": [id_, nothing]},
        outputs={"anyOf": [outputs, nothing]},
        parameters={"anyOf": [_object([], timestamp=time), nothing]},
    )
    return {"required": True, "content": {"application/json": {"schema": schema, "examples": _examples(info)}}}


def _matrix_inputs(info: BundleInfo) -> list[dict[str, Any]]:
    """Return the schema of one tensor of all features; the number of its columns is no matter of a JSON schema."""
    shape = {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}
    tensors = _tensors(info.features, {"type": "string"}, shape)
    if not tensors:  # numbers beside free text
        return []
    return [{"type": "array", "items": {"anyOf": tensors}, "minItems": 1, "maxItems": 1}]


def _column_inputs(info: BundleInfo) -> dict[str, Any]:
    """Return the schema of one tensor for each feature."""
    shape = {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 2}
    tensors = []
    for kind in ("numeric", "categorical", "text"):
        features = [feature for feature in info.features if feature.kind == kind]
        if features:
            tensors += _tensors(features, {"enum": [feature.name for feature in features]}, shape)
    required = sum(not feature.accepts_missing for feature in info.features)
    return {
        "type": "array",
        "items": {"anyOf": tensors},
        "minItems": max(1, required),
        "maxItems": len(info.features),
    }


def _tensors(features: Sequence[Feature], name: dict[str, Any], shape: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the schema of a tensor of some features for each kind of value that it may have."""
    missing = any(feature.accepts_missing for feature in features)
    kinds = {feature.kind for feature in features}
    plain = [] if "text" in kinds else ["number", "integer", "boolean"]
    texts = ["string"] if "numeric" not in kinds else []
    return [
        _object(
            ["name", "shape", "datatype", "data"],
            name=name,
            shape=shape,
            datatype={"enum": [name for name, datatype in DATATYPES.items() if datatype.kind == kind]},
            data=_data(kind, missing),
        )
        for kind in (*plain, *texts)
    ]


def _data(kind: str, missing: bool) -> dict[str, Any]:
    kinds = [{"type": kind}, *[{"enum": [0, 1]}] * (kind == "boolean"), *[{"type": "null"}] * missing]
    value = {"anyOf": kinds}
    flat = {"type": "array", "items": value, "minItems": 1}
    return {"anyOf": [flat, {"type": "array", "items": flat, "minItems": 1}]}


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    """Return the schema of an object, in which further keys are allowed, as the protocol has it."""
    return {"type": "object", "properties": properties, "required": required}


def _examples(info: BundleInfo) -> dict[str, Any]:
    if not info.shown_samples:
        return {}
    one, many = info.shown_samples[:1], info.shown_samples
    examples = {
        "one row, a tensor for each feature": _columns(info, one),
        "many rows, a tensor for each feature": _columns(info, many),
    }
    if len({feature.kind == "numeric" for feature in info.features}) == 1:  # else no datatype fits all of them
        examples["one row in one tensor"] = [_matrix(info, one)]
        examples["many rows in one tensor"] = [_matrix(info, many)]
    return {name: {"value": {"inputs": inputs}} for name, inputs in examples.items()}


def _columns(info: BundleInfo, samples: Sequence[Sample]) -> list[dict[str, Any]]:
    return [
        {
            "name": feature.name,
            "shape": [len(samples)],
            "datatype": input_datatype(feature),
            "data": [_value(feature, sample, input_datatype(feature)) for sample in samples],
        }
        for feature in info.features
    ]


def _matrix(info: BundleInfo, samples: Sequence[Sample]) -> dict[str, Any]:
    datatype = "FP64" if info.features[0].kind == "numeric" else "BYTES"
    rows: Iterable[list[Any]] = ([_value(feature, one, datatype) for feature in info.features] for one in samples)
    return {
        "name": "rows",
        "shape": [len(samples), len(info.features)],
        "datatype": datatype,
        "data": list(rows),
    }


def _value(feature: Feature, sample: Sample, datatype: str) -> bool | float | str | None:
    value = sample.features.get(feature.name)
    if datatype == "BYTES":
        return category_name(value)
    return bool(value) if datatype == "BOOL" and value is not None else value
