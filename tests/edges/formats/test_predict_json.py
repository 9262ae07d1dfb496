from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
import pytest
from driftgauge.edges.formats.features import FeatureDecoder
from driftgauge.edges.formats.fields import ID_LENGTH, READ_AGAIN_BYTES, read_json
from driftgauge.edges.formats.predict_json import PredictRequest, read_request, write_answer
from driftgauge.edges.http.predict import PredictJson
from driftgauge.errors import Reason, Refused
from driftgauge.serving.request import Answer
from hypothesis import example, given
from hypothesis import strategies as st

from tests.edges.formats.test_features import DECODER, STRICT, info

MAX_ROWS = 5
ROW = [1.5, "round", True]
NAMED = {"size": 1.5, "shape": "round", "flag": True}


def read(body: Any, decoder: FeatureDecoder = DECODER) -> PredictRequest:
    return read_request(body if isinstance(body, bytes) else json.dumps(body).encode(), decoder, MAX_ROWS)


def refused(body: Any, decoder: FeatureDecoder = DECODER) -> Refused:
    with pytest.raises(Refused) as caught:
        read(body, decoder)
    return caught.value


# ---------------------------------------------------------------- what is accepted


@pytest.mark.parametrize(
    ("body", "many", "count"),
    [
        ({"features": NAMED}, False, 1),
        ({"features": ROW}, False, 1),
        ({"instances": [NAMED]}, True, 1),
        ({"instances": [NAMED, ROW]}, True, 2),
        ({"data": [ROW, ROW, ROW]}, True, 3),
        ({"data": [NAMED]}, True, 1),
        ([NAMED], True, 1),
        ([NAMED, ROW], True, 2),
        ({"dataframe_records": [NAMED, NAMED]}, True, 2),
        ({"dataframe_split": {"columns": ["size", "shape", "flag"], "data": [ROW]}}, True, 1),
        (
            {
                "dataframe_split": {
                    "index": [7, 9],
                    "columns": ["flag", "size", "shape"],
                    "data": [[1, 1.5, "round"]] * 2,
                }
            },
            True,
            2,
        ),
    ],
)
def test_every_shape_is_understood(body: Any, many: bool, count: int) -> None:
    request = read(body)
    assert request.many is many
    assert request.batch.cells[:, [0, 2]].tolist() == [[1.5, 1.0]] * count
    assert request.batch.texts == {1: ["round"] * count}
    assert request.ids is None
    assert request.event is None


def test_ids_and_times_belong_to_their_rows() -> None:
    one = read({"features": ROW, "prediction_id": "a", "timestamp": 10})
    assert one.ids == ["a"]
    assert one.event is not None
    assert one.event.tolist() == [10.0]
    two = read({"data": [ROW, ROW], "prediction_ids": ["a", "b"], "timestamps": [None, "1970-01-01T00:00:20Z"]})
    assert two.ids == ["a", "b"]
    assert two.event is not None
    assert np.array_equal(two.event, [math.nan, 20.0], equal_nan=True)


@pytest.mark.parametrize("shape", ["features", "data"])
def test_null_in_place_of_ids_and_times_is_none(shape: str) -> None:
    plural = "s" * (shape == "data")
    rows = [ROW] if plural else ROW
    request = read({shape: rows, f"prediction_id{plural}": None, f"timestamp{plural}": None})
    assert request.ids is None
    assert request.event is None


def test_ids_that_are_alike_are_taken_as_sent() -> None:
    assert read({"data": [ROW, ROW], "prediction_ids": ["a", "a"]}).ids == ["a", "a"]


