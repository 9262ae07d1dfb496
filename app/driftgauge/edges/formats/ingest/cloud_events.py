"""CloudEvents of KServe, Seldon and Azure ML: requests and responses, to be joined by their id."""

from __future__ import annotations

import binascii
import math
from base64 import b64decode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import numpy as np

from driftgauge.common.quoting import shortened
from driftgauge.edges.formats.ingest.decoder import Decoder, ModelReading
from driftgauge.edges.formats.ingest.gather import Gathered, classes_of
from driftgauge.edges.formats.ingest.keys import Keys, PlacedKeys, key_of_event, key_of_row
from driftgauge.edges.formats.ingest.payloads import AnswerRows, Output, RequestRows
from driftgauge.edges.formats.ingest.records import Records, Unreadable, content_of
from driftgauge.edges.formats.ingest.row_ids import row_id, row_ids
from driftgauge.edges.formats.ingest.seldon_feedback import FEEDBACK, SeldonFeedback
from driftgauge.errors import Reason, Refused
from driftgauge.ingestion.records import Decoded, HalfEvent, IngestedRows, Pair

LONGEST_ID: Final = 512
"""Characters of an event's id, which is kept until the other half arrives."""
_REQUESTS: Final = ("request", "inputs", "model_inputs")
_RESPONSES: Final = ("response", "outputs", "model_outputs")
"""Last parts of the types of events."""
_ATTRIBUTE: Final = "ce-"
_AZURE: Final = "azureml."
_SELDON: Final = "io.seldon."
_REQUEST_ID: Final = "requestid"
"""What the events of one request to Seldon have in common; each of them has an id of its own."""
_BLOB: Final = ("reqType", "bytes")
"""Keys of the records that KServe writes to object storage."""


