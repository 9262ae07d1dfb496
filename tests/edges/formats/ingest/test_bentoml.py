from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import orjson
import pytest
from driftgauge.drift.reference.build import build_baseline
from driftgauge.edges.formats.ingest.formats import decoder_of
from driftgauge.errors import Reason
from driftgauge.ingestion.records import IngestedRows

from tests.ingest_bodies import CLASSES, EVENTS, ROWS, iris_baseline, recorded

DECODER = decoder_of("bentoml", iris_baseline(), UTC, CLASSES)
LINE: Mapping[str, Any] = {
    "service_name": "iris_classifier",
    "input_array": [7.7, 3.8, 6.7, 2.2],
    "output_array": 2,
    "timestamp": "2026-11-21T09:05:41.836597",
    "request_id": "16482932179860458099",
    "taskName": None,
}
ROW = [7.7, 3.8, 6.7, 2.2, 2.0]


def rows_of(*records: Mapping[str, Any]) -> IngestedRows:
    decoded = DECODER.decode(b"\n".join(map(orjson.dumps, records)))
    assert decoded.refused == []
    assert decoded.rows is not None
    return decoded.rows


def test_every_recorded_row_is_counted_once_at_its_own_time() -> None:
    decoded = DECODER.decode(recorded("data.1.log"))
    assert decoded.refused == []
    assert decoded.rows is not None
    assert decoded.rows.columns.tolist() == ROWS
    assert decoded.rows.event.tolist() == EVENTS
    assert list(decoded.rows.classes) == [0, 1, 2, 2, 0, 2, 0]
    assert len(set(decoded.rows.keys)) == len(ROWS)
    again = DECODER.decode(recorded("data.1.log")).rows
    assert again is not None
    assert list(again.keys) == list(decoded.rows.keys)


def test_the_line_of_the_schema_is_no_row() -> None:
    decoded = DECODER.decode(recorded("schema.1.log") + recorded("data.1.log"))
    assert decoded.refused == []
    assert decoded.rows is not None
    assert len(decoded.rows) == len(ROWS)


def test_naive_times_are_in_the_zone() -> None:
    tokyo = decoder_of("bentoml", iris_baseline(), ZoneInfo("Asia/Tokyo"), CLASSES)
    rows = tokyo.decode(recorded("data.1.log")).rows
    assert rows is not None
    np.testing.assert_allclose(rows.event, np.array(EVENTS) - 9 * 3600, rtol=0, atol=1e-6)


def test_a_score_is_a_score_where_the_baseline_has_no_class() -> None:
    rows = decoder_of("bentoml", iris_baseline(by_class=False), UTC).decode(recorded("data.1.log")).rows
    assert rows is not None
    assert rows.columns.tolist() == ROWS
    assert rows.classes == ()


@pytest.mark.parametrize(
    "change",
    [
        {"input_array": "[[7.7 3.8 6.7 2.2]]", "output_array": "[2]"},
        {"input_array": "[[7.7 3.8\n  6.7 2.2]]", "output_array": "[2]"},
        {"input_array": "[7.7 3.8 6.7 2.2]", "output_array": "2"},
        {"input_array": "[[7.7, 3.8, 6.7, 2.2]]", "output_array": "[2.]"},
        {"input_array": "[['7.7' 3.8 6.7 2.2]]".replace("'", ""), "output_array": [2]},
        {"input_array": [[7.7, 3.8, 6.7, 2.2]], "output_array": [[0.1, 0.2, 0.7]]},
        {"input_array": [7.7, 3.8, 6.7, 2.2], "output_array": "[[0.1 0.2 0.7]]"},
    ],
)
def test_an_array_may_be_printed_or_a_list(change: Mapping[str, Any]) -> None:
    assert rows_of({**LINE, **change}).columns.tolist() == [ROW]


