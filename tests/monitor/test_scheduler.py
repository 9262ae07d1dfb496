from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from driftgauge.common.private_files import FileLock, LockTimeout
from driftgauge.drift.verdict.policy import Policy
from driftgauge.errors import Reason
from driftgauge.metrics.series import DROPPED
from driftgauge.monitor.monitor import ColumnMonitor, Evaluation, MonitorOptions
from driftgauge.monitor.problems import Problems
from driftgauge.monitor.scheduler import LATE, LOG_FULL, PROBLEM, ROOM_SECONDS, BackgroundRoom, Evaluator
from driftgauge.state.files import EVALUATION_LOCK, HEADER_BYTES
from driftgauge.state.slots import CHECKPOINT_FILE
from driftgauge.state.store import Store

from tests.monitors import START, small_baseline, small_options, small_store, some_rows

OPTIONS = MonitorOptions(policy=Policy(windows=(100,)))
PATIENCE_SECONDS = 20.0
"""How long a test waits for what must come; it is over at once when all is well."""


class SteeredMonitor(ColumnMonitor):
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
        assert self.go.wait(PATIENCE_SECONDS), "the test did not let the evaluation continue"
        if self.failing is not None:
            raise self.failing
        evaluation = super().evaluate(now)
        assert self.leave.wait(PATIENCE_SECONDS), "the test did not let the evaluation end"
        return replace(evaluation, cpu_seconds=self.cpu_seconds)

    def rows_come(self, rows: int = 1) -> None:
        self.observe(some_rows(rows), arrival=START)


class Seconds:
    """A clock that stands until it is moved, or until its time is slept away."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.asked = 0
        self.slept: list[float] = []

    def __call__(self) -> float:
        self.asked += 1
        return self.now

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)


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


def _workers(folder: Path, count: int) -> list[SteeredMonitor]:
    """Return monitors on one folder, as if each were in a worker of its own."""
    return [SteeredMonitor(small_store(folder, OPTIONS)) for _ in range(count)]


def test_a_worker_leaves_the_evaluation_to_another_that_made_one(problems: Problems, tmp_path: Path) -> None:
    async def scenario(one: SteeredMonitor, other: SteeredMonitor) -> None:
        clock = Seconds(START + 5.0)
        one.rows_come(9)
        other.evaluate(clock())
        one.rows_come(7)
        async with _watching(Evaluator(one, problems, clock=clock, interval_seconds=0.001, rest_factor=0.0)):
            asked = clock.asked
            await _until(lambda: clock.asked >= asked + 3)  # each time to compare when the other one evaluated
            assert (one.began, one.last.report.rows_observed) == (0, 0)
            clock.now += 1.0
            await _until(lambda: one.last.report.rows_observed == 16)

    _run(scenario(*_workers(tmp_path, 2)))
    assert problems.current() == []


def test_a_worker_does_not_take_its_own_evaluation_for_that_of_another(problems: Problems, tmp_path: Path) -> None:
    async def scenario(one: SteeredMonitor) -> None:
        clock = Seconds(START)
        async with _watching(Evaluator(one, problems, clock=clock, interval_seconds=0.001, rest_factor=0.0)):
            await _until(lambda: one.began >= 3)

    (one,) = _workers(tmp_path, 1)
    _run(scenario(one))
    assert one.began >= 3


def test_a_reader_of_one_worker_sees_the_rows_of_another(problems: Problems, tmp_path: Path) -> None:
    async def scenario(one: SteeredMonitor, other: SteeredMonitor) -> None:
        other.rows_come(4)
        assert (await Evaluator(one, problems).current()).report.rows_observed == 4

    _run(scenario(*_workers(tmp_path, 2)))


def test_a_reader_sees_that_rows_are_gone(problems: Problems, tmp_path: Path) -> None:
    async def scenario(one: SteeredMonitor, other: SteeredMonitor) -> None:
        evaluator = Evaluator(one, problems, rest_factor=0.0)
        one.rows_come(3)
        other.rows_come(4)
        assert (await evaluator.current()).report.rows_observed == 7
        (tmp_path / "1.log").unlink()
        assert (await evaluator.current()).report.rows_observed == 3

    _run(scenario(*_workers(tmp_path, 2)))


def test_if_the_checkpoint_is_damaged_evaluations_continue_with_what_was_read_last(
    problems: Problems, tmp_path: Path
) -> None:
    async def scenario(one: SteeredMonitor, other: SteeredMonitor) -> None:
        clock = Seconds(START + 5.0)
        other.evaluate(clock())
        file = tmp_path / CHECKPOINT_FILE
        with file.open("r+b") as opened:
            opened.seek(HEADER_BYTES)
            opened.write(bytes(file.stat().st_size - HEADER_BYTES))
        async with _watching(Evaluator(one, problems, clock=clock, interval_seconds=0.001, rest_factor=0.0)):
            await _until(lambda: one.last.at == clock.now)
        (note,) = one.store.notes
        assert note.startswith(
            "state_damaged: no copy of the checkpoint fits its checksum; restored as it was read last"
        )

    _run(scenario(*_workers(tmp_path, 2)))
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


# ---------------------------------------------------------------- room in a full log


class SteeredExecutor(Executor):
    """Runs what was submitted when a test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, lambda: fn(*args, **kwargs)))
        return future

    def run(self) -> None:
        """Run all that waits."""
        while self.waiting:
            future, run = self.waiting.pop(0)
            future.set_result(run())


