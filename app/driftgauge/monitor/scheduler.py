"""When evaluations run: on demand, by interval, off the event loop, and with a rest in between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Final

from driftgauge.common.single_flight import Shared
from driftgauge.monitor.monitor import Evaluation, Monitor
from driftgauge.monitor.problems import Problems

PROBLEM: Final = "evaluation_failed"
LATE: Final = "evaluation_late"


class Evaluator:
    """Keeps a monitor's report fresh.

    A reader that finds rows newer than the last report starts one evaluation in a thread; readers
    that come meanwhile wait for the same one, and for one more if it began before their rows came.
    The next starts no sooner than `rest_factor` times the CPU time of the last: until then readers
    get the last report. So they do after `wait_seconds`, whatever holds the evaluation up.
    """

    def __init__(
        self,
        monitor: Monitor,
        problems: Problems,
        *,
        clock: Callable[[], float] = time.time,
        interval_seconds: float = 5.0,
        rest_factor: float = 50.0,
        wait_seconds: float | None = None,
        executor: Executor | None = None,
    ) -> None:
        """Evaluate in threads of `executor`, which nothing else should keep busy; one of its own by default."""
        self._monitor = monitor
        self._problems = problems
        self._clock = clock
        self._interval = interval_seconds
        self._rest = rest_factor
        self._wait = wait_seconds
        self._executor = executor or ThreadPoolExecutor(2, thread_name_prefix="evaluation")
        self._rows = Shared(lambda: monitor.store.rows, self._executor)
        self._resting_until = 0.0
        self._running: asyncio.Task[None] | None = None

    async def current(self) -> Evaluation:
        """Return the newest evaluation, made now if rows came since the last and it has rested.

        The last one where that takes too long or fails, which is then a problem.
        """
        try:
            await asyncio.wait_for(self._made(), self._wait)
        except TimeoutError:
            self._problems.happened(LATE, TimeoutError(f"no evaluation within {self._wait:g} s: the report is older"))
        except Exception as error:
            self._problems.happened(PROBLEM, error)
        return self._monitor.last

    async def _made(self) -> None:
        rows = await self._rows.get()
        for _ in range(2):
            if self._running is None and not self._due(rows):
                break
            await self._joined()

    def _due(self, rows: int) -> bool:
        last = self._monitor.last
        is_old = last.report.rows_observed != rows or self._clock() - last.at >= self._interval
        return is_old and time.monotonic() >= self._resting_until

    async def run(self) -> None:
        """Evaluate by interval until cancelled, rows or not: so that a dead evaluator can be told from a quiet one.

        Of several workers one is enough: the others only bin the rows that wait.
        """
        while True:
            await asyncio.sleep(max(self._interval, self._resting_until - time.monotonic()))
            try:
                if not self._is_done_elsewhere():
                    await self._joined()
                    continue
                await asyncio.get_running_loop().run_in_executor(self._executor, self._monitor.store.digest)
            except Exception as error:
                self._problems.happened(PROBLEM, error)

    def _is_done_elsewhere(self) -> bool:
        last = self._monitor.store.evaluated_at()
        return last > self._monitor.last.at and self._clock() - last < self._interval

    async def _joined(self) -> None:
        """Wait for the evaluation that runs, or for a new one."""
        self._running = self._running or asyncio.create_task(self._evaluate())
        await asyncio.shield(self._running)

    async def _evaluate(self) -> None:
        try:
            running = asyncio.get_running_loop().run_in_executor(self._executor, self._monitor.evaluate, self._clock())
            evaluation = await running
            self._resting_until = time.monotonic() + self._rest * evaluation.cpu_seconds
            self._problems.over(PROBLEM)
            self._problems.over(LATE)
        except Exception as error:
            self._resting_until = time.monotonic() + self._interval
            self._problems.happened(PROBLEM, error)
        finally:
            self._running = None
