from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import orjson
import pytest
from driftgauge.drift.bins import MISSING, OTHER, UNSEEN, FloatArray
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories
from driftgauge.edges.formats.ingest.formats import decoder_of
from driftgauge.errors import Reason
from driftgauge.ingestion.records import IngestedRows
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.labels import GivenLabel
from driftgauge.predictions.records import records
from driftgauge.predictions.rows import LoggedFeature, LoggedModel, PredictionBatch
from hypothesis import given
from hypothesis import strategies as st

from tests.monitors import small_baseline

BASELINE = small_baseline()
DECODER = decoder_of("jsonl", BASELINE, UTC, ("stays", "leaves"))
ROW: Mapping[str, Any] = {"features": {"age": 41.5, "flag": 1, "city": "south"}, "prediction": 0.25}
SOUTH = float(BASELINE.bins[2].category_code("south"))


def body(*records: Any) -> bytes:
    return b"\n".join(map(orjson.dumps, records))


def small_rows(count: int) -> FloatArray:
    """Return rows of the small baseline, in which every bin of its categories is."""
    generator = np.random.default_rng(6)
    columns = np.column_stack(
        [
            generator.normal(40, 10, count),
            generator.integers(0, 2, count),
            np.arange(count) % len(BASELINE.bins[2].names),
            generator.random(count),
        ]
    )
    columns[columns[:, 2] == BASELINE.bins[2].special[MISSING], 2] = np.nan
    columns[3, 0] = np.nan
    return columns


def rows_of(content: bytes) -> IngestedRows:
    decoded = DECODER.decode(content)
    assert decoded.refused == []
    assert decoded.rows is not None
    return decoded.rows


def reason_of(record: Any) -> tuple[Reason, object]:
    decoded = DECODER.decode(body(ROW, record, ROW))
    assert decoded.rows is not None
    assert len(decoded.rows) == 2
    (refused,) = decoded.refused
    assert refused.position == 1
    assert json.loads(refused.record) == record
    return refused.error.reason, refused.error.detail.get("field")


@pytest.mark.parametrize(
    "content",
    [
        body(ROW, ROW),
        body(ROW, ROW) + b"\r\n\n",
        orjson.dumps([ROW, ROW]),
        json.dumps([ROW, ROW], indent=2).encode(),
        orjson.dumps(ROW) * 2,
        b"\xef\xbb\xbf" + orjson.dumps([ROW, ROW]),
        (json.dumps(ROW, indent=2) * 2).encode(),
    ],
)
def test_an_array_and_lines_and_a_stream_hold_the_same_rows(content: bytes) -> None:
    rows = rows_of(content)
    assert rows.columns.tolist() == [[41.5, 1.0, SOUTH, 0.25]] * 2
    assert np.isnan(rows.event).all()
    assert list(rows.ids) == ["", ""]
    assert len(set(rows.keys)) == 2


def test_a_row_has_its_id_time_score_class_and_label() -> None:
    record = {
        "prediction_id": "order 7",
        "timestamp": "2026-11-21T09:05:41.783379Z",
        "arrived_at": "2026-11-21T09:05:42Z",
        "prediction": "leaves",
        "score": 0.75,
        "features": {"age": None, "flag": 0, "city": "south", "more": 3},
        "label": "stays",
        "observed_at": "2026-11-22T00:00:00Z",
        "outcomes": {},
    }
    decoded = DECODER.decode(body(record))
    assert decoded.rows is not None
    assert decoded.rows.columns[0].tolist()[1:] == [0.0, SOUTH, 0.75]
    assert math.isnan(decoded.rows.columns[0, 0])
    assert decoded.rows.event.tolist() == [1795251941.783379]
    assert list(decoded.rows.classes) == ["leaves"]
    (label,) = decoded.labels
    assert (label.key, label.value, label.observed) == (key_of("order 7"), 0.0, 1795305600_000000)


def test_a_label_with_an_id_alone_is_ground_truth() -> None:
    decoded = DECODER.decode(body({"prediction_id": "order 7", "label": "leaves"}, ROW))
    assert decoded.rows is not None
    assert len(decoded.rows) == 1
    assert [(label.key, label.value, label.observed) for label in decoded.labels] == [(key_of("order 7"), 1.0, None)]


