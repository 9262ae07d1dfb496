"""Which of many like log lines are written: the first of a kind in a minute, and how many were not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

INTERVAL_SECONDS: Final = 60.0
MOST_KINDS: Final = 1_000
REST: Final = "others"
"""What stands for all further kinds: clients may think of any number of them."""


class LogThrottle:
    """Lets one line of each kind pass in a minute; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._written: dict[str, float] = {}
        self._suppressed: dict[str, int] = {}
        self._lock = threading.Lock()

    def passes(self, kind: str) -> int | None:
        """Return how many lines of a kind were left out before one that may be written now; None if it may not."""
        now = self._clock()
        with self._lock:
            if kind not in self._written and len(self._written) >= MOST_KINDS:
                kind = REST
            before = self._written.get(kind)
            suppressed = self._suppressed.get(kind, 0)
            if before is not None and now - before < INTERVAL_SECONDS:
                self._suppressed[kind] = suppressed + 1
                return None
            self._written[kind], self._suppressed[kind] = now, 0
            return suppressed
