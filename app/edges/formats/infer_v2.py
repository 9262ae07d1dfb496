"""The Open Inference Protocol, version 2: the body of `POST /v2/models/{name}/infer`, its answer, what describes them.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import NoneType
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import orjson

from app.batching import Answer
from app.bundles import BundleInfo, Feature
from app.drift.bins import FloatArray
from app.edges.formats.features import FeatureDecoder, json_type
from app.edges.formats.fields import id_of, read_json, time_of
from app.errors import Reason, Refused
from app.ids import time_ordered_ids
from app.serving import Batch, shortened

PLATFORM: Final = "sklearn"
OUTPUTS: Final = ("prediction", "score", "prediction_id")
_BY_TYPE: Final = {bool: "BOOL", int: "INT64", float: "FP64", str: "BYTES"}
_HINT: Final = (
    'send {"inputs": [{"name": "…", "shape": [rows, features], "datatype": "FP64", "data": […]}]}, '
    "or one such tensor of shape [rows] for each feature, named as the feature"
)


@dataclass(frozen=True)
class Datatype:
    """What a value of a tensor may be."""

    kind: Literal["boolean", "integer", "number", "string"]
    types: frozenset[type]
    low: float = -math.inf
    high: float = math.inf


def _integers(low: int, high: int) -> Datatype:
    return Datatype("integer", frozenset({int, NoneType}), low, high)


def _floats(beyond: float) -> Datatype:
    """Return a datatype of numbers nearer to zero than what it would round to infinity."""
    largest = math.nextafter(beyond, 0.0)
    return Datatype("number", frozenset({int, float, NoneType}), -largest, largest)


DATATYPES: Final[Mapping[str, Datatype]] = {
    "BOOL": Datatype("boolean", frozenset({bool, int, NoneType}), 0, 1),
    **{f"UINT{bits}": _integers(0, 2**bits - 1) for bits in (8, 16, 32, 64)},
    **{f"INT{bits}": _integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    "FP16": _floats(2.0**16 - 2.0**4),
    "FP32": _floats(2.0**128 - 2.0**103),
    "FP64": Datatype("number", frozenset({int, float, NoneType})),
    "BYTES": Datatype("string", frozenset({str, NoneType})),
}
"""The protocol's datatypes. Numbers are taken as JSON has them, not rounded to the precision of theirs."""


@dataclass(frozen=True)
class InferRequest:
    """A request that was understood."""

    batch: Batch
    id: str | None
    outputs: Sequence[str] | None
    """The outputs that are wanted, in order; None if all of them are."""
    event: FloatArray | None
    """Event times in seconds since 1970, shape [n]; None if the request has none."""


class _Tensor(NamedTuple):
    """A tensor whose values are of its datatype: of one tensor for each feature there are many, hence no dataclass."""

    name: str
    datatype: str
    rows: int
    width: int | None
    """The second entry of its shape; None if it has only one."""
    values: Sequence[Any]
    """Flat, in row-major order."""


def read_infer(body: bytes, decoder: FeatureDecoder, info: BundleInfo, max_rows: int) -> InferRequest:
    """Understand a body; raises Refused with the reason, the field and what to do."""
    content = _content(body)
    tensors = _tensors(content.get("inputs"), max_rows)
    rows = _rows(tensors)
    sent_id = content.get("id")
    return InferRequest(
        batch=_batch(tensors, rows, decoder, info),
        id=None if sent_id is None else id_of("id", sent_id),
        outputs=_wanted(content.get("outputs")),
        event=_event(content.get("parameters"), rows),
    )


# ---------------------------------------------------------------- the inputs


def _content(body: bytes) -> dict[str, Any]:
    try:
        content = read_json(body)
    except Refused as error:
        if b'"binary_data_size"' in body:  # what follows the JSON is no JSON
            raise _binary("the body") from error
        raise
    if not isinstance(content, dict) or content.get("inputs") is None:
        raise Refused(Reason.UNKNOWN_SHAPE, f"the body is not an object with inputs: {_HINT}")
    return content