def test_a_labelled_row_without_an_id_gets_one_that_a_redelivery_repeats() -> None:
    decoded = DECODER.decode(body({**ROW, "label": "leaves"}))
    assert decoded.rows is not None
    assert decoded.labels[0].key == key_of(decoded.rows.ids[0])
    again = DECODER.decode(body({**ROW, "label": "leaves"}))
    assert again.rows is not None
    assert again.rows.ids == decoded.rows.ids


def test_features_may_be_a_list_or_stand_in_the_record_itself() -> None:
    in_order = {"features": [41.5, 1, "south"], "prediction": 0.25}
    flat = {"age": 41.5, "flag": 1, "city": "south", "prediction": 0.25, "host": "a"}
    assert rows_of(body(in_order, flat)).columns.tolist() == [[41.5, 1.0, SOUTH, 0.25]] * 2


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        ({"features": {"age": 1, "flag": 0}}, Reason.MISSING_FEATURE, "city"),
        ({"features": [1, 0]}, Reason.WRONG_FEATURE_COUNT, None),
        ({"features": "1,2"}, Reason.UNKNOWN_SHAPE, "features"),
        ({"features": {"age": "old", "flag": 0, "city": "south"}}, Reason.WRONG_TYPE, "age"),
        ({"features": {"age": 1, "flag": 0, "city": ["south"]}}, Reason.WRONG_TYPE, "city"),
        ({"prediction": "much"}, Reason.WRONG_TYPE, "prediction"),
        ({"prediction": ["much", 2]}, Reason.UNKNOWN_SHAPE, "prediction"),
        ({"timestamp": "yesterday"}, Reason.INVALID_TIMESTAMP, "timestamp"),
        ({"timestamp": "20261121T090541"}, Reason.INVALID_TIMESTAMP, "timestamp"),
        ({"timestamp": 1795251941783}, Reason.INVALID_TIMESTAMP, "timestamp"),
        ({"timestamp": True}, Reason.INVALID_TIMESTAMP, "timestamp"),
        ({"prediction_id": "a\nb"}, Reason.INVALID_PREDICTION_ID, "prediction_id"),
        ({"label": "perhaps"}, Reason.INVALID_LABEL, "label"),
    ],
)
def test_a_bad_record_is_refused_and_costs_none_beside_it(
    change: Mapping[str, Any], reason: Reason, field: str | None
) -> None:
    assert reason_of({**ROW, **change}) == (reason, field)


def test_a_record_without_a_prediction_is_refused_and_null_is_a_missing_value() -> None:
    assert reason_of({"features": ROW["features"]}) == (Reason.MISSING_FEATURE, "prediction")
    assert math.isnan(rows_of(body({**ROW, "prediction": None})).columns[0, 3])


@pytest.mark.parametrize("bad", [b"{", b"nonsense", b'"text"', b"\xff\xfe", b"[1]", b"7"])
def test_a_line_that_is_no_object_costs_no_other_line(bad: bytes) -> None:
    decoded = DECODER.decode(b"\n".join([orjson.dumps(ROW), bad, orjson.dumps(ROW)]))
    assert decoded.rows is not None
    assert len(decoded.rows) == 2
    assert [(refused.position, refused.record) for refused in decoded.refused] == [(1, bad)]


def test_an_array_that_breaks_off_keeps_the_records_before() -> None:
    content = orjson.dumps([ROW, ROW, ROW])[:-10]
    decoded = DECODER.decode(content)
    assert decoded.rows is not None
    assert len(decoded.rows) == 2
    assert [refused.position for refused in decoded.refused] == [2]


@pytest.mark.parametrize("content", [b"", b" \n", b"[]"])
def test_an_empty_body_holds_nothing(content: bytes) -> None:
    decoded = DECODER.decode(content)
    assert decoded.rows is None
    assert decoded.refused == []


def test_nan_is_a_missing_value_and_an_infinite_number_is_refused() -> None:
    content = json.dumps({**ROW, "features": [math.nan, 1, "south"]}) + "\n"
    content += json.dumps({**ROW, "features": [math.inf, 1, "south"]})
    decoded = DECODER.decode(content.encode())
    assert decoded.rows is not None
    assert math.isnan(decoded.rows.columns[0, 0])
    assert [(refused.position, refused.error.reason) for refused in decoded.refused] == [(1, Reason.NOT_FINITE)]


