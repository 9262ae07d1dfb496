"""The newest rows of all workers, as many as the main window holds."""

from __future__ import annotations

import numpy as np

from driftgauge.drift.bins import FloatArray
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


def drawn_values(monitor: ColumnMonitor, now: float, most: int) -> tuple[FloatArray, int]:
    """Return values of the newest rows, those that came just now too, and how many there are; of more, a sample.

    Their shape is [at most `most`, columns of the baseline].
    """
    monitor.catch_up(now)
    values = newest_rows(monitor, now).values
    values = values[:, : len(monitor.baseline.columns)]  # without the column of outliers
    if len(values) <= most:
        return values, len(values)
    chosen = np.random.default_rng(int(now)).choice(len(values), most, replace=False)
    return values[np.sort(chosen)], len(values)