def test_each_feature_may_have_a_field_of_its_own() -> None:
    record = {
        "sepal_length": 7.7,
        "sepal_width": 3.8,
        "petal_length": 6.7,
        "petal_width": 2.2,
        "prediction": 2,
        "timestamp": "2026-11-21T09:05:41.836597",
        "request_id": "1",
    }
    assert rows_of(record).columns.tolist() == [ROW]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"input_array": "[0.1 0.2 ... 0.3]"}, Reason.UNKNOWN_SHAPE),
        ({"input_array": "[[1 2 3]]"}, Reason.WRONG_FEATURE_COUNT),
        ({"input_array": "[[1 2 3 1_0]]"}, Reason.UNKNOWN_SHAPE),
        ({"input_array": "[[1 2 3 4"}, Reason.UNKNOWN_SHAPE),
        ({"input_array": "]1 2 3 4["}, Reason.UNKNOWN_SHAPE),
        ({"input_array": "[[1 2 3 inf]]"}, Reason.NOT_FINITE),
        ({"input_array": "[[1 2] [3 4]] [5]"}, Reason.UNKNOWN_SHAPE),
        ({"input_array": "[[1 2 3 'x']]"}, Reason.WRONG_TYPE),
        ({"input_array": [[1, 2, 3, 4], 5]}, Reason.UNKNOWN_SHAPE),
        ({"output_array": "[1 2]"}, Reason.UNKNOWN_SHAPE),
        ({"timestamp": "soon"}, Reason.INVALID_TIMESTAMP),
        ({"input_array": [[1, 2, 3, 4], [1, 2, 3, 4]]}, Reason.UNKNOWN_SHAPE),
    ],
)
def test_a_record_that_cannot_be_read_costs_none_beside_it(change: Mapping[str, Any], reason: Reason) -> None:
    decoded = DECODER.decode(orjson.dumps([LINE, {**LINE, **change}, LINE]))
    assert decoded.rows is not None
    assert len(decoded.rows) == 2
    assert [(refused.position, refused.error.reason) for refused in decoded.refused] == [(1, reason)]


def test_a_line_without_an_output_is_refused() -> None:
    record = {name: value for name, value in LINE.items() if name != "output_array"}
    (refused,) = DECODER.decode(orjson.dumps(record)).refused
    assert refused.error.detail == {"field": "output_array"}


def test_a_line_that_is_read_again_elsewhere_keeps_its_key_and_equal_lines_of_a_call_differ() -> None:
    first = rows_of(LINE, {**LINE, "request_id": "2"}, LINE)
    assert len(set(first.keys)) == 3
    moved = rows_of({**LINE, "request_id": "3"}, LINE, LINE)
    assert [moved.keys[1], moved.keys[2]] == [first.keys[0], first.keys[2]]


def test_the_rows_of_a_message_have_keys_of_their_own() -> None:
    two = {**LINE, "input_array": "[[7.7 3.8 6.7 2.2]\n [4.9 3.  1.4 0.2]]", "output_array": "[2 0]"}
    decoded = DECODER.decode_messages([orjson.dumps(LINE), orjson.dumps(two)], [b"a" * 16, b"b" * 16])
    assert decoded.rows is not None
    assert list(decoded.rows.keys[:2]) == [b"a" * 16, b"b" * 16]
    assert len(set(decoded.rows.keys)) == 3


def test_a_message_of_kafka_has_the_time_that_fluent_bit_adds() -> None:
    record = {name: value for name, value in LINE.items() if name != "timestamp"} | {"@timestamp": 7.5}
    decoded = DECODER.decode_messages([orjson.dumps(record)], [b"a" * 16])
    assert decoded.rows is not None
    assert decoded.rows.event.tolist() == [7.5]


def test_a_model_of_one_feature_has_a_row_for_each_value() -> None:
    baseline = build_baseline({"x": np.arange(50.0), "prediction": np.arange(50.0)}, created="2026")
    decoded = decoder_of("bentoml", baseline, UTC).decode(
        orjson.dumps({"input_array": "[1 2]", "output_array": [3, 4]})
    )
    assert decoded.rows is not None
    assert decoded.rows.columns.tolist() == [[1.0, 3.0], [2.0, 4.0]]
    assert np.isnan(decoded.rows.event).all()


def test_a_missing_value_is_one() -> None:
    rows = rows_of({**LINE, "input_array": "[[nan 3.8 6.7 2.2]]"}, {**LINE, "input_array": [None, 3.8, 6.7, 2.2]})
    assert [math.isnan(value) for value in rows.columns[:, 0]] == [True, True]
