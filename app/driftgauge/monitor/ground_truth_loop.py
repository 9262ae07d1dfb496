"""Evaluates ground truth by interval, in a thread of its own."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Final

from driftgauge.drift.performance.cohort import Cohort
from driftgauge.monitor.ground_truth import GroundTruthMonitor
from driftgauge.monitor.problems import Problems
from driftgauge.monitor.step_loop import REST_FACTOR, StepLoop

PROBLEM: Final = "performance_not_evaluated"


class GroundTruthLoop(StepLoop[GroundTruthMonitor]):
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
        """Take what makes the monitor at its first use; see `StepLoop`."""
        super().__init__(
            made, problems, clock, problem=PROBLEM, interval_seconds=interval_seconds, rest_factor=rest_factor
        )

    async def history(self, since: float = -math.inf, until: float = math.inf) -> list[Cohort]:
        """Return the cohorts that start in a span, seconds since 1970, in order."""
        return await asyncio.get_running_loop().run_in_executor(
            self.thread, lambda: self.opened().history(since, until)
        )
