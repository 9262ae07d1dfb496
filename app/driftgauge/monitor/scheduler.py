"""Schedules evaluations and catch-ups: on demand and by interval, in a thread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from driftgauge.common.private_files import LockTimeout
from driftgauge.common.single_flight import SingleFlight
from driftgauge.monitor.monitor import ColumnMonitor, Evaluation
from driftgauge.monitor.problems import Problems

PROBLEM: Final = "evaluation_failed"
LATE: Final = "evaluation_late"
LOG_FULL: Final = "log_full"
ROOM_SECONDS: Final = 0.05
"""How long a writer waits for room in its log."""
CALLER_SECONDS: Final = 1.0
"""How long it waits if it catches up itself."""
_POLL_SECONDS: Final = 0.001


class Evaluator:
    """Keeps a monitor's report fresh.

    A reader that finds rows newer than the last report starts an evaluation in a thread. Concurrent readers wait
    for the same one, and for one more if it began before their rows came. The next one starts after a rest of
    `rest_factor` times the CPU time of the last; until then readers get the last report. They also get it if an
    evaluation takes longer than `wait_seconds`.
    """

    def __init__(
        self,
        monitor: ColumnMonitor,
        problems: Problems,
        *,
        clock: Callable[[], float] = time.time,
        interval_seconds: float = 5.0,
        rest_factor: float = 50.0,
        wait_seconds: float | None = None,
        executor: Executor | None = None,
    ) -> None:
        """Evaluate in threads of `executor`, by default an own one; nothing else should keep it busy."""
        self._monitor = monitor
        self._problems = problems
        self._clock = clock
        self._interval = interval_seconds
        self._rest = rest_factor
        self._wait = wait_seconds
        self._executor = executor or ThreadPoolExecutor(2, thread_name_prefix="evaluation")
        self._rows = SingleFlight(lambda: monitor.store.rows, self._executor)
        self._resting_until = 0.0
        self._running: asyncio.Task[None] | None = None

    async def current(self) -> Evaluation:
        """Return the latest evaluation, made now if rows came since the last one and the rest is over.

        If it fails or takes too long, record a problem and return the last one.
        """
        try:
            await asyncio.wait_for(self._refresh(), self._wait)
        except TimeoutError:
            self._problems.record(
                LATE, TimeoutError(f"the evaluation took longer than {self._wait:g} s, so the last report is shown")
            )
        except Exception as error:
            self._problems.record(PROBLEM, error)
        return self._monitor.last

    async def _refresh(self) -> None:
        rows = await self._rows.get()
        for _ in range(2):
            if self._running is None and not self._is_due(rows):
                break
            await self._join()

    def _is_due(self, rows: int) -> bool:
        last = self._monitor.last
        is_old = last.report.rows_observed != rows or abs(self._clock() - last.at) >= self._interval
        return is_old and time.monotonic() >= self._resting_until

    async def run(self) -> None:
        """Evaluate by interval until cancelled, also without rows, so that a stale report means a dead evaluator.

        One worker evaluates for all.
        """
        while True:
            await asyncio.sleep(max(self._interval, self._resting_until - time.monotonic()))
            try:
                if not self._is_done_elsewhere():
                    await self._join()
            except Exception as error:
                self._problems.record(PROBLEM, error)

    def _is_done_elsewhere(self) -> bool:
        last = self._monitor.store.root.evaluated_at
        return last > self._monitor.last.at and abs(self._clock() - last) < self._interval

    async def _join(self) -> None:
        """Wait for the running evaluation, or start one."""
        self._running = self._running or asyncio.create_task(self._evaluate())
        await asyncio.shield(self._running)

    def _started(self) -> asyncio.Future[Evaluation] | None:
        """Start an evaluation in a thread; None if the threads have ended, because the process ends."""
        try:
            return asyncio.get_running_loop().run_in_executor(self._executor, self._monitor.evaluate, self._clock())
        except RuntimeError:
            return None

    async def _evaluate(self) -> None:
        try:
            running = self._started()
            if running is None:
                return
            evaluation = await running
            self._resting_until = time.monotonic() + self._rest * evaluation.cpu_seconds
            self._problems.resolve(PROBLEM)
            self._problems.resolve(LATE)
        except Exception as error:
            self._resting_until = time.monotonic() + self._interval
            self._problems.record(PROBLEM, error)
        finally:
            self._running = None


class BackgroundRoom:
    """Has a thread catch up when a log is half full, and waits for it briefly when it is full.

    A wait without success is the last one until a catch-up has made room: rows are dropped meanwhile, so that a
    process that holds the evaluation lock does not delay predictions.
    """

    def __init__(
        self,
        monitor: ColumnMonitor,
        problems: Problems,
        executor: Executor,
        clock: Callable[[], float] = time.time,
        *,
        callers_catch_up: bool = False,
    ) -> None:
        """Catch up in a thread of `executor`; if the log is full and `callers_catch_up`, in that of the writer."""
        self._monitor = monitor
        self._problems = problems
        self._executor = executor
        self._clock = clock
        self._running: Future[None] | None = None
        self._wait = self._caught_up if callers_catch_up else self._waited
        self._seconds = CALLER_SECONDS if callers_catch_up else ROOM_SECONDS
        self._has_given_up = False

    def request(self) -> None:
        """Start a catch-up unless one is running."""
        if self._running is None or self._running.done():
            self._running = self._executor.submit(self._catch_up)

    def make(self, now: float) -> bool:
        """Wait until there is room; return whether there is. See `Room.make`."""
        self.request()
        has_room = self._monitor.store.room > 0 if self._has_given_up else self._wait(now)
        if not has_room:
            self._has_given_up = True
            self._problems.record(
                LOG_FULL, TimeoutError(f"no catch-up made room in the log within {self._seconds:g} s: rows are dropped")
            )
        return has_room

    def _waited(self, now: float) -> bool:
        deadline = time.monotonic() + self._seconds
        while self._monitor.store.room <= 0:
            if time.monotonic() >= deadline:
                return False
            self.request()
            time.sleep(_POLL_SECONDS)
        return True

    def _caught_up(self, now: float) -> bool:
        with suppress(LockTimeout):
            self._monitor.catch_up(now, self._seconds)
        return self._monitor.store.room > 0

    def _catch_up(self) -> None:
        try:
            self._monitor.make_room(self._clock())
        except Exception as error:
            self._problems.record(PROBLEM, error)
            return
        if self._has_given_up and self._monitor.store.room > 0:
            self._has_given_up = False
            self._problems.resolve(LOG_FULL)
