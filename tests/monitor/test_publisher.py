from __future__ import annotations

import asyncio
import math
import os
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.metrics.series import PREDICTIONS
from driftgauge.metrics.server_series import CPU, MODEL_QUEUE, PROCESS
from driftgauge.monitor.monitor import state_shape
from driftgauge.monitor.problems import Problems
from driftgauge.monitor.publisher import DAMAGED, LOST, PROBLEM, RESTART, Publisher
from driftgauge.state.store import Store

from tests.monitors import START, small_baseline, small_options, small_store

PATIENCE_SECONDS = 20.0
"""How long a test waits for what must come; it is over at once when all is well."""


class Process:
    """The numbers of a process, as a test sets them."""

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
        self._copies = 0
        self.path.mkdir()

    @property
    def path(self) -> Path:
        """The folder that workers use now."""
        return self._path / str(self._copies)

    def worker(self) -> Store:
        return small_store(self.path, small_options(100))

    def kill_all(self) -> None:
        """End all workers as they are: the next ones find a copy of their files."""
        before = self.path
        self._copies += 1
        shutil.copytree(before, self.path)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


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


def test_counters_are_published_each_second_without_a_request(folder: Folder, problems: Problems) -> None:
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
    store = Store.in_memory(state_shape(small_baseline(), small_options(100)))
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


def test_cpu_time_never_falls(folder: Folder, problems: Problems) -> None:
    own, process = folder.worker(), Process(2.0)
    publisher, seen = Publisher(own, problems, process), []
    for process.cpu_seconds in (2.0, 1.99, 2.01, 2.0):
        publisher.now()
        seen.append(float(own.process[CPU]))
    assert seen == [2.0, 2.0, 2.01, 2.01]


def test_unknown_cpu_time_counts_as_none(folder: Folder, problems: Problems) -> None:
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


# ---------------------------------------------------------------- problems of the state


def test_a_log_that_is_gone_is_a_problem_that_lasts(folder: Folder, problems: Problems) -> None:
    own = folder.worker()
    publisher = Publisher(own, problems, Process(1.0))
    publisher.now()
    assert problems.current() == []
    (folder.path / "0.log").unlink()
    assert not own.is_persistent
    for _ in range(2):
        publisher.now()
        (problem,) = problems.current()
        assert problem.startswith(f"{LOST}: 0.log is gone")
        assert problem.endswith(RESTART)


def test_a_log_of_another_worker_that_cannot_be_read_is_a_problem_until_it_can_be(
    folder: Folder, problems: Problems
) -> None:
    own, _ = folder.worker(), folder.worker()
    publisher, log = Publisher(own, problems, Process(1.0)), folder.path / "1.log"
    size = log.stat().st_size
    for cut in (True, False):
        os.truncate(log, size - 8 if cut else size)
        own.counted()
        publisher.now()
        found = [problem.partition(" ")[0] for problem in problems.current()]
        assert found == ([f"{DAMAGED}:"] if cut else [])


def test_what_waits_for_a_model_is_known_to_the_other_workers(folder: Folder, problems: Problems) -> None:
    own, other = folder.worker(), folder.worker()
    publisher = Publisher(own, problems, None)
    publisher.now()
    assert _waiting(other) == [0.0, 0.0]
    publisher.model_queue = lambda: (3, 120)
    publisher.now()
    assert _waiting(other) == [3.0, 120.0]


def _waiting(reader: Store) -> list[float]:
    numbers = next(member.counted["process"] for member in reader.counted() if member.number == 0)
    waiting: list[float] = numbers[MODEL_QUEUE].tolist()
    return waiting
