"""One thread for large bodies; several would slow down each other and the event loop."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import IntEnum
from itertools import count
from typing import Any, Final, TypeVar

T = TypeVar("T")


class Urgency(IntEnum):
    """Order of work: refusals are found early, and finished answers go out before new bodies are parsed."""

    SURVEY = 0
    ANSWER = 1
    PARSE = 2


class BodyThread:
    """Runs one call at a time, the most urgent first; all callers share one event loop."""

    def __init__(self) -> None:
        self._executor: Final = ThreadPoolExecutor(1, thread_name_prefix="large")
        self._queue: list[tuple[Urgency, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._busy = False

    async def run(self, urgency: Urgency, work: Callable[..., T], *arguments: Any) -> T:
        """Run the work in its turn and return its result."""
        loop = asyncio.get_running_loop()
        if self._busy:
            turn: asyncio.Future[None] = loop.create_future()
            heapq.heappush(self._queue, (urgency, next(self._numbers), turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():  # it has the turn and does not use it
                    self._next_turn()
                raise
        self._busy = True
        try:
            return await loop.run_in_executor(self._executor, work, *arguments)
        finally:
            self._next_turn()

    def _next_turn(self) -> None:
        """Give the next caller its turn; `_busy` stays set until it starts, so that no other one starts."""
        while self._queue:
            _, _, turn = heapq.heappop(self._queue)
            if not turn.done():
                turn.set_result(None)
                return
        self._busy = False
