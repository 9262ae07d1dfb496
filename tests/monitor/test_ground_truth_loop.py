"""The loop that evaluates ground truth."""

from __future__ import annotations

import asyncio

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
