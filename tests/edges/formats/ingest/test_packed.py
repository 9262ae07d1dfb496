"""Records in MessagePack, as Fluent Bit packs its events."""

from __future__ import annotations

import struct
from datetime import UTC
from typing import Any

import msgpack
import orjson
import pytest
from driftgauge.edges.formats.ingest.formats import decoder_of
from driftgauge.edges.formats.ingest.packed import packed_names, packed_records
from driftgauge.edges.formats.ingest.records import MOST_RECORDS, Unreadable
from driftgauge.errors import Reason, Refused
from hypothesis import given
from hypothesis import strategies as st

from tests.ingest_bodies import CLASSES, EVENTS, FLUENT_BIT, ROWS, iris_baseline, recorded
from tests.monitors import small_baseline

DECODER = decoder_of("fluent_bit", iris_baseline(), UTC, CLASSES)
OWN = decoder_of("jsonl", small_baseline(), UTC)


def at(seconds: int, nanoseconds: int = 0) -> Any:
    """Return a time as Fluent Bit packs it."""
    return msgpack.ExtType(0, struct.pack(">II", seconds, nanoseconds))


def packed(*values: Any) -> bytes:
    return b"".join(map(msgpack.packb, values))


def as_json(body: bytes) -> list[Any]:
    """Return the records of a recorded body."""
    return orjson.loads(body) if body[:1] == b"[" else [orjson.loads(line) for line in body.splitlines()]


@pytest.mark.parametrize("with_metadata", [False, True])
@pytest.mark.parametrize("name", FLUENT_BIT)
def test_a_recorded_body_has_the_same_rows_as_events(name: str, with_metadata: bool) -> None:
    events = []
    for record in as_json(recorded(name)):
        time = at(int(record["date"]), round(record.pop("date") % 1 * 1e9))
        events.append([[time, {}] if with_metadata else time, record])
    decoded = DECODER.decode_packed(packed(*events))
    assert decoded.refused == []
    assert decoded.rows is not None
    assert decoded.rows.columns.tolist() == ROWS
    assert decoded.rows.event.tolist() == pytest.approx(EVENTS, abs=1e-6)
    plain = DECODER.decode(recorded(name)).rows
    assert plain is not None
    if name.startswith("kafka"):
        assert list(decoded.rows.keys) == list(plain.keys)
    assert packed_names(packed(*events)) <= {"iris_classifier"}


def test_records_come_alone_in_lists_and_in_events() -> None:
    body = packed({"a": 1}, [{"b": 2}, {"c": 3}], [at(10, 500_000_000), {"d": 4}], [[7.5, {}], {"e": 5}])
    assert packed_records(body).contents == [
        {"a": 1},
        {"b": 2},
        {"c": 3},
        {"d": 4, "date": 10.5},
        {"e": 5, "date": 7.5},
    ]


def test_a_record_keeps_a_date_of_its_own() -> None:
    assert packed_records(packed([at(10), {"date": 3.0}])).contents == [{"date": 3.0}]


def test_the_marks_of_a_group_are_no_records() -> None:
    body = packed([[at(2**32 - 1), {}], {}], [[at(5), {}], {"a": 1}], [[at(2**32 - 2), {}], {}])
    assert packed_records(body).contents == [{"a": 1, "date": 5.0}]


@pytest.mark.parametrize(
    ("rest", "why"),
    [
        (b"\x92\x01", "it ends too early"),
        (b"\xc1", "FormatError"),
        (b"\x91" * 5_000, "StackError"),
        (b"\xdd\xff\xff\xff\xff", "exceeds max_array_len"),
        (b"\xdf\xff\xff\xff\xff", "exceeds max_map_len"),
        (b"\xdb\xff\xff\xff\xff", "it ends too early"),
    ],
)
def test_what_breaks_costs_none_of_the_records_before(rest: bytes, why: str) -> None:
    first, second = packed_records(packed({"a": 1}) + rest).contents
    assert first == {"a": 1}
    assert second.error.reason is Reason.UNREADABLE_RECORD
    assert second.error.message.startswith("the body is not MessagePack from byte 4 on: ")
    assert why in second.error.message


def test_a_record_that_is_no_text_costs_none_of_the_others() -> None:
    body = packed({"a": b"\x00"}) + b"\x81\xa1a\xa1\xff" + packed({"b": 1})
    binary, latin, good = packed_records(body).contents
    assert binary.error.reason is latin.error.reason is Reason.NOT_UTF8
    assert good == {"b": 1}


@pytest.mark.parametrize(
    "bad",
    [
        b"\x91" * 1_000 + b"\x01",
        b"\x81\xa1a" * 1_000 + b"\x01",
        msgpack.packb({1: 2}),
        b"\x81\x91\x01\x02",
        b"\x81\x80\x02",
        msgpack.packb({"a": {True: 1}}),
    ],
    ids=["lists", "objects", "number", "list", "object", "inner"],
)
def test_a_record_that_json_cannot_hold_is_one_refusal_among_many_rows(bad: bytes) -> None:
    row = {"features": {"age": 41.5, "flag": 1, "city": "south"}, "prediction": 0.25}
    decoded = OWN.decode_packed(packed(row) + bad + packed(*[row] * 50))
    assert decoded.rows is not None
    assert len(decoded.rows) == 51
    (refused,) = decoded.refused
    assert (refused.position, refused.error.reason) == (1, Reason.NOT_UTF8)


def test_a_name_that_is_no_text_costs_one_record_of_a_list() -> None:
    good, bad, other = packed_records(packed([{"a": 1}, {7: 2}, {"b": 3}])).contents
    assert (good, other) == ({"a": 1}, {"b": 3})
    assert "names that are no text" in bad.error.message


def test_what_follows_a_break_has_no_key() -> None:
    refused = OWN.decode_packed(packed(7) + b"\xc1").refused
    assert [bool(own.key) for own in refused] == [True, False]


def test_a_place_where_a_body_breaks_is_counted_from_its_begin() -> None:
    *_, last = packed_records(packed({"a": 1}, {1: 1}, {"b": 1}) + b"\xc1").contents
    assert last.error.message.startswith("the body is not MessagePack from byte 11 on: ")


def test_a_body_of_too_many_records_is_refused_as_a_whole() -> None:
    assert len(packed_records(b"\x80" * MOST_RECORDS).contents) == MOST_RECORDS
    with pytest.raises(Refused, match=f"send at most {MOST_RECORDS:,} records at once") as refused:
        packed_records(b"\x80" * (MOST_RECORDS + 1))
    assert refused.value.reason is Reason.BODY_TOO_LARGE


def test_other_values_are_refused_as_records() -> None:
    decoded = DECODER.decode_packed(packed(3, "text", [1, 2]))
    assert [own.error.reason for own in decoded.refused] == [Reason.UNKNOWN_SHAPE] * 3


def test_names_of_services_are_found_whatever_their_length() -> None:
    names = {"a", "b" * 31, "c" * 32, "d" * 200}
    assert packed_names(packed(*({"service_name": name} for name in sorted(names)))) == names


@given(st.binary(max_size=60))
def test_no_bytes_make_it_raise(body: bytes) -> None:
    found = packed_records(body).contents
    assert all(type(own) is not Unreadable or own.error.reason in Reason for own in found)
    assert packed_names(body) is not None
    DECODER.decode_packed(body)