@pytest.mark.parametrize("id_", ["a", "a" * ID_LENGTH, "a b", "ünï©ode-漢字", '"quoted"', "../x"])
def test_a_printable_id_is_taken(id_: str) -> None:
    assert read({"features": ROW, "prediction_id": id_}).ids == [id_]


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()),
        ("2026-01-31T12:00:00", datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()),
        ("2026-01-31T12:00:00+02:00", datetime(2026, 1, 31, 10, tzinfo=UTC).timestamp()),
        ("2026-01-31T12:00:00.250-05:30", datetime(2026, 1, 31, 17, 30, tzinfo=UTC).timestamp() + 0.25),
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC).timestamp()),
        (0, 0.0),
        (1_700_000_000, 1_700_000_000.0),
        (1_700_000_000.25, 1_700_000_000.25),
        (-1.5, -1.5),
    ],
)
def test_a_time_is_text_with_or_without_an_offset_or_seconds_since_1970(sent: Any, seconds: float) -> None:
    event = read({"features": ROW, "timestamp": sent}).event
    assert event is not None
    assert event.tolist() == [seconds]


@given(st.datetimes(timezones=st.timezones() | st.none()))
def test_a_time_of_python_is_read_as_python_reads_it(at: datetime) -> None:
    body = {"features": ROW, "timestamp": at.isoformat()}
    try:
        utc = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:
        assert refused(body).reason is Reason.INVALID_TIMESTAMP
        return
    event = read(body).event
    assert event is not None
    assert event[0] == pytest.approx(utc.timestamp(), abs=1e-5)
    datetime.fromtimestamp(event[0], UTC)  # it can be written again


# ---------------------------------------------------------------- what is refused

