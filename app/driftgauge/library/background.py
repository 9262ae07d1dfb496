"""The thread in which a monitor evaluates, publishes and answers readers, beside the program's own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from driftgauge.edges.http.monitoring import Monitoring

T = TypeVar("T")
STOP_SECONDS: Final = 5.0
"""Longest wait for the thread when the monitor is closed."""
ENDED: Final = "monitoring_ended"


class Background:
    """Runs the event loop of one monitoring in a thread that ends with the program."""

    def __init__(self, monitoring: Monitoring) -> None:
        """Start the thread."""
        self._monitoring = monitoring
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="driftgauge", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        running = [self._loop.create_task(work) for work in self._monitoring.work()]
        for task in running:
            task.add_done_callback(self._ended)
        try:
            self._loop.run_forever()
        finally:
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*running, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Say that a task, which runs until the monitor is closed, has failed."""
        if not task.cancelled():
            error = task.exception()
            text = f"{type(error).__name__}: {error}: verdicts and counters may be old; restart the program"
            self._monitoring.service.problems.record_lasting(ENDED, text)

    def wait(self, work: Coroutine[Any, Any, T], seconds: float | None = None) -> T:
        """Run a coroutine in the thread and wait for its result; TimeoutError after `seconds`."""
        running = self._started(work)
        try:
            return running.result(seconds)
        finally:
            running.cancel()

    async def result(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the thread, awaited in the caller's event loop."""
        return await asyncio.wrap_future(self._started(work))

    def _started(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine in the thread; RuntimeError if that has ended."""
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:
            work.close()
            raise

    def stop(self) -> None:
        """Stop the thread, after a last publication."""
        if self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(STOP_SECONDS)
