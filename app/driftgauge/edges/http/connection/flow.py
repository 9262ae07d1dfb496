"""uvicorn's flow control, and what a connection still has to parse."""

from __future__ import annotations

import time

from uvicorn.protocols.http.flow_control import FlowControl


class HeldFlow(FlowControl):
    """uvicorn's flow control, which reads nothing while what came before is still to be parsed."""

    held = False
    full = False
    """Whether uvicorn wants to read no more: a body is not yet taken, or a request waits for its turn."""
    resumed_at = 0.0
    """When it was last read on, by `time.monotonic`."""

    def pause_reading(self) -> None:
        """Read no more until it is resumed."""
        self.full = True
        super().pause_reading()

    def resume_reading(self) -> None:
        """Read on, unless it is held."""
        if self.read_paused:
            self.full = False
            if not self.held:
                self.resumed_at = time.monotonic()
                super().resume_reading()

    def hold(self) -> None:
        """Read nothing until `release`."""
        self.held = True
        super().pause_reading()

    def release(self) -> None:
        """Read on, unless uvicorn wants no more."""
        self.held = False
        if not self.full:
            self.resumed_at = time.monotonic()
            super().resume_reading()
