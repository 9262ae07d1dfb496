"""Keeps a rolling reference by interval, in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from driftgauge.drift.rolling.report import RollingReport
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.monitor.problems import Problems
from driftgauge.monitor.rolling import RollingMonitor
from driftgauge.monitor.step_loop import StepLoop

PROBLEM: Final = "rolling_reference_not_built"
NOT_COMPARED: Final = "rolling_reference_not_compared"
LONGEST_INTERVAL_SECONDS: Final = 60.0
"""How often a worker looks whether the reference is due, or another one has built it."""


class RollingLoop(StepLoop[RollingMonitor]):
    """Keeps the rolling reference of one model version fresh."""

    def __init__(
        self,
        made: Callable[[], RollingMonitor],
        problems: Problems,
        clock: Callable[[], float],
        *,
        refresh_seconds: float,
    ) -> None:
        """Take what makes the monitor at its first use; `clock` is the monitor's own."""
        interval = min(refresh_seconds, LONGEST_INTERVAL_SECONDS)
        super().__init__(made, problems, clock, problem=PROBLEM, interval_seconds=interval)

    def report_on(self, report: DriftReport) -> RollingReport | None:
        """Return the comparison of a report's main window; None before the first reference, and if it fails.

        A failure is a problem, so that what shows the verdict on the training goes on.
        """
        found = None
        if (work := self.work) is not None:
            with self._problems.apart(NOT_COMPARED):
                found = work.report_on(report)
        return found
