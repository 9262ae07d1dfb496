"""Evaluates ground truth by interval, in a thread of its own."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from driftgauge.drift.performance.cohort import Cohort
from driftgauge.drift.performance.report import PerformanceReport
from driftgauge.monitor.ground_truth import GroundTruthMonitor
from driftgauge.monitor.problems import Problems

PROBLEM: Final = "performance_not_evaluated"
REST_FACTOR: Final = 10.0
"""Least pause after a step, as a multiple of its duration, unless a smaller one is given."""


class GroundTruthLoop:
    """Keeps the performance report of one model version fresh."""

    def __init__(
        self,
        made: Callable[[], GroundTruthMonitor],
        problems: Problems,
        clock: Callable[[], float],
        *,
        interval_seconds: float,
        rest_factor: float = REST_FACTOR,
    ) -> None:
        """Take what makes the monitor at its first use; it is called in the thread, and again if it failed."""
        self._made = made
        self._problems = problems
        self._clock = clock
        self._interval = interval_seconds
        self._rest_factor = min(rest_factor, REST_FACTOR)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ground-truth")
        self._monitor: GroundTruthMonitor | None = None

    @property
    def report(self) -> PerformanceReport | None:
        """The latest report; None before the first."""
        return None if self._monitor is None else self._monitor.report

    def step(self) -> bool:
        """Evaluate; return whether more is left to do. The caller's thread waits for the database."""
        return self._opened().step(self._clock())

    async def run(self) -> None:
        """Evaluate by interval, until cancelled."""
        while True:
            began, is_left = time.monotonic(), False
            try:
                is_left = await asyncio.get_running_loop().run_in_executor(self._thread, self.step)
                self._problems.resolve(PROBLEM)
            except Exception as error:
                self._problems.record(PROBLEM, error)
            rest = self._rest_factor * (time.monotonic() - began)
            await asyncio.sleep(rest if is_left else max(self._interval, rest))

    async def history(self, since: float = -math.inf, until: float = math.inf) -> list[Cohort]:
        """Return the cohorts that start in a span, seconds since 1970, in order."""
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: self._opened().history(since, until)
        )

    def close(self) -> None:
        """End the thread, after the step that it has begun."""
        self._thread.shutdown(cancel_futures=True)

    def _opened(self) -> GroundTruthMonitor:
        if self._monitor is None:
            self._monitor = self._made()
        return self._monitor