def _tensors(inputs: Any, max_rows: int) -> list[_Tensor]:
    if not isinstance(inputs, list):
        raise Refused(Reason.WRONG_TYPE, f"inputs is {json_type(inputs)}, not a list: {_HINT}", {"field": "inputs"})
    if not inputs:
        raise Refused(Reason.UNKNOWN_SHAPE, f"inputs is empty: {_HINT}", {"field": "inputs"})
    return [_tensor(given, place, max_rows) for place, given in enumerate(inputs)]


def _tensor(given: Any, place: int, max_rows: int) -> _Tensor:
    name = given.get("name") if isinstance(given, dict) else None
    if not isinstance(name, str):
        field = f"inputs[{place}]"
        raise Refused(Reason.WRONG_TYPE, f"{field} is not an object with a name: {_HINT}", {"field": field})
    data = given.get("data")
    parameters = given.get("parameters")
    if data is None or (isinstance(parameters, dict) and "binary_data_size" in parameters):
        raise _binary(name)
    rows, width = _shape(name, given.get("shape"), max_rows)
    datatype = given.get("datatype")
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise _refused(Reason.WRONG_TYPE, name, f"its datatype is none of {', '.join(DATATYPES)}")
    tensor = _Tensor(name, datatype, rows, width, _flat(name, data, rows, width))
    _refuse_misfits(tensor)
    return tensor


def _shape(name: str, shape: Any, max_rows: int) -> tuple[int, int | None]:
    """Return a tensor's number of rows and, if its shape has two entries, the second."""
    if not isinstance(shape, list) or not 1 <= len(shape) <= 2 or not all(map(_is_size, shape)):
        raise _refused(Reason.UNKNOWN_SHAPE, name, "its shape is not [rows] or [rows, features], in integers from 0 up")
    rows = shape[0]
    if not rows:
        raise _refused(Reason.EMPTY_BATCH, name, "it has no row: send at least one")
    if rows > max_rows:
        raise _refused(
            Reason.TOO_MANY_ROWS,
            name,
            f"it has {rows} rows, at most {max_rows} are taken: send several requests",
            limit=max_rows,
            given=rows,
        )
    return rows, shape[1] if len(shape) == 2 else None


def _is_size(entry: Any) -> bool:
    return type(entry) is int and 0 <= entry < 2**64


def _flat(name: str, data: Any, rows: int, width: int | None) -> Sequence[Any]:
    """Return a tensor's values, which come flat or as a list for each row."""
    if not isinstance(data, list):
        raise _refused(Reason.WRONG_TYPE, name, f"its data is {json_type(data)}: send a list")
    expected = rows
    if width is not None:
        if data and type(data[0]) is list:
            return _joined(name, data, rows, width)
        expected *= width
    if len(data) != expected:
        raise _refused(
            Reason.UNKNOWN_SHAPE,
            name,
            f"its data has {len(data)} values, its shape says {expected}: send one for each place of the shape",
        )
    return data


def _joined(name: str, data: Sequence[Any], rows: int, width: int) -> Sequence[Any]:
    if len(data) != rows or set(map(type, data)) != {list} or set(map(len, data)) != {width}:
        raise _refused(
            Reason.UNKNOWN_SHAPE,
            name,
            f"its data is not {rows} lists of {width} values: nest it as its shape [{rows}, {width}], or not at all",
        )
    return list(chain.from_iterable(data))


def _refuse_misfits(tensor: _Tensor) -> None:
    """Raise Refused for a value that is not of the tensor's datatype; null fits every one."""
    datatype = DATATYPES[tensor.datatype]
    if not datatype.types.issuperset(map(type, tensor.values)):
        place = next(i for i, value in enumerate(tensor.values) if type(value) not in datatype.types)
        raise _misfit(tensor, place, json_type(tensor.values[place]))
    if datatype.high < math.inf:
        _refuse_beyond(tensor, datatype.low, datatype.high)


