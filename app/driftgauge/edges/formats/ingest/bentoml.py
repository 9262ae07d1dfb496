"""Lines of BentoML's monitor: the logged names as keys, with a time and the id of the request."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import PREDICTION, PREDICTION_CLASS
from driftgauge.edges.formats.ingest.decoder import Decoder, ModelReading
from driftgauge.edges.formats.ingest.gather import Gathered
from driftgauge.edges.formats.ingest.keys import Keys, key_of_row
from driftgauge.edges.formats.ingest.numpy_text import read_array, read_rows
from driftgauge.edges.formats.ingest.uniform import Fields, UniformRows, features_of, scores_of
from driftgauge.errors import Reason, Refused

INPUTS: Final = ("input_array", "inputs", "input", "features")
OUTPUTS: Final = ("output_array", "outputs", "output", PREDICTION)
TIMES: Final = ("timestamp", "@timestamp", "date")
"""Fields of a time, the first of which counts; Fluent Bit writes the others."""
REQUEST_ID: Final = "request_id"
"""The same in all lines of a call: with the rest of a line it tells a line that is read again from others."""
_SCHEMA: Final = ("meta_data", "columns")


class BentomlDecoder(Decoder):
    """Decodes what `bentoml.monitor` logs: arrays of features and outputs, or one field for each feature."""

    def __init__(self, model: ModelReading) -> None:
        super().__init__(model)
        self._is_usual: Final = model.order.width > 1 and INPUTS[0] not in model.order.names
        """Whether a row has a short way."""

    def add(self, content: Any, position: int, keys: Keys, batch: Gathered) -> None:
        """Add a record, which may hold several rows; the line of the schema is skipped."""
        if _SCHEMA[0] in content and _SCHEMA[1] in content:
            return
        at = self._time(content)
        features = self._features(content)
        outputs = self._outputs(content, len(features))
        key = self.key(content, position, keys)
        for row, (values, (score, named)) in enumerate(zip(features, outputs, strict=True)):
            batch.rows.append((position, values, score, named, at, "", key_of_row(key, row)))

    def uniform(self, fields: Fields) -> UniformRows | None:
        """Return records with one row and one number each."""
        is_usual = self._is_usual and INPUTS[0] in fields and OUTPUTS[0] in fields and PREDICTION_CLASS not in fields
        if not is_usual or all(name in fields for name in _SCHEMA):
            return None
        given, output = fields[INPUTS[0]], fields[OUTPUTS[0]]
        features: Sequence[Sequence[Any]] | FloatArray | None = features_of(given, self.model.order)
        if features is None and set(map(type, given)) == {str}:
            features = read_rows(given, self.model.order.width)
        if set(map(type, output)) == {str} and (numbers := read_rows(output, 1)) is not None:
            output = numbers[:, 0].tolist()
        scores = scores_of(output, self.model.outputs)
        if features is None or scores is None:
            return None
        count, field = len(scores), next((field for field in TIMES if field in fields), None)
        if field is not None and None in fields[field]:
            return None
        times = np.full(count, math.nan) if field is None else self.model.times.all(field, fields[field])
        return UniformRows(features, scores, [None] * count, times, [""] * count)

    def key(self, content: Mapping[str, Any], position: int, keys: Keys) -> bytes:
        """Return the key of a record: a line that is read again has the same, even if it stands elsewhere then."""
        if REQUEST_ID not in content:
            return keys.at(position)
        if TIMES[0] in content and TIMES[-1] in content:  # when the line was read
            content = {name: value for name, value in content.items() if name != TIMES[-1]}
        return keys.of(position, content)

    def _time(self, content: Mapping[str, Any]) -> float:
        """Return when a record's rows were predicted, NaN if it does not say; raises Refused."""
        for field in TIMES:
            stamp = content.get(field)
            if stamp is not None:
                return self.model.times.seconds(field, stamp)
        return math.nan

    def _features(self, content: Mapping[str, Any]) -> Sequence[list[Any]]:
        order = self.model.order
        field = INPUTS[0] if INPUTS[0] in content else next((name for name in INPUTS if name in content), None)
        if field is None or field in order.names:
            return [order.by_name(content)]
        values = content[field]
        if type(values) is str:
            values = read_array(values)
        if type(values) is dict:
            return [order.by_name(values)]
        if type(values) is not list:
            values = [values]
        if not values or type(values[0]) is not list:
            if order.width == 1:
                return [[value] for value in values]
            return [order.in_order(values)]
        return [order.by_name(row) if type(row) is dict else order.in_order(_listed(field, row)) for row in values]

    def _outputs(self, content: Mapping[str, Any], rows: int) -> Sequence[tuple[Any, Any]]:
        """Return the score and the class of each row."""
        outputs = self.model.outputs
        if not outputs.are_needed:
            return [(None, None)] * rows
        field = OUTPUTS[0] if OUTPUTS[0] in content else next((name for name in OUTPUTS if name in content), None)
        named = content.get(PREDICTION_CLASS)
        if field is None and named is None:
            message = f"the output is absent: log it as {OUTPUTS[0]}, or as {PREDICTION}"
            raise Refused(Reason.MISSING_FEATURE, message, {"field": OUTPUTS[0]})
        given = [None] * rows if field is None else _rows(field, content[field], rows)
        found = [outputs.of(value) for value in given]
        if named is None:
            return found
        classes = _rows(PREDICTION_CLASS, named, rows)
        return [(score, own) for (score, _), own in zip(found, classes, strict=True)]


def _listed(field: str, row: Any) -> list[Any]:
    if type(row) is not list:
        message = f"{field} is a list in which not all rows are lists: log one list for each row"
        raise Refused(Reason.UNKNOWN_SHAPE, message, {"field": field})
    return row


def _rows(field: str, values: Any, rows: int) -> list[Any]:
    """Return the output of each row; raises Refused if there are more or fewer."""
    if type(values) is str and values[:1] == "[":
        values = read_array(values)
    if rows == 1:
        if type(values) is list and len(values) == 1:
            return values
        return [values]
    if type(values) is not list or len(values) != rows:
        given = len(values) if type(values) is list else 1
        message = f"{field} has {given} values for {rows} rows: log one for each"
        raise Refused(Reason.UNKNOWN_SHAPE, message, {"field": field})
    return values
