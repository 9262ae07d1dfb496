"""Limits of one caller in one worker: its requests per second, and its requests at the same time."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from driftgauge.errors import Reason, Refused

MAX_CALLERS: Final = 4_096
"""Callers that are remembered; each takes some hundred bytes."""
EVICTION_TRIES: Final = 8
"""Callers that are examined to find one without a running request, which can be forgotten."""
WAIT_SECONDS: Final = 1.0
"""Delay after which a caller with too many requests at the same time should try again."""
ROUNDING_SECONDS: Final = 1e-6
"""Error of sums of intervals."""
RETRY_KEY: Final = "retry_after_seconds"
"""Key of a refusal's detail that holds the delay in whole seconds."""


@dataclass(frozen=True)
class CallerBounds:
    """What one caller may ask of a service; None is no limit."""

    requests_per_second: float | None = None
    burst: int | None = None
    """Requests at once before the rate applies; by default those of one second."""
    concurrent_requests: int | None = None
    """Requests at the same time, in each worker."""
    queue_share_ratio: float = 1.0
    """Share of a model's queue that one caller may hold; each worker has a queue."""
    workers: int = 1
    """Workers of the service. Each admits an equal part of the rate and of the burst, at least one request."""

    @property
    def worker_rate(self) -> float | None:
        """Requests per second that one worker admits."""
        return None if self.requests_per_second is None else self.requests_per_second / self.workers

    @property
    def burst_requests(self) -> int:
        """Requests that a caller may send to one worker at once."""
        return max(1, math.ceil((self.burst or self.requests_per_second or 1.0) / self.workers))

    @property
    def stated(self) -> tuple[float | None, float | None, float | None]:
        """The rate, the requests at the same time and the share of the queue; None without a limit."""
        share = self.queue_share_ratio if self.queue_share_ratio < 1.0 else None
        return self.requests_per_second, self.concurrent_requests, share


class _Account:
    """What is known of a caller."""

    __slots__ = ("due", "running")

    def __init__(self) -> None:
        self.due = -math.inf
        """Time at which the caller has used up nothing of its burst."""
        self.running = 0


class CallerLimits:
    """Counts the requests of each caller; `limited` is called with the reason and the caller of each refusal.

    The rate is a token bucket, kept as one number (GCRA). Called on the event loop alone.
    """

    def __init__(
        self,
        bounds: CallerBounds,
        limited: Callable[[Reason, str], None] = lambda reason, caller: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` gives seconds."""
        self.bounds: Final = bounds
        self.limited: Final = limited
        self._clock = clock
        self._most = bounds.concurrent_requests
        self._interval = 1.0 / bounds.worker_rate if bounds.worker_rate else 0.0
        self._tolerance = (bounds.burst_requests - 1) * self._interval
        self._rate = bounds.worker_rate
        self._accounts: OrderedDict[str, _Account] = OrderedDict()
        """By caller, the one that asked longest ago first."""
        self.is_on: Final = self._most is not None or self._rate is not None

    def __len__(self) -> int:
        return len(self._accounts)

    def enter(self, caller: str) -> None:
        """Count a request until `leave`; Refused if the caller has too many."""
        account = self._accounts.get(caller)
        if account is None:
            account = self._accounts[caller] = _Account()
            if len(self._accounts) > MAX_CALLERS:
                self._forget_one()
        else:
            self._accounts.move_to_end(caller)
        if self._most is not None and account.running >= self._most:
            self._refuse(
                Reason.TOO_MANY_CONCURRENT_REQUESTS,
                caller,
                f"{self._most} requests of this client are being answered: wait for one of them",
                {"limit": self._most},
                WAIT_SECONDS,
            )
        if self._interval:
            self._spend(caller, account)
        account.running += 1

    def leave(self, caller: str) -> None:
        """Count a request of `enter` no longer."""
        account = self._accounts.get(caller)
        if account is not None and account.running:
            account.running -= 1

    def _spend(self, caller: str, account: _Account) -> None:
        now = self._clock()
        due = max(account.due, now)
        wait = due - now - self._tolerance
        if wait > ROUNDING_SECONDS:
            workers = self.bounds.workers
            where = (
                ""
                if workers == 1
                else f" to one of {workers} workers, which are {self.bounds.requests_per_second:g} in all"
            )
            self._refuse(
                Reason.RATE_LIMITED,
                caller,
                f"this client sends more than {self._rate:g} requests a second{where}: send fewer, with more rows each",
                {"limit_per_second": self._rate},
                wait,
            )
        account.due = due + self._interval

    def _refuse(self, reason: Reason, caller: str, message: str, detail: Mapping[str, object], wait: float) -> None:
        self.limited(reason, caller)
        raise Refused(reason, message, {**detail, RETRY_KEY: max(1, math.ceil(wait))})

    def _forget_one(self) -> None:
        """Forget a caller that asked long ago and has no running request."""
        for caller in list(islice(self._accounts, EVICTION_TRIES)):
            if not self._accounts[caller].running:
                del self._accounts[caller]
                return
            self._accounts.move_to_end(caller)
