"""Bodies of prediction requests and of their answers, as rows of features and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from driftgauge.common.quoting import named
from driftgauge.drift.reference.baseline import PREDICTION, PREDICTION_CLASS
from driftgauge.edges.formats.ingest.features import FeatureOrder, Outputs
from driftgauge.edges.formats.tensors import Tensor, read_tensors, rows_of
from driftgauge.errors import Reason, Refused

Output = tuple[Any, Any]
"""The score and the class of a row, each None where it is not known."""
MOST_ROWS: Final = 1_000_000
"""Rows of one request."""
_ROW_LISTS: Final = ("instances", "dataframe_records", "inputs", "features", "data", "ndarray")
"""Keys under which requests have rows."""
_OUTPUT_LISTS: Final = ("predictions", "outputs", "output", "prediction", "data", "ndarray", "scores", "probabilities")
"""Keys under which answers have outputs."""
_SCORES: Final = ("score", PREDICTION, "probability", "predicted_value")
_CLASSES: Final = (PREDICTION_CLASS, "predicted_label", "label", "class")


class RequestRows:
    """Reads the rows of a request: of protocol v1, v2, pandas' forms, columns by name, or plain lists."""

    def __init__(self, order: FeatureOrder) -> None:
        self._order: Final = order

    def of(self, content: Any) -> Sequence[list[Any]]:
        """Return rows of features in the baseline's order; raises Refused."""
        if type(content) is list:
            return self._of_list(content)
        if type(content) is not dict:
            raise _unknown("the request", "is no object and no list")
        split = content.get("dataframe_split", content)
        if type(split) is dict and type(split.get("columns")) is list and type(split.get("data")) is list:
            return self._of_split(split["columns"], split["data"])
        if _are_tensors(content.get("inputs")):
            return self._of_tensors(read_tensors(content["inputs"], MOST_ROWS, None))
        if self._order.are_in(content):
            return self._of_named(content)
        for key in _ROW_LISTS:
            if key in content:
                return self.of(content[key])
        return self._of_named(content)

    def _of_named(self, content: Mapping[str, Any]) -> Sequence[list[Any]]:
        """Return the row of values by name, or the rows of columns by name."""
        values = self._order.by_name(content)
        if not values or type(values[0]) is not list:
            return [values]
        if any(type(column) is not list or len(column) != len(values[0]) for column in values):
            raise _unknown("the request", "has columns of different lengths")
        return list(map(list, zip(*values, strict=True)))

    def _of_list(self, content: list[Any]) -> Sequence[list[Any]]:
        if not content:
            raise Refused(Reason.EMPTY_BATCH, "the request has no rows")
        order, first = self._order, type(content[0])
        if first is dict:
            return [self._row(row) for row in content]
        if first is list:
            return [order.in_order(row) if type(row) is list else self._row(row) for row in content]
        return [[value] for value in content] if order.width == 1 else [order.in_order(content)]

    def _row(self, row: Any) -> list[Any]:
        found = self.of(row) if type(row) is dict else ()
        if len(found) != 1:
            raise _unknown("a row", "is no list and no object of values by name")
        return found[0]

    def _of_split(self, columns: list[Any], data: list[Any]) -> Sequence[list[Any]]:
        if any(type(row) is not list or len(row) != len(columns) for row in data):
            raise _unknown("the request", "has rows of another length than its columns")
        return [self._order.by_name(dict(zip(columns, row, strict=True))) for row in data]

    def _of_tensors(self, tensors: Sequence[Tensor]) -> Sequence[list[Any]]:
        order, count = self._order, rows_of(tensors)
        if len(tensors) == 1 and (tensors[0].width or 1) == order.width:
            return _chunked(list(tensors[0].values), order.width)
        by_name: dict[str, Sequence[Any]] = {}
        for tensor in tensors:
            width = tensor.width or 1
            if width == 1:
                by_name[tensor.name] = tensor.values
            else:
                parts = {f"{tensor.name}-{i}": tensor.values[i::width] for i in range(width)}
                by_name.update(parts)
        if len(by_name) == order.width and not any(name in by_name for name in order.names):
            columns: Sequence[Sequence[Any]] = list(by_name.values())  # named otherwise, in order
        else:
            columns = order.by_name(by_name)
        return list(map(list, zip(*columns, strict=True))) if columns else [[] for _ in range(count)]


class AnswerRows:
    """Reads the outputs of an answer: of protocol v1, v2, or plain values and lists."""

    def __init__(self, outputs: Outputs) -> None:
        self._outputs: Final = outputs

    def of(self, content: Any, rows: int) -> Sequence[Output]:
        """Return the output of each row; raises Refused."""
        if not self._outputs.are_needed:
            return [(None, None)] * rows
        if type(content) is dict:
            return self._of_dict(content, rows)
        if type(content) is not list or (rows == 1 and len(content) != 1):
            content = [content]
        if len(content) != rows:
            raise _unknown("the answer", f"has {len(content)} outputs for {rows} rows")
        return [self._one(value) for value in content]

    def _of_dict(self, content: Mapping[str, Any], rows: int) -> Sequence[Output]:
        if "error" in content and not any(key in content for key in _OUTPUT_LISTS):
            raise _unknown("the answer", "is an error of the server")
        if _are_tensors(content.get("outputs")):
            return self._of_tensors(read_tensors(content["outputs"], MOST_ROWS, None), rows)
        if rows == 1 and any(key in content for key in (*_SCORES, *_CLASSES)) and not _has_list(content):
            return [self._one(content)]
        for key in _OUTPUT_LISTS:
            if key in content:
                return self.of(content[key], rows)
        return self.of([content], rows)

    def _of_tensors(self, tensors: Sequence[Tensor], rows: int) -> Sequence[Output]:
        if rows_of(tensors) != rows:
            raise _unknown("the answer", f"has {tensors[0].rows} outputs for {rows} rows")
        found: list[Output] = [(None, None)] * rows
        for tensor in tensors[:2]:  # such as labels and probabilities
            values = list(tensor.values)
            wide = tensor.width is not None and tensor.width > 1
            given = map(self._outputs.of, _chunked(values, tensor.width or 1) if wide else values)
            found = [
                (score if score is not None else own_score, named if named is not None else own_named)
                for (score, named), (own_score, own_named) in zip(found, given, strict=True)
            ]
        return found

    def _one(self, value: Any) -> Output:
        if type(value) is not dict:
            return self._outputs.of(value)
        score = next((value[key] for key in _SCORES if key in value), None)
        label = next((value[key] for key in _CLASSES if key in value), None)
        if label is not None:
            return (self._outputs.of(score)[0] if type(score) is list else score), label
        if score is None and len(value) == 1:
            score = next(iter(value.values()))
        if score is None:
            raise _unknown("the answer", f"has {named(value)} for a row, and neither a score nor a prediction")
        return self._outputs.of(score)


def _has_list(content: Mapping[str, Any]) -> bool:
    return any(type(content.get(key)) is list for key in _OUTPUT_LISTS)


def _are_tensors(given: Any) -> bool:
    return type(given) is list and bool(given) and type(given[0]) is dict and "datatype" in given[0]


def _chunked(values: list[Any], width: int) -> Sequence[list[Any]]:
    return [values[at : at + width] for at in range(0, len(values), width)]


def _unknown(what: str, problem: str) -> Refused:
    return Refused(Reason.UNKNOWN_SHAPE, f"{what} {problem}")
