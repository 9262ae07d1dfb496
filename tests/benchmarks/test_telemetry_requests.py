from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from benchmarks.telemetry_requests import answering, counted, timed


def twice(number: int) -> int:
    return 2 * number


async def idle() -> None:
    return None


async def calling() -> None:
    len([])
    twice(1)


def test_calls_and_instructions_of_a_request_are_counted() -> None:
    less, more = (asyncio.run(counted(answer, 5)) for answer in (idle, calling))
    own = {name.split(":")[-1]: count for name, count in more["of"].items()}
    assert (own["twice"], own["builtins.len"]) == (5, 5)
    assert more["calls"] - less["calls"] == 2
    assert more["instructions"] > less["instructions"] > 0
    assert asyncio.run(counted(calling, 7))["instructions"] == more["instructions"]


def test_requests_are_answered_by_the_application() -> None:
    asked: list[tuple[str, bytes]] = []

    async def app(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        asked.append((scope["path"], (await receive())["body"]))
        await send({"type": "http.response.start", "status": 200 if len(asked) < 4 else 503})

    answer = answering(app, b"{}")
    assert asyncio.run(timed(answer, 3))["cpu_us"] > 0.0
    assert asked == [("/predict", b"{}")] * 3
    with pytest.raises(RuntimeError, match="status 503"):
        asyncio.run(timed(answer, 1))
