"""The Open Inference Protocol, version 2: requests, answers and metadata.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson

from driftgauge.common.quoting import bounded_name, named, shortened
from driftgauge.drift.bins import FloatArray
from driftgauge.edges.formats.content_types import OF_REQUESTS, content_type_of
from driftgauge.edges.formats.features import FeatureDecoder, json_type
from driftgauge.edges.formats.fields import id_of, read_json, time_of
from driftgauge.edges.formats.large.structure import Structure
from driftgauge.edges.formats.prediction_ids import time_ordered_ids
from driftgauge.edges.formats.tensors import HINT, Tensor, read_tensors, refused, refused_binary, rows_of
from driftgauge.errors import Reason, Refused, count_all_refused
from driftgauge.models.bundle import BundleInfo, Feature
from driftgauge.models.predictor import Batch
from driftgauge.serving.request import Answer

PLATFORM: Final = "sklearn"
OUTPUTS: Final = ("prediction", "score", "prediction_id")
OUTLIER_OUTPUTS: Final = ("is_outlier", "outlier_score")
"""Further outputs of a model whose answers say which rows are outliers."""
_BY_TYPE: Final = {bool: "BOOL", int: "INT64", float: "FP64", str: "BYTES"}


@dataclass(frozen=True)
class InferRequest:
    """A decoded request."""

    batch: Batch
    id: str | None
    outputs: Sequence[str] | None
    """The requested outputs in order; None for all."""
    event: FloatArray | None
    """Event times in seconds since 1970, shape [n]; None if the request has none."""


def read_infer(
    body: bytes,
    decoder: FeatureDecoder,
    info: BundleInfo,
    max_rows: int,
    structure: Structure | None = None,
    *,
    with_outliers: bool = False,
) -> InferRequest:
    """Decode a body, a large one with its structure; raises Refused."""
    content = _content(body, structure)
    meant = content_type_of(content.get("parameters"), OF_REQUESTS, "parameters")
    tensors = read_tensors(content.get("inputs"), max_rows, meant)
    rows = rows_of(tensors)
    sent_id = content.get("id")
    return InferRequest(
        batch=_batch(tensors, rows, decoder, info),
        id=None if sent_id is None else id_of("id", sent_id),
        outputs=_wanted(content.get("outputs"), _outputs(with_outliers)),
        event=_event(content.get("parameters"), rows),
    )


# ---------------------------------------------------------------- the inputs


def _content(body: bytes, structure: Structure | None) -> dict[str, Any]:
    try:
        content = read_json(body, structure)
    except Refused as error:
        if b'"binary_data_size"' in body:  # binary data follows the JSON
            raise refused_binary("the body") from error
        raise
    if not isinstance(content, dict) or content.get("inputs") is None:
        raise Refused(Reason.UNKNOWN_SHAPE, f"the body is not an object with inputs: {HINT}")
    return content


def _batch(tensors: Sequence[Tensor], rows: int, decoder: FeatureDecoder, info: BundleInfo) -> Batch:
    first = tensors[0]
    is_matrix = len(tensors) == 1 and first.width == len(info.features)
    if is_matrix and first.datatype != "BYTES":
        return decoder.decode_matrix(first.values, rows)
    try:
        columns = {} if is_matrix else _by_name(tensors, info)
        for feature in info.features:
            tensor = first if is_matrix else columns.get(feature.name)
            if tensor is not None and tensor.datatype == "BYTES":
                _refuse_texts(tensor, feature)
    except Refused as error:
        count_all_refused(error, rows)  # a tensor has all rows
        raise
    if is_matrix:
        return decoder.decode_matrix(first.values, rows)
    return decoder.decode_columns({name: tensor.values for name, tensor in columns.items()}, rows)


def _by_name(tensors: Sequence[Tensor], info: BundleInfo) -> Mapping[str, Tensor]:
    columns: dict[str, Tensor] = {}
    for tensor in tensors:
        if tensor.name in columns:
            raise refused(Reason.UNKNOWN_SHAPE, tensor.name, "it is in inputs twice: send it once")
        if tensor.width not in (None, 1):
            raise _misshapen(Reason.WRONG_FEATURE_COUNT, tensor, info, expected=len(info.features), given=tensor.width)
        columns[tensor.name] = tensor
    if len(tensors) == 1 and not any(feature.name in columns for feature in info.features):
        # Possibly one row of all features without the batch dimension.
        raise _misshapen(Reason.UNKNOWN_FEATURE, tensors[0], info)
    return columns


def _misshapen(reason: Reason, tensor: Tensor, info: BundleInfo, **detail: object) -> Refused:
    shape = [entry for entry in (tensor.rows, tensor.width) if entry is not None]
    names = named(feature.name for feature in info.features)
    message = (
        f"a tensor of shape {shape} with this name is neither all features nor one of them: send one of shape "
        f"[rows, {len(info.features)}] with the values of {names} in this order, or one of shape [rows] for each, "
        "with the feature's name"
    )
    return refused(reason, tensor.name, message, **detail)


def _refuse_texts(tensor: Tensor, feature: Feature) -> None:
    if feature.kind == "numeric":
        raise Refused(
            Reason.WRONG_TYPE,
            f"{bounded_name(feature.name)} is a number, and {shortened(tensor.name)} is a tensor of BYTES: send it "
            "in a tensor of its own of FP64",
            {"field": feature.name, "row": 0},
        )


# ---------------------------------------------------------------- outputs and parameters


def _outputs(with_outliers: bool) -> Sequence[str]:
    return (*OUTPUTS, *OUTLIER_OUTPUTS) if with_outliers else OUTPUTS


def _wanted(outputs: Any, known: Sequence[str]) -> Sequence[str] | None:
    """Return the names of the requested outputs, each once; None if the request names none."""
    if outputs is None or outputs == []:
        return None
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        raise Refused(
            Reason.WRONG_TYPE,
            f'outputs is not a list of objects: send [{{"name": "{OUTPUTS[0]}"}}] or leave it out',
            {"field": "outputs"},
        )
    return list(dict.fromkeys(_known_output(output.get("name"), known) for output in outputs))


def _known_output(name: Any, known: Sequence[str]) -> str:
    if name not in known:
        raise Refused(
            Reason.UNKNOWN_SHAPE,
            f"outputs: {shortened(str(name))} is not an output of the model; it has {', '.join(known)}",
            {"field": "outputs"},
        )
    return str(name)


def _event(parameters: Any, rows: int) -> FloatArray | None:
    if parameters is None:
        return None
    if not isinstance(parameters, dict):
        raise Refused(
            Reason.WRONG_TYPE,
            f"parameters is {json_type(parameters)}: send an object or leave it out",
            {"field": "parameters"},
        )
    sent = parameters.get("timestamp")
    return None if sent is None else np.full(rows, time_of("timestamp", sent))


# ---------------------------------------------------------------- the answer


def write_infer(
    request: InferRequest,
    answer: Answer,
    info: BundleInfo,
    arrival: float,
    row_ids: Sequence[str],
    outlier_threshold: float | None = None,
) -> bytes:
    """Return the answer's JSON; `arrival` is in seconds since 1970. A single row has the id of the answer.

    Rows whose score is above the threshold are outliers.
    """
    rows = len(row_ids)
    id_ = row_ids[0] if rows == 1 else request.id or time_ordered_ids(arrival, 1)[0]
    data: dict[str, Sequence[Any]] = {
        "prediction": answer.labels,
        "score": answer.scores,
        "prediction_id": row_ids,
    }
    tells = outlier_threshold is not None and answer.outlier_scores is not None
    if outlier_threshold is not None and answer.outlier_scores is not None:
        data["is_outlier"] = [score > outlier_threshold for score in answer.outlier_scores]
        data["outlier_score"] = answer.outlier_scores
    wanted = [name for name in request.outputs or _outputs(tells) if name in data]
    datatypes = output_datatypes(info, with_outliers=tells)
    return orjson.dumps(
        {
            "model_name": info.name,
            "model_version": info.version,
            "id": id_,
            "outputs": [
                {"name": name, "shape": [rows], "datatype": datatypes[name], "data": data[name]} for name in wanted
            ],
        }
    )


def error_body(code: str, message: str) -> bytes:
    """Return an error in the protocol's format, with the code before the message."""
    return orjson.dumps({"error": f"{code}: {message}"})


