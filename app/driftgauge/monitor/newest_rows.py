"""The newest rows of all workers, as many as the main window holds."""

from __future__ import annotations

from driftgauge.drift.windows.window import Rows
from driftgauge.monitor.monitor import ColumnMonitor


def newest_rows(monitor: ColumnMonitor, now: float) -> Rows:
    """Return the newest rows that were counted, without those that are too old for the main window.

    `now` is the time of day, seconds since 1970. LockTimeout if the lock of evaluations is held for too long.
    """
    policy = monitor.options.policy
    with monitor.store.evaluating():
        held = monitor.store.newest()
    clock = monitor.clock.now(monitor.store.latest_at, now)
    return held.newest(policy.windows[-1]).since(clock - policy.max_age_seconds)
