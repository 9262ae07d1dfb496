"""The loop that evaluates ground truth."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count
from types import SimpleNamespace

import pytest
from driftgauge.monitor import step_loop
from driftgauge.monitor.ground_truth import GroundTruthMonitor
from driftgauge.monitor.ground_truth_loop import PROBLEM, GroundTruthLoop
from driftgauge.monitor.problems import Problems

from tests.monitor.test_ground_truth import DAY, HOUR, START, Log, log, monitor_of

__all__ = ["log"]


def loop_of(made: list[GroundTruthMonitor], now: float) -> tuple[GroundTruthLoop, Problems]:
    """Return a loop whose database is away until the list has a monitor."""

    def opened() -> GroundTruthMonitor:
        if not made:
            raise OSError("the database is away")
        return made[0]

    problems = Problems(lambda: now)
    return GroundTruthLoop(opened, problems, lambda: now, interval_seconds=0.01), problems


def test_a_database_that_is_away_is_a_problem_until_it_is_back(log: Log) -> None:
    log.label(log.predict(START, 300), START + HOUR)
    made: list[GroundTruthMonitor] = []
    loop, problems = loop_of(made, START + 2 * DAY)

    async def watched() -> None:
        running = asyncio.create_task(loop.run())
        while not problems.current():
            await asyncio.sleep(0.01)
        assert problems.current()[0].startswith(PROBLEM)
        assert loop.work is None
        made.append(monitor := monitor_of(log))
        while monitor.report is None or problems.current():
            await asyncio.sleep(0.01)
        assert [own.rows for own in await loop.history()] == [300]
        running.cancel()

    asyncio.run(asyncio.wait_for(watched(), 60.0))
    loop.close()
    (monitor,) = made
    assert monitor.report is not None
    assert monitor.report.main_window.cohort.rows == 300


@pytest.mark.parametrize(
    ("factor", "interval", "rest"),
    [(2.0, 1.0, 6.0), (10.0, 1.0, 30.0), (50.0, 1.0, 30.0), (2.0, 60.0, 60.0), (0.0, 1.0, 1.0)],
)
def test_the_loop_rests_a_multiple_of_its_own_duration(
    log: Log, monkeypatch: pytest.MonkeyPatch, factor: float, interval: float, rest: float
) -> None:
    seconds: Iterator[int] = count(0, 3)  # each step lasts three seconds
    rests: list[float] = []

    async def rested(pause: float) -> None:
        rests.append(pause)
        if len(rests) == 2:
            raise asyncio.CancelledError

    monkeypatch.setattr(step_loop, "time", SimpleNamespace(monotonic=lambda: float(next(seconds))))
    monkeypatch.setattr(step_loop, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": rested}))
    made, now = monitor_of(log), START + 2 * DAY
    loop = GroundTruthLoop(
        lambda: made, Problems(lambda: now), lambda: now, interval_seconds=interval, rest_factor=factor
    )
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(loop.run())
    loop.close()
    assert rests == [rest, rest]
