from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from driftgauge.drift.verdict.policy import Policy
from driftgauge.monitor.monitor import Evaluation, Monitor, MonitorOptions, state_shape
from driftgauge.monitor.problems import Problems
from driftgauge.monitor.scheduler import LATE, PROBLEM, Evaluator
from driftgauge.state.files import HEADER_BYTES
from driftgauge.state.shared_files import MEMORY_FILE
from driftgauge.state.slot import Owner
from driftgauge.state.slots import Slots
from driftgauge.state.store import Store

from tests.monitors import START, small_baseline, some_rows

OPTIONS = MonitorOptions(policy=Policy(windows=(100,)))
PATIENCE_SECONDS = 20.0
"""How long a test waits for what must come; it is over at once when all is well."""


class SteeredMonitor(Monitor):
    """A monitor whose evaluations are counted, can be held or made to fail, and cost what a test says."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__(
            small_baseline(), model_name="churn", model_version="1", now=START, options=OPTIONS, store=store
        )
        self.began = 0
        self.asked_at: list[float] = []
        self.threads: list[threading.Thread] = []
        self.cpu_seconds = 0.0
        self.failing: Exception | None = None
        self.go, self.leave = threading.Event(), threading.Event()
        self.go.set()
        self.leave.set()

    def evaluate(self, now: float) -> Evaluation:
        self.began += 1
        self.asked_at.append(now)
        self.threads.append(threading.current_thread())
        assert self.go.wait(PATIENCE_SECONDS), "nobody let the evaluation go on"
        if self.failing is not None:
            raise self.failing
        evaluation = super().evaluate(now)
        assert self.leave.wait(PATIENCE_SECONDS), "nobody let the evaluation end"
        return replace(evaluation, cpu_seconds=self.cpu_seconds)

    def rows_come(self, rows: int = 1) -> None:
        self.observe(some_rows(rows), arrival=START)


class Seconds:
    """A clock that stands until it is moved."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def resting(monkeypatch: pytest.MonkeyPatch) -> Seconds:
    """Give the clock by which evaluations rest."""
    seconds = Seconds(1_000.0)
    monkeypatch.setattr("driftgauge.monitor.scheduler.time", seconds)
    return seconds


@pytest.fixture
def monitor() -> SteeredMonitor:
    return SteeredMonitor()


@pytest.fixture
def problems() -> Problems:
    return Problems(Seconds(START))


def _run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, PATIENCE_SECONDS))


async def _until(true: Callable[[], bool]) -> None:
    """Let the loop run until something holds; the whole scenario has its time limit."""
    while not true():
        await asyncio.sleep(0)


# ---------------------------------------------------------------- on demand


def test_a_reader_gets_a_report_of_the_rows_that_came(monitor: SteeredMonitor, problems: Problems) -> None:
    async def scenario() -> None:
        evaluator = Evaluator(monitor, problems, clock=Seconds(START + 3))
        monitor.rows_come(7)
        report = (await evaluator.current()).report
        assert (report.rows_observed, report.evaluated_at) == (7, START + 3)
        assert monitor.asked_at == [START + 3]

    _run(scenario())


def test_without_new_rows_nothing_is_evaluated(monitor: SteeredMonitor, problems: Problems) -> None:
    async def scenario() -> None:
        clock = Seconds(monitor.last.at)
        evaluator = Evaluator(monitor, problems, clock=clock, rest_factor=0.0, interval_seconds=5.0)
        first = await evaluator.current()
        monitor.rows_come()
        second = await evaluator.current()
        assert await evaluator.current() is await evaluator.current()
        assert (first.report.rows_observed, second.report.rows_observed, monitor.began) == (0, 1, 1)
        clock.now += 10.0  # by now rows may have become too old, and other workers may have said so
        assert (await evaluator.current()).report.rows_observed == 1
        assert monitor.began == 2

    _run(scenario())


def test_many_readers_share_one_evaluation(monitor: SteeredMonitor, problems: Problems) -> None:
    async def scenario() -> None:
        evaluator = Evaluator(monitor, problems, rest_factor=0.0)
        monitor.rows_come(3)
        monitor.go.clear()
        readers = [asyncio.create_task(evaluator.current()) for _ in range(50)]
        await _until(lambda: monitor.began == 1)
        readers += [asyncio.create_task(evaluator.current()) for _ in range(50)]
        await asyncio.sleep(0)
        assert not any(reader.done() for reader in readers)
        monitor.go.set()
        read = await asyncio.gather(*readers)
        assert monitor.began == 1
        assert {evaluation.report.rows_observed for evaluation in read} == {3}

    _run(scenario())


