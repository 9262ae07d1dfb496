"""Snapshots of what a monitor holds, once its store has caught up with the logs."""

from __future__ import annotations

from driftgauge.monitor.monitor import ColumnMonitor
from driftgauge.state.snapshot import StateSnapshot


def snapshot_of(monitor: ColumnMonitor, now: float) -> StateSnapshot:
    """Return a snapshot with all rows that were appended."""
    monitor.catch_up(now)
    with monitor.store.evaluating():
        return monitor.store.snapshot(now)
