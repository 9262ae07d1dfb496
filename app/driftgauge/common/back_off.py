"""Waits between attempts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BackOff:
    """The waits between attempts: each twice as long as the one before, up to a limit, less a random part."""

    first_seconds: float = 1.0
    most_seconds: float = 300.0
    attempts: int = 8
    """Attempts altogether."""

    def longest(self, failed: int) -> float:
        """Return the seconds to wait after so many failed attempts, without chance and without an end."""
        return min(self.first_seconds * 2.0 ** min(failed - 1, 60), self.most_seconds)

    def wait(self, failed: int, chance: float, retry_after: float | None = None) -> float | None:
        """Return the seconds to wait after so many failed attempts; None after the last.

        `chance` is between 0 and 1, and takes away up to half of the wait, so that senders do not come together again.
        The receiver's own `retry_after` is waited for at least, up to the limit.

        >>> BackOff().wait(3, 0.0), BackOff().wait(3, 1.0), BackOff().wait(1, 0.0, 60.0), BackOff(attempts=1).wait(1, 0)
        (4.0, 2.0, 60.0, None)
        """
        if failed >= self.attempts:
            return None
        return max(self.longest(failed) * (1 - chance / 2), min(retry_after or 0.0, self.most_seconds))
