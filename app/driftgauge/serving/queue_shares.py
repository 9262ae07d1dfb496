"""The share of a model's queue that each caller holds, so that one cannot take all of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Final

from driftgauge.errors import Reason, Refused
from driftgauge.serving.caller_limits import RETRY_KEY, WAIT_SECONDS


class QueueShares:
    """Requests and rows of each caller that wait for one model or are being predicted.

    A caller that holds nothing may send a request of any size. `limited` is called with the reason and the caller of
    each refusal.
    """

    def __init__(
        self,
        share_ratio: float,
        queued_requests: int,
        queued_rows: int,
        limited: Callable[[Reason, str], None] = lambda reason, caller: None,
    ) -> None:
        """Take the size of the queue, and the share of it that one caller may hold; 1 is no limit."""
        self.is_on: Final = share_ratio < 1.0
        self._unbounded: Final = contextlib.nullcontext()
        self._requests: Final = max(1, int(share_ratio * queued_requests))
        self._rows: Final = max(1, int(share_ratio * queued_rows))
        self._limited = limited
        self._held: dict[str, tuple[int, int]] = {}
        """Requests and rows by caller; one that holds nothing is not listed."""

    def __len__(self) -> int:
        return len(self._held)

    def admit(self, caller: str, rows: int = 1) -> None:
        """Raise Refused if a caller that holds something would exceed its share with these rows."""
        requests, held = self._held.get(caller, (0, 0))
        if requests and (requests >= self._requests or held + rows > self._rows):
            self._limited(Reason.QUEUE_SHARE_USED, caller)
            raise Refused(
                Reason.QUEUE_SHARE_USED,
                f"{requests} requests of this client with {held} rows wait for the model: wait for some of them",
                {"limit": self._requests, "limit_rows": self._rows, RETRY_KEY: int(WAIT_SECONDS)},
            )

    def hold(self, caller: str, rows: int) -> AbstractContextManager[None]:
        """Count a request while a block runs; Refused as `admit` does."""
        return self._hold(caller, rows) if self.is_on else self._unbounded

    @contextlib.contextmanager
    def _hold(self, caller: str, rows: int) -> Iterator[None]:
        self.admit(caller, rows)
        requests, held = self._held.get(caller, (0, 0))
        self._held[caller] = (requests + 1, held + rows)
        try:
            yield
        finally:
            requests, held = self._held.pop(caller)
            if requests > 1:
                self._held[caller] = (requests - 1, held - rows)