def _refuse_beyond(tensor: _Tensor, low: float, high: float) -> None:
    try:
        if low <= min(tensor.values) and max(tensor.values) <= high:
            return
    except (TypeError, ValueError):
        pass  # null has no order, and nothing no minimum
    for place, value in enumerate(tensor.values):
        # What is not finite is refused with the feature's name when it is decoded.
        if value is not None and not low <= value <= high and abs(value) < math.inf:
            raise _misfit(tensor, place, shortened(str(value)))


def _misfit(tensor: _Tensor, place: int, what: str) -> Refused:
    kind = DATATYPES[tensor.datatype].kind
    wanted = "texts" if kind == "string" else f"{kind}s"
    message = f"{what} is not of its datatype {tensor.datatype}: send {wanted} that fit it, or another datatype"
    return _refused(Reason.WRONG_TYPE, tensor.name, message, row=place // (tensor.width or 1))


def _rows(tensors: Sequence[_Tensor]) -> int:
    rows = tensors[0].rows
    for tensor in tensors:
        if tensor.rows != rows:
            message = f"it has {tensor.rows} rows, {shortened(tensors[0].name)} has {rows}: send as many for each"
            raise _refused(Reason.UNKNOWN_SHAPE, tensor.name, message, expected=rows, given=tensor.rows)
    return rows


def _batch(tensors: Sequence[_Tensor], rows: int, decoder: FeatureDecoder, info: BundleInfo) -> Batch:
    first = tensors[0]
    if len(tensors) == 1 and first.width == len(info.features):
        if first.datatype == "BYTES":
            _refuse_texts(first, info.features)
        return decoder.decode_matrix(first.values, rows)
    columns = _by_name(tensors, info)
    for feature in info.features:
        tensor = columns.get(feature.name)
        if tensor is not None and tensor.datatype == "BYTES":
            _refuse_texts(tensor, [feature])
    return decoder.decode_columns({name: tensor.values for name, tensor in columns.items()}, rows)


def _by_name(tensors: Sequence[_Tensor], info: BundleInfo) -> Mapping[str, _Tensor]:
    columns: dict[str, _Tensor] = {}
    for tensor in tensors:
        if tensor.name in columns:
            raise _refused(Reason.UNKNOWN_SHAPE, tensor.name, "it is there twice in inputs: send it once")
        if tensor.width not in (None, 1):
            raise _misshapen(Reason.WRONG_FEATURE_COUNT, tensor, info, expected=len(info.features), given=tensor.width)
        columns[tensor.name] = tensor
    if len(tensors) == 1 and not any(feature.name in columns for feature in info.features):
        # Perhaps a row of all features that is not in a batch.
        raise _misshapen(Reason.UNKNOWN_FEATURE, tensors[0], info)
    return columns


def _misshapen(reason: Reason, tensor: _Tensor, info: BundleInfo, **detail: object) -> Refused:
    shape = [entry for entry in (tensor.rows, tensor.width) if entry is not None]
    names = ", ".join(feature.name for feature in info.features)
    message = (
        f"a tensor of shape {shape} and this name is neither all features nor one of them: send one of shape "
        f"[rows, {len(info.features)}] with the values of {names} in this order, or one of shape [rows], named so, "
        "for each"
    )
    return _refused(reason, tensor.name, message, **detail)


def _refuse_texts(tensor: _Tensor, features: Sequence[Feature]) -> None:
    for feature in features:
        if feature.kind == "numeric":
            raise Refused(
                Reason.WRONG_TYPE,
                f"{feature.name} is a number, and {shortened(tensor.name)} is a tensor of BYTES: send it in a tensor "
                "of its own of FP64",
                {"field": feature.name, "row": 0},
            )


def _binary(what: str) -> Refused:
    return Refused(
        Reason.UNKNOWN_SHAPE,
        f"{shortened(what)} has no JSON data, or says that it is binary, which is not taken here: "
        'send the values as JSON in "data" (binary_data=False in some clients)',
        {"field": shortened(what)} if what != "the body" else {},
    )


def _refused(reason: Reason, name: str, message: str, **detail: object) -> Refused:
    """Return what is wrong with a tensor of a name."""
    field = shortened(name)
    return Refused(reason, f"{field}: {message}", {"field": field, **detail})


# ---------------------------------------------------------------- what else a request says


def _wanted(outputs: Any) -> Sequence[str] | None:
    """Return the names of the outputs that are asked for, each once; None if the request names none."""
    if outputs is None or outputs == []:
        return None
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        raise Refused(
            Reason.WRONG_TYPE,
            f'outputs is not a list of objects: send [{{"name": "{OUTPUTS[0]}"}}] or leave it out',
            {"field": "outputs"},
        )
    return list(dict.fromkeys(_known_output(output.get("name")) for output in outputs))


def _known_output(name: Any) -> str:
    if name not in OUTPUTS:
        raise Refused(
            Reason.UNKNOWN_SHAPE,
            f"outputs: {shortened(str(name))} is not an output of the model; there are {', '.join(OUTPUTS)}",
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


def write_infer(request: InferRequest, answer: Answer, info: BundleInfo, arrival: float) -> bytes:
    """Return the answer's JSON; `arrival` is in seconds since 1970."""
    id_, row_ids = _ids(request, arrival)
    rows = len(row_ids)
    data: dict[str, Sequence[Any]] = {
        "prediction": answer.labels,
        "score": answer.scores,
        "prediction_id": row_ids,
    }
    datatypes = output_datatypes(info)
    return orjson.dumps(
        {
            "model_name": info.name,
            "model_version": info.version,
            "id": id_,
            "outputs": [
                {"name": name, "shape": [rows], "datatype": datatypes[name], "data": data[name]}
                for name in request.outputs or OUTPUTS
            ],
        }
    )


def _ids(request: InferRequest, arrival: float) -> tuple[str, Sequence[str]]:
    """Return the id of the answer, and those of its rows: of one row it is the same."""
    rows = len(request.batch)
    if rows == 1:
        id_ = request.id or time_ordered_ids(arrival, 1)[0]
        return id_, [id_]
    first, *others = time_ordered_ids(arrival, rows + 1)
    return request.id or first, others


def error_body(code: str, message: str) -> bytes:
    """Return the protocol's one shape of an error, with the code before the message."""
    return orjson.dumps({"error": f"{code}: {message}"})


# ---------------------------------------------------------------- what describes it


def server_metadata(version: str) -> dict[str, Any]:
    """Return the answer of `GET /v2`."""
    return {"name": "driftgauge", "version": version, "extensions": []}


def model_metadata(info: BundleInfo) -> dict[str, Any]:
    """Return the answer of `GET /v2/models/{name}`: one tensor for each feature, and the outputs."""
    inputs = {feature.name: input_datatype(feature) for feature in info.features}
    return {
        "name": info.name,
        "versions": [info.version],
        "platform": PLATFORM,
        "inputs": _described(inputs),
        "outputs": _described(output_datatypes(info)),
    }


def _described(datatypes: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"name": name, "datatype": datatype, "shape": [-1]} for name, datatype in datatypes.items()]


def input_datatype(feature: Feature) -> str:
    """Return the datatype of a feature's own tensor."""
    return "BYTES" if feature.kind != "numeric" else "BOOL" if feature.boolean else "FP64"


def output_datatypes(info: BundleInfo) -> Mapping[str, str]:
    """Return the datatype of each output by name, in order."""
    prediction = _BY_TYPE[type(info.classes[0])] if info.classes else "FP64"
    return {"prediction": prediction, "score": "FP64", "prediction_id": "BYTES"}
