from __future__ import annotations

import gzip
from collections.abc import Mapping
from datetime import UTC
from typing import Any

import orjson
import pytest
from driftgauge.edges.formats.ingest.formats import decoder_of
from driftgauge.edges.formats.ingest.keys import key_of_message
from driftgauge.errors import Reason
from driftgauge.ingestion.records import IngestedRows

from tests.ingest_bodies import BODIES, CLASSES, EVENTS, FLUENT_BIT, ROWS, iris_baseline, recorded

DECODER = decoder_of("fluent_bit", iris_baseline(), UTC, CLASSES)
INNER: Mapping[str, Any] = {"input_array": [7.7, 3.8, 6.7, 2.2], "output_array": 2, "request_id": "1"}
MESSAGE: Mapping[str, Any] = {"date": 50.0, "topic": "ml_logs", "partition": 0, "offset": 3, "error": None, "key": "k"}


def rows_of(body: bytes) -> IngestedRows:
    decoded = DECODER.decode(body)
    assert decoded.refused == []
    assert decoded.rows is not None
    return decoded.rows


@pytest.mark.parametrize("name", FLUENT_BIT)
def test_every_recorded_row_is_counted_once_at_its_own_time(name: str) -> None:
    rows = rows_of(recorded(name))
    assert rows.columns.tolist() == ROWS
    assert rows.event.tolist() == EVENTS
    assert len(set(rows.keys)) == len(ROWS)
    assert list(rows_of(recorded(name)).keys) == list(rows.keys)


def test_the_recorded_gzip_body_is_what_the_test_inflates() -> None:
    assert gzip.decompress((BODIES / "tail-plain.jsonl.gz").read_bytes()).count(b"\n") == 6


def test_a_message_of_kafka_keeps_its_key_however_its_payload_is_sent() -> None:
    as_object = rows_of(recorded("kafka-payload-object.json"))
    as_text = rows_of(recorded("kafka-payload-text.json"))
    assert list(as_object.keys) == list(as_text.keys)
    assert as_object.keys[0] == key_of_message("ml_logs", 0, 0)


@pytest.mark.parametrize("name", ["tail-plain.jsonl.gz", "tail-unparsed.json"])
def test_lines_that_are_read_again_later_keep_their_keys(name: str) -> None:
    body = recorded(name)
    later = body.replace(b'"date":1795251972.', b'"date":1795259999.')
    assert later != body
    assert list(rows_of(later).keys) == list(rows_of(body).keys)


def test_objects_may_follow_one_another() -> None:
    stream = b"".join(orjson.dumps(record) for record in orjson.loads(recorded("tail-parsed.json")))
    assert rows_of(stream).event.tolist() == EVENTS


def test_the_time_of_a_record_comes_before_those_around_it() -> None:
    records = [
        {**MESSAGE, "payload": {**INNER, "timestamp": "1970-01-01T00:00:10", "@timestamp": 20.0}},
        {**MESSAGE, "offset": 4, "payload": {**INNER, "@timestamp": 20.0, "date": 30.0}},
        {**MESSAGE, "offset": 5, "payload": {**INNER, "date": 30.0}},
        {**MESSAGE, "offset": 6, "payload": INNER},
        {"date": "1970-01-01T00:01:00.000000Z", **INNER},
        {"@timestamp": "1970-01-01T00:01:10Z", **INNER},
        INNER,
    ]
    found = rows_of(orjson.dumps(records)).event.tolist()
    assert found[:6] == [10.0, 20.0, 30.0, 50.0, 60.0, 70.0]
    assert found[6] != found[6]


def test_our_own_rows_may_come_this_way() -> None:
    own = {"features": [7.7, 3.8, 6.7, 2.2], "prediction": 2, "prediction_id": "a"}
    records = [
        {"date": 5.0, "log": orjson.dumps({**own, "timestamp": 1.5}).decode()},
        {**own, "prediction_id": "b", "date": 2.5},
        {**MESSAGE, "payload": {**own, "prediction_id": "c", "@timestamp": 3.5}},
    ]
    rows = rows_of(orjson.dumps(records))
    assert rows.event.tolist() == [1.5, 2.5, 3.5]
    assert list(rows.ids) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"date": 1.0, "log": "started the server"}, Reason.NOT_JSON),
        ({"date": 1.0, "log": "[1, 2]"}, Reason.UNKNOWN_SHAPE),
        ({**MESSAGE, "payload": None}, Reason.UNKNOWN_SHAPE),
        ({**MESSAGE, "payload": "no json"}, Reason.NOT_JSON),
        ({"date": 1.0}, Reason.MISSING_FEATURE),
        ({"date": "monday", **INNER}, Reason.INVALID_TIMESTAMP),
        ("text", Reason.UNKNOWN_SHAPE),
    ],
)
def test_a_record_that_cannot_be_read_costs_none_beside_it(record: Any, reason: Reason) -> None:
    decoded = DECODER.decode(orjson.dumps([INNER, record, {**INNER, "request_id": "2"}]))
    assert decoded.rows is not None
    assert len(decoded.rows) == 2
    (refused,) = decoded.refused
    assert (refused.position, refused.error.reason) == (1, reason)
    assert orjson.loads(refused.record) == record
