from __future__ import annotations

import gzip
import json
from datetime import UTC
from typing import Any

import numpy as np
import orjson
import pytest
from driftgauge.drift.reference.build import build_baseline
from driftgauge.edges.formats.ingest.cloud_events import CloudEventDecoder
from driftgauge.edges.formats.ingest.formats import FORMATS, Format, decoder_of
from driftgauge.ingestion.records import Decoded, HalfEvent
from hypothesis import example, given
from hypothesis import strategies as st

from tests.ingest_bodies import BODIES, CLASSES, iris_baseline
from tests.monitors import small_baseline

BASELINES = (iris_baseline(), small_baseline())
DECODERS = [decoder_of(kind, baseline, UTC, CLASSES) for kind in FORMATS for baseline in BASELINES]
KEYS = (
    *("features", "prediction", "prediction_class", "prediction_id", "timestamp", "label", "score"),
    *("arrived_at", "observed_at", "request_id", "age", "flag", "city", "sepal_length", "sepal_width"),
    *("petal_length", "petal_width", "input_array", "output_array", "date", "@timestamp", "log", "payload"),
    *("topic", "partition", "offset", "captureData", "endpointInput", "endpointOutput", "eventMetadata"),
    *("eventId", "inferenceId", "inferenceTime", "groundTruthData", "data", "encoding", "observedContentType"),
    *("instances", "predictions", "inputs", "outputs", "name", "shape", "datatype", "columns"),
    *("dataframe_split", "ndarray", "type", "id", "time", "data_base64", "correlationid", "meta_data", "bytes"),
    "reqType",
)
TEXTS = (
    *("CSV", "JSON", "BASE64", "FP64", "INT64", "BYTES", "text/csv", "south", "1,2,3,4", "[1 2 3 4]"),
    *("[[1 2]]", "azureml.inference.inputs", "a.request", "1.response", "[1,2,3]", '{"instances":[[1,2,3,4]]}'),
    *("MSwyLDMsNA==", "2026-11-21T09:05:41", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    *("\ud800", "[[[", "]]]", "'a", "1_0", "nan"),
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 5)
    | st.integers()
    | st.floats()
    | st.sampled_from(TEXTS)
    | st.text(max_size=5)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=25,
)
OBJECTS = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8)
RECORDED = sorted(path.name for path in BODIES.iterdir())


CSV = {"observedContentType": "text/csv", "mode": "INPUT", "data": "1,2,3,4\n5,6,7,8", "encoding": "CSV"}
V1 = {"instances": [[1, 2, 3, 4], [5, 6, 7, 8]]}
V2 = {"inputs": [{"name": "a", "shape": [2, 4], "datatype": "FP64", "data": [1, 2, 3, 4, 5, 6, 7, 8]}]}
ANSWER = {"outputs": [{"name": "a", "shape": [2], "datatype": "INT64", "data": [1, 0]}]}
BENTOML = {"input_array": "[[1 2 3 4]]", "output_array": [1], "timestamp": "2026-11-21T09:05:41", "request_id": "1"}
GOOD = (
    {"features": [1, 2, 3, 4], "prediction": 1, "prediction_id": "a", "timestamp": 5.5, "label": 1, "observed_at": 6},
    {"features": {"age": 1, "flag": 0, "city": "south"}, "prediction": 1, "score": 0.5, "arrived_at": "", "label": 0},
    BENTOML,
    {"date": 1.5, "log": json.dumps(BENTOML)},
    {"topic": "t", "partition": 0, "offset": 1, "date": 1.5, "payload": BENTOML},
    {"captureData": {"endpointInput": CSV, "endpointOutput": CSV | {"data": "1,0"}}, "eventMetadata": {"eventId": "a"}},
    {
        "captureData": {
            "endpointInput": CSV | {"data": json.dumps(V1), "encoding": "JSON"},
            "endpointOutput": CSV | {"data": "MQow", "encoding": "BASE64"},
        },
        "eventMetadata": {"eventId": "a", "inferenceId": "b", "inferenceTime": "2026-11-21T09:05:41Z"},
    },
    {"groundTruthData": CSV | {"data": "1"}, "eventMetadata": {"eventId": "a"}},
    {"id": "a", "type": "a.request", "time": "2026-11-21T09:05:41Z", "data": V1},
    {"id": "a", "type": "a.response", "data_base64": "e30="},
    {"correlationid": "a", "type": "azureml.inference.inputs", "data": [{"sepal_length": 1}]},
)


def changed(value: Any, data: st.DataObject) -> Any:
    """Return a value in which one part is another."""
    inner = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    if not inner or data.draw(st.integers(0, 3)) == 0:
        return data.draw(VALUES)
    copy = value.copy()
    place = data.draw(st.sampled_from(inner))
    copy[place] = changed(value[place], data)
    return copy