class FullMonitor(SteeredMonitor):
    """A monitor whose log is full, and that has a thread to make room, which runs when a test says so."""

    def __init__(self, problems: Problems, store: Store | None = None) -> None:
        super().__init__(store)
        self.executor = SteeredExecutor()
        self.caught_up_at: list[float] = []
        self.room = self.background = BackgroundRoom(self, problems, self.executor, Seconds(START + 9.0))
        self.rows_come(self.store.room)
        self.executor.waiting.clear()  # that the log was half full
        self.background._running = None

    def catch_up(self, now: float, wait_seconds: float = 5.0) -> None:
        if self.failing is not None:
            raise self.failing
        self.caught_up_at.append(now)
        super().catch_up(now, wait_seconds)

    def make_room(self, now: float) -> None:
        if self.failing is not None:
            raise self.failing
        self.caught_up_at.append(now)
        super().make_room(now)

    @property
    def dropped(self) -> float:
        """Rows that were dropped because the log was full; there is no other reason."""
        found = self.store.counters.copy()[DROPPED.name]
        place = DROPPED.children.index((Reason.LOG_FULL,))
        assert found.sum() == found[place, 0]
        return float(found[place, 0])


@pytest.fixture
def full(problems: Problems, resting: Seconds) -> FullMonitor:
    return FullMonitor(problems)


def test_a_log_that_is_half_full_asks_for_one_catch_up_and_does_not_wait(problems: Problems, resting: Seconds) -> None:
    monitor = FullMonitor(problems)
    monitor.catch_up(START)
    half = monitor.store.room // 2
    monitor.rows_come(half - 1)
    assert monitor.executor.waiting == []
    for _ in range(3):
        monitor.rows_come()
        assert len(monitor.executor.waiting) == 1
    assert (resting.slept, monitor.dropped) == ([], 0)
    monitor.executor.run()
    assert monitor.caught_up_at == [START, START + 9.0]
    assert monitor.store.room == monitor.store.shape.unread_rows
    monitor.rows_come(half)
    assert len(monitor.executor.waiting) == 1


def test_a_log_that_another_worker_has_read_meanwhile_needs_no_catch_up(full: FullMonitor) -> None:
    full.rows_come(0)
    full.room.request()
    full.catch_up(START + 1.0)
    full.rows_come(3)
    full.executor.run()
    assert full.store.root.progress.head.rows == full.store.rows - 3


def test_a_writer_waits_for_room_only_so_long_and_then_drops_its_rows(
    full: FullMonitor, problems: Problems, resting: Seconds
) -> None:
    rows, before = full.store.rows, resting.now
    full.rows_come(7)
    assert before < resting.now <= before + ROOM_SECONDS + 0.002
    assert (full.store.rows, full.dropped, len(full.executor.waiting)) == (rows, 7, 1)
    assert ROOM_SECONDS == 0.05
    (problem,) = problems.current()
    assert problem.startswith(f"{LOG_FULL}: TimeoutError: ")
    assert "50 ms" in problem or "0.05 s" in problem


