"""Makes room in the log of a worker when it fills."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from driftgauge.common.private_files import LockTimeout

if TYPE_CHECKING:
    from driftgauge.monitor.monitor import ColumnMonitor


class Room(Protocol):
    """Makes room in a log: catches up now, or has it done."""

    def request(self) -> None:
        """Ask for a catch-up, because the log is half full."""

    def make(self, now: float) -> bool:
        """Wait for a catch-up, because the log is full; return whether there is room now."""


class InlineRoom:
    """Catches up in the thread of the writer; rows are dropped only while another process holds the lock too long."""

    def __init__(self, monitor: ColumnMonitor) -> None:
        self._monitor = monitor

    def request(self) -> None:
        """Do nothing until the log is full."""

    def make(self, now: float) -> bool:
        """Catch up; see `Room.make`."""
        with suppress(LockTimeout):
            self._monitor.catch_up(now)
        return self._monitor.store.room > 0