def is_sound(decoded: Decoded, records: int) -> bool:
    rows = decoded.rows
    if rows is not None:
        same = {len(rows.keys), len(rows.ids), len(rows.event), len(rows.columns), len(rows.classes) or len(rows)}
        assert same == {len(rows)}
        assert len(rows) > 0
        assert not np.isinf(rows.columns).any()
        assert not np.isinf(rows.event).any()
        assert {len(key) for key in rows.keys} == {16}
    assert all(0 <= refused.position < records for refused in decoded.refused)
    assert len({refused.position for refused in decoded.refused}) == len(decoded.refused)
    for half in decoded.halves:
        half.id.encode()
    return True


@given(st.lists(OBJECTS, max_size=4))
def test_whatever_records_hold_no_decoder_raises(records: list[Any]) -> None:
    body = json.dumps(records).encode()
    lines = [json.dumps(record).encode() for record in records]
    for decoder in DECODERS:
        assert is_sound(decoder.decode(body), len(records))
        assert is_sound(decoder.decode(b"\n".join(lines)), len(records))
        assert is_sound(decoder.decode_messages(lines, [b"k" * 16] * len(lines)), len(records))


@given(st.sampled_from(GOOD), st.data())
def test_no_change_to_a_record_makes_a_decoder_raise(record: dict[str, Any], data: st.DataObject) -> None:
    records = [changed(record, data), record]
    body = json.dumps(records).encode()
    for decoder in DECODERS:
        assert is_sound(decoder.decode(body), len(records))


@given(st.sampled_from([V1, V2]), st.sampled_from([{"predictions": [1, 0]}, ANSWER]), st.data())
def test_no_change_to_a_pair_makes_a_join_raise(request_body: Any, response_body: Any, data: st.DataObject) -> None:
    pair = changed([request_body, response_body], data)
    if isinstance(pair, list) and len(pair) == 2:
        test_whatever_bodies_hold_no_join_raises.hypothesis.inner_test(*pair)  # type: ignore[attr-defined]


@given(VALUES, VALUES)
@example({"instances": [[1, 2, 3, 4]]}, {"predictions": [[float("inf")]]})
@example({"inputs": [{"name": "a", "shape": [1], "datatype": "FP64", "data": [1]}]}, {"predictions": [1]})
def test_whatever_bodies_hold_no_join_raises(request_body: Any, response_body: Any) -> None:
    for decoder in DECODERS:
        if isinstance(decoder, CloudEventDecoder):
            request = HalfEvent("a", True, 1.0, request_body)
            assert is_sound(decoder.joined([(request, HalfEvent("a", False, 2.0, response_body))]), 1)


@given(st.binary(max_size=60))
def test_no_bytes_make_a_decoder_raise(body: bytes) -> None:
    for decoder in DECODERS:
        assert is_sound(decoder.decode(body), 61)
        assert is_sound(decoder.decode_messages([body], [b"k" * 16]), 1)


@given(st.sampled_from(RECORDED), st.data())
def test_no_damage_to_a_recorded_body_makes_a_decoder_raise(name: str, data: st.DataObject) -> None:
    content = (BODIES / name).read_bytes()
    body = bytearray(gzip.decompress(content) if name.endswith(".gz") else content)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    for decoder in DECODERS:
        assert is_sound(decoder.decode(bytes(body)), len(body))


@pytest.mark.parametrize("kind", FORMATS)
def test_deep_nesting_is_refused(kind: Format) -> None:
    decoder = decoder_of(kind, iris_baseline(), UTC)
    for body in (b"[" * 100_000, b'{"a":' * 100_000, b'[{"a":' * 5_000 + b"1" + b"}]" * 5_000):
        decoded = decoder.decode(body)
        assert decoded.rows is None
        assert len(decoded.refused) == 1


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("key", ["prediction_id", "id", "topic", "eventMetadata", "request_id"])
def test_half_a_surrogate_pair_costs_no_other_record(kind: Format, key: str) -> None:
    decoder = decoder_of(kind, iris_baseline(), UTC)
    for good in GOOD:
        alone = decoder.decode(json.dumps([good]).encode())
        decoded = decoder.decode(json.dumps([good, {**good, key: "\ud800"}]).encode())
        assert {refused.position for refused in decoded.refused} == {1, *(found.position for found in alone.refused)}
        assert decoded.rows is None or decoded.rows.columns.shape == (alone.rows and alone.rows.columns.shape)


@pytest.mark.parametrize("kind", FORMATS)
def test_records_that_cannot_be_read_are_refused_as_they_came(kind: Format) -> None:
    decoder = decoder_of(
        kind, build_baseline({"x": np.arange(50.0), "prediction": np.arange(50.0)}, created="2026"), UTC
    )
    (refused,) = decoder.decode(b'{"strange": 1.50}').refused
    assert refused.record == b'{"strange": 1.50}'
    (refused,) = decoder.decode(orjson.dumps([{"strange": 1.5}])).refused
    assert refused.record == b'{"strange":1.5}'
