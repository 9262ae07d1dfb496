from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from driftgauge.edges.formats.label_values import LabelValues, OutcomeValues
from driftgauge.edges.formats.labels import (
    MOST_ERRORS,
    SURVEYED_BYTES,
    TruthBatch,
    TruthDecoder,
    TruthRow,
    errors_json,
)
from driftgauge.errors import Reason, Refused
from hypothesis import given
from hypothesis import strategies as st

MAX_ROWS = 10_000
DECODER = TruthDecoder(LabelValues(("in time", "late")), OutcomeValues({"revenue": "number", "click": "event"}))
ROW = {"prediction_id": "a", "label": "late"}
LATE = TruthRow("a", 1.0)


def read(body: Any, *, lines: bool = False, max_rows: int = MAX_ROWS) -> TruthBatch:
    return DECODER.batch(body if isinstance(body, bytes) else json.dumps(body).encode(), max_rows, lines=lines)


@pytest.mark.parametrize(
    "body",
    [
        ROW,
        [ROW],
        {"labels": [ROW]},
        json.dumps(ROW).encode() + b"\n",
        b"\xef\xbb\xbf" + json.dumps(ROW).encode(),
        json.dumps(ROW, indent=1).encode(),
    ],
)
def test_a_single_row_is_read_from_every_shape(body: Any) -> None:
    assert read(body).rows == [LATE]


def test_many_rows_are_read_from_lists_and_from_lines() -> None:
    rows = [{"prediction_id": str(number), "label": number % 2} for number in range(5)]
    wanted = [TruthRow(str(number), float(number % 2)) for number in range(5)]
    lines = b"\n".join(json.dumps(row).encode() for row in rows)
    assert read(rows).rows == read(lines).rows == read(b"\r\n" + lines + b"\n\n", lines=True).rows == wanted


def test_times_and_outcomes_come_with_a_label_or_without_one() -> None:
    batch = read(
        [
            {**ROW, "observed_at": "2026-01-31T12:00:00Z"},
            {**ROW, "observed_at": 1769860800},
            {**ROW, "observed_at": None, "outcomes": {"revenue": 12.5, "click": True}},
            {"prediction_id": "b", "outcomes": {"click": False, "revenue": None}},
        ]
    )
    assert batch.rows == [
        TruthRow("a", 1.0, observed_at=1769860800.0),
        TruthRow("a", 1.0, observed_at=1769860800.0),
        TruthRow("a", 1.0, (("revenue", 12.5), ("click", 1.0))),
        TruthRow("b", None, (("click", 0.0),)),
    ]
    assert batch.refused == 0


@pytest.mark.parametrize(
    ("row", "reason", "text"),
    [
        (7, Reason.UNKNOWN_SHAPE, "not an object"),
        ({"label": 1}, Reason.INVALID_PREDICTION_ID, "prediction_id: give a text"),
        ({"prediction_id": 5, "label": 1}, Reason.INVALID_PREDICTION_ID, "prediction_id: give a text"),
        ({"prediction_id": "a"}, Reason.INVALID_LABEL, "no label and no outcomes"),
        ({"prediction_id": "a", "label": None}, Reason.INVALID_LABEL, "no label and no outcomes"),
        ({"prediction_id": "a", "label": "early"}, Reason.INVALID_LABEL, "there is in time, late"),
        ({**ROW, "observed_at": "yesterday"}, Reason.INVALID_TIMESTAMP, "observed_at"),
        ({**ROW, "observed": 1}, Reason.UNKNOWN_SHAPE, "observed is not a known key"),
        ({**ROW, "outcomes": [1]}, Reason.INVALID_OUTCOME, "outcomes is not an object"),
        ({**ROW, "outcomes": {"profit": 1}}, Reason.UNKNOWN_OUTCOME, "there is revenue, click"),
    ],
)
def test_a_row_at_fault_does_not_fail_the_others(row: Any, reason: Reason, text: str) -> None:
    batch = read([ROW, row, ROW])
    assert batch.rows == [LATE, LATE]
    assert batch.refused == 1
    assert batch.errors[0].row == 1
    assert batch.errors[0].error.reason is reason
    assert text in batch.errors[0].error.message


def test_a_line_that_is_not_json_is_an_error_of_its_row() -> None:
    batch = read(b'{"prediction_id": "a", "label": 1}\n{"prediction_id": "b"\n{"prediction_id": "c", "label": 0}')
    assert batch.rows == [LATE, TruthRow("c", 0.0)]
    assert [(found.row, found.error.reason) for found in batch.errors] == [(1, Reason.NOT_JSON)]


def test_refused_rows_are_listed_with_their_ids_up_to_a_limit_and_counted() -> None:
    batch = read([{"prediction_id": str(number), "label": "early"} for number in range(MOST_ERRORS + 50)])
    listed = errors_json(batch.errors)
    assert batch.refused == MOST_ERRORS + 50
    assert len(listed) == MOST_ERRORS
    assert listed[7]["row"] == 7
    assert listed[7]["prediction_id"] == "7"
    assert listed[7]["code"] == "invalid_label"
    assert orjson.dumps(listed)


def test_an_id_that_is_not_allowed_is_not_repeated() -> None:
    assert errors_json(read([{"prediction_id": "a\nb", "label": 1}]).errors)[0]["prediction_id"] is None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Reason.NOT_JSON),
        (b"labels", Reason.NOT_JSON),
        (b"\xff", Reason.NOT_UTF8),
        ([], Reason.EMPTY_BATCH),
        ({"labels": []}, Reason.EMPTY_BATCH),
        ({"labels": 5}, Reason.UNKNOWN_SHAPE),
        (7, Reason.UNKNOWN_SHAPE),
        ([ROW] * 6, Reason.TOO_MANY_ROWS),
        (b"\n".join([json.dumps(ROW).encode()] * 6), Reason.TOO_MANY_ROWS),
    ],
)
def test_a_body_without_rows_or_with_too_many_is_refused(body: Any, reason: Reason) -> None:
    with pytest.raises(Refused) as caught:
        read(body, max_rows=5)
    assert caught.value.reason is reason


def test_empty_lines_are_no_rows() -> None:
    with pytest.raises(Refused) as caught:
        read(b"\n \n", lines=True)
    assert caught.value.reason is Reason.EMPTY_BATCH


def test_a_large_body_is_read_like_a_small_one() -> None:
    rows = [{"prediction_id": f"prediction-{number}", "label": "late"} for number in range(3_000)]
    assert len(json.dumps(rows)) > SURVEYED_BYTES
    assert read(rows).rows == [TruthRow(f"prediction-{number}", 1.0) for number in range(3_000)]


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*ROW, "outcomes", "labels"]), inner),
    max_leaves=6,
)


@given(st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        batch = read(body)
    except Refused:
        return
    assert batch.rows or batch.refused
