"""Takes the steps of slow work by interval, in a thread of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Generic, Protocol, TypeVar

from driftgauge.errors import PredictionLogError, PredictionLogReplaced
from driftgauge.monitor.problems import LOG_PROBLEM, Problems

REST_FACTOR: Final = 10.0
"""Least pause after a step, as a multiple of its duration, unless a smaller one is given."""
MOST_LOOKS_SECONDS: Final = 5.0
"""How often a worker looks, at most, whether work that one worker does for all is due."""


class Steps(Protocol):
    """Work in bounded steps."""

    def step(self, now: float) -> bool:
        """Take a step; return whether more is left to do. `now` is in seconds since 1970."""


Work = TypeVar("Work", bound=Steps)


class StepLoop(Generic[Work]):
    """Takes the steps of one piece of work."""

    def __init__(
        self,
        made: Callable[[], Work],
        problems: Problems,
        clock: Callable[[], float],
        *,
        problem: str,
        interval_seconds: float,
        rest_factor: float = REST_FACTOR,
    ) -> None:
        """Take what makes the work at its first use; it is called in the thread, and again if it failed.

        A step that fails is recorded as `problem`.
        """
        self._made = made
        self._problems = problems
        self._problem = problem
        self._clock = clock
        self._interval = interval_seconds
        self._rest_factor = min(rest_factor, REST_FACTOR)
        self.thread: Final = ThreadPoolExecutor(1, thread_name_prefix=problem)
        self.work: Work | None = None
        """The work; None before its first step."""

    def step(self) -> bool:
        """Take a step; return whether more is left to do. The caller's thread waits for the database."""
        return self.opened().step(self._clock())

    async def run(self) -> None:
        """Take steps by interval, until cancelled."""
        while True:
            began, is_left = time.monotonic(), False
            try:
                is_left = await asyncio.get_running_loop().run_in_executor(self.thread, self.step)
                self._problems.resolve(self._problem)
            except PredictionLogReplaced:  # begin again, in the new file
                self.work, is_left = None, True
            except PredictionLogError as error:  # one problem, though several need the log
                self._problems.record(LOG_PROBLEM, error)
            except Exception as error:
                self._problems.record(self._problem, error)
            rest = self._rest_factor * (time.monotonic() - began)
            await asyncio.sleep(rest if is_left else max(self._interval, rest))

    def close(self) -> None:
        """End the thread, after the step that it has begun."""
        self.thread.shutdown(cancel_futures=True)

    def opened(self) -> Work:
        """Return the work, which is made at its first use."""
        if self.work is None:
            self.work = self._made()
        return self.work
