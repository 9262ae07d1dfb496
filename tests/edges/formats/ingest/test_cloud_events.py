from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC
from typing import Any

import numpy as np
import orjson
import pytest
from driftgauge.edges.formats.ingest.cloud_events import CloudEventDecoder
from driftgauge.edges.formats.ingest.formats import decoder_of
from driftgauge.errors import Reason
from driftgauge.ingestion.records import HalfEvent, IngestedRows

from tests.ingest_bodies import CLASSES, iris_baseline

found = decoder_of("kserve", iris_baseline(), UTC, CLASSES)
assert isinstance(found, CloudEventDecoder)
DECODER: CloudEventDecoder = found
KSERVE = "org.kubeflow.serving.inference."
ROWS = [[7.7, 3.8, 6.7, 2.2, 2.0], [4.9, 3.0, 1.4, 0.2, 0.0]]
NAMES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
FEATURES = [row[:4] for row in ROWS]
FLAT = [value for row in FEATURES for value in row]
BY_NAME = [dict(zip(NAMES, row, strict=True)) for row in FEATURES]
HEADERS: Mapping[str, str] = {
    "ce-id": "a1",
    "ce-source": "http://localhost:9081/",
    "ce-type": f"{KSERVE}request",
    "ce-time": "2026-11-21T09:05:41.5Z",
    "ce-specversion": "1.0",
    "ce-inferenceservicename": "iris",
    "content-type": "application/json",
}


def tensor(name: str, shape: list[int], data: Any, datatype: str = "FP64") -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


def joined(request: Any, response: Any) -> IngestedRows:
    decoded = DECODER.joined([(HalfEvent("a1", True, 5.5, request), HalfEvent("a1", False, 6.5, response))])
    assert decoded.refused == []
    assert decoded.rows is not None
    return decoded.rows


@pytest.mark.parametrize(
    "request_body",
    [
        {"instances": FEATURES},
        {"instances": BY_NAME},
        {"inputs": [tensor("input-0", [2, 4], FLAT)]},
        {"inputs": [tensor("input-0", [2, 4], FEATURES, "FP32")]},
        {"id": "x", "inputs": [tensor(name, [2], [row[name] for row in BY_NAME]) for name in NAMES]},
        {"inputs": [tensor(name, [2, 1], [row[name] for row in BY_NAME]) for name in reversed(NAMES)]},
        {"inputs": [tensor(f"x{i}", [2, 1], [[row[i]] for row in FEATURES]) for i in range(4)]},
        {"data": {"names": NAMES, "ndarray": FEATURES}},
        {"dataframe_records": BY_NAME},
    ],
)
@pytest.mark.parametrize(
    "response_body",
    [
        {"predictions": [2, 0]},
        {"model_name": "iris", "id": "x", "outputs": [tensor("output-0", [2], [2, 0], "INT64")]},
        {"model_name": "iris", "outputs": [tensor("output-0", [2, 1], [2, 0], "INT64")]},
        {"outputs": [tensor("p", [2, 3], [0.1, 0.2, 0.7, 0.5, 0.25, 0.25], "FP32")]},
        {"outputs": [tensor("label", [2], ["2", "0"], "BYTES")]},
        {"data": {"names": ["class"], "ndarray": [[2], [0]]}},
    ],
)
def test_bodies_of_both_protocols_become_rows(request_body: Any, response_body: Any) -> None:
    rows = joined(request_body, response_body)
    assert rows.columns.tolist() == ROWS
    assert rows.event.tolist() == [5.5, 5.5]
    assert list(rows.ids) == ["a1:0", "a1:1"]
    assert [str(label) for label in rows.classes] == ["2", "0"]


def test_an_event_of_the_binary_mode_is_a_half() -> None:
    decoded = DECODER.event(HEADERS, orjson.dumps({"instances": FEATURES}))
    assert decoded.refused == []
    assert list(decoded.halves) == [HalfEvent("a1", True, 1795251941.5, {"instances": FEATURES})]
    seldon = {**HEADERS, "ce-type": "io.seldon.serving.inference.response"}
    (half,) = DECODER.event(seldon, b"{}").halves
    assert not half.is_request


