from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC
from typing import Any

import orjson
import pytest
from driftgauge.edges.formats.ingest.formats import decoder_of
from driftgauge.errors import Reason
from driftgauge.ingestion.records import IngestedRows
from driftgauge.predictions.ids import key_of

from tests.ingest_bodies import CLASSES, iris_baseline
from tests.monitors import small_baseline

DECODER = decoder_of("sagemaker", iris_baseline(by_class=False), UTC, CLASSES)
SMALL = decoder_of("sagemaker", small_baseline(), UTC)
ROWS = [[7.7, 3.8, 6.7, 2.2, 2.0], [4.9, 3.0, 1.4, 0.2, 0.0]]
NAMES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
BY_NAME = [dict(zip(NAMES, row[:4], strict=True)) for row in ROWS]
METADATA: Mapping[str, Any] = {"eventId": "75e5abb1", "inferenceTime": "2022-02-14T17:25:49Z"}
AT = 1644859549.0
CSV_INPUT = "7.7,3.8,6.7,2.2\n4.9,3.0,1.4,0.2\n"


def half(data: Any, encoding: str = "CSV", kind: str = "text/csv") -> dict[str, Any]:
    return {"observedContentType": kind, "mode": "INPUT", "data": data, "encoding": encoding}


def as_json(content: Any) -> dict[str, Any]:
    return half(json.dumps(content), "JSON", "application/json")


def line(given: Any, answer: Any, metadata: Mapping[str, Any] = METADATA) -> dict[str, Any]:
    capture = {"endpointInput": given, "endpointOutput": answer}
    known = {name: value for name, value in capture.items() if value is not None}
    return {"captureData": known, "eventMetadata": metadata, "eventVersion": "0"}


