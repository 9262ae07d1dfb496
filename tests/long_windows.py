"""Workers with time windows of weeks on one folder, and a recount of every row that they observed."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Final

import numpy as np
from driftgauge.drift.bins import BoolArray, FloatArray, IntArray
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.windows.blocks import rows_by_hour
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.monitor.clock import ClockName
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions
from driftgauge.state.failpoints import Failpoint, no_failpoint

from tests.monitors import small_baseline, small_store
from tests.writers import deadly

DAY: Final = 86_400.0
SPANS: Final = tuple(map(TimeSpan.named, ("1h", "7d", "30d")))
BASELINE: Final = small_baseline()
_COLUMNS: Final = len(BASELINE.columns)


def options_of(*spans: TimeSpan, clock: ClockName = "arrival") -> MonitorOptions:
    """Return options with these time windows, by default an hour, a week and a month."""
    policy = Policy(windows=(200, 1_000), time_windows=spans or SPANS, learning_seconds=0.0)
    return MonitorOptions(policy=policy, clock=clock)


def worker_in(
    folder: Path, now: float, options: MonitorOptions | None = None, failpoint: Failpoint = no_failpoint
) -> ColumnMonitor:
    """Return the monitor of one more worker on a folder."""
    options = options or options_of()
    store = small_store(folder, options, failpoint)
    return ColumnMonitor(BASELINE, model_name="churn", model_version="1", now=now, options=options, store=store)


def kill_after(folder: Path, now: float, rows: FloatArray, at: FloatArray, point: str = "", nth: int = 1) -> None:
    """Let another worker observe rows and be killed: before any of them is read, or while it catches up.

    With a point it is killed there, the n-th time that it passes; if it never does, it is killed after the catch-up.
    """
    work = multiprocessing.get_context("fork").Process(target=_killed, args=(folder, now, rows, at, point, nth))
    work.start()
    work.join(60.0)
    assert work.exitcode == -signal.SIGKILL


def _killed(folder: Path, now: float, rows: FloatArray, at: FloatArray, point: str, nth: int) -> None:
    armed = False
    kill = deadly(point, nth)

    def failpoint(reached: str) -> None:
        if armed:  # its start may pass the point too
            kill(reached)

    worker = worker_in(folder, now, failpoint=failpoint)
    worker.observe(rows, arrival=at)
    armed = True
    if point:
        worker.catch_up(now)
    os.kill(os.getpid(), signal.SIGKILL)


class Recount:
    """Every row that was observed, and which of them each window may still hold.

    A window has as many places as buckets, and a new bucket takes the place of the one that is a window older. That is
    seen only when a clock is set back: buckets of the future are dropped, and do not bring back what they replaced.
    """

    def __init__(self) -> None:
        """Begin without rows."""
        self.values, self.at = np.empty((0, _COLUMNS)), np.empty(0)
        self._kept: dict[TimeSpan, BoolArray] = {span: np.empty(0, np.bool_) for span in SPANS}
        self._pending: list[tuple[FloatArray, FloatArray]] = []
        self._latest = -math.inf

    def add(self, values: FloatArray, at: FloatArray) -> None:
        """Add rows that no catch-up has read."""
        self._pending.append((values, at))

    def read(self, now: float, limit: float) -> None:
        """Count the rows that were added; buckets later than now are dropped if the latest row exceeds the limit."""
        if self._latest > limit:
            for span, kept in self._kept.items():
                kept &= _buckets(self.at, span) <= math.floor(now / span.width)
            self._latest = now
        if not self._pending:
            return
        values, at = (np.concatenate(parts) for parts in zip(*self._pending, strict=True))
        at = np.where(at > limit, now, at)
        for span, kept in self._kept.items():
            before, new = _buckets(self.at, span), _buckets(at, span)
            newest = max(new.max(), before[kept].max(initial=new.max()))
            held = new > newest - span.buckets
            replaced = [(before != own) & ((before - own) % span.buckets == 0) for own in np.unique(new[held])]
            self._kept[span] = np.append(kept & ~np.any(replaced, axis=0), held)
        self.values, self.at = np.concatenate([self.values, values]), np.append(self.at, at)
        self._latest = max(self._latest, float(at.max()))
        self._pending.clear()

    def assert_same(self, monitor: ColumnMonitor, now: float) -> None:
        """Assert that the windows of a monitor hold what a recount gives."""
        found = monitor.evaluate(now)
        self.read(now, monitor.clock.limit(now))
        codes = BASELINE.binner.codes(self.values)
        with monitor.store.evaluating():
            now = monitor.clock.now(monitor.store.latest_at, now)
            totals = monitor.store.snapshot(now).totals
        for span, own in zip(SPANS, totals, strict=True):
            newest, buckets = math.floor(now / span.width), _buckets(self.at, span)
            inside = self._kept[span] & (buckets > newest - span.buckets) & (buckets <= newest)
            np.testing.assert_array_equal(own.counts, BASELINE.binner.counts(codes[inside]))
            np.testing.assert_array_equal(own.hours, rows_by_hour(self.at[inside]) if inside.any() else 0)
            assert found.report.windows[span.name].rows == inside.sum()
            if own.days is None:
                assert span.name == "1h"
                continue
            end = newest * span.width
            assert own.days.end == end
            for day, counts in enumerate(reversed(own.days.counts)):
                of_day = inside & (self.at >= end - (day + 1) * DAY) & (self.at < end - day * DAY)
                np.testing.assert_array_equal(counts, BASELINE.binner.counts(codes[of_day]))


def _buckets(at: FloatArray, span: TimeSpan) -> IntArray:
    return np.floor(at / span.width).astype(np.int64)
