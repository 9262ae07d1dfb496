from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from driftgauge.metrics.series import CounterSpec, each
from driftgauge.metrics.server_series import CPU
from driftgauge.monitor import unused_slots
from driftgauge.monitor.problems import Problems
from driftgauge.monitor.unused_slots import PROBLEM, UnusedSlots
from driftgauge.state.files import StateKey
from driftgauge.state.shape import service_shape
from driftgauge.state.slots import Slots
from driftgauge.state.snapshot import sum_totals
from driftgauge.state.store import Store

REQUESTS = CounterSpec("requests_total", "counter", "Requests.", ("code",), each(["200", "500"]))
SHAPE = service_shape([REQUESTS])
KEY = StateKey("churn", "server", "")
RESTARTS = 200


def worker(folder: Path) -> Store:
    return Store.open(Slots(folder, KEY, SHAPE))


def kill(store: Store) -> None:
    """Give a slot back without an orderly stop."""
    store._slots.release()


def count(store: Store, requests: int) -> None:
    with store.counting() as counters:
        counters.add(REQUESTS.name, requests, "200")
    store.process[CPU] += 0.5
    store.publish()


def counted(store: Store) -> float:
    found: float = sum_totals(store.counted())[REQUESTS.name].sum()
    return found


def logs(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.log"))


def test_many_restarts_leave_few_files_and_exact_totals(tmp_path: Path) -> None:
    chance = np.random.default_rng(22)
    stays = worker(tmp_path)
    unused, sent = UnusedSlots(stays), 0
    crew: list[Store] = []
    for restart in range(RESTARTS):
        new = worker(tmp_path)
        count(new, restart)
        count(stays, 1)
        sent += restart + 1
        crew.append(new)
        if len(crew) > 5 or chance.random() < 0.5:
            left = crew.pop(int(chance.integers(len(crew))))
            left.leave() if restart % 2 else kill(left)
        if chance.random() < 0.5:
            unused.fold()
        assert counted(stays) == sent
        assert all(counted(other) == sent for other in crew[-1:])
    for left in crew:
        kill(left)
    unused.fold()
    assert len(logs(tmp_path)) > 1, "at the first look it may be about to be replaced"
    unused.fold()
    assert logs(tmp_path) == ["0.log"]
    assert counted(stays) == sent
    assert counted(worker(tmp_path)) == sent
    retired = stays.counted()[-1]
    assert retired.number is None
    assert retired.counted["process"][CPU] == RESTARTS * 0.5


def test_a_slot_that_a_worker_holds_or_took_again_is_not_folded(tmp_path: Path) -> None:
    stays, other = worker(tmp_path), worker(tmp_path)
    unused = UnusedSlots(stays)
    kill(other)
    unused.fold()
    again = worker(tmp_path)
    unused.fold()
    kill(again)
    unused.fold()
    assert logs(tmp_path) == ["0.log", "1.log"]
    unused.fold()
    assert logs(tmp_path) == ["0.log"]


def test_while_another_worker_holds_the_lock_nothing_is_folded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftgauge.state.store.LOCK_SECONDS", 0.01)
    stays, ended, evaluating = worker(tmp_path), worker(tmp_path), worker(tmp_path)
    kill(ended)
    unused = UnusedSlots(stays)
    unused.fold()
    with evaluating.evaluating():
        unused.fold()
        assert logs(tmp_path) == ["0.log", "1.log", "2.log"]
    unused.fold()
    assert logs(tmp_path) == ["0.log", "2.log"]


def test_a_state_in_memory_has_nothing_to_fold() -> None:
    store = Store.in_memory(SHAPE)
    unused = UnusedSlots(store)
    count(store, 3)
    unused.fold()
    unused.fold()
    assert counted(store) == 3


def test_it_folds_by_interval_and_a_failure_is_a_problem_until_it_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unused_slots, "INTERVAL_SECONDS", 0.01)
    stays, ended, problems = worker(tmp_path), worker(tmp_path), Problems(lambda: 0.0)
    kill(ended)
    failures = [RuntimeError("broken")]
    fold = UnusedSlots.fold

    def failing_once(unused: UnusedSlots) -> None:
        if failures:
            raise failures.pop()
        fold(unused)

    async def until_folded() -> None:
        with ThreadPoolExecutor(1) as executor:
            task = asyncio.create_task(UnusedSlots(stays).run(executor, problems))
            while not problems.current():
                await asyncio.sleep(0.005)
            assert problems.current()[0].startswith(PROBLEM)
            while logs(tmp_path) != ["0.log"] or problems.current():
                await asyncio.sleep(0.005)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    monkeypatch.setattr(UnusedSlots, "fold", failing_once)
    asyncio.run(asyncio.wait_for(until_folded(), 60.0))
