"""What a collector says of what it was sent: why it failed, what it rejected, and how long to wait."""

from __future__ import annotations

import threading
from typing import Any, Final

SHOWN_CHARACTERS: Final = 200
"""Most characters of a collector's own text that are shown."""


class Delivery:
    """The answers to the transmissions of one signal. Its methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reason: str | None = None
        self._rejection: str | None = None
        self._rejected = 0

    @property
    def reason(self) -> str | None:
        """Why the last transmission failed, without secrets; None if it did not, or if that is not known."""
        return self._reason or self._rejection

    def fail(self, reason: str | None) -> None:
        """Keep why a request failed; None for one that did not."""
        self._reason = reason

    def answered(self, answer: Any) -> None:
        """Read an answer of OTLP: a collector may accept a request and reject a part of its items."""
        partial = answer.partial_success
        rejected = partial.rejected_spans if hasattr(partial, "rejected_spans") else partial.rejected_data_points
        self._reason = None
        if rejected > 0:
            with self._lock:
                self._rejected += rejected
            said = shown(partial.error_message)
            self._rejection = f"some were rejected{f': {said}' if said else ''}"

    def take_rejected(self) -> int:
        """Return how many items were rejected since the last call."""
        with self._lock:
            found, self._rejected = self._rejected, 0
        self._rejection = self._rejection if found else None
        return found


def shown(text: str) -> str:
    """Return a text of a collector in one short line."""
    line = "".join(own if own.isprintable() else " " for own in text[: 2 * SHOWN_CHARACTERS]).strip()
    return line if len(line) <= SHOWN_CHARACTERS else line[:SHOWN_CHARACTERS] + " …"
