from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.metrics.series import CPU, PREDICTIONS, PROCESS
from driftgauge.monitor.monitor import state_shape
from driftgauge.monitor.problems import Problems
from driftgauge.monitor.publisher import PROBLEM, Publisher
from driftgauge.state.slot import Owner
from driftgauge.state.slots import Slots
from driftgauge.state.store import Store

from tests.monitors import START, small_baseline, small_options

PATIENCE_SECONDS = 20.0
"""How long a test waits for what must come; it is over at once when all is well."""


class Process:
    """What is known of a process, as a test says."""

    def __init__(self, cpu_seconds: float) -> None:
        self.cpu_seconds = cpu_seconds
        self.failing: Exception | None = None

    def __call__(self) -> FloatArray:
        if self.failing is not None:
            raise self.failing
        numbers = np.full(len(PROCESS), 7.0)
        numbers[CPU] = self.cpu_seconds
        return numbers


class Folder:
    """A folder of state, with the workers that a test begins on it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begun: list[Slots] = []

    def worker(self) -> Store:
        baseline, options = small_baseline(), small_options(100)
        owner, detector = Owner("churn", "1", baseline.hash), baseline.detector(options.policy.budget)
        slots = Slots(self._path, owner, state_shape(baseline, options), detector)
        self._begun.append(slots)
        return Store(*slots.take(), slots)

    def kill_all(self) -> None:
        """End all workers as they are: their locks are gone, and nothing more is written."""
        for slots in self._begun:
            slots.release()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    made = Folder(tmp_path)
    yield made
    made.kill_all()


@pytest.fixture
def problems() -> Problems:
    return Problems(lambda: START)


def _run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, PATIENCE_SECONDS))


async def _until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0)


def _known(reader: Store, slot: int = 0) -> tuple[float, float]:
    """Return the predictions and the CPU time of a worker as another one knows them."""
    counted = next(member.counted for member in reader.counted() if member.number == slot)
    return float(counted[PREDICTIONS.name].sum()), float(counted["process"][CPU])


def _predict(store: Store, rows: int = 1) -> None:
    with store.counting() as counters:
        counters.add(PREDICTIONS.name, rows)


# ---------------------------------------------------------------- when


def test_what_is_counted_in_a_turn_of_the_loop_is_known_after_it(folder: Folder, problems: Problems) -> None:
    own, other = folder.worker(), folder.worker()

    async def scenario() -> None:
        publisher = Publisher(own, problems, Process(1.0))
        running = asyncio.create_task(publisher.run())
        await _until(lambda: _known(other) == (0, 1.0))
        for turn in (1, 2):
            for _ in range(3):
                _predict(own)
                publisher.soon()
                assert _known(other)[0] == 3 * (turn - 1)
            await asyncio.sleep(0)
            assert _known(other)[0] == 3 * turn
        running.cancel()

    _run(scenario())


def test_what_nobody_asks_for_is_published_by_itself(folder: Folder, problems: Problems) -> None:
    own, other, process = folder.worker(), folder.worker(), Process(1.0)

    async def scenario() -> None:
        running = asyncio.create_task(Publisher(own, problems, process).run())
        await _until(lambda: _known(other) == (0, 1.0))
        _predict(own, 5)
        process.cpu_seconds = 2.0
        await _until(lambda: _known(other) == (5, 2.0))
        running.cancel()

    _run(scenario())
    assert _known(other) == (5, 2.0)


def test_what_was_counted_last_is_published_when_it_stops(folder: Folder, problems: Problems) -> None:
    own, other, process = folder.worker(), folder.worker(), Process(1.0)

    async def scenario() -> None:
        publisher = Publisher(own, problems, process)
        running = asyncio.create_task(publisher.run())
        await _until(lambda: _known(other) == (0, 1.0))
        _predict(own, 5)
        process.cpu_seconds = 2.0
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert running.cancelled()
        publisher.soon()  # too late for the loop, and no harm

    _run(scenario())
    assert _known(other) == (5, 2.0)


def test_before_the_loop_runs_nothing_is_published(folder: Folder, problems: Problems) -> None:
    own, other = folder.worker(), folder.worker()
    _predict(own)
    Publisher(own, problems, Process(1.0)).soon()
    assert _known(other)[0] == 0


def test_a_store_in_memory_is_published_to_itself(problems: Problems) -> None:
    baseline, options = small_baseline(), small_options(100)
    store = Store.in_memory(state_shape(baseline, options), baseline.detector(options.policy.budget))
    _predict(store, 3)
    Publisher(store, problems, Process(1.5)).now()
    assert _known(store) == (3, 1.5)
    assert problems.current() == []


# ---------------------------------------------------------------- CPU time


def test_cpu_time_goes_on_from_the_process_before(folder: Folder, problems: Problems) -> None:
    for own_seconds, together in ((3.0, 3.0), (0.5, 3.5), (2.0, 5.5)):
        own, process = folder.worker(), Process(own_seconds / 2)
        publisher = Publisher(own, problems, process)
        publisher.now()
        process.cpu_seconds = own_seconds
        publisher.now()
        assert _known(folder.worker())[1] == together
        folder.kill_all()


def test_cpu_time_that_is_told_is_not_more_than_what_is_kept_when_the_process_is_killed(
    folder: Folder, problems: Problems
) -> None:
    own, process = folder.worker(), Process(3.0)
    publisher = Publisher(own, problems, process)
    publisher.now()
    process.cpu_seconds = 4.0
    publisher.measure()  # as for /metrics
    _, told = _known(own)
    assert told == 4.0
    folder.kill_all()
    assert _known(folder.worker())[1] == told


def test_cpu_time_that_nobody_knew_counts_as_none(folder: Folder, problems: Problems) -> None:
    Publisher(folder.worker(), problems, Process(math.nan)).now()
    folder.kill_all()
    own = folder.worker()
    Publisher(own, problems, Process(0.25)).now()
    assert _known(own)[1] == 0.25


# ---------------------------------------------------------------- failures


def test_a_failure_is_a_problem_until_it_is_over(folder: Folder, problems: Problems) -> None:
    own, other, process = folder.worker(), folder.worker(), Process(1.0)
    publisher = Publisher(own, problems, process)
    process.failing = OSError("no /proc")
    _predict(own)
    publisher.now()
    assert problems.current() == [f"{PROBLEM}: OSError: no /proc"]
    process.failing = None
    publisher.now()
    assert problems.current() == []
    assert _known(other) == (1, 1.0)


def test_after_a_failure_it_goes_on(folder: Folder, problems: Problems) -> None:
    own, other, process = folder.worker(), folder.worker(), Process(1.0)
    process.failing = OSError("no /proc")

    async def scenario() -> None:
        running = asyncio.create_task(Publisher(own, problems, process).run())
        await _until(lambda: problems.current() != [])
        process.failing = None
        await _until(lambda: _known(other)[1] == 1.0)
        assert problems.current() == []
        running.cancel()

    _run(scenario())