def test_rows_that_come_during_an_evaluation_are_left_to_the_next(monitor: SteeredMonitor, problems: Problems) -> None:
    async def scenario() -> None:
        evaluator = Evaluator(monitor, problems, rest_factor=0.0)
        monitor.rows_come()
        monitor.leave.clear()
        reader = asyncio.create_task(evaluator.current())
        await _until(lambda: monitor.last.report.rows_observed == 1)
        monitor.rows_come(4)
        monitor.leave.set()
        assert (await reader).report.rows_observed == 1
        assert (await evaluator.current()).report.rows_observed == 5
        assert monitor.began == 2

    _run(scenario())


def test_readers_whose_rows_came_during_an_evaluation_share_one_more(
    monitor: SteeredMonitor, problems: Problems
) -> None:
    async def scenario() -> None:
        evaluator = Evaluator(monitor, problems, rest_factor=0.0)
        monitor.rows_come()
        monitor.leave.clear()
        early = asyncio.create_task(evaluator.current())
        await _until(lambda: monitor.last.report.rows_observed == 1)
        monitor.rows_come(4)
        late = [asyncio.create_task(evaluator.current()) for _ in range(20)]
        await asyncio.sleep(0)
        monitor.leave.set()
        assert (await early).report.rows_observed in (1, 5)
        assert {evaluation.report.rows_observed for evaluation in await asyncio.gather(*late)} == {5}
        assert monitor.began == 2

    _run(scenario())


def test_readers_whose_rows_came_during_an_evaluation_do_not_break_its_rest(
    monitor: SteeredMonitor, problems: Problems
) -> None:
    async def scenario() -> None:
        evaluator = Evaluator(monitor, problems)
        monitor.cpu_seconds = 1e9
        monitor.rows_come()
        monitor.leave.clear()
        early = asyncio.create_task(evaluator.current())
        await _until(lambda: monitor.last.report.rows_observed == 1)
        monitor.rows_come(4)
        late = asyncio.create_task(evaluator.current())
        await asyncio.sleep(0)
        monitor.leave.set()
        assert {evaluation.report.rows_observed for evaluation in await asyncio.gather(early, late)} == {1}
        assert monitor.began == 1

    _run(scenario())


def test_a_reader_that_leaves_does_not_stop_the_evaluation(monitor: SteeredMonitor, problems: Problems) -> None:
    async def scenario() -> None:
        evaluator = Evaluator(monitor, problems)
        monitor.rows_come(2)
        monitor.go.clear()
        leaving, staying = (asyncio.create_task(evaluator.current()) for _ in range(2))
        await _until(lambda: monitor.began == 1)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        monitor.go.set()
        assert (await staying).report.rows_observed == 2
        assert (monitor.began, problems.current()) == (1, [])

    _run(scenario())


def test_the_event_loop_goes_on_during_an_evaluation(monitor: SteeredMonitor, problems: Problems) -> None:
    async def scenario() -> None:
        evaluator = Evaluator(monitor, problems)
        monitor.rows_come()
        monitor.go.clear()
        reader = asyncio.create_task(evaluator.current())
        await _until(lambda: monitor.began == 1)
        for _ in range(100):  # were the loop held, the evaluation would never be let go
            await asyncio.sleep(0)
        assert not reader.done()
        monitor.go.set()
        await reader
        assert monitor.threads != [threading.current_thread()]

    _run(scenario())


def test_a_reader_waits_no_longer_than_it_may_and_gets_the_last_report(
    monitor: SteeredMonitor, problems: Problems
) -> None:
    async def scenario() -> None:
        evaluator = Evaluator(monitor, problems, rest_factor=0.0, wait_seconds=0.2)
        monitor.rows_come(3)
        monitor.go.clear()
        read = await asyncio.gather(*(evaluator.current() for _ in range(50)))
        assert {evaluation.report.rows_observed for evaluation in read} == {0}
        assert monitor.began == 1
        late = "the evaluation took longer than 0.2 s, so the last report is shown"
        assert problems.current() == [f"{LATE}: TimeoutError: {late}"]
        monitor.go.set()
        await _until(lambda: monitor.last.report.rows_observed == 3 and problems.current() == [])

    _run(scenario())


