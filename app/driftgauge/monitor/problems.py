"""Problems of monitoring itself: shown in the status, and logged at most once a minute."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

import structlog

from driftgauge.common.log_throttle import LogThrottle

LOG_PROBLEM: Final = "prediction_log_failed"
"""What is wrong with the prediction log, whoever finds it out."""
SHOWN_SECONDS: Final = 300.0
"""How long a problem is shown after it was last recorded."""


class Log(Protocol):
    """Takes log lines: an event, and what belongs to it by name."""

    def warning(self, event: str, **context: Any) -> Any:
        """Write a warning."""

    def error(self, event: str, **context: Any) -> Any:
        """Write an error."""


class Problems:
    """The latest problem of each kind; `clock` gives the time of day in seconds since 1970."""

    def __init__(self, clock: Callable[[], float], log: Log | None = None) -> None:
        """Log to `log`, by default as the server does."""
        self._clock = clock
        self._latest: dict[tuple[str, str], tuple[float, str]] = {}
        """By kind and part."""
        self._throttle = LogThrottle(clock)
        self._lock = threading.Lock()
        self.log: Final[Log] = log or structlog.get_logger()

    def record(self, kind: str, error: BaseException, *, part: str = "", **context: str) -> None:
        """Keep an error, and log it at most once a minute for each kind.

        Problems of one kind that end at different times have a `part` each.
        """
        with self._lock:
            text = f"{type(error).__name__}: {error}".encode("utf-8", "backslashreplace").decode()
            self._latest[kind, part] = (self._clock(), text)
        if (suppressed := self._throttle.passes(kind)) is not None:
            self.log.error(kind, exc_info=error, suppressed_before=suppressed, **context)

    def record_lasting(self, kind: str, text: str) -> None:
        """Keep and log a problem that lasts until it is resolved."""
        with self._lock:
            self._latest[kind, ""] = (math.inf, text)
        self.log.error(kind, detail=text)

    def resolve(self, kind: str, part: str = "") -> None:
        """Forget a problem that has ended."""
        with self._lock:
            self._latest.pop((kind, part), None)

    @contextmanager
    def apart(self, kind: str) -> Iterator[None]:
        """Record what fails in the block, which then ends there; a block that succeeds resolves the problem."""
        try:
            yield
        except Exception as error:
            self.record(kind, error)
        else:
            self.resolve(kind)

    def current(self) -> list[str]:
        """Return a sentence for each problem of the last five minutes; parts that say the same have one."""
        now = self._clock()
        with self._lock:
            recent = [f"{kind}: {text}" for (kind, _), (at, text) in self._latest.items() if now - at < SHOWN_SECONDS]
        return list(dict.fromkeys(recent))
