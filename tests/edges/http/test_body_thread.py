"""The lane runs one piece of work at a time, the most urgent first, and loses no turn."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from driftgauge.edges.http.body_thread import BodyThread, Urgency


def held(lane: BodyThread, then: Callable[[BodyThread, threading.Event], Any]) -> Any:
    """Return what comes of `then`, which is called while the lane is busy until the event is set."""

    async def go() -> Any:
        free = threading.Event()
        first = asyncio.ensure_future(lane.run(Urgency.PARSE, free.wait, 30.0))
        await asyncio.sleep(0)
        try:
            return await then(lane, free)
        finally:
            free.set()
            assert await first

    return asyncio.run(go())


def test_the_most_urgent_goes_first_and_the_others_in_their_order() -> None:
    done: list[str] = []

    async def then(lane: BodyThread, free: threading.Event) -> None:
        asked = [(Urgency.PARSE, "c"), (Urgency.PARSE, "d"), (Urgency.ANSWER, "b"), (Urgency.SURVEY, "a")]
        work = [asyncio.ensure_future(lane.run(urgency, done.append, name)) for urgency, name in asked]
        await asyncio.sleep(0)
        free.set()
        await asyncio.gather(*work)

    held(BodyThread(), then)
    assert done == ["a", "b", "c", "d"]


def test_what_goes_wrong_is_raised_and_the_next_one_has_its_turn() -> None:
    async def go() -> list[Any]:
        lane = BodyThread()
        work = [lane.run(Urgency.PARSE, int, text) for text in ("1", "one", "2")]
        return await asyncio.gather(*work, return_exceptions=True)

    one, error, two = asyncio.run(go())
    assert (one, two) == (1, 2)
    assert isinstance(error, ValueError)


@pytest.mark.parametrize("turn_given", [False, True])
def test_who_goes_away_leaves_the_turn_to_the_next(turn_given: bool) -> None:
    async def then(lane: BodyThread, free: threading.Event) -> int:
        gone = asyncio.ensure_future(lane.run(Urgency.SURVEY, int, "1"))
        stays = asyncio.ensure_future(lane.run(Urgency.PARSE, int, "2"))
        await asyncio.sleep(0)
        if turn_given:
            free.set()
            while lane._queue and len(lane._queue) == 2:
                await asyncio.sleep(0)
        gone.cancel()
        free.set()
        with pytest.raises(asyncio.CancelledError):
            await gone
        return await stays

    lane = BodyThread()
    assert held(lane, then) == 2
    assert asyncio.run(lane.run(Urgency.PARSE, int, "3")) == 3
