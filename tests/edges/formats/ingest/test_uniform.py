"""Records that are decoded column by column: what comes out is what comes of them one by one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import orjson
import pytest
from driftgauge.drift.reference.build import build_baseline
from driftgauge.edges.formats.ingest.bentoml import BentomlDecoder
from driftgauge.edges.formats.ingest.cloud_events import CloudEventDecoder
from driftgauge.edges.formats.ingest.decoder import PART_RECORDS, Decoder, ModelReading
from driftgauge.edges.formats.ingest.fluent_bit import FluentBitDecoder
from driftgauge.edges.formats.ingest.numpy_text import read_array, read_rows
from driftgauge.edges.formats.ingest.own import OwnDecoder
from driftgauge.edges.formats.ingest.row_ids import row_id, row_ids
from driftgauge.edges.formats.ingest.sagemaker import SagemakerDecoder
from driftgauge.edges.formats.ingest.times import EventTimes
from driftgauge.edges.formats.ingest.uniform import fields_of
from driftgauge.errors import Reason, Refused
from driftgauge.ingestion.records import Decoded, HalfEvent, Pair
from hypothesis import given
from hypothesis import strategies as st

from tests.monitors import small_baseline

NUMERIC: Final = build_baseline(
    {name: np.linspace(-1.0, 1.0, 500) for name in ("a", "b", "c", "prediction")}, created="2026-01-01T00:00:00Z"
)
NUMBERS = st.floats(-1e300, 1e300) | st.integers(-(2**70), 2**70) | st.booleans()
ODD = st.none() | st.text(max_size=3) | st.just([1.0]) | st.just({"a": 1}) | st.just(1e400)
STAMPS = st.sampled_from(
    ["2026-11-21T09:05:41.783379", "2026-11-21T09:05:41.783379Z", "2026-02-30T00:00:00.000000", "now", 1.7e9, None]
)


def one_by_one(kind: type[Decoder]) -> type[Decoder]:
    """Return a decoder that has no short way."""
    return type("OneByOne", (kind,), {"uniform": lambda *_: None})


def decoded(kind: type[Decoder], messages: Sequence[bytes], model: ModelReading) -> Decoded:
    keys = [number.to_bytes(16, "big") for number in range(len(messages))]
    return kind(model).decode_messages(messages, keys)


def content(own: Decoded) -> Any:
    """Return all that is told of a batch, in a form that can be compared."""
    refused = [(one.position, one.error.reason, one.error.message, one.record) for one in own.refused]
    if own.rows is None:
        return refused
    rows = own.rows
    values = np.nan_to_num(np.column_stack([rows.columns, rows.event]), nan=-7.0).tolist()
    return refused, values, list(rows.ids), list(rows.keys), list(rows.classes), list(rows.records)


def assert_same_both_ways(kind: type[Decoder], records: Sequence[Any], model: ModelReading | None = None) -> Decoded:
    model = model or ModelReading(NUMERIC, UTC)
    messages = [json.dumps(record).encode() for record in records]
    found = decoded(kind, messages, model)
    assert content(found) == content(decoded(one_by_one(kind), messages, model))
    for body in (b"[" + b",".join(messages) + b"]", b"\n".join(messages)):
        assert content(kind(model).decode(body)) == content(one_by_one(kind)(model).decode(body))
    return found


ROWS = st.lists(NUMBERS, min_size=3, max_size=3)
OWN = st.fixed_dictionaries(
    {"features": ROWS, "prediction": NUMBERS},
    optional={"timestamp": STAMPS, "prediction_id": st.sampled_from(["p", 7])},
)
ODD_OWN = st.fixed_dictionaries(
    {"features": ROWS | st.lists(NUMBERS | ODD, max_size=4) | ODD, "prediction": NUMBERS | ODD},
    optional={"label": st.just(1), "score": NUMBERS, "arrived_at": st.just("now"), "prediction_class": st.just("x")},
)


@given(st.lists(OWN, min_size=1, max_size=4), st.lists(ODD_OWN, max_size=1))
def test_own_rows_are_the_same_one_by_one(good: Sequence[Any], odd: Sequence[Any]) -> None:
    assert_same_both_ways(OwnDecoder, [*good, *odd])


@given(
    st.lists(
        st.fixed_dictionaries({"features": st.fixed_dictionaries({"c": NUMBERS, "a": NUMBERS}), "prediction": NUMBERS}),
        min_size=1,
        max_size=3,
    ),
    st.booleans(),
)
def test_own_rows_by_name_are_the_same_one_by_one(records: Sequence[Any], complete: bool) -> None:
    for record in records:
        record["features"] |= {"b": 1.5, "other": "x"} if complete else {}
    found = assert_same_both_ways(OwnDecoder, records)
    assert (found.rows is not None) is complete


PRINTED = st.lists(st.floats(-1e20, 1e20) | st.just(float("nan")), min_size=3, max_size=3).map(
    lambda row: str(np.array([row]))
)
TEXTS = PRINTED | st.sampled_from(
    [
        "[[1 2 3]]",
        "[1. 2. 3.]",
        "[[1 2]]",
        "[[1 2 3]\n [4 5 6]]",
        "[[1 2 inf]]",
        "[[1_0 2 3]]",
        "[[1 2 nan(3)]]",
        "[[1-2 3]]",
        "[[1 2 3]",
        "...",
    ]
)
BENTOML = st.fixed_dictionaries(
    {
        "input_array": PRINTED | TEXTS | ROWS,
        "output_array": st.sampled_from(["[0.5]", "[[0.5]]", 0.5, [0.5], "0.5", "[a]"]),
        "request_id": st.sampled_from(["1", "2"]),
    },
    optional={"timestamp": STAMPS, "date": st.just(1.7e9)},
)


@given(st.lists(BENTOML, min_size=1, max_size=4))
def test_lines_of_bentoml_are_the_same_one_by_one(records: Sequence[Any]) -> None:
    assert_same_both_ways(BentomlDecoder, records)


@given(st.lists(PRINTED, min_size=1, max_size=4))
def test_a_regular_batch_of_printed_arrays_is_read_at_once(texts: Sequence[str]) -> None:
    found = read_rows(texts, 3)
    assert found is not None
    each = [[np.nan if value is None else value for value in read_array(text)[0]] for text in texts]
    assert np.array_equal(found, each, equal_nan=True)


@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_what_is_read_at_once_is_what_is_read_one_by_one(texts: Sequence[str]) -> None:
    found = read_rows(texts, 3)
    if found is not None:
        flat = [np.ravel(np.array(read_array(text), dtype=np.float64)) for text in texts]
        assert np.array_equal(found, flat, equal_nan=True)


@given(st.lists(st.sampled_from(["own", "bentoml", "log", "payload"]), min_size=1, max_size=4), st.booleans())
def test_records_of_fluent_bit_are_the_same_one_by_one(kinds: Sequence[str], is_uniform: bool) -> None:
    inner = {"features": [1, 2, 3], "prediction": 0.5}
    line = {"input_array": "[[1. 2. 3.]]", "output_array": "[0.5]", "request_id": "1"}
    records = {
        "own": {"date": 1.7e9, **inner},
        "bentoml": {"date": 1.7e9, **line},
        "log": {"date": 1.7e9, "log": json.dumps(line)},
        "payload": {"date": 1.7e9, "topic": "t", "partition": 0, "offset": 3, "payload": line},
    }
    chosen = [kinds[0]] * len(kinds) if is_uniform else kinds
    found = assert_same_both_ways(FluentBitDecoder, [records[kind] for kind in chosen])
    assert found.rows is not None
    assert len(found.rows) == len(kinds)


CELLS = st.sampled_from(["1", "-2.5", " 3e2 ", "0.5", "nan", "", "1_0", "true", "x", "1e999", "[1", "2]", '"4"', "{}"])
CSV = st.lists(st.floats(-1e9, 1e9).map(repr), min_size=3, max_size=3).map(",".join)
ODD_CSV = st.lists(CELLS, min_size=2, max_size=4).map(",".join) | st.sampled_from(
    ["", "1,2,3\n4,5,6", "a,b,c\n1,2,3", "\n1,2,3\r\n", "1,2,3\x0b", "\xa01,2,3\xa0", "1,2,3],[4,5,6", "1,2\u2028,3"]
)


def capture(data: Any, output: Any, metadata: Any, encoding: str = "CSV") -> dict[str, Any]:
    halves = {
        "endpointInput": {"data": data, "encoding": encoding},
        "endpointOutput": {"data": output, "encoding": "CSV"},
    }
    return {"captureData": halves, "eventMetadata": metadata, "eventVersion": "0"}


METADATA = st.fixed_dictionaries(
    {"eventId": st.sampled_from(["a", "b", "", "a\n"]) | st.just(7) | st.none()},
    optional={"inferenceTime": STAMPS, "inferenceId": st.sampled_from(["c", ""])},
)


@given(
    st.lists(st.builds(capture, CSV, st.floats(0.0, 1.0).map(repr), METADATA), min_size=1, max_size=4),
    st.lists(
        st.builds(
            capture,
            ODD_CSV | st.just(7) | st.just([[1, 2, 3]]),
            CELLS | st.just("1\n2") | st.just("1,2") | st.none(),
            METADATA,
            st.sampled_from(["CSV", "CSV", "JSON", "BASE64"]),
        ),
        max_size=2,
    ),
)
def test_captures_of_sagemaker_are_the_same_one_by_one(good: Sequence[Any], odd: Sequence[Any]) -> None:
    assert_same_both_ways(SagemakerDecoder, good)
    assert_same_both_ways(SagemakerDecoder, [*good, *odd])


def test_usual_captures_of_sagemaker_have_a_short_way() -> None:
    records = [
        capture(f"{row},2,3\n", "0.5\n", {"eventId": f"e{row}", "inferenceTime": "2026-11-21T09:05:41Z"})
        for row in range(3)
    ]
    fields = fields_of(records)
    assert fields is not None
    rows = SagemakerDecoder(ModelReading(NUMERIC, UTC)).uniform(fields)
    assert rows is not None
    assert (rows.features, rows.ids) == ([[0, 2, 3], [1, 2, 3], [2, 2, 3]], ["e0", "e1", "e2"])
    assert_same_both_ways(
        SagemakerDecoder, [*records, {"groundTruthData": {"data": "1", "encoding": "CSV"}, **records[0]}]
    )


class PairsOneByOne(CloudEventDecoder):
    """Has no short way for pairs."""

    def _joined(self, pairs: Sequence[Pair]) -> None:
        raise Refused(Reason.UNKNOWN_SHAPE, "one by one")


def tensor(values: Sequence[Sequence[Any]]) -> dict[str, Any]:
    flat = [value for row in values for value in row]
    return {"name": "f", "shape": [len(values), 3], "datatype": "FP64", "data": flat}


REQUESTS = st.lists(ROWS, min_size=1, max_size=3).flatmap(
    lambda rows: st.sampled_from([{"instances": rows}, {"inputs": [tensor(rows)]}, {"instances": []}, {"rows": rows}])
)
RESPONSES = st.lists(NUMBERS | ODD, min_size=1, max_size=3).map(lambda found: {"predictions": found})
IDS = st.sampled_from(["a", "b", "a" * 126, "a" * 128, "a\n", ""])
AT = st.sampled_from([1.0, float("nan")])


@given(st.lists(st.tuples(IDS, AT, AT, REQUESTS, RESPONSES), max_size=4))
def test_pairs_are_the_same_one_by_one(pairs: Sequence[tuple[str, float, float, Any, Any]]) -> None:
    halves = [
        (HalfEvent(id_, True, at, request), HalfEvent(id_, False, later, response))
        for id_, at, later, request, response in pairs
    ]
    model = ModelReading(NUMERIC, UTC)
    assert content(CloudEventDecoder(model).joined(halves)) == content(PairsOneByOne(model).joined(halves))


def test_pairs_of_a_class_are_the_same_one_by_one() -> None:
    model = ModelReading(small_baseline(), UTC, ("stays", "leaves"))
    rows = {"instances": [[41.5, 1, "south"], [39, 0, None]]}
    halves = [
        (HalfEvent(id_, True, 1.0, rows), HalfEvent(id_, False, 2.0, {"predictions": ["stays", "leaves"]}))
        for id_ in ("a", "b")
    ]
    found = CloudEventDecoder(model).joined(halves)
    assert content(found) == content(PairsOneByOne(model).joined(halves))


@given(IDS, st.integers(1, 12))
def test_ids_of_all_rows_are_those_of_each(id_: str, rows: int) -> None:
    assert row_ids(id_, rows) == [row_id(id_, row, rows) for row in range(rows)]


def test_a_bad_record_costs_none_of_the_others_in_any_part() -> None:
    records: list[Any] = [{"features": [n, 2, 3], "prediction": 0.5} for n in range(3 * PART_RECORDS)]
    records[PART_RECORDS + 7] = {"features": [1, "two", 3], "prediction": 0.5}
    found = assert_same_both_ways(OwnDecoder, records)
    assert [own.position for own in found.refused] == [PART_RECORDS + 7]
    assert found.rows is not None
    assert list(found.rows.records) == [n for n in range(len(records)) if n != PART_RECORDS + 7]
    assert found.rows.columns[:, 0].tolist() == [float(n) for n in found.rows.records]


def test_categories_and_classes_are_the_same_one_by_one() -> None:
    model = ModelReading(small_baseline(), UTC, ("stays", "leaves"))
    rows = [{"age": 41.5, "flag": True, "city": city} for city in ("south", "hamlet", None)]
    assert_same_both_ways(OwnDecoder, [{"features": row, "prediction": 0.25} for row in rows], model)
    assert_same_both_ways(
        OwnDecoder, [{"features": row, "prediction": 0.25, "prediction_class": "stays"} for row in rows], model
    )


@given(st.lists(st.datetimes(), min_size=1, max_size=4), st.sampled_from(["", "Z"]))
def test_times_are_the_same_one_by_one(given_times: Sequence[Any], zone: str) -> None:
    for times in (EventTimes(UTC), EventTimes(ZoneInfo("Europe/Berlin"))):
        texts = [at.isoformat(timespec="microseconds") + zone for at in given_times]
        assert times.all("t", texts).tolist() == [times.seconds("t", text) for text in texts]


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-29T00:00:00.000000",
        "2026-13-01T00:00:00.000000",
        "2026-01-01T24:00:00.000000",
        "2026-01-01T00:00:00.00000x",
    ],
)
def test_what_is_no_time_is_refused_among_others_too(text: str) -> None:
    times = EventTimes(UTC)
    with pytest.raises(Refused):
        times.seconds("t", text)
    with pytest.raises(Refused):
        times.all("t", ["2026-01-01T00:00:00.000000", text])


def test_only_objects_with_the_same_fields_are_uniform() -> None:
    assert fields_of([{"a": 1, "b": 2}, {"a": 1, "c": 2}]) is None
    assert fields_of([{"a": 1, "b": 2}, {"a": 1}]) is None
    assert fields_of([{"a": 1, "b": 2}, [1, 2]]) is None
    assert fields_of(orjson.loads(b'[{"a":1,"b":2},{"b":4,"a":3}]')) == {"a": (1, 3), "b": (2, 4)}
