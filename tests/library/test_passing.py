from __future__ import annotations

import asyncio
from collections.abc import Iterator

from driftgauge.library.passing import Passing
from starlette.types import Message


def passing(received: Iterator[Message], sent: list[Message], max_bytes: int = 10) -> Passing:
    times = iter([1.0, 1.5, 9.0])

    async def receive() -> Message:
        return next(received)

    async def send(message: Message) -> None:
        sent.append(message)

    return Passing([(b"a", b"b")], receive, send, max_bytes, lambda: next(times))


def test_messages_go_on_unchanged_and_bodies_are_kept() -> None:
    sent: list[Message] = []
    asked: list[Message] = [
        {"type": "http.request", "body": b"one ", "more_body": True},
        {"type": "http.request", "body": b"two"},
    ]
    answer: list[Message] = [
        {"type": "http.response.start", "status": 200, "headers": [(b"c", b"d")]},
        {"type": "http.response.body", "body": b"three"},
    ]
    own = passing(iter([*asked, {"type": "http.disconnect"}]), sent)

    async def run() -> list[Message]:
        received = [await own.receive() for _ in range(3)]
        for message in answer:
            await own.send(message)
        return received

    assert asyncio.run(run()) == [*asked, {"type": "http.disconnect"}]
    assert sent == answer
    assert (own.request, own.answer, own.size) == (b"one two", b"three", 12)
    assert (own.status, own.seconds, own.answer_headers) == (200, 0.5, ((b"c", b"d"),))


def test_a_body_that_grows_too_large_is_dropped_and_stays_so() -> None:
    own = passing(iter([{"type": "http.request", "body": b"x" * size} for size in (6, 5, 1)]), [])

    async def run() -> None:
        for _ in range(3):
            await own.receive()

    asyncio.run(run())
    assert own.request is None
    assert own.size == 0


def test_an_exception_before_the_answer_is_told_from_one_after_it() -> None:
    before, after = passing(iter([]), []), passing(iter([]), [])
    before.fail()
    asyncio.run(after.send({"type": "http.response.start", "status": 200}))
    after.fail()
    assert (before.has_failed, after.has_failed) == (True, False)