# ---------------------------------------------------------------- metadata


def server_metadata(version: str) -> dict[str, Any]:
    """Return the answer of `GET /v2`."""
    return {"name": "driftgauge", "version": version, "extensions": []}


def model_metadata(info: BundleInfo, *, with_outliers: bool = False) -> dict[str, Any]:
    """Return the answer of `GET /v2/models/{name}`: one tensor for each feature, and the outputs."""
    inputs = {feature.name: input_datatype(feature) for feature in info.features}
    return {
        "name": info.name,
        "versions": [info.version],
        "platform": PLATFORM,
        "inputs": _described(inputs),
        "outputs": _described(output_datatypes(info, with_outliers=with_outliers)),
    }


def _described(datatypes: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"name": name, "datatype": datatype, "shape": [-1]} for name, datatype in datatypes.items()]


def input_datatype(feature: Feature) -> str:
    """Return the datatype of a feature's own tensor."""
    return "BYTES" if feature.kind != "numeric" else "BOOL" if feature.boolean else "FP64"


def output_datatypes(info: BundleInfo, *, with_outliers: bool = False) -> Mapping[str, str]:
    """Return the datatype of each output by name, in order."""
    prediction = _BY_TYPE[type(info.classes[0])] if info.classes else "FP64"
    further = {"is_outlier": "BOOL", "outlier_score": "FP64"} if with_outliers else {}
    return {"prediction": prediction, "score": "FP64", "prediction_id": "BYTES", **further}
