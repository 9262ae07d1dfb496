"""Compares attributions by interval, in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from driftgauge.drift.attribution.known import KnownAttributions
from driftgauge.monitor.attributions import AttributionMonitor
from driftgauge.monitor.problems import Problems
from driftgauge.monitor.step_loop import MOST_LOOKS_SECONDS, StepLoop

PROBLEM: Final = "attributions_not_compared"


class AttributionLoop(StepLoop[AttributionMonitor]):
    """Compares the attributions of one model version."""

    def __init__(self, monitor: AttributionMonitor, problems: Problems, clock: Callable[[], float]) -> None:
        """Take what compares; `clock` is that of the server."""
        interval = min(monitor.options.interval_seconds, MOST_LOOKS_SECONDS)
        super().__init__(lambda: monitor, problems, clock, problem=PROBLEM, interval_seconds=interval)
        self.monitor: Final = monitor

    @property
    def known(self) -> KnownAttributions:
        """What is known of the comparisons of all workers."""
        return self.monitor.known(self._clock())
