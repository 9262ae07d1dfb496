"""Tensors of the Open Inference Protocol: datatypes, shapes, and checked values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any, Final, Literal, NamedTuple

from driftgauge.common.quoting import shortened
from driftgauge.edges.formats.content_types import OF_TENSORS, ContentType, content_type_of, read_as
from driftgauge.edges.formats.features import json_type
from driftgauge.edges.formats.large.chunks import chunks, joined
from driftgauge.errors import Reason, Refused

HINT: Final = (
    'send {"inputs": [{"name": "…", "shape": [rows, features], "datatype": "FP64", "data": […]}]}, '
    "or one such tensor of shape [rows] for each feature, named as the feature"
)


@dataclass(frozen=True)
class Datatype:
    """The JSON types and range of a tensor's values."""

    kind: Literal["boolean", "integer", "number", "string"]
    types: frozenset[type]
    low: float = -math.inf
    high: float = math.inf


def _integers(low: int, high: int) -> Datatype:
    return Datatype("integer", frozenset({int, NoneType}), low, high)


def _floats(beyond: float) -> Datatype:
    """Return a datatype of numbers smaller than the first that rounds to infinity."""
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
"""The protocol's datatypes; numbers keep JSON's precision and are not rounded."""


class Tensor(NamedTuple):
    """A checked tensor; a NamedTuple for speed, because a request may have one for each feature."""

    name: str
    datatype: str
    rows: int
    width: int | None
    """The second entry of its shape; None if it has only one."""
    values: Sequence[Any]
    """Flat, in row-major order."""


def read_tensors(inputs: Any, max_rows: int, meant: ContentType | None) -> list[Tensor]:
    """Return the tensors of `inputs`; `meant` is the request's content type. Raises Refused."""
    if not isinstance(inputs, list):
        raise Refused(Reason.WRONG_TYPE, f"inputs is {json_type(inputs)}, not a list: {HINT}", {"field": "inputs"})
    if not inputs:
        raise Refused(Reason.UNKNOWN_SHAPE, f"inputs is empty: {HINT}", {"field": "inputs"})
    return [_tensor(given, index, max_rows, meant) for index, given in enumerate(inputs)]


def _tensor(given: Any, index: int, max_rows: int, meant: ContentType | None) -> Tensor:
    """Return one tensor; its own content type takes precedence over the request's, `meant`."""
    name = given.get("name") if isinstance(given, dict) else None
    if not isinstance(name, str):
        field = f"inputs[{index}]"
        raise Refused(Reason.WRONG_TYPE, f"{field} is not an object with a name: {HINT}", {"field": field})
    data = given.get("data")
    parameters = given.get("parameters")
    if data is None or (isinstance(parameters, dict) and "binary_data_size" in parameters):
        raise refused_binary(name)
    rows, width = _shape(name, given.get("shape"), max_rows)
    datatype = given.get("datatype")
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise refused(Reason.WRONG_TYPE, name, f"its datatype is none of {', '.join(DATATYPES)}")
    tensor = Tensor(name, datatype, rows, width, _flat(name, data, rows, width))
    _refuse_misfits(tensor)
    own = content_type_of(parameters, OF_TENSORS, name)
    if own is not None or (meant is not None and datatype == "BYTES"):
        return tensor._replace(values=read_as(own or meant, datatype, tensor.values, name))
    return tensor


def _shape(name: str, shape: Any, max_rows: int) -> tuple[int, int | None]:
    """Return a tensor's number of rows and, if its shape has two entries, the second."""
    if not isinstance(shape, list) or not 1 <= len(shape) <= 2 or not all(map(_is_size, shape)):
        raise refused(Reason.UNKNOWN_SHAPE, name, "its shape must be [rows] or [rows, features], with integers from 0")
    rows = shape[0]
    if not rows:
        raise refused(Reason.EMPTY_BATCH, name, "it has no rows: send at least one")
    if rows > max_rows:
        raise refused(
            Reason.TOO_MANY_ROWS,
            name,
            f"it has {rows} rows, the limit is {max_rows}: send several requests",
            limit=max_rows,
            given=rows,
        )
    return rows, shape[1] if len(shape) == 2 else None


