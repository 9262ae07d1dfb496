"""Folds the slots of workers that are no more, in a state without rows, which no evaluation folds."""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import Executor
from contextlib import suppress
from typing import Final

from driftgauge.common.private_files import LockTimeout
from driftgauge.monitor.problems import Problems
from driftgauge.state.store import Store

PROBLEM: Final = "slots_not_folded"
INTERVAL_SECONDS: Final = 60.0
"""Time between two looks. A slot is folded if no worker held it at two of them: a worker that replaces another takes
its slot within seconds.
"""


class UnusedSlots:
    """The slots of a state that no worker has held for a while."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._before: frozenset[int] = frozenset()
        """Keys of the logs that no worker held at the last look."""

    def fold(self) -> None:
        """Fold the slots that no worker holds and none held at the last look; OSError if the state cannot be read."""
        self._store.counted()  # so that this worker knows each log before it is folded
        unused = self._store.unused()
        if ended := unused & self._before:
            with suppress(LockTimeout), self._store.evaluating():  # another worker does it
                self._store.fold(math.inf, ended)
        self._before = unused

    async def run(self, executor: Executor, problems: Problems) -> None:
        """Fold by interval until cancelled; `executor` runs what reads files."""
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            try:
                await asyncio.get_running_loop().run_in_executor(executor, self.fold)
                problems.resolve(PROBLEM)
            except Exception as error:
                problems.record(PROBLEM, error)
