"""SageMaker's captures of requests and answers, and its ground truth, as JSON lines."""

from __future__ import annotations

import binascii
import math
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from driftgauge.edges.formats.ingest.csv_rows import CsvRows, cell_numbers, cell_value, lines_of
from driftgauge.edges.formats.ingest.decoder import Decoder, ModelReading
from driftgauge.edges.formats.ingest.gather import Gathered
from driftgauge.edges.formats.ingest.keys import Keys, key_of_event, key_of_row
from driftgauge.edges.formats.ingest.payloads import AnswerRows, Output, RequestRows
from driftgauge.edges.formats.ingest.records import Unreadable, content_of
from driftgauge.edges.formats.ingest.row_ids import row_id
from driftgauge.edges.formats.ingest.uniform import Fields, UniformRows, fields_of, scores_of
from driftgauge.errors import Reason, Refused
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.labels import GivenLabel

CAPTURE: Final = "captureData"
TRUTH: Final = "groundTruthData"
METADATA: Final = "eventMetadata"
INPUT: Final = "endpointInput"
OUTPUT: Final = "endpointOutput"
TIME: Final = "inferenceTime"
CSV: Final = "CSV"
JSON: Final = "JSON"
BASE64: Final = "BASE64"


class SagemakerDecoder(Decoder):
    """Decodes lines of a data capture, each with all rows of a request, and lines of ground truth."""

    def __init__(self, model: ModelReading) -> None:
        super().__init__(model)
        self._csv: Final = CsvRows(model.baseline, model.order)
        self._requests: Final = RequestRows(model.order)
        self._answers: Final = AnswerRows(model.outputs)

    def add(self, content: Any, position: int, keys: Keys, batch: Gathered) -> None:
        """Add the rows of a capture, or the labels of ground truth; raises Refused before the first."""
        metadata = _object(content, METADATA)
        id_ = metadata.get("inferenceId") or metadata.get("eventId") or ""
        if not isinstance(id_, str):
            raise _refused(METADATA, "has an id that is no text")
        if TRUTH in content:
            batch.labels += self._truth(_object(content, TRUTH), id_)
            return
        capture = _object(content, CAPTURE)
        if not isinstance(capture.get(INPUT), dict):
            raise _refused(INPUT, "is absent: capture the input too, or nothing says what the features were")
        features = self._features(capture[INPUT])
        outputs = self._outputs(capture.get(OUTPUT), len(features))
        stamp = metadata.get(TIME)
        at = math.nan if stamp is None else self.model.times.seconds(TIME, stamp)
        key = self.key(content, position, keys)
        for row, (values, (score, named)) in enumerate(zip(features, outputs, strict=True)):
            own_id = row_id(id_, row, len(features))
            batch.rows.append((position, values, score, named, at, own_id, key_of_row(key, row)))

    def uniform(self, fields: Fields) -> UniformRows | None:
        """Return captures of one row of numbers and one number each, as CSV."""
        if TRUTH in fields or CAPTURE not in fields or METADATA not in fields:
            return None
        capture, metadata = fields_of(fields[CAPTURE]), fields_of(fields[METADATA])
        if capture is None or metadata is None:
            return None
        given, answers = _csv_texts(capture, INPUT), _csv_texts(capture, OUTPUT)
        events = metadata.get("eventId", ())
        if given is None or answers is None or "inferenceId" in metadata or set(map(type, events)) != {str}:
            return None
        features, outputs = self._csv.of_lines(given), cell_numbers(answers)
        scores = None if outputs is None else scores_of(outputs, self.model.outputs)
        if features is None or scores is None:
            return None
        count, stamps = len(scores), metadata.get(TIME)
        times = np.full(count, math.nan) if stamps is None else self.model.times.all(TIME, stamps)
        return UniformRows(features, scores, [None] * count, times, [row_id(id_, 0, 1) for id_ in events])

    def key(self, content: Any, position: int, keys: Keys) -> bytes:
        """Return the key of a record, which its event makes if it has an id."""
        metadata = _object(content, METADATA)
        event = metadata.get("eventId") or metadata.get("inferenceId")
        return keys.known(position, str(event), key_of_event) if event else keys.at(position)

    def _features(self, half: Mapping[str, Any]) -> Sequence[list[Any]]:
        kind, data = _data(INPUT, half)
        return self._csv.of(data) if kind == CSV else self._requests.of(data)

    def _outputs(self, half: Any, rows: int) -> Sequence[Output]:
        if half is None:  # not captured
            return [(None, None)] * rows
        if type(half) is not dict:
            raise _refused(OUTPUT, "is no object")
        kind, data = _data(OUTPUT, half)
        return self._answers.of(_outputs_of_csv(data, rows) if kind == CSV else data, rows)

    def _truth(self, half: Mapping[str, Any], id_: str) -> Sequence[GivenLabel]:
        if not id_:
            raise _refused(METADATA, "has neither an inferenceId nor an eventId")
        kind, data = _data(TRUTH, half)
        values = [cell_value(cell) for line in lines_of(data) for cell in line] if kind == CSV else data
        if type(values) is not list:
            values = [values]
        number = self.model.labels.number
        ids = [row_id(id_, row, len(values)) for row in range(len(values))]
        if not all(ids):
            raise _refused(METADATA, "has an id that no prediction can have")
        return [GivenLabel(key_of(own), number(value)) for own, value in zip(ids, values, strict=True)]


