"""uvicorn's flow control, extended by a hold for unparsed bytes."""

from __future__ import annotations

import time

from uvicorn.protocols.http.flow_control import FlowControl


class HeldFlow(FlowControl):
    """Flow control that also pauses reading while received bytes are unparsed."""

    held = False
    full = False
    """Whether uvicorn has paused reading, because a body is not consumed or a request is queued."""
    resumed_at = 0.0
    """When reading last resumed, by `time.monotonic`."""

    def pause_reading(self) -> None:
        """Pause reading for uvicorn."""
        self.full = True
        super().pause_reading()

    def resume_reading(self) -> None:
        """Resume reading for uvicorn, unless it is held."""
        if self.read_paused:
            self.full = False
            if not self.held:
                self.resumed_at = time.monotonic()
                super().resume_reading()

    def hold(self) -> None:
        """Pause reading until `release`."""
        self.held = True
        super().pause_reading()

    def release(self) -> None:
        """Resume reading, unless uvicorn has paused it."""
        self.held = False
        if not self.full:
            self.resumed_at = time.monotonic()
            super().resume_reading()
