"""Counts and logs the requests of callers that have reached a limit of theirs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import structlog

from driftgauge.common.log_throttle import LogThrottle
from driftgauge.errors import Reason

LIMITED_EVENT: Final = "caller_limited"
HINT: Final = (
    "the caller has reached a limit: see max_requests_per_second, max_concurrent_requests and max_queue_share_ratio"
)


class CallerLog:
    """Writes at most one line a minute for each caller and reason; `count` is called for each refusal."""

    def __init__(self, count: Callable[[Reason], None], clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._count = count
        self._throttle = LogThrottle(clock)

    def __call__(self, reason: Reason, caller: str) -> None:
        """Count a refused request, and log it if its caller was not named lately."""
        self._count(reason)
        suppressed = self._throttle.passes(f"{reason} {caller}")
        if suppressed is not None:
            structlog.get_logger().warning(LIMITED_EVENT, reason=reason, caller=caller, count=suppressed + 1, hint=HINT)
