from __future__ import annotations

import gzip
import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from driftgauge.edges.formats.fields import ID_LENGTH, READ_AGAIN_BYTES, id_of, read_json, time_of
from driftgauge.errors import Reason, Refused
from hypothesis import given
from hypothesis import strategies as st


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


@pytest.mark.parametrize("body", [b"", b" ", b"\r\n"])
def test_an_empty_body_is_called_empty(body: bytes) -> None:
    assert refused(read_json, body).message.startswith("the body is empty: send JSON")


def test_numbers_that_json_does_not_have_are_read_for_whoever_names_their_field() -> None:
    values = read_json(b"[NaN, Infinity, -Infinity]")
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf]


@pytest.mark.parametrize("text", ["[1]", "[NaN]", '{"features": {"ü": "ß"}}'])
def test_a_byte_order_mark_is_passed_over(text: str) -> None:
    assert str(read_json(b"\xef\xbb\xbf" + text.encode())) == str(read_json(text.encode()))
    assert refused(read_json, b"\xef\xbb\xbf" * 2 + text.encode()).reason is Reason.NOT_JSON


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_other_unicode_is_refused_in_words(coding: str) -> None:
    for text in ('{"features": [1]}', '{"ü": 1}', "[1]"):
        error = refused(read_json, text.encode(coding))
        assert error.reason is Reason.NOT_UTF8
        assert error.message == "the body is not UTF-8: it looks like UTF-16 or UTF-32; send UTF-8"


def test_a_body_that_is_compressed_and_does_not_say_so_is_told_how() -> None:
    error = refused(read_json, gzip.compress(b"{}"))
    assert error.reason is Reason.NOT_UTF8
    assert "Content-Encoding: gzip" in error.message


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


@pytest.mark.parametrize("value", [None, 5, "", "a" * (ID_LENGTH + 1), "a\nb", "\x00", ["a"], True, {}, "a\n", "a\x7f",
                                   "a\x85", "a\xa0b", "\u202ea", "a\u200b", "a\u2028", "\ufeffa"])  # fmt: skip
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
        # RFC 3339, 5.6: small letters and a blank between date and time are allowed
        ("2026-01-31t12:00:00z", datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()),
        ("2026-01-31 12:00:00z", datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()),
        ("2026-01-31T12:00:00-00:00", datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()),
        ("2026-01-31T12:00:00.123456789Z", datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC).timestamp()),
        # 5.7 and 5.8: a leap second, here the ones of 1990 and 2016, which is the second that follows
        ("1990-12-31T23:59:60Z", datetime(1991, 1, 1, tzinfo=UTC).timestamp()),
        ("1990-12-31T15:59:60-08:00", datetime(1991, 1, 1, tzinfo=UTC).timestamp()),
        ("2016-12-31t23:59:60.5z", datetime(2017, 1, 1, tzinfo=UTC).timestamp() + 0.5),
        # without an offset, and a date alone: UTC
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC).timestamp()),
        (0, 0.0),
        (1_700_000_000.25, 1_700_000_000.25),
        (-1.5, -1.5),
    ],
)
def test_a_time_is_text_with_or_without_an_offset_or_seconds_since_1970(sent: Any, seconds: float) -> None:
    assert time_of("at", sent) == seconds


BAD_TIMES: list[Any] = [
    None, "", "yesterday", "2026-13-01", "2026-01-31T25:00:00Z", True, [], {}, 1e300, 10**400, math.nan, math.inf,
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:60Z", "x" * 10_000,
    # what Python would read, and RFC 3339 is not
    "20260131T120000Z", "2026-W05-6", "2026-01-31T12Z", "2026-01-31T12:00Z", "2026-01-31T12:00:00,5Z",
    "2026-01-31T12:00:00+0200", "2026-01-31T24:00:00Z", "2026-01-31T12:00:61Z", "2026-01-31T12:60:00Z",
    "2026-01-31_12:00:00Z", " 2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z\n", "2026-01-31T12:00:00+24:00",
    "\u0662026-01-31T12:00:00Z", "2026-02-30", "2026-01-31T12:00:00 Z",
]  # fmt: skip


@pytest.mark.parametrize("value", BAD_TIMES, ids=lambda value: str(value)[:20])
def test_what_is_no_time_is_refused_with_its_field_and_row(value: Any) -> None:
    error = refused(time_of, "some_time", value, 3)
    assert error.reason is Reason.INVALID_TIMESTAMP
    assert error.detail == {"field": "some_time", "row": 3}
    assert error.message.startswith("some_time: ")
    assert len(error.message) < 200
