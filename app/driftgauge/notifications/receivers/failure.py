"""Why a message did not arrive."""

from __future__ import annotations

from typing import Final

from driftgauge.errors import DriftgaugeError


class NotDelivered(DriftgaugeError):
    """A message that did not arrive."""

    def __init__(self, message: str, *, retryable: bool, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retryable: Final = retryable
        """Whether the same message may arrive later."""
        self.retry_after: Final = retry_after
        """Seconds that the receiver asks to wait; None if it does not ask."""