BAD_ID = Reason.INVALID_PREDICTION_ID
BAD_TIME = Reason.INVALID_TIMESTAMP
BAD_IDS: list[Any] = [5, "", "a" * (ID_LENGTH + 1), "a\nb", "\x00", ["a"], True, {}]
BAD_TIMES: list[Any] = [
    "", "yesterday", "2026-13-01", "2026-01-31T25:00:00Z", "2026-01-31T12:00:00Z junk", True, [], {}, 1e300, -1e300,
    10**400, 1e12, "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
]  # fmt: skip
REFUSED: list[tuple[Any, Reason, dict[str, object]]] = [
    (b'{"features": "\xff"}', Reason.NOT_UTF8, {}),
    (b"\xfe\xff", Reason.NOT_UTF8, {}),
    (b"", Reason.NOT_JSON, {}),
    (b"{", Reason.NOT_JSON, {}),
    (b'{"features": [1, "a", 0]} x', Reason.NOT_JSON, {}),
    (b"{'features': [1]}", Reason.NOT_JSON, {}),
    (b'{"features": [1, "\\ud800", 0]}', Reason.NOT_JSON, {}),
    (b'{"\\ud800": 1}', Reason.NOT_JSON, {}),
    (b"[" * 100_000, Reason.NOT_JSON, {}),
    (b'{"features": [' + b"9" * 5000 + b', "a", 0]}', Reason.NOT_JSON, {}),
    ([], Reason.EMPTY_BATCH, {"field": "dataframe_records"}),
    ([ROW, 5], Reason.WRONG_TYPE, {"row": 1}),
    ([NAMED] * (MAX_ROWS + 1), Reason.TOO_MANY_ROWS, {"field": "dataframe_records", "limit": 5, "given": 6}),
    ({"features": {}}, Reason.MISSING_FEATURE, {"field": "size", "row": 0}),
    ({"instances": [ROW, {}]}, Reason.MISSING_FEATURE, {"field": "size", "row": 1}),
    ([{}], Reason.MISSING_FEATURE, {"field": "size", "row": 0}),
    (5, Reason.UNKNOWN_SHAPE, {}),
    (None, Reason.UNKNOWN_SHAPE, {}),
    ({}, Reason.UNKNOWN_SHAPE, {}),
    ({"inputs": [ROW]}, Reason.UNKNOWN_SHAPE, {}),
    ({"features": ROW, "data": [ROW]}, Reason.UNKNOWN_SHAPE, {}),
    ({"features": ROW, "id": 5}, Reason.UNKNOWN_SHAPE, {"field": "id"}),
    ({"features": ROW, "prediction_ids": ["a"]}, Reason.UNKNOWN_SHAPE, {"field": "prediction_ids"}),
    ({"data": [ROW], "timestamp": 5}, Reason.UNKNOWN_SHAPE, {"field": "timestamp"}),
    ({"data": NAMED}, Reason.WRONG_TYPE, {"field": "data"}),
    ({"instances": None}, Reason.WRONG_TYPE, {"field": "instances"}),
    ({"features": None}, Reason.WRONG_TYPE, {"row": 0}),
    ({"data": [ROW, 5]}, Reason.WRONG_TYPE, {"row": 1}),
    ({"features": ["1.5", "round", 0]}, Reason.WRONG_TYPE, {"field": "size", "row": 0}),
    ({"data": [ROW, [1, ["round"], 0]]}, Reason.WRONG_TYPE, {"field": "shape", "row": 1}),
    (b'{"features": [NaN, "a", 0]}', Reason.NOT_FINITE, {"field": "size", "row": 0}),
    (b'{"data": [[1, "a", 0], [1, Infinity, 0]]}', Reason.NOT_FINITE, {"field": "shape", "row": 1}),
    (b'{"features": {"flag": -Infinity}}', Reason.NOT_FINITE, {"field": "flag", "row": 0}),
    (b'{"features": [1e999, "a", 0]}', Reason.NOT_FINITE, {"field": "size", "row": 0}),
    ({"features": [10**400, "a", 0]}, Reason.NOT_FINITE, {"field": "size", "row": 0}),
    ({"data": [ROW, [1]]}, Reason.WRONG_FEATURE_COUNT, {"row": 1, "expected": 3, "given": 1}),
    ({"instances": [{"sise": 1}]}, Reason.UNKNOWN_FEATURE, {"field": "sise", "row": 0}),
    ({"data": []}, Reason.EMPTY_BATCH, {"field": "data"}),
    ({"data": [ROW] * (MAX_ROWS + 1)}, Reason.TOO_MANY_ROWS, {"field": "data", "limit": 5, "given": 6}),
    *(({"features": ROW, "prediction_id": bad}, BAD_ID, {"field": "prediction_id", "row": 0}) for bad in BAD_IDS),
    ({"data": [ROW, ROW], "prediction_ids": ["a"]}, BAD_ID, {"field": "prediction_ids"}),
    ({"data": [ROW], "prediction_ids": "a"}, BAD_ID, {"field": "prediction_ids"}),
    ({"data": [ROW, ROW], "prediction_ids": ["a", None]}, BAD_ID, {"field": "prediction_ids", "row": 1}),
    *(({"features": ROW, "timestamp": bad}, BAD_TIME, {"field": "timestamp", "row": 0}) for bad in BAD_TIMES),
    (b'{"features": [1, "a", 0], "timestamp": NaN}', BAD_TIME, {"field": "timestamp", "row": 0}),
    (b'{"features": [1, "a", 0], "timestamp": Infinity}', BAD_TIME, {"field": "timestamp", "row": 0}),
    ({"data": [ROW, ROW], "timestamps": [1, 2, 3]}, BAD_TIME, {"field": "timestamps"}),
    ({"data": [ROW, ROW], "timestamps": [1, "x"]}, BAD_TIME, {"field": "timestamps", "row": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("body", "reason", "detail"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_is_refused_names_the_reason_and_the_place(body: Any, reason: Reason, detail: dict[str, object]) -> None:
    error = refused(body)
    assert error.reason is reason
    assert error.detail == detail
    assert 0 < len(error.message) < 500
    orjson.dumps([error.message, error.detail])  # it can be sent


def test_a_missing_feature_is_named() -> None:
    error = refused({"instances": [NAMED, {"size": 1, "shape": "flat"}]}, STRICT)
    assert error.reason is Reason.MISSING_FEATURE
    assert error.detail == {"field": "flag", "row": 1}


# ---------------------------------------------------------------- whatever comes

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.sampled_from(["size", "shape", "flag"]), inner, max_size=4)
    ),
    max_leaves=12,
)
bodies = json_values | st.dictionaries(
    st.sampled_from(
        ["features", "instances", "data", "prediction_id", "prediction_ids", "timestamp", "timestamps", "other"]
    ),
    json_values,
    max_size=3,
)


def assert_understood_or_refused(body: bytes) -> None:
    for decoder in (DECODER, STRICT):
        try:
            request = read_request(body, decoder, MAX_ROWS)
        except Refused as error:
            orjson.dumps({"code": error.reason, "message": error.message, "detail": error.detail})
            continue
        assert 0 < len(request.batch) <= MAX_ROWS
        assert not np.isinf(request.batch.cells[:, [0, 2]]).any()
        assert request.many or len(request.batch) == 1


@given(bodies)
def test_any_json_value_is_understood_or_refused(value: Any) -> None:
    assert_understood_or_refused(json.dumps(value).encode())


@given(st.binary())
@example(b"\xed\xa0\x80")
@example(b'{"features":' * 2000)
@example(b'"\\udfff"')
def test_any_bytes_are_understood_or_refused(body: bytes) -> None:
    assert_understood_or_refused(body)


@pytest.mark.parametrize(
    ("cell", "reason"), [("NaN", Reason.NOT_FINITE), ("-Infinity", Reason.NOT_FINITE), ("nothing", Reason.NOT_JSON)]
)
def test_a_large_body_that_is_not_json_is_refused_without_reading_it_again(cell: str, reason: Reason) -> None:
    rows = ",".join(["[1.0,2.0]"] * (READ_AGAIN_BYTES // 8))
    body = f'{{"data":[[{cell},1.0],{rows}]}}'.encode()
    assert len(body) > READ_AGAIN_BYTES
    with pytest.raises(Refused) as refused:
        read_request(body, DECODER, MAX_ROWS)
    assert refused.value.reason == reason
    assert len(refused.value.message) < 200


def test_a_long_name_is_not_sent_back_whole() -> None:
    with pytest.raises(Refused) as refused:
        read_request(json.dumps({"features": [], "x" * 100_000: 1}).encode(), DECODER, MAX_ROWS)
    assert len(refused.value.message) + len(str(refused.value.detail)) < 1_000


@given(json_values)
def test_json_is_read_as_python_reads_it(value: Any) -> None:
    def alike(a: Any, b: Any) -> bool:
        if isinstance(a, dict):
            return a.keys() == b.keys() and all(alike(a[key], b[key]) for key in a)
        if isinstance(a, list):
            return len(a) == len(b) and all(map(alike, a, b))
        return bool(a == b or (a != a and b != b) or (isinstance(a, int) and float(a) == b))

    assert alike(value, read_json(json.dumps(value).encode()))


# ---------------------------------------------------------------- the answer


def answered(*scores: float, seconds: float = 0.0) -> Answer:
    return Answer([int(score > 0.5) for score in scores], list(scores), seconds)


def test_an_answer_to_one_row_is_flat() -> None:
    request = read({"features": ROW, "prediction_id": "a"})
    answer = orjson.loads(write_answer(request, answered(0.75, seconds=0.0015), info(), ["a"]))
    assert answer == {
        "prediction_id": "a",
        "prediction": 1,
        "score": 0.75,
        "model_name": "m",
        "model_version": "1",
        "latency_ms": 1.5,
    }


def test_an_answer_to_many_rows_is_a_list_even_of_one() -> None:
    request = read({"data": [ROW], "prediction_ids": ["a"]})
    answer = orjson.loads(write_answer(request, answered(0.25), info(), ["a"]))
    assert answer["predictions"] == [{"prediction_id": "a", "prediction": 0, "score": 0.25}]
    assert set(answer) == {"predictions", "model_name", "model_version", "latency_ms"}


def test_ids_that_were_not_sent_are_made_of_the_arrival() -> None:
    request = read({"data": [ROW] * 3})
    ids = PredictJson(FeatureDecoder(info()), info(), 10).ids(request, 1_700_000_000.123)
    answer = orjson.loads(write_answer(request, answered(0.0, 0.0, 0.0), info(), ids))
    assert [row["prediction_id"] for row in answer["predictions"]] == ids
    assert ids == sorted(set(ids))
    assert {int(id_.replace("-", "")[:12], 16) for id_ in ids} == {1_700_000_000_123}