def truth(data: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {"groundTruthData": {"data": data, "encoding": "CSV"}, "eventMetadata": metadata, "eventVersion": "0"}


def rows_of(*records: Any) -> IngestedRows:
    decoded = DECODER.decode(b"\n".join(map(orjson.dumps, records)))
    assert decoded.refused == []
    assert decoded.rows is not None
    return decoded.rows


@pytest.mark.parametrize(
    "given",
    [
        half(CSV_INPUT),
        half(CSV_INPUT.replace("\n", "\r\n")),
        half('"7.7",3.8,6.7,2.2\n4.9,3.0,1.4,0.2'),
        half("sepal_length,sepal_width,petal_length,petal_width\n" + CSV_INPUT),
        half(b64encode(CSV_INPUT.encode()).decode(), "BASE64"),
        half(b64encode(CSV_INPUT.encode()).decode(), "BASE64", ""),
        half(b64encode(json.dumps({"instances": BY_NAME}).encode()).decode(), "BASE64", "application/octet-stream"),
        as_json({name: [row[name] for row in BY_NAME] for name in NAMES}),
        as_json({"instances": BY_NAME}),
        as_json({"instances": [{"features": row[:4]} for row in ROWS]}),
        as_json({"inputs": [row[:4] for row in ROWS]}),
        as_json([row[:4] for row in ROWS]),
        as_json(BY_NAME),
        as_json({"dataframe_split": {"columns": NAMES, "data": [row[:4] for row in ROWS]}}),
        half("\n".join(map(json.dumps, BY_NAME)), "JSON", "application/jsonlines"),
        half(json.dumps(BY_NAME[0] | {"host": "a"}) + "\n" + json.dumps(BY_NAME[1]), "JSON", "application/jsonlines"),
    ],
)
def test_a_capture_has_all_rows_of_its_request(given: Any) -> None:
    rows = rows_of(line(given, half("2\n0\n")))
    assert rows.columns.tolist() == ROWS
    assert rows.event.tolist() == [AT, AT]
    assert list(rows.ids) == ["75e5abb1:0", "75e5abb1:1"]
    assert len(set(rows.keys)) == 2


@pytest.mark.parametrize(
    "answer",
    [
        half("2,0"),
        half("2.0\n0.0"),
        as_json([2, 0]),
        as_json({"predictions": [2, 0]}),
        as_json({"predictions": [[2], [0]]}),
        as_json({"predictions": [{"score": 2}, {"score": 0}]}),
        half(b64encode(b"2\n0\n").decode(), "BASE64", "text/csv; charset=utf-8"),
    ],
)
def test_answers_of_several_shapes_are_read(answer: Any) -> None:
    assert rows_of(line(half(CSV_INPUT), answer)).columns.tolist() == ROWS


def test_the_line_of_the_documentation_is_a_row() -> None:
    record = {
        "captureData": {
            "endpointInput": half("132,25,113.2,96"),
            "endpointOutput": {**half("0.0254"), "observedContentType": "text/csv; charset=utf-8", "mode": "OUTPUT"},
        },
        "eventMetadata": {**METADATA, "inferenceId": "order 7", "customAttributes": ["a"]},
        "eventVersion": "0",
    }
    rows = rows_of(record)
    assert rows.columns.tolist() == [[132.0, 25.0, 113.2, 96.0, 0.0254]]
    assert list(rows.ids) == ["order 7"]


def test_probabilities_are_those_of_the_second_class_and_name_the_likelier_one() -> None:
    decoder = decoder_of("sagemaker", iris_baseline(by_class=False), UTC, ("no", "yes"))
    decoded = decoder.decode(orjson.dumps(line(half("1,2,3,4"), half("0.25,0.75"))))
    assert decoded.rows is not None
    assert decoded.rows.columns[0, 4] == 0.75
    scored = {"predictions": [{"score": 0.4, "predicted_label": "no"}]}
    labelled = decoder.decode(orjson.dumps(line(half("1,2,3,4"), as_json(scored))))
    assert labelled.rows is not None
    assert labelled.rows.columns[0, 4] == 0.4
    assert list(labelled.rows.classes) == ["no"]


def test_cells_are_read_by_the_kind_of_their_column() -> None:
    decoded = SMALL.decode(orjson.dumps(line(half('41.5,1,"south"\n,0,north\n'), half("0.5\n0.25"))))
    assert decoded.refused == []
    assert decoded.rows is not None
    code = small_baseline().bins[2].category_code
    assert decoded.rows.columns[0].tolist() == [41.5, 1.0, float(code("south")), 0.5]
    assert math.isnan(decoded.rows.columns[1, 0])


def test_an_output_that_was_not_captured_is_missing() -> None:
    rows = rows_of(line(half(CSV_INPUT), None))
    assert [math.isnan(value) for value in rows.columns[:, 4]] == [True, True]


def test_ground_truth_joins_by_the_same_ids() -> None:
    lines = [
        truth("1", {"eventId": "75e5abb1"}),
        truth("2\n0", {"eventId": "b"}),
        truth("2", {"eventId": "c", "inferenceId": "d"}),
        {"groundTruthData": {"data": "[1]", "encoding": "JSON"}, "eventMetadata": {"eventId": "e"}},
    ]
    decoded = DECODER.decode(b"\n".join(map(orjson.dumps, lines)))
    assert decoded.rows is None
    assert decoded.refused == []
    found = [(label.key, label.value, label.observed) for label in decoded.labels]
    wanted = [("75e5abb1", 1.0), ("b:0", 2.0), ("b:1", 0.0), ("d", 2.0), ("e", 1.0)]
    assert found == [(key_of(id_), value, None) for id_, value in wanted]


@pytest.mark.parametrize(
    ("record", "reason", "field"),
    [
        (line(None, half("2")), Reason.UNKNOWN_SHAPE, "endpointInput"),
        (line(half("1,2,3"), half("2")), Reason.WRONG_FEATURE_COUNT, None),
        (line(half(""), half("2")), Reason.EMPTY_BATCH, None),
        (line(half("1,2,x,4"), half("2")), Reason.WRONG_TYPE, "petal_length"),
        (line(half("1,2,3_0,4"), half("2")), Reason.WRONG_TYPE, "petal_length"),
        (line(half("1,2,inf,4"), half("2")), Reason.NOT_FINITE, "petal_length"),
        (line(half('1,2,"3,4'), half("2")), Reason.UNKNOWN_SHAPE, None),
        (line(half(CSV_INPUT), half("2\n0\n1")), Reason.UNKNOWN_SHAPE, None),
        (line(half("1,2,3,4"), half("yes")), Reason.WRONG_TYPE, "prediction"),
        (line(half("=", "BASE64"), half("2")), Reason.UNKNOWN_SHAPE, "endpointInput"),
        (line(half("{", "JSON"), half("2")), Reason.NOT_JSON, "endpointInput"),
        (line(half("7", "XML"), half("2")), Reason.UNKNOWN_SHAPE, "endpointInput"),
        (line(half(7), half("2")), Reason.UNKNOWN_SHAPE, "endpointInput"),
        (line(as_json({"instances": [7]}), half("2")), Reason.WRONG_FEATURE_COUNT, None),
        (line(as_json({"a": 1}), half("2")), Reason.MISSING_FEATURE, "sepal_length"),
        (line(as_json(BY_NAME), as_json({"error": "no"})), Reason.UNKNOWN_SHAPE, None),
        (line(half("1,2,3,4"), half("2"), {"eventId": 7}), Reason.UNKNOWN_SHAPE, "eventMetadata"),
        (line(half("1,2,3,4"), half("2"), {"inferenceTime": "now"}), Reason.INVALID_TIMESTAMP, "inferenceTime"),
        ({"captureData": {}}, Reason.UNKNOWN_SHAPE, "eventMetadata"),
        ({"eventMetadata": {}}, Reason.UNKNOWN_SHAPE, "captureData"),
        (
            truth("9", METADATA),
            Reason.INVALID_LABEL,
            "label",
        ),
        (
            truth("1", {}),
            Reason.UNKNOWN_SHAPE,
            "eventMetadata",
        ),
    ],
)
def test_a_line_that_cannot_be_read_costs_none_beside_it(record: Any, reason: Reason, field: str | None) -> None:
    good = line(half("1,2,3,4"), half("2"))
    decoded = DECODER.decode(b"\n".join(map(orjson.dumps, [good, record, {**good, "eventMetadata": {"eventId": "b"}}])))
    assert decoded.rows is not None
    assert len(decoded.rows) == 2
    (refused,) = decoded.refused
    assert (refused.position, refused.error.reason, refused.error.detail.get("field")) == (1, reason, field)


def test_a_redelivered_event_keeps_its_keys_wherever_it_stands() -> None:
    first, other = line(half(CSV_INPUT), half("2,0")), line(half("1,2,3,4"), half("1"), {"eventId": "b"})
    assert rows_of(first, other).keys[:2] == rows_of(other, first).keys[1:]
    anonymous = rows_of(line(half(CSV_INPUT), half("2,0"), {}))
    assert len(set(anonymous.keys)) == 2
    assert list(anonymous.ids) == ["", ""]
