from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from driftgauge.drift.diagnosis.facts import SystemFacts
from driftgauge.monitor.diagnoses import Diagnosed, Diagnoses
from driftgauge.monitor.diagnosis_facts import DiagnosisFacts, LiveFacts, ModelFacts
from driftgauge.monitor.monitor import ColumnMonitor, Evaluation

from tests.monitors import START, small_monitor, some_rows

PATIENCE_SECONDS = 20.0


class Steered(Diagnoses):
    """Diagnoses that are counted and can be held."""

    def __init__(self, monitor: ColumnMonitor, rest_factor: float = 0.0) -> None:
        self.executor = ThreadPoolExecutor(1)
        known = DiagnosisFacts(monitor, ModelFacts())
        super().__init__(monitor, known, self.executor, rest_factor=rest_factor)
        self.made = 0
        self.go = threading.Event()
        self.go.set()

    def made_of(self, evaluation: Evaluation, live: LiveFacts) -> Diagnosed:
        self.made += 1
        assert self.go.wait(PATIENCE_SECONDS), "the test did not let the diagnosis end"
        return super().made_of(evaluation, live)


@pytest.fixture
def monitor() -> ColumnMonitor:
    own = small_monitor()
    own.observe(some_rows(1_000), arrival=START)
    own.evaluate(START)
    return own


async def live() -> LiveFacts:
    return LiveFacts(system=SystemFacts(rows_lost=7))


def test_who_asks_at_the_same_time_shares_one_diagnosis(monitor: ColumnMonitor) -> None:
    own = Steered(monitor)

    async def ask() -> list[Diagnosed]:
        return list(await asyncio.gather(*(own.current(live) for _ in range(5))))

    found = asyncio.run(ask())
    assert own.made == 1
    assert all(each is found[0] for each in found)
    assert found[0].facts.system.rows_lost == 7
    assert found[0].facts.rows is not None
    assert len(found[0].facts.rows) == 1_000


def test_it_is_made_again_after_the_next_evaluation_and_the_rest(monitor: ColumnMonitor) -> None:
    for rest, made in ((0.0, 2), (1e9, 1)):
        own = Steered(monitor, rest_factor=rest)

        async def ask(own: Steered = own) -> None:
            await own.current(live)
            await own.current(live)
            monitor.evaluate(START + 1.0)
            await own.current(live)

        asyncio.run(ask())
        assert own.made == made


def test_who_waits_too_long_gets_the_one_before_or_an_error(monitor: ColumnMonitor) -> None:
    own = Steered(monitor)

    async def ask() -> tuple[Diagnosed, Diagnosed]:
        own.go.clear()
        with pytest.raises(TimeoutError, match=r"the diagnosis took longer than 0\.05 s"):
            await own.current(live, 0.05)
        own.go.set()
        while own._running is not None:
            await asyncio.sleep(0.01)
        first = await own.current(live)
        own.go.clear()
        monitor.evaluate(START + 1.0)
        late = await own.current(live, 0.05)
        own.go.set()
        while own._running is not None:
            await asyncio.sleep(0.01)
        return first, late

    first, late = asyncio.run(ask())
    assert late is first


def test_a_diagnosis_that_fails_is_tried_again(monitor: ColumnMonitor) -> None:
    own = Steered(monitor)

    async def broken() -> LiveFacts:
        raise ArithmeticError("no facts")

    async def ask() -> Diagnosed:
        with pytest.raises(ArithmeticError, match="no facts"):
            await own.current(broken)
        return await own.current(live)

    assert asyncio.run(ask()).diagnosis.steps