def test_rows_that_cannot_be_counted_are_a_problem_and_readers_get_the_last_report(
    problems: Problems, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        monitor = SteeredMonitor()
        evaluator = Evaluator(monitor, problems, interval_seconds=0.001)
        monkeypatch.setattr(Store, "rows", property(lambda self: 1 // 0))
        assert await evaluator.current() is monitor.last
        (problem,) = problems.current()
        assert problem.startswith(f"{PROBLEM}: ZeroDivisionError: ")

    _run(scenario())


# ---------------------------------------------------------------- the rest in between


def test_the_next_evaluation_waits_for_a_multiple_of_the_last_ones_cpu_time(
    monitor: SteeredMonitor, problems: Problems, resting: Seconds
) -> None:
    async def scenario() -> None:
        evaluator = Evaluator(monitor, problems, clock=Seconds(START), rest_factor=20.0)
        monitor.cpu_seconds = 0.5
        monitor.rows_come()
        first = await evaluator.current()
        monitor.rows_come()
        resting.now += 9.99
        assert (await evaluator.current()).report is first.report
        assert monitor.began == 1
        resting.now += 0.01
        assert (await evaluator.current()).report.rows_observed == 2
        assert monitor.began == 2

    _run(scenario())


def test_readers_during_the_rest_get_the_last_report(
    monitor: SteeredMonitor, problems: Problems, resting: Seconds
) -> None:
    async def scenario() -> None:
        evaluator = Evaluator(monitor, problems, clock=Seconds(START))
        monitor.cpu_seconds = 1e9
        monitor.rows_come()
        await evaluator.current()
        for _ in range(20):
            monitor.rows_come()
            resting.now += 1.0
            assert (await evaluator.current()).report.rows_observed == 1
        assert monitor.began == 1

    _run(scenario())


# ---------------------------------------------------------------- by interval


@contextlib.asynccontextmanager
async def _watching(evaluator: Evaluator) -> Any:
    task = asyncio.create_task(evaluator.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()


def test_without_readers_rows_are_evaluated_by_interval(monitor: SteeredMonitor, problems: Problems) -> None:
    async def scenario() -> None:
        async with _watching(Evaluator(monitor, problems, interval_seconds=0.001, rest_factor=0.0)):
            for rows in (1, 2, 3):
                monitor.rows_come()
                await _until(lambda: monitor.last.report.rows_observed == monitor.store.rows)
                assert monitor.last.report.rows_observed == rows

    _run(scenario())


def test_a_quiet_monitor_is_evaluated_by_interval_too(monitor: SteeredMonitor, problems: Problems) -> None:
    async def scenario() -> None:
        async with _watching(Evaluator(monitor, problems, interval_seconds=0.001, rest_factor=0.0)):
            await _until(lambda: monitor.began >= 3)
            assert monitor.last.report.rows_observed == monitor.store.rows == 0

    _run(scenario())


def test_the_interval_goes_on_after_a_failure(monitor: SteeredMonitor, problems: Problems) -> None:
    async def scenario() -> None:
        monitor.failing = RuntimeError("no memory left")
        async with _watching(Evaluator(monitor, problems, interval_seconds=0.001, rest_factor=0.0)) as watching:
            monitor.rows_come()
            await _until(lambda: monitor.began >= 3)
            assert not watching.done()
            monitor.failing = None
            await _until(lambda: monitor.last.report.rows_observed == monitor.store.rows)
        assert problems.current() == []

    _run(scenario())


def test_stopping_during_an_evaluation_leaves_nothing_behind(monitor: SteeredMonitor, problems: Problems) -> None:
    async def scenario() -> None:
        async with _watching(Evaluator(monitor, problems, interval_seconds=0.001)):
            monitor.rows_come()
            monitor.go.clear()
            await _until(lambda: monitor.began == 1)
        monitor.go.set()

    _run(scenario())
    assert problems.current() == []


# ---------------------------------------------------------------- beside other workers


@contextlib.contextmanager
def _workers(folder: Path, count: int) -> Iterator[list[SteeredMonitor]]:
    """Give monitors on one folder, as if each were in a worker of its own."""
    baseline = small_baseline()
    owner, shape = Owner("churn", "1", baseline.hash), state_shape(baseline, OPTIONS)
    folders = [Slots(folder, owner, shape, baseline.detector(OPTIONS.policy.budget)) for _ in range(count)]
    try:
        yield [SteeredMonitor(Store(*slots.take(), slots)) for slots in folders]
    finally:
        for slots in folders:
            slots.release()


def test_a_worker_leaves_the_evaluation_to_another_that_made_one_and_bins_its_rows(
    problems: Problems, tmp_path: Path
) -> None:
    async def scenario(one: SteeredMonitor, other: SteeredMonitor) -> None:
        clock = Seconds(START + 5.0)
        one.rows_come(9)
        other.evaluate(clock())
        one.rows_come(7)
        assert _waiting(other) == 16
        async with _watching(Evaluator(one, problems, clock=clock, interval_seconds=0.001, rest_factor=0.0)):
            await _until(lambda: _waiting(other) == 0)
            assert (one.began, one.last.report.rows_observed) == (0, 0)
            clock.now += 1.0
            await _until(lambda: one.last.report.rows_observed == 16)

    with _workers(tmp_path, 2) as (one, other):
        _run(scenario(one, other))
    assert problems.current() == []


def _waiting(monitor: SteeredMonitor) -> int:
    """How many rows of the other worker wait to be binned, as this one sees it."""
    slots = monitor.store.slots
    assert slots is not None
    (other,) = slots.others()
    return len(other.state.take().waiting)


def test_a_worker_does_not_take_its_own_evaluation_for_that_of_another(problems: Problems, tmp_path: Path) -> None:
    async def scenario(one: SteeredMonitor) -> None:
        clock = Seconds(START)
        async with _watching(Evaluator(one, problems, clock=clock, interval_seconds=0.001, rest_factor=0.0)):
            await _until(lambda: one.began >= 3)

    with _workers(tmp_path, 1) as (one,):
        _run(scenario(one))
        assert one.began >= 3


def test_a_reader_of_one_worker_sees_the_rows_of_another(problems: Problems, tmp_path: Path) -> None:
    async def scenario(one: SteeredMonitor, other: SteeredMonitor) -> None:
        other.rows_come(4)
        assert (await Evaluator(one, problems).current()).report.rows_observed == 4

    with _workers(tmp_path, 2) as (one, other):
        _run(scenario(one, other))


def test_a_reader_sees_that_rows_are_gone(problems: Problems, tmp_path: Path) -> None:
    async def scenario(one: SteeredMonitor, other: SteeredMonitor) -> None:
        evaluator = Evaluator(one, problems, rest_factor=0.0)
        one.rows_come(3)
        other.rows_come(4)
        assert (await evaluator.current()).report.rows_observed == 7
        (tmp_path / "1.state").unlink()
        assert (await evaluator.current()).report.rows_observed == 3

    with _workers(tmp_path, 2) as (one, other):
        _run(scenario(one, other))


def test_when_what_evaluations_share_is_damaged_the_interval_goes_on_with_what_was_read_last(
    problems: Problems, tmp_path: Path
) -> None:
    async def scenario(one: SteeredMonitor, other: SteeredMonitor) -> None:
        clock = Seconds(START + 5.0)
        other.evaluate(clock())
        file = tmp_path / MEMORY_FILE
        with file.open("r+b") as opened:
            opened.seek(HEADER_BYTES)
            opened.write(bytes(file.stat().st_size - HEADER_BYTES))
        async with _watching(Evaluator(one, problems, clock=clock, interval_seconds=0.001, rest_factor=0.0)):
            await _until(lambda: one.last.at == clock.now)
        (note,) = one.store.notes
        assert note == "state_damaged: no copy of the memory fits its checksum; put back as it was read last"

    with _workers(tmp_path, 2) as (one, other):
        _run(scenario(one, other))
    assert problems.current() == []


# ---------------------------------------------------------------- failures


def test_a_failure_is_a_problem_and_readers_get_the_last_report(monitor: SteeredMonitor, problems: Problems) -> None:
    async def scenario() -> None:
        evaluator = Evaluator(monitor, problems, rest_factor=0.0)
        monitor.rows_come()
        good = await evaluator.current()
        monitor.failing = RuntimeError("no memory left")
        monitor.rows_come()
        assert (await evaluator.current()).report is good.report
        assert problems.current() == [f"{PROBLEM}: RuntimeError: no memory left"]

    _run(scenario())


def test_a_failure_is_tried_again_after_the_interval_and_then_over(
    monitor: SteeredMonitor, problems: Problems, resting: Seconds
) -> None:
    async def scenario() -> None:
        evaluator = Evaluator(monitor, problems, clock=Seconds(START), interval_seconds=5.0)
        monitor.failing = RuntimeError("no memory left")
        monitor.rows_come()
        await evaluator.current()
        monitor.failing = None
        resting.now += 4.9
        assert (await evaluator.current()).report.rows_observed == 0
        assert (monitor.began, len(problems.current())) == (1, 1)
        resting.now += 0.1
        assert (await evaluator.current()).report.rows_observed == 1
        assert (monitor.began, problems.current()) == (2, [])

    _run(scenario())


def test_all_readers_of_a_failed_evaluation_get_the_last_report(monitor: SteeredMonitor, problems: Problems) -> None:
    async def scenario() -> None:
        evaluator = Evaluator(monitor, problems)
        monitor.failing = RuntimeError("no memory left")
        monitor.rows_come()
        monitor.go.clear()
        readers = [asyncio.create_task(evaluator.current()) for _ in range(20)]
        await _until(lambda: monitor.began == 1)
        monitor.go.set()
        read = await asyncio.gather(*readers)
        assert {evaluation.report.rows_observed for evaluation in read} == {0}

    _run(scenario())
