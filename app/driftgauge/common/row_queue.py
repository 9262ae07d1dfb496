"""Rows that wait for slow work, which a thread does in batches."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from typing import Final, Generic, TypeVar

T = TypeVar("T")


class RowQueue(Generic[T]):
    """Holds items of one or more rows until a thread has worked on them, in the order in which they came."""

    def __init__(
        self,
        work: Callable[[Sequence[T]], None],
        failed: Callable[[Exception], None],
        executor: Executor,
        *,
        most_rows: int,
        batch_rows: int,
    ) -> None:
        """Call `work` with items of up to `batch_rows` rows, or with one; `failed` gets what it raises.

        `executor` has one thread.
        """
        self._work = work
        self._failed = failed
        self._executor = executor
        self._most: Final = most_rows
        self._batch_rows: Final = batch_rows
        self._lock = threading.Lock()
        self._items: deque[tuple[T, int]] = deque()
        self._rows = 0
        self._is_scheduled = False
        self._is_closed = False

    @property
    def rows(self) -> int:
        """Rows that wait."""
        return self._rows

    @property
    def is_closed(self) -> bool:
        """Whether it takes no more rows."""
        return self._is_closed

    def put(self, item: T, rows: int) -> bool:
        """Queue an item; return false if too many rows wait, or the queue is closed.

        RuntimeError if the executor is shut down: then the item is queued all the same, for `work`.
        """
        with self._lock:
            if self._is_closed or self._rows + rows > self._most:
                return False
            self._items.append((item, rows))
            self._rows += rows
            schedule, self._is_scheduled = not self._is_scheduled, True
        if schedule:
            self._executor.submit(self.work)
        return True

    def close(self) -> None:
        """Take no more rows, and forget those that wait."""
        with self._lock:
            self._is_closed = True
            self._items.clear()
            self._rows = 0

    def work(self) -> None:
        """Work on what waits, one batch after the other."""
        while batch := self._next():
            try:
                self._work(batch)
            except Exception as error:
                with suppress(Exception):
                    self._failed(error)

    def _next(self) -> Sequence[T]:
        """Return the next batch; nothing, and then the thread is free, if none waits."""
        taken: list[T] = []
        many = 0
        with self._lock:
            while self._items and (not taken or many + self._items[0][1] <= self._batch_rows):
                item, rows = self._items.popleft()
                taken.append(item)
                many += rows
            self._rows -= many
            self._is_scheduled = bool(taken)
        return taken
