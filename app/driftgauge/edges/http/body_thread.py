"""One thread for the work on large bodies: more would keep each other, and the event loop, from running."""

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
    """What goes first: whether a body is refused is known soon, and an answer that is ready goes out before others."""

    SURVEY = 0
    ANSWER = 1
    PARSE = 2


class BodyThread:
    """Runs one piece of work after the other, the most urgent first; all calls are of one event loop."""

    def __init__(self) -> None:
        self._executor: Final = ThreadPoolExecutor(1, thread_name_prefix="large")
        self._waiting: list[tuple[Urgency, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._busy = False

    async def run(self, urgency: Urgency, work: Callable[..., T], *arguments: Any) -> T:
        """Return what the work returns, in its turn; raises what it raises."""
        loop = asyncio.get_running_loop()
        if self._busy:
            turn: asyncio.Future[None] = loop.create_future()
            heapq.heappush(self._waiting, (urgency, next(self._numbers), turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():  # it was just given, and is not taken
                    self._go_on()
                raise
        self._busy = True
        try:
            return await loop.run_in_executor(self._executor, work, *arguments)
        finally:
            self._go_on()

    def _go_on(self) -> None:
        """Give the next one its turn; between that and its start nobody else has one."""
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._busy = False
