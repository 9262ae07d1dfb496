"""Limits repeated log lines to one of each kind a minute, and counts the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

INTERVAL_SECONDS: Final = 60.0
MOST_KINDS: Final = 1_000
REST: Final = "others"
"""Kind under which all kinds beyond `MOST_KINDS` are limited together; clients can cause any number of them."""


class LogThrottle:
    """Passes one line of each kind a minute; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._written: dict[str, float] = {}
        self._suppressed: dict[str, int] = {}
        self._lock = threading.Lock()

    def passes(self, kind: str) -> int | None:
        """Return how many lines of a kind were suppressed before this one; None suppresses it too."""
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
