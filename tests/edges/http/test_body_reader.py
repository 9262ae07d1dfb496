from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import Any

import pytest
from driftgauge.edges.http.body_reader import BodyReader, Pending, headers_of, is_whole
from driftgauge.errors import Reason, Refused
from starlette.requests import ClientDisconnect
from starlette.types import Message


def read(reader: BodyReader, *messages: Message, length: bytes | None = None) -> bytes:
    """What is read of a body that comes in these messages."""
    first, *others = messages
    headers = [] if length is None else [(b"content-length", length)]

    async def receive() -> Message:
        return others.pop(0)

    async def go() -> bytes:
        with reader.pending() as pending:
            return await reader.rest(first, {"headers": headers}, receive, pending)

    return asyncio.run(go())


def piece(size: int, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": b"x" * size, "more_body": more}


GONE: Message = {"type": "http.disconnect"}


def test_pieces_are_put_together_and_given_back_to_the_budget() -> None:
    reader = BodyReader(100, 1_000)
    assert read(reader, piece(40), piece(0), piece(60, more=False)) == b"x" * 100
    assert reader.pending_bytes == 0


@pytest.mark.parametrize(
    ("messages", "length"),
    [
        ([piece(60), piece(41, more=False)], None),
        ([piece(101)], None),
        ([piece(1)], b"101"),
        ([piece(60), piece(41)], b"60"),
    ],
)
def test_a_body_is_refused_as_soon_as_it_is_known_to_be_too_long(messages: list[Any], length: bytes | None) -> None:
    reader = BodyReader(100, 1_000)
    with pytest.raises(Refused) as caught:
        read(reader, *messages, length=length)
    assert caught.value.reason is Reason.BODY_TOO_LARGE
    assert caught.value.detail == {"limit": 100}
    assert reader.pending_bytes == 0


@pytest.mark.parametrize("length", [b"", b"many", b"-5", b"\xc2\xb2"])
def test_a_length_that_is_none_is_not_believed(length: bytes) -> None:
    assert read(BodyReader(100, 1_000), piece(3, more=False), length=length) == b"xxx"


@pytest.mark.parametrize("messages", [[GONE], [piece(50), GONE]])
def test_a_client_that_leaves_gives_its_bytes_back(messages: list[Message]) -> None:
    reader = BodyReader(100, 1_000)
    with pytest.raises(ClientDisconnect):
        read(reader, *messages)
    assert reader.pending_bytes == 0


def test_all_bodies_together_are_within_the_budget() -> None:
    reader = BodyReader(100, 150)
    with reader.pending() as other:
        other.add(90)
        with pytest.raises(Refused) as caught:
            read(reader, piece(50), piece(20))
        assert caught.value.reason is Reason.OVERLOADED
        assert caught.value.detail == {"pending_bytes": 160}
        assert reader.pending_bytes == 90
        assert read(reader, piece(60, more=False)) == b"x" * 60
    assert read(reader, piece(100, more=False)) == b"x" * 100


def test_rows_of_large_bodies_are_limited_together_and_one_alone_is_not() -> None:
    reader = BodyReader(100, 1_000, max_pending_rows=10)
    with reader.pending() as one, reader.pending() as other:
        one.expect(7)
        one.expect(9)  # more is known of it: not seven and nine
        other.expect(1)
        with pytest.raises(Refused) as caught:
            other.expect(2)
        assert (caught.value.reason, caught.value.detail) == (Reason.OVERLOADED, {"pending_rows": 9})
        assert reader.pending_rows == 10
    assert reader.pending_rows == 0
    with reader.pending() as alone:
        alone.expect(500)
    assert reader.pending_rows == 0


def test_a_large_body_without_room_is_refused_by_its_length_alone() -> None:
    reader = BodyReader(1_000_000, 2_000_000, max_pending_rows=1_000)

    def admit(length: int) -> None:
        reader.admit({"headers": [(b"content-length", b"%d" % length)]})

    with reader.pending() as other:
        other.add(100_000)
        admit(500_000)  # how large a row is, is not known yet
        other.expect(800)  # 125 bytes each
        admit(16_000)  # a small body needs no room
        admit(100 * 170)
        with pytest.raises(Refused) as caught:
            admit(100 * 500)
        assert (caught.value.reason, caught.value.detail) == (Reason.OVERLOADED, {"pending_rows": 800})
    admit(500_000)
    with reader.pending() as other:
        other.add(1_600_000)
        with pytest.raises(Refused) as caught:
            admit(500_000)
        assert (caught.value.reason, caught.value.detail) == (Reason.OVERLOADED, {"pending_bytes": 2_100_000})


def test_of_bodies_that_come_at_once_as_many_go_on_as_there_is_room_for() -> None:
    reader = BodyReader(1_000, 100_000, max_pending_rows=500)
    with reader.pending() as earlier:
        earlier.add(1_000)
        earlier.expect(100)  # 10 bytes each
    going: dict[Pending, ExitStack] = {}
    for _ in range(50):
        stack = ExitStack()
        going[stack.enter_context(reader.pending())] = stack
    for _ in range(10):
        for one, stack in list(going.items()):
            try:
                one.add(100, whole=1_000)
            except Refused:
                stack.close()
                del going[one]
    assert [one.bytes for one in going] == [1_000] * 5
    assert (reader.pending_bytes, reader.pending_rows) == (5_000, 500)
    for stack in going.values():
        stack.close()
    assert (reader.pending_bytes, reader.pending_rows) == (0, 0)


def test_one_huge_row_does_not_hide_for_long_how_many_rows_a_body_has() -> None:
    reader = BodyReader(10_000_000, 100_000_000)
    for size, rows in [(8_000_000, 1), *[(1_000_000, 10_000)] * 20]:
        with reader.pending() as one:
            one.add(size)
            one.expect(rows)
            one.learn_row_size(rows)
    with reader.pending() as hostile:  # refused before it is understood
        hostile.add(8_000_000)
        hostile.expect(1)
    assert reader.rows_of(1_000_000) == pytest.approx(10_000, rel=0.12)


@pytest.mark.parametrize(
    ("message", "whole"),
    [
        (piece(10, more=False), True),
        ({"type": "http.request", "body": b"x" * 10}, True),
        ({"type": "http.request"}, True),
        (piece(11, more=False), False),
        (piece(5), False),
        (GONE, False),
    ],
)
def test_only_a_body_in_one_piece_is_whole(message: Message, whole: bool) -> None:
    assert is_whole(message, 10) == whole


def test_headers_are_found_by_name() -> None:
    assert headers_of({"headers": [(b"expect", b"100-continue"), (b"a", b"1")]})[b"expect"] == b"100-continue"