class CloudEventDecoder(Decoder):
    """Decodes events into halves or ground truth, and joins two halves into rows."""

    def __init__(self, model: ModelReading) -> None:
        super().__init__(model)
        self._requests: Final = RequestRows(model.order)
        self._answers: Final = AnswerRows(model.outputs)
        self._feedback: Final = SeldonFeedback(model.labels, model.outcomes)

    def event(self, headers: Mapping[str, str], body: bytes) -> Decoded:
        """Return the half in one event of the binary mode: `headers` has lower-case names, the body is inflated."""
        attributes = {name.removeprefix(_ATTRIBUTE): value for name, value in headers.items()}
        content = content_of(body)
        batch = Gathered()
        try:
            if type(content) is Unreadable:
                raise content.error
            self._add_event(attributes, content, batch)
        except Refused as error:
            batch.refuse(0, error)
        records = Records([content], [body])
        keys = PlacedKeys(records, b"")
        return batch.decoded(
            self.model.reader, self.model.outputs.label, records, lambda _, at: self.key(attributes, at, keys)
        )

    def add(self, content: Any, position: int, keys: Keys, batch: Gathered) -> None:
        """Add an event of the structured mode, a line of Azure ML's collector, or one that KServe stored."""
        if all(key in content for key in _BLOB):
            attributes = {**content, "type": content["reqType"], "time": content.get("occurrenceTime")}
            self._add_event(attributes, _of_base64("bytes", content["bytes"]), batch)
        elif "data_base64" in content:
            self._add_event(content, _of_base64("data_base64", content["data_base64"]), batch)
        elif content.get("data") is not None:
            data = content["data"]
            self._add_event(content, _parsed("data", data.encode()) if type(data) is str else data, batch)
        else:
            raise _refused("data", "is absent; a payload that was stored elsewhere cannot be read")

    def joined(self, pairs: Sequence[Pair]) -> Decoded:
        """Return the rows of requests and their responses; the position of a refused record is that of its pair."""
        with suppress(Refused):
            return Decoded(self._joined(pairs), [], [], [])
        batch = Gathered()
        for position, (request, response) in enumerate(pairs):
            try:
                self._add_pair(request, response, position, batch)
            except Refused as error:
                batch.refuse(position, error)
        contents = [
            {"id": request.id, "request": request.content, "response": response.content} for request, response in pairs
        ]
        return batch.decoded(
            self.model.reader, self.model.outputs.label, Records(contents), lambda pair, _: key_of_event(pair["id"])
        )

    def key(self, content: Any, position: int, keys: Keys) -> bytes:
        """Return the key of an event, which its id and its type make if it has an id."""
        id_ = content.get("id")
        if not isinstance(id_, str) or not id_:
            return keys.at(position)
        return keys.known(position, f"{content.get('type')} {id_}", key_of_event)

    def _joined(self, pairs: Sequence[Pair]) -> IngestedRows | None:
        """Return the rows of all pairs at once; Refused if one of them is to be."""
        features: list[list[Any]] = []
        outputs: list[Output] = []
        times: list[float] = []
        ids: list[str] = []
        keys: list[bytes] = []
        positions: list[int] = []
        for position, (request, response) in enumerate(pairs):
            rows = self._requests.of(request.content)
            count, key = len(rows), key_of_event(request.id)
            features += rows
            outputs += self._answers.of(response.content, count)
            times += [response.at if math.isnan(request.at) else request.at] * count
            ids += row_ids(request.id, count)
            keys += [key_of_row(key, row) for row in range(count)]
            positions += [position] * count
        if not features:
            return None
        scores, named = zip(*outputs, strict=True)
        columns = self.model.reader.lists(features, scores, named)
        return IngestedRows(columns, np.array(times), ids, keys, classes_of(named, self.model.outputs.label), positions)

    def _add_pair(self, request: HalfEvent, response: HalfEvent, position: int, batch: Gathered) -> None:
        """Add the rows of a request and its response; raises Refused before the first."""
        features = self._requests.of(request.content)
        outputs = self._answers.of(response.content, len(features))
        at, key = response.at if math.isnan(request.at) else request.at, key_of_event(request.id)
        for row, (values, (score, named)) in enumerate(zip(features, outputs, strict=True)):
            id_ = row_id(request.id, row, len(features))
            batch.rows.append((position, values, score, named, at, id_, key_of_row(key, row)))

    def _add_event(self, attributes: Mapping[str, Any], content: Any, batch: Gathered) -> None:
        """Add a half, or the ground truth of a feedback; raises Refused before anything is added."""
        kind = str(attributes.get("type"))
        if kind.startswith(_SELDON) and kind.endswith(FEEDBACK):
            batch.labels += self._feedback.labels(
                content, str(attributes.get(_REQUEST_ID) or ""), self._time(attributes)
            )
            return
        batch.halves.append(self._half(attributes, content))

    def _time(self, attributes: Mapping[str, Any]) -> float:
        return self.model.times.seconds("time", attributes.get("time"))

    def _half(self, attributes: Mapping[str, Any], content: Any) -> HalfEvent:
        kind = attributes.get("type")
        last = kind.rpartition(".")[2] if isinstance(kind, str) else ""
        if last not in (*_REQUESTS, *_RESPONSES):
            given = "absent" if kind is None else f"{shortened(str(kind))!r}"
            raise _refused("type", f"is {given}, not that of an inference request or response")
        field = "correlationid" if str(kind).startswith(_AZURE) else "id"
        if str(kind).startswith(_SELDON) and attributes.get(_REQUEST_ID):
            field = _REQUEST_ID
        id_ = attributes.get(field)
        if not isinstance(id_, str) or not id_:
            raise _refused(field, "is absent: requests and responses are joined by it")
        if len(id_) > LONGEST_ID:
            raise _refused(field, f"has {len(id_)} characters, more than {LONGEST_ID}")
        return HalfEvent(id_, last in _REQUESTS, self._time(attributes), content)


def _of_base64(field: str, given: Any) -> Any:
    try:
        return _parsed(field, b64decode(given, validate=True))
    except (binascii.Error, TypeError, ValueError) as error:
        raise _refused(field, "is no text in Base64") from error


def _parsed(field: str, raw: bytes) -> Any:
    content = content_of(raw)
    if type(content) is Unreadable:
        raise Refused(content.error.reason, f"{field}: {content.error.message}", {"field": field})
    return content


def _refused(field: str, problem: str) -> Refused:
    return Refused(Reason.UNKNOWN_SHAPE, f"{field} {problem}", {"field": field})
