"""Publishes a worker's counters to the others: soon after each answer, and each second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.metrics.server_series import CPU, MODEL_QUEUE, QUEUED
from driftgauge.monitor.problems import Problems
from driftgauge.state.store import Store

PROBLEM: Final = "state_not_published"
LOST: Final = "state_in_memory"
DAMAGED: Final = "state_damaged"
RESTART: Final = "restart to keep windows and counters again"
INTERVAL_SECONDS: Final = 1.0


class Publisher:
    """Publishes a worker's counters, and the CPU time and memory of its process.

    `process` gives the numbers of `metrics.PROCESS`, None for a state that has none of them. CPU time continues from
    that of earlier processes in the same slot. It is only exposed once published, so it does not fall when this process
    is killed.
    """

    def __init__(self, store: Store, problems: Problems, process: Callable[[], FloatArray] | None) -> None:
        self._store = store
        self._problems = problems
        self._process = process
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_scheduled = False
        self._reported: dict[str, str] = {}
        """The state's problems as they were last recorded, by kind."""
        self.queued: Callable[[], int] = lambda: 0
        """Returns the rows of this worker that wait for the prediction log."""
        self.model_queue: Callable[[], tuple[int, int]] | None = None
        """Returns the requests and rows of this worker that wait for the model; None for a state that has none."""
        self._before = float(np.nan_to_num(store.process[CPU]))

    def soon(self) -> None:
        """Publish in the event loop's next turn, once for everything counted in this one."""
        if not self._is_scheduled and self._loop is not None:
            self._is_scheduled = True
            self._loop.call_soon(self._publish)

    def _publish(self) -> None:
        self._is_scheduled = False
        try:
            self._store.publish()
        except Exception as error:
            self._problems.record(PROBLEM, error)

    def measure(self) -> None:
        """Store the process's current CPU time and memory."""
        if self._process is None:
            return
        numbers = self._process()
        # Threads that measure at the same time may store in another order, and kernels may say a tick less than before.
        numbers[CPU] = np.fmax(self._store.process[CPU], self._before + numbers[CPU])
        self._store.process[: len(numbers)] = numbers
        self._store.process[QUEUED] = self.queued()

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
        """Publish everything now."""
        try:
            self.measure()
            if self.model_queue is not None:  # here alone, on the event loop, which changes the queue
                self._store.process[MODEL_QUEUE] = self.model_queue()
            self._store.publish()
            self._problems.resolve(PROBLEM)
            self._report_state()
        except Exception as error:
            self._problems.record(PROBLEM, error)

    def _report_state(self) -> None:
        """Record the state's problems when they change."""
        now = state_problems(self._store)
        for kind in self._reported.keys() - now.keys():
            self._problems.resolve(kind)
        for kind, text in now.items():
            if self._reported.get(kind) != text:
                self._problems.record_lasting(kind, text)
        self._reported = now


def state_problems(store: Store) -> dict[str, str]:
    """Return a sentence for each problem of a state in files, by kind."""
    lost, left_out = store.lost, "; ".join(store.left_out.values())
    return {**({LOST: f"{lost}: {RESTART}"} if lost else {}), **({DAMAGED: left_out} if left_out else {})}
