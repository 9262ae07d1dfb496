"""What a process has opened of a monitor, as its endpoints use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from driftgauge.edges.http.monitoring import Monitoring
from driftgauge.library.background import Background


class Opened(Protocol):
    """The monitoring of one process, and the thread in which it runs."""

    @property
    def monitoring(self) -> Monitoring:
        """The state, the verdicts and the problems."""

    @property
    def background(self) -> Background:
        """The thread that evaluates and answers."""


Opener = Callable[[], Opened]
"""Returns what this process has opened, after a fork its own; RuntimeError once the monitor is closed."""