def _is_size(entry: Any) -> bool:
    return type(entry) is int and 0 <= entry < 2**64


def _flat(name: str, data: Any, rows: int, width: int | None) -> Sequence[Any]:
    """Return a tensor's values, sent flat or as one list for each row."""
    if not isinstance(data, list):
        raise refused(Reason.WRONG_TYPE, name, f"its data is {json_type(data)}: send a list")
    expected = rows
    if width is not None:
        if data and type(data[0]) is list:
            return _joined(name, data, rows, width)
        expected *= width
    if len(data) != expected:
        raise refused(
            Reason.UNKNOWN_SHAPE,
            name,
            f"its data has {len(data)} values, its shape needs {expected}: send as many as the shape says",
        )
    return data


def _joined(name: str, data: Sequence[Any], rows: int, width: int) -> Sequence[Any]:
    if len(data) != rows or set(map(type, data)) != {list} or set(map(len, data)) != {width}:
        raise refused(
            Reason.UNKNOWN_SHAPE,
            name,
            f"its data is not {rows} lists of {width} values: nest it like its shape, or send it flat",
        )
    return joined(data, width)


def _refuse_misfits(tensor: Tensor) -> None:
    """Raise Refused for a value that does not fit the tensor's datatype; null fits all datatypes."""
    datatype = DATATYPES[tensor.datatype]
    if not all(datatype.types.issuperset(map(type, part)) for part in chunks(tensor.values)):
        index = next(i for i, value in enumerate(tensor.values) if type(value) not in datatype.types)
        raise _misfit(tensor, index, json_type(tensor.values[index]))
    if datatype.high < math.inf:
        _refuse_beyond(tensor, datatype.low, datatype.high)


def _refuse_beyond(tensor: Tensor, low: float, high: float) -> None:
    try:
        if all(low <= min(part) and max(part) <= high for part in chunks(tensor.values)):
            return
    except (TypeError, ValueError):
        pass  # null cannot be compared, and an empty list has no minimum
    for index, value in enumerate(tensor.values):
        # Values that are not finite are refused by the decoder, which knows the feature's name.
        if value is not None and not low <= value <= high and abs(value) < math.inf:
            raise _misfit(tensor, index, shortened(str(value)))


def _misfit(tensor: Tensor, index: int, what: str) -> Refused:
    kind = DATATYPES[tensor.datatype].kind
    wanted = "texts" if kind == "string" else f"{kind}s"
    message = f"{what} does not fit its datatype {tensor.datatype}: send {wanted} in its range, or another datatype"
    return refused(Reason.WRONG_TYPE, tensor.name, message, row=index // (tensor.width or 1))


def rows_of(tensors: Sequence[Tensor]) -> int:
    """Return the number of rows of all tensors; Refused if two differ."""
    rows = tensors[0].rows
    for tensor in tensors:
        if tensor.rows != rows:
            message = f"it has {tensor.rows} rows, {shortened(tensors[0].name)} has {rows}: send equal numbers"
            raise refused(Reason.UNKNOWN_SHAPE, tensor.name, message, expected=rows, given=tensor.rows)
    return rows


def refused_binary(what: str) -> Refused:
    """Return the refusal of values that are not sent as JSON."""
    return Refused(
        Reason.UNKNOWN_SHAPE,
        f"{shortened(what)} has no JSON data; binary data is not supported: "
        'send the values as JSON in "data" (binary_data=False in some clients)',
        {"field": shortened(what)} if what != "the body" else {},
    )


def refused(reason: Reason, name: str, message: str, **detail: object) -> Refused:
    """Return the refusal of a tensor."""
    field = shortened(name)
    return Refused(reason, f"{field}: {message}", {"field": field, **detail})