def test_after_a_wait_in_vain_there_is_no_other_one_until_a_catch_up_has_succeeded(
    full: FullMonitor, problems: Problems, resting: Seconds
) -> None:
    full.rows_come(7)
    resting.slept.clear()
    for _ in range(20):
        full.rows_come(2)
    assert (resting.slept, full.dropped) == ([], 47)
    full.failing = LockTimeout("another process holds it")
    for _ in range(3):  # nor while catch-ups fail
        full.executor.run()
        full.rows_come(2)
        assert len(full.executor.waiting) == 1
    assert (resting.slept, full.dropped) == ([], 53)
    assert {problem.partition(":")[0] for problem in problems.current()} == {LOG_FULL, PROBLEM}
    full.failing = None
    full.executor.run()
    assert LOG_FULL not in {problem.partition(":")[0] for problem in problems.current()}
    full.rows_come(full.store.room)
    assert (resting.slept, full.dropped) == ([], 53)
    full.executor.waiting.clear()
    full.rows_come(5)  # full again: it waits again
    assert resting.slept
    assert full.dropped == 58


def test_a_writer_that_gets_room_while_it_waits_drops_nothing(
    full: FullMonitor, problems: Problems, resting: Seconds, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = full.store.rows

    def sleep(seconds: float) -> None:
        resting.slept.append(seconds)
        if len(resting.slept) == 3:
            full.executor.run()

    monkeypatch.setattr(resting, "sleep", sleep)
    full.rows_come(7)
    assert (len(resting.slept), full.store.rows, full.dropped) == (3, rows + 7, 0)
    assert problems.current() == []


def test_a_batch_larger_than_the_log_is_appended_in_parts(
    full: FullMonitor, resting: Seconds, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, size = full.store.rows, 2 * full.store.shape.unread_rows + 9
    monkeypatch.setattr(resting, "sleep", lambda seconds: full.executor.run())
    full.rows_come(size)
    assert (full.store.rows, full.dropped) == (rows + size, 0)
    report = full.evaluate(START + 20.0).report
    assert report.rows_observed == rows + size


def test_a_lock_that_another_process_holds_delays_a_writer_once(
    problems: Problems, resting: Seconds, tmp_path: Path
) -> None:
    holder = small_store(tmp_path, OPTIONS)
    full = FullMonitor(problems, small_store(tmp_path, OPTIONS))
    full.executor.waiting.clear()
    with holder.evaluating():
        for _ in range(5):
            full.rows_come(10)
        assert full.dropped == 50
        assert sum(resting.slept) <= ROOM_SECONDS + 0.002
    full.executor.run()
    full.rows_come(10)
    assert full.dropped == 50


def test_a_monitor_without_a_thread_drops_nothing(resting: Seconds) -> None:
    monitor = SteeredMonitor()
    size = 3 * monitor.store.shape.unread_rows + 11
    monitor.rows_come(size)
    for _ in range(3):
        monitor.rows_come(monitor.store.room + 1)
    assert monitor.store.counters.copy()[DROPPED.name].sum() == 0
    assert resting.slept == []
    assert monitor.evaluate(START).report.rows_observed == monitor.store.rows >= size


def test_a_caller_that_catches_up_itself_waits_for_the_lock_once_and_drops_rows_until_there_is_room(
    problems: Problems, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("driftgauge.monitor.scheduler.CALLER_SECONDS", 0.05)
    options = small_options(200, 1_000)
    monitor = ColumnMonitor(
        small_baseline(),
        model_name="churn",
        model_version="1",
        now=START,
        options=options,
        store=small_store(tmp_path, options),
    )
    with ThreadPoolExecutor(1) as executor:
        monitor.room = BackgroundRoom(monitor, problems, executor, lambda: START, callers_catch_up=True)
        many, rows = monitor.store.shape.unread_rows, some_rows(1_000)
        with FileLock(tmp_path / EVALUATION_LOCK).held(1.0):
            for _ in range(0, many + 5_000, 1_000):
                monitor.observe(rows, arrival=START)
            assert monitor.store.rows == many
            assert any("rows are dropped" in text for text in problems.current())
        monitor.catch_up(START)
        monitor.observe(rows, arrival=START)
        assert monitor.store.rows == many + 1_000
    monitor.store.leave()
