from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.edges.formats.fields import ID_LENGTH, READ_AGAIN_BYTES, id_of, read_json, time_of
from app.errors import Reason, Refused


def refused(call: Any, *arguments: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        call(*arguments)
    return caught.value


# ---------------------------------------------------------------- JSON


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"a": "\xff"}', Reason.NOT_UTF8),
        (b"\xfe\xff", Reason.NOT_UTF8),
        (b"", Reason.NOT_JSON),
        (b"{", Reason.NOT_JSON),
        (b"[1] x", Reason.NOT_JSON),
        (b"{'a': 1}", Reason.NOT_JSON),
        (b'["\\ud800"]', Reason.NOT_JSON),
        (b"[" * 100_000, Reason.NOT_JSON),
        (b"[NaN, " + b"9" * 5000 + b"]", Reason.NOT_JSON),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_body_that_is_not_json_is_refused(body: bytes, reason: Reason) -> None:
    error = refused(read_json, body)
    assert error.reason is reason
    assert 0 < len(error.message) < 200


def test_numbers_that_json_does_not_have_are_read_for_whoever_names_their_field() -> None:
    values = read_json(b"[NaN, Infinity, -Infinity]")
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf]


@pytest.mark.parametrize(
    ("cell", "reason"), [("NaN", Reason.NOT_FINITE), ("-Infinity", Reason.NOT_FINITE), ("nothing", Reason.NOT_JSON)]
)
def test_a_large_body_is_not_read_again(cell: str, reason: Reason) -> None:
    body = f"[{cell}{',1.0' * READ_AGAIN_BYTES}]".encode()
    assert refused(read_json, body).reason is reason


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(), st.lists))
def test_json_is_read_as_python_reads_it(value: Any) -> None:
    assert read_json(json.dumps(value).encode()) == value


# ---------------------------------------------------------------- ids


@pytest.mark.parametrize("id_", ["a", "a" * ID_LENGTH, "a b", "ünï©ode-漢字", '"quoted"', "../x"])
def test_a_printable_text_is_an_id(id_: str) -> None:
    assert id_of("id", id_) == id_


@pytest.mark.parametrize("value", [None, 5, "", "a" * (ID_LENGTH + 1), "a\nb", "\x00", ["a"], True, {}])
def test_what_is_no_id_is_refused_with_its_field_and_row(value: Any) -> None:
    error = refused(id_of, "some_id", value, 3)
    assert error.reason is Reason.INVALID_PREDICTION_ID
    assert error.detail == {"field": "some_id", "row": 3}
    assert error.message.startswith("some_id: ")


# ---------------------------------------------------------------- times


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()),
        ("2026-01-31T12:00:00", datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()),
        ("2026-01-31T12:00:00+02:00", datetime(2026, 1, 31, 10, tzinfo=UTC).timestamp()),
        ("2026-01-31T12:00:00.250-05:30", datetime(2026, 1, 31, 17, 30, tzinfo=UTC).timestamp() + 0.25),
        (0, 0.0),
        (1_700_000_000.25, 1_700_000_000.25),
        (-1.5, -1.5),
    ],
)
def test_a_time_is_text_with_or_without_an_offset_or_seconds_since_1970(sent: Any, seconds: float) -> None:
    assert time_of("at", sent) == seconds


BAD_TIMES: list[Any] = [
    None, "", "yesterday", "2026-13-01", "2026-01-31T25:00:00Z", True, [], {}, 1e300, 10**400, math.nan, math.inf,
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "x" * 10_000,
]  # fmt: skip


@pytest.mark.parametrize("value", BAD_TIMES, ids=lambda value: str(value)[:20])
def test_what_is_no_time_is_refused_with_its_field_and_row(value: Any) -> None:
    error = refused(time_of, "some_time", value, 3)
    assert error.reason is Reason.INVALID_TIMESTAMP
    assert error.detail == {"field": "some_time", "row": 3}
    assert error.message.startswith("some_time: ")
    assert len(error.message) < 200