def test_a_redelivered_body_repeats_its_keys_and_equal_records_differ() -> None:
    first, again = rows_of(body(ROW, ROW)), rows_of(body(ROW, ROW))
    assert list(first.keys) == list(again.keys)
    assert {len(key) for key in first.keys} == {16}
    elsewhere = DECODER.decode(body(ROW, ROW), b"file 2").rows
    assert elsewhere is not None
    assert set(elsewhere.keys).isdisjoint(first.keys)


def test_a_given_id_is_the_key_wherever_its_record_stands() -> None:
    known = {**ROW, "prediction_id": "order 7"}
    assert rows_of(body(known)).keys[0] == rows_of(body(ROW, known)).keys[1]


def test_messages_have_the_keys_that_are_given() -> None:
    keys = [bytes([number]) * 16 for number in range(3)]
    known = {**ROW, "prediction_id": "order 7"}
    decoded = DECODER.decode_messages([orjson.dumps(ROW), b"{", orjson.dumps(known)], keys)
    assert decoded.rows is not None
    assert list(decoded.rows.keys) == [keys[0], keys[2]]
    assert [refused.position for refused in decoded.refused] == [1]


def test_times_without_an_offset_are_in_the_zone() -> None:
    berlin = decoder_of("jsonl", BASELINE, ZoneInfo("Europe/Berlin"))
    given = ["2026-07-01T12:00:00", "2026-07-01 12:00:00Z", "2026-01-01T12:00:00+00:00", "2016-12-31T23:59:60", 7.5]
    decoded = berlin.decode(body(*({**ROW, "timestamp": at} for at in given)))
    assert decoded.rows is not None
    assert decoded.rows.event.tolist() == [1782900000.0, 1782907200.0, 1767268800.0, 1483225200.0, 7.5]


def test_an_unknown_category_is_counted() -> None:
    row = {**ROW, "features": [1, 1, "hamlet"]}
    assert rows_of(body(row)).columns[0, 2] == BASELINE.bins[2].special[OTHER]


def test_a_record_of_the_prediction_log_has_bins_and_lengths_in_place_of_values() -> None:
    reference = build_baseline(
        {"note": np.arange(100.0) % 9, "city": Categories(np.arange(100) % 2, ("north", "other"))}, created="2026"
    )
    note, city = reference.columns
    decoder = decoder_of("jsonl", replace(reference, columns=(replace(note, of_text=True), city)), UTC)
    logged = [{"note": 7, "city": "unseen"}, {"note": None, "city": '"other"'}, {"note": 0, "city": "other"}]
    decoded = decoder.decode(
        body(*({"features": features, "arrived_at": "2026-01-01T00:00:00Z"} for features in logged))
    )
    assert decoded.refused == []
    assert decoded.rows is not None
    assert decoded.rows.columns[[0, 2]].tolist() == [
        [7.0, city.bins.special[UNSEEN]],
        [0.0, city.bins.special[OTHER]],
    ]
    assert decoded.rows.columns[1, 1] == city.bins.category_code("other")
    (refused,) = decoder.decode(body({"features": logged[0]})).refused
    assert refused.error.detail == {"field": "note", "row": 0}


def test_outcomes_belong_to_their_row_and_unknown_ones_are_passed_over() -> None:
    decoder = decoder_of("jsonl", BASELINE, UTC, ("stays", "leaves"), {"click": "event", "revenue": "number"})
    outcomes = {"click": True, "revenue": 2.5, "strange": 1, "late": None}
    more = {"observed_at": "2026-01-01T00:00:00.000001Z", "outcomes": outcomes}
    decoded = decoder.decode(
        body(
            {**ROW, "prediction_id": "a", "label": "leaves", **more},
            {**ROW, "outcomes": {"revenue": 1}},
            {"prediction_id": "b", "outcomes": {"click": 0}},
            {**ROW, "prediction_id": "c", "outcomes": {"strange": 1}},
        )
    )
    assert decoded.refused == []
    assert decoded.rows is not None
    at = 1_767_225_600_000_001
    assert list(decoded.labels) == [
        GivenLabel(key_of("a"), 1.0, at),
        GivenLabel(key_of("a"), 1.0, at, "click"),
        GivenLabel(key_of("a"), 2.5, at, "revenue"),
        GivenLabel(key_of(decoded.rows.ids[1]), 1.0, None, "revenue"),
        GivenLabel(key_of("b"), 0.0, None, "click"),
    ]
    assert [decoded.rows.ids[0], decoded.rows.ids[2]] == ["a", "c"]
    refused = decoder.decode(body({**ROW, "outcomes": 3}, {**ROW, "outcomes": {"click": 2}})).refused
    assert [own.error.reason for own in refused] == [Reason.INVALID_OUTCOME] * 2


