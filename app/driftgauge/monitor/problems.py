"""What is wrong with monitoring itself: counted elsewhere, shown here, logged once a minute at most."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Final

import structlog

from driftgauge.common.log_throttle import LogThrottle

SHOWN_SECONDS: Final = 300.0
"""How long after it last happened a problem is shown."""


class Problems:
    """The latest problem of each kind; `clock` gives the time of day in seconds since 1970."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._latest: dict[str, tuple[float, str]] = {}
        self._sparing = LogThrottle(clock)
        self._lock = threading.Lock()

    def happened(self, kind: str, error: BaseException, **told: str) -> None:
        """Keep what happened, and log it with its traceback, and what else is `told`, once a minute at most."""
        with self._lock:
            self._latest[kind] = (self._clock(), f"{type(error).__name__}: {error}")
        if (suppressed := self._sparing.passes(kind)) is not None:
            structlog.get_logger().error(kind, exc_info=error, suppressed_before=suppressed, **told)

    def lasts(self, kind: str, text: str) -> None:
        """Keep and log what is wrong for as long as the process runs, or until it is `over`."""
        with self._lock:
            self._latest[kind] = (math.inf, text)
        structlog.get_logger().error(kind, detail=text)

    def over(self, kind: str) -> None:
        """Forget a problem that is known to have ended."""
        with self._lock:
            self._latest.pop(kind, None)

    def current(self) -> list[str]:
        """Return a sentence for each problem of the last five minutes."""
        now = self._clock()
        with self._lock:
            return [f"{kind}: {text}" for kind, (at, text) in self._latest.items() if now - at < SHOWN_SECONDS]