def _csv_texts(capture: Fields, field: str) -> Sequence[str] | None:
    """Return the data of a field of each capture; None unless all of it is text of CSV."""
    half = fields_of(capture.get(field, ()))
    if half is None or set(map(str, half.get("encoding", ()))) != {CSV}:
        return None
    texts = half.get("data", ())
    return texts if set(map(type, texts)) == {str} else None


def _data(field: str, half: Mapping[str, Any]) -> tuple[str, Any]:
    """Return whether the data is CSV or JSON, and its text or its content; raises Refused."""
    encoding, data = half.get("encoding"), half.get("data")
    kind = str(half.get("observedContentType") or "").lower()
    if encoding == JSON and not isinstance(data, str):
        return JSON, data
    if not isinstance(data, str):
        raise _refused(field, "has no text as its data")
    if encoding == BASE64:
        try:
            data = b64decode(data, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError, ValueError) as error:
            raise _refused(field, "has data that is no text in Base64") from error
        looks_like_json = data.lstrip()[:1] in ("{", "[")
        encoding = CSV if "csv" in kind or ("json" not in kind and not looks_like_json) else JSON
    if encoding == CSV:
        return CSV, data
    if encoding != JSON:
        raise _refused(field, "has another encoding than CSV, JSON and BASE64")
    return JSON, _json(field, data)


def _json(field: str, data: str) -> Any:
    """Return the content of a JSON text, or of JSON lines as a list."""
    content = content_of(data.encode("utf-8", "surrogatepass"))
    if type(content) is Unreadable and "\n" in data.strip():
        content = [content_of(line.encode("utf-8", "surrogatepass")) for line in data.splitlines() if line.strip()]
        content = next((line for line in content if type(line) is Unreadable), content)
    if type(content) is Unreadable:
        raise Refused(content.error.reason, f"{field}: {content.error.message}", {"field": field})
    return content


def _outputs_of_csv(data: str, rows: int) -> list[Any]:
    """Return the output of each row: a cell, or a list of cells such as probabilities."""
    lines = lines_of(data)
    if len(lines) == 1 and len(lines[0]) == rows:  # all rows in one line
        return [cell_value(cell) for cell in lines[0]]
    found: list[Any] = [[cell_value(cell) for cell in cells] for cells in lines]
    return [cells[0] if len(cells) == 1 else cells for cells in found]


def _object(content: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    found = content.get(field)
    if not isinstance(found, dict):
        raise _refused(field, "is no object: send the lines as SageMaker writes them")
    return found


def _refused(field: str, problem: str) -> Refused:
    return Refused(Reason.UNKNOWN_SHAPE, f"{field} {problem}", {"field": field})
