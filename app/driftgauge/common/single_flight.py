"""One computation at a time, off the event loop, whose result all share who wait for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final, Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Computes something in a thread for whoever asks; however many ask, one thread is busy with it.

    A result is of the moment it is asked for, or of a later one: who comes while a computation runs waits for the one
    after it, with all others that do. With `keep_seconds` a result, an error included, is kept so long, and shared by
    all who come meanwhile.
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
        """Return the result, or raise what the computation raises; TimeoutError after so many seconds."""
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
        """Return the computation that runs, if one does for this event loop."""
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
            computed.exception()  # seen, whether anybody still waits for it or not
            self._made = (self._clock(), computed) if self._keep else None
