"""Schemas of the Open Inference Protocol for `/openapi.json`; tests check real bodies against them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from driftgauge.drift.bins import category_name
from driftgauge.edges.formats.content_types import OF_REQUESTS, OF_TENSORS, OF_TEXTS
from driftgauge.edges.formats.infer_v2 import OUTPUTS, input_datatype
from driftgauge.edges.formats.tensors import DATATYPES, Datatype
from driftgauge.edges.http.openapi.bodies import ID, NOTHING, NUMBER, TIME
from driftgauge.edges.http.openapi.schemas import Documented
from driftgauge.models.bundle import BundleInfo, Feature, Label, Sample


class InferOutput(Documented):
    """One value for each row."""

    name: Literal["prediction", "score", "prediction_id"]
    shape: list[int]
    datatype: Literal["BOOL", "INT64", "FP64", "BYTES"]
    data: list[Label]


class InferAnswer(Documented):
    """The predictions of all rows."""

    model_name: str
    model_version: str
    id: str
    outputs: list[InferOutput]


class V2Error(Documented):
    """The code, a colon, what is wrong and what to do."""

    error: str


class V2Tensor(Documented):
    """A tensor of the model; -1 in its shape is the number of rows."""

    name: str
    datatype: Literal["BOOL", "INT64", "FP64", "BYTES"]
    shape: list[int]


class V2ModelMetadata(Documented):
    """The model's inputs, one tensor for each feature, and its outputs."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[V2Tensor]
    outputs: list[V2Tensor]


class V2ServerMetadata(Documented):
    """The server's name, version and extensions."""

    name: str
    version: str
    extensions: list[str]


class V2Live(Documented):
    """Whether the process runs."""

    live: bool


class V2Ready(Documented):
    """Whether the server, or a model, is ready to predict."""

    name: str | None = None
    ready: bool


def infer_schema(info: BundleInfo, max_rows: int) -> dict[str, Any]:
    """Return the schema of `POST /v2/models/{name}/infer`'s body, with the model's features and samples.

    It cannot express that a tensor's values match its shape, and that all tensors have the same number of rows.
    """
    outputs = {"type": "array", "items": _object(["name"], name={"enum": list(OUTPUTS)})}
    schema = _object(
        ["inputs"],
        inputs={"anyOf": [*_matrix_inputs(info, max_rows), _column_inputs(info, max_rows)]},
        id=ID,
        outputs={"anyOf": [outputs, NOTHING]},
        parameters={"anyOf": [_object([], timestamp=TIME, content_type=_one_of(OF_REQUESTS)), NOTHING]},
    )
    return {"required": True, "content": {"application/json": {"schema": schema, "examples": _examples(info)}}}


def _matrix_inputs(info: BundleInfo, max_rows: int) -> list[dict[str, Any]]:
    """Return the schema of one tensor with all features."""
    tensors = _tensors(info.features, {"type": "string"}, _shape(max_rows, len(info.features)))
    if not tensors:  # numbers beside free text
        return []
    return [{"type": "array", "items": {"anyOf": tensors}, "minItems": 1, "maxItems": 1}]


def _column_inputs(info: BundleInfo, max_rows: int) -> dict[str, Any]:
    """Return the schema of one tensor for each feature; features with the same schema share one."""
    alike: dict[tuple[str, bool], list[Feature]] = {}
    for feature in info.features:
        alike.setdefault((feature.kind, feature.accepts_missing), []).append(feature)
    shape = {"anyOf": [_shape(max_rows), _shape(max_rows, 1)]}
    tensors = [
        tensor
        for features in alike.values()
        for tensor in _tensors(features, {"enum": [feature.name for feature in features]}, shape)
    ]
    required = [
        {"contains": {**_object(["name"], name={"const": feature.name})}}
        for feature in info.features
        if not feature.accepts_missing
    ]
    return {
        "type": "array",
        "items": {"anyOf": tensors},
        "minItems": 1,
        "maxItems": len(info.features),
        **({"allOf": required} if required else {}),
    }


def _shape(max_rows: int, *width: int) -> dict[str, Any]:
    """Return the schema of a shape: rows, and columns if it has two entries."""
    entries = [{"type": "integer", "minimum": 1, "maximum": max_rows}, *({"const": count} for count in width)]
    return {"type": "array", "prefixItems": entries, "minItems": len(entries), "maxItems": len(entries)}


def _tensors(features: Sequence[Feature], name: dict[str, Any], shape: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the schemas of a tensor with these features, one for each allowed datatype."""
    missing = any(feature.accepts_missing for feature in features)
    kinds = {feature.kind for feature in features}
    plain = [] if "text" in kinds else ["number", "integer", "boolean"]
    texts = [] if "numeric" in kinds else ["string"]
    return [
        _object(
            ["name", "shape", "datatype", "data"],
            name=name,
            shape=shape,
            datatype={"const": datatype},
            data=_data(about, missing),
            parameters={"anyOf": [_parameters(about), {"not": {"type": "object"}}]},
        )
        for datatype, about in DATATYPES.items()
        if about.kind in (*plain, *texts)
    ]


def _parameters(about: Datatype) -> dict[str, Any]:
    """Return the schema of a tensor's parameters; those of binary data are refused."""
    known = OF_TENSORS if about.kind == "string" else [known for known in OF_TENSORS if known not in OF_TEXTS]
    return {**_object([], content_type=_one_of(known)), "not": {"required": ["binary_data_size"]}}


def _one_of(content_types: Sequence[str]) -> dict[str, Any]:
    return {"enum": [*content_types, None]}


def _data(about: Datatype, missing: bool) -> dict[str, Any]:
    value = {"anyOf": [_value_of(about), *[NOTHING] * missing]}
    flat = {"type": "array", "items": value, "minItems": 1}
    return {"anyOf": [flat, {"type": "array", "items": flat, "minItems": 1}]}


def _value_of(about: Datatype) -> dict[str, Any]:
    if about.kind == "boolean":
        return {"enum": [False, True, 0, 1]}
    if about.high < math.inf:
        return {"type": about.kind, "minimum": about.low, "maximum": about.high}
    return {"type": "string"} if about.kind == "string" else {**NUMBER}


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    """Return the schema of an object; the protocol allows further keys."""
    return {"type": "object", "properties": properties, "required": required}


def _examples(info: BundleInfo) -> dict[str, Any]:
    if not info.shown_samples:
        return {}
    one, many = info.shown_samples[:1], info.shown_samples
    examples = {
        "one row, a tensor for each feature": _columns(info, one),
        "many rows, a tensor for each feature": _columns(info, many),
    }
    if len({feature.kind == "numeric" for feature in info.features}) == 1:  # otherwise no datatype fits all features
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
