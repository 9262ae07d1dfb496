"""What a worker has counted is made known to the others: soon after each answer, and each second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.metrics.series import CPU
from driftgauge.monitor.problems import Problems
from driftgauge.state.store import Store

PROBLEM: Final = "state_not_published"
LOST: Final = "state_in_memory"
DAMAGED: Final = "state_damaged"
RESTART: Final = "restart to keep windows and counters again"
INTERVAL_SECONDS: Final = 1.0


class Publisher:
    """Publishes a worker's counters, and what its process takes.

    `process` gives the numbers of `metrics.PROCESS`. CPU time goes on from that of the processes which
    had the slot before, and is never told before it is published, so that it does not fall when this one is killed.
    """

    def __init__(self, store: Store, problems: Problems, process: Callable[[], FloatArray]) -> None:
        self._store = store
        self._problems = problems
        self._process = process
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waits = False
        self._told: dict[str, str] = {}
        """What was said of the state last, by kind."""
        self._before = float(np.nan_to_num(store.process[CPU]))

    def soon(self) -> None:
        """Publish when the event loop comes round, once for all that was counted in one of its turns."""
        if not self._waits and self._loop is not None:
            self._waits = True
            self._loop.call_soon(self._publish)

    def _publish(self) -> None:
        self._waits = False
        try:
            self._store.publish()
        except Exception as error:
            self._problems.happened(PROBLEM, error)

    def measure(self) -> None:
        """Write down what the process takes by now."""
        numbers = self._process()
        numbers[CPU] += self._before
        self._store.process[:] = numbers

    async def run(self) -> None:
        """Publish each second until cancelled."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                self.now()
                await asyncio.sleep(INTERVAL_SECONDS)
        finally:
            self._loop = None
            self.now()

    def now(self) -> None:
        """Publish all that there is."""
        try:
            self.measure()
            self._store.publish()
            self._problems.over(PROBLEM)
            self._tell()
        except Exception as error:
            self._problems.happened(PROBLEM, error)

    def _tell(self) -> None:
        """Say what is wrong with the state when that changes."""
        now = state_problems(self._store)
        for kind in self._told.keys() - now.keys():
            self._problems.over(kind)
        for kind, text in now.items():
            if self._told.get(kind) != text:
                self._problems.lasts(kind, text)
        self._told = now


def state_problems(store: Store) -> dict[str, str]:
    """Return a sentence for each kind of thing that is wrong with a state that is kept in files."""
    lost, left_out = store.lost, "; ".join(store.left_out.values())
    return {**({LOST: f"{lost}: {RESTART}"} if lost else {}), **({DAMAGED: left_out} if left_out else {})}
