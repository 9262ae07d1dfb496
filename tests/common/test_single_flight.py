from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from driftgauge.common.single_flight import SingleFlight

PATIENCE_SECONDS = 20.0


class Counting:
    """Returns how often it was called; each call waits until it is let go."""

    def __init__(self) -> None:
        self.began = 0
        self.go = threading.Event()
        self.go.set()
        self.failing: Exception | None = None

    def __call__(self) -> int:
        self.began += 1
        own = self.began
        assert self.go.wait(PATIENCE_SECONDS)
        if self.failing is not None:
            raise self.failing
        return own


@pytest.fixture
def counting() -> Iterator[Counting]:
    counting = Counting()
    yield counting
    counting.go.set()


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


def _run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, PATIENCE_SECONDS))


async def _begun(counting: Counting, times: int) -> None:
    while counting.began < times:
        await asyncio.sleep(0)


def test_who_comes_during_a_computation_shares_the_one_after_it(
    counting: Counting, executor: ThreadPoolExecutor
) -> None:
    async def scenario() -> None:
        shared = SingleFlight(counting, executor)
        counting.go.clear()
        first = asyncio.create_task(shared.get())
        await _begun(counting, 1)
        others = [asyncio.create_task(shared.get()) for _ in range(20)]
        await asyncio.sleep(0)
        counting.go.set()
        assert await first == 1
        assert set(await asyncio.gather(*others)) == {2}
        assert counting.began == 2

    _run(scenario())


def test_what_takes_too_long_is_given_up_by_who_waits_and_goes_on(
    counting: Counting, executor: ThreadPoolExecutor
) -> None:
    async def scenario() -> None:
        shared = SingleFlight(counting, executor)
        counting.go.clear()
        for _ in range(50):
            with pytest.raises(TimeoutError):
                await shared.get(0.001)
        assert counting.began == 1
        counting.go.set()
        assert await shared.get() == 2

    _run(scenario())


def test_an_error_is_that_of_all_who_share_it_and_of_no_one_else(
    counting: Counting, executor: ThreadPoolExecutor
) -> None:
    async def scenario() -> None:
        shared = SingleFlight(counting, executor)
        counting.failing = ArithmeticError("no")
        with pytest.raises(ArithmeticError):
            await shared.get()
        counting.failing = None
        assert await shared.get() == 2

    _run(scenario())


def test_a_result_is_kept_for_a_while_and_shared_by_all_who_come_meanwhile(
    counting: Counting, executor: ThreadPoolExecutor
) -> None:
    async def scenario() -> None:
        now = [0.0]
        shared = SingleFlight(counting, executor, keep_seconds=5.0, clock=lambda: now[0])
        counting.go.clear()
        waiting = [asyncio.create_task(shared.get()) for _ in range(20)]
        await _begun(counting, 1)
        counting.go.set()
        assert set(await asyncio.gather(*waiting)) == {1}
        now[0] = 4.999
        assert await shared.get() == 1
        counting.failing = ArithmeticError("no")
        now[0] = 5.0
        for _ in range(3):
            with pytest.raises(ArithmeticError):
                await shared.get()
        assert counting.began == 2

    _run(scenario())


def test_a_reader_that_leaves_does_not_stop_the_others(counting: Counting, executor: ThreadPoolExecutor) -> None:
    async def scenario() -> None:
        shared = SingleFlight(counting, executor)
        counting.go.clear()
        leaving = asyncio.create_task(shared.get())
        await _begun(counting, 1)
        staying = asyncio.create_task(shared.get())
        await asyncio.sleep(0)
        leaving.cancel()
        counting.go.set()
        assert await staying == 2

    _run(scenario())


def test_it_goes_on_in_another_event_loop(counting: Counting, executor: ThreadPoolExecutor) -> None:
    shared = SingleFlight(counting, executor)
    counting.go.clear()

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await shared.get(0.01)

    async def read() -> None:
        counting.go.set()
        assert await shared.get() == 2

    asyncio.run(give_up())
    _run(read())