def test_what_the_prediction_log_exports_is_read_back() -> None:
    columns = small_rows(40)
    names = BASELINE.bins[2].names
    features = (LoggedFeature("age", "numeric"), LoggedFeature("flag", "numeric"))
    model = LoggedModel(
        "m", "1", "binary", ("stays", "leaves"), (*features, LoggedFeature("city", "categorical", names)), ""
    )
    count = len(columns)
    batch = PredictionBatch(
        models={1: model},
        seq=np.arange(count),
        version=np.ones(count, dtype=np.int64),
        keys=[key_of(f"order {row}") for row in range(count)],
        time=np.arange(count) * 1_500_000,
        arrival=np.arange(count) * 2_000_000,
        scores=columns[:, 3],
        predictions=(columns[:, 3] > 0.5).astype(np.float64),
        latency=np.zeros(count, dtype=np.int64),
        source=np.zeros(count, dtype=np.int64),
        callers=[None] * count,
        features={1: columns[:, :3]},
    )
    rows = rows_of(body(*records(batch)))
    np.testing.assert_array_equal(rows.columns, columns)
    assert rows.event.tolist() == [row * 1.5 for row in range(count)]
    assert list(rows.ids) == batch.ids
    assert list(rows.classes) == ["leaves" if score > 0.5 else "stays" for score in columns[:, 3]]


def test_rows_of_a_baseline_of_predictions_alone_need_no_features() -> None:
    decoder = decoder_of("jsonl", build_baseline({"prediction": np.arange(50.0)}, created="2026"), UTC)
    decoded = decoder.decode(body({"prediction": 3}, {"features": {}, "prediction": 4.5}))
    assert decoded.rows is not None
    assert decoded.rows.columns.tolist() == [[3.0], [4.5]]


def test_many_rows_of_numbers_are_read_as_few_are() -> None:
    names = [f"f{number}" for number in range(30)]
    generator = np.random.default_rng(5)
    reference = build_baseline({name: generator.normal(size=200) for name in (*names, "prediction")}, created="2026")
    table = generator.normal(size=(500, 31))
    records = [{"features": row[:30], "prediction": row[30]} for row in table.tolist()]
    decoded = decoder_of("jsonl", reference, UTC).decode(orjson.dumps(records))
    assert decoded.rows is not None
    assert decoded.rows.columns.tolist() == table.tolist()


VALUES = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)
RECORDS = st.lists(st.tuples(VALUES, VALUES, st.sampled_from(["north", "south", "x", None]), VALUES), max_size=8)


@given(RECORDS, st.sets(st.integers(0, 7)))
def test_all_good_rows_arrive_among_any_bad_ones(rows: list[tuple[Any, Any, Any, Any]], bad: set[int]) -> None:
    records = [{"features": list(row[:3]), "prediction": row[3]} for row in rows]
    for position in bad & set(range(len(rows))):
        records[position]["features"] = [1, "text", "south"]
    decoded = DECODER.decode(orjson.dumps(records))
    kept = [row for position, row in enumerate(rows) if position not in bad]
    assert [refused.position for refused in decoded.refused] == sorted(bad & set(range(len(rows))))
    found = [] if decoded.rows is None else decoded.rows.columns.tolist()
    code = BASELINE.bins[2].category_code
    wanted = [[a, b, None if c is None else float(code(c)), d] for a, b, c, d in kept]
    assert [[None if value != value else value for value in row] for row in found] == wanted
