"""Compares whole rows by interval and on demand, in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from driftgauge.common.single_flight import SingleFlight
from driftgauge.drift.multivariate.compared import ComparedRows, RowComparison
from driftgauge.monitor.problems import Problems
from driftgauge.monitor.step_loop import MOST_LOOKS_SECONDS, StepLoop
from driftgauge.monitor.whole_rows import WholeRowMonitor

PROBLEM: Final = "whole_rows_not_compared"


class WholeRowLoop(StepLoop[WholeRowMonitor]):
    """Compares the whole rows of one model version."""

    def __init__(
        self, monitor: WholeRowMonitor, problems: Problems, clock: Callable[[], float], *, by_interval: bool = True
    ) -> None:
        """Take what compares, by interval or on demand alone; `clock` is that of the server."""
        interval = min(monitor.options.interval_seconds, MOST_LOOKS_SECONDS)
        super().__init__(lambda: monitor, problems, clock, problem=PROBLEM, interval_seconds=interval)
        self.monitor: Final = monitor
        self._by_interval = by_interval
        self._compared: Final = SingleFlight(lambda: monitor.compare(clock()), self.thread)

    @property
    def known(self) -> ComparedRows | None:
        """What is known of the comparisons of all workers; None where they are not made by interval."""
        return self.monitor.current(self._clock()) if self._by_interval else None

    async def run(self) -> None:
        """Compare by interval, until cancelled; on demand alone, only wait for that."""
        if self._by_interval:
            await super().run()
        await asyncio.Event().wait()

    async def compare(self) -> RowComparison:
        """Compare now, once for all callers that wait; raises what `WholeRowMonitor.compare` does."""
        return await self._compared.get()

    def close(self) -> None:
        """End the process that compares, and the thread."""
        self.monitor.process.close()
        super().close()