def test_events_of_the_structured_mode_are_halves() -> None:
    event = {"specversion": "1.0", "id": "a1", "type": f"{KSERVE}response", "time": "2026-11-21T09:05:41.5Z"}
    content = {"predictions": [2, 0]}
    records = [
        {**event, "datacontenttype": "application/json", "data": content},
        {**event, "data": '{"predictions": [2, 0]}'},
        {**event, "data_base64": b64encode(orjson.dumps(content)).decode()},
        {
            "url": "s3://b",
            "bytes": b64encode(orjson.dumps(content)).decode(),
            "contentType": "application/json",
            "reqType": f"{KSERVE}response",
            "id": "a1",
            "occurrenceTime": "2026-11-21T09:05:41.5Z",
        },
    ]
    decoded = DECODER.decode(orjson.dumps(records))
    assert decoded.refused == []
    assert list(decoded.halves) == [HalfEvent("a1", False, 1795251941.5, content)] * 4


def test_lines_of_azure_are_joined_by_the_correlation() -> None:
    azure = decoder_of("azureml", iris_baseline(), UTC, CLASSES)
    assert isinstance(azure, CloudEventDecoder)
    line = {"specversion": "1.0", "source": "s", "datacontenttype": "application/json", "correlationid": "c7"}
    line |= {"time": "2026-11-21T09:05:41Z", "collectdatatype": "pandas.core.frame.DataFrame", "agent": "a"}
    lines = [
        {**line, "id": "1", "type": "azureml.inference.outputs", "data": [{"prediction_class": 2}, {"label": 0}]},
        {**line, "id": "2", "type": "azureml.inference.inputs", "data": BY_NAME},
    ]
    decoded = azure.decode(b"\n".join(map(orjson.dumps, lines)))
    response, request = decoded.halves
    assert [half.id for half in decoded.halves] == ["c7", "c7"]
    assert request.is_request
    rows = azure.joined([(request, response)]).rows
    assert rows is not None
    assert rows.columns.tolist() == ROWS


def test_events_of_seldon_are_joined_by_the_id_of_the_request_for_each_has_its_own() -> None:
    seldon = {**HEADERS, "ce-requestid": "puid"}
    halves = [
        DECODER.event({**seldon, "ce-id": kind, "ce-type": f"io.seldon.serving.inference.{kind}"}, b"{}").halves[0]
        for kind in ("request", "response")
    ]
    assert [(half.id, half.is_request) for half in halves] == [("puid", True), ("puid", False)]
    without = DECODER.event({**HEADERS, "ce-type": "io.seldon.serving.inference.request"}, b"{}")
    assert without.halves[0].id == "a1"
    of_kserve = DECODER.event(seldon, b"{}")
    assert of_kserve.halves[0].id == "a1"


def test_a_row_without_the_time_of_its_request_has_that_of_the_response() -> None:
    request = HalfEvent("a", True, np.nan, {"instances": FEATURES[:1]})
    decoded = DECODER.joined([(request, HalfEvent("a", False, 6.5, {"predictions": [2]}))])
    assert decoded.rows is not None
    assert decoded.rows.event.tolist() == [6.5]
    assert list(decoded.rows.ids) == ["a"]


