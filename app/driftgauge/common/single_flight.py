"""One computation at a time, off the event loop, shared by all callers that wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final, Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Runs a computation in a thread, once for all concurrent callers.

    A result is never older than the call: a caller that arrives during a computation waits for the next one,
    together with all others. With `keep_seconds`, a result (or an error) is kept for that long and shared by all
    callers in that time.
    """

    def __init__(
        self,
        compute: Callable[[], T],
        executor: Executor,
        *,
        keep_seconds: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._compute = compute
        self._executor = executor
        self._keep: Final = keep_seconds
        self._clock = clock
        self._running: asyncio.Future[T] | None = None
        self._made: tuple[float, asyncio.Future[T]] | None = None

    async def get(self, seconds: float | None = None) -> T:
        """Return the result or raise the computation's error; TimeoutError after `seconds`."""
        return await asyncio.wait_for(self._got(), seconds)

    async def _got(self) -> T:
        if self._made is not None and self._clock() - self._made[0] < self._keep:
            return self._made[1].result()
        before = self._current()
        if before is not None:
            await asyncio.wait((before,))
            if self._keep:
                return before.result()
        running = self._current() or self._start()
        await asyncio.wait((running,))
        return running.result()

    def _current(self) -> asyncio.Future[T] | None:
        """Return the running computation of this event loop, if any."""
        running = self._running
        alive = running is not None and not running.done() and running.get_loop() is asyncio.get_running_loop()
        return running if alive else None

    def _start(self) -> asyncio.Future[T]:
        running = asyncio.get_running_loop().run_in_executor(self._executor, self._compute)
        running.add_done_callback(self._finished)
        self._running = running
        return running

    def _finished(self, computed: asyncio.Future[T]) -> None:
        if not computed.cancelled():
            computed.exception()  # mark it as retrieved, even if nobody waits any more
            self._made = (self._clock(), computed) if self._keep else None