@pytest.mark.parametrize(
    ("change", "body", "field"),
    [
        ({"ce-type": "io.seldon.serving.outlier"}, b"{}", "type"),
        ({"ce-id": ""}, b"{}", "id"),
        ({"ce-id": "a" * 513}, b"{}", "id"),
        ({"ce-time": "late"}, b"{}", "time"),
        ({}, b"{", None),
    ],
)
def test_an_event_that_cannot_be_read_is_refused(change: Mapping[str, str], body: bytes, field: str | None) -> None:
    decoded = DECODER.event({**HEADERS, **change}, body)
    assert list(decoded.halves) == []
    assert [(refused.record, refused.error.detail.get("field")) for refused in decoded.refused] == [(body, field)]


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"type": f"{KSERVE}request", "id": "a"}, "data"),
        ({"id": "a", "data": {}}, "type"),
        ({"type": f"{KSERVE}request", "id": "a", "data_base64": "%"}, "data_base64"),
        ({"type": f"{KSERVE}request", "id": "a", "data": "{"}, "data"),
        ({"type": "azureml.inference.inputs", "id": "a", "data": []}, "correlationid"),
    ],
)
def test_a_structured_event_that_cannot_be_read_costs_none_beside_it(event: Any, field: str) -> None:
    good = {"type": f"{KSERVE}request", "id": "a", "data": {}}
    decoded = DECODER.decode(orjson.dumps([good, event, good]))
    assert len(decoded.halves) == 2
    assert [(refused.position, refused.error.detail["field"]) for refused in decoded.refused] == [(1, field)]


@pytest.mark.parametrize(
    ("request_body", "response_body", "reason"),
    [
        ({"instances": FEATURES}, {"predictions": [2]}, Reason.UNKNOWN_SHAPE),
        ({"instances": [[1, 2]]}, {"predictions": [2]}, Reason.WRONG_FEATURE_COUNT),
        ({"instances": [[1, 2, 3, "x"]]}, {"predictions": [2]}, Reason.WRONG_TYPE),
        ({"instances": []}, {"predictions": []}, Reason.EMPTY_BATCH),
        ({"inputs": [tensor("a", [2, 4], FLAT[:-1])]}, {"predictions": [2, 0]}, Reason.UNKNOWN_SHAPE),
        ({"inputs": [tensor("a", [2, 3], FLAT[:6])]}, {"predictions": [2, 0]}, Reason.MISSING_FEATURE),
        ({"instances": FEATURES[:1]}, {"error": "no"}, Reason.UNKNOWN_SHAPE),
        ({"instances": FEATURES[:1]}, {"predictions": [{"a": 1, "b": 2}]}, Reason.UNKNOWN_SHAPE),
        (7, {"predictions": [2]}, Reason.UNKNOWN_SHAPE),
        ({"instances": [None]}, {"predictions": [2]}, Reason.WRONG_FEATURE_COUNT),
        ({"instances": FEATURES}, {"outputs": [tensor("a", [1], [2])]}, Reason.UNKNOWN_SHAPE),
        ({"dataframe_split": {"columns": list(NAMES), "data": [[1]]}}, {"predictions": [2]}, Reason.UNKNOWN_SHAPE),
    ],
)
def test_halves_that_do_not_fit_are_refused_together(request_body: Any, response_body: Any, reason: Reason) -> None:
    pair = HalfEvent("a", True, 5.5, request_body), HalfEvent("a", False, 6.5, response_body)
    decoded = DECODER.joined([pair])
    assert decoded.rows is None
    (refused,) = decoded.refused
    assert refused.error.reason == reason
    assert orjson.loads(refused.record) == {"id": "a", "request": request_body, "response": response_body}


def test_a_redelivered_pair_keeps_its_keys() -> None:
    first = joined({"instances": FEATURES}, {"predictions": [2, 0]})
    assert list(first.keys) == list(joined({"instances": FEATURES}, {"predictions": [2, 0]}).keys)
    assert len(set(first.keys)) == 2


def test_pairs_are_joined_at_once_and_a_bad_one_costs_no_other() -> None:
    pairs = [
        (HalfEvent(id_, True, 5.5, {"instances": given}), HalfEvent(id_, False, 6.5, {"predictions": [2, 0]}))
        for id_, given in (("a", FEATURES), ("b", [["x", 1, 2, 3]] * 2), ("c", FEATURES))
    ]
    decoded = DECODER.joined(pairs)
    assert [refused.position for refused in decoded.refused] == [1]
    assert decoded.rows is not None
    assert decoded.rows.columns.tolist() == ROWS * 2
    assert list(decoded.rows.ids) == ["a:0", "a:1", "c:0", "c:1"]
    assert len(set(decoded.rows.keys)) == 4
