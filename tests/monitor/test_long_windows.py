"""Time windows of weeks against a recount of every row: months, workers, restarts, kills, steps of the clock."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.gradual.report import gradual_report
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.windows.blocks import rows_by_hour
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.monitor.clock import ClockName
from driftgauge.monitor.long_windows import LongWindows
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions
from driftgauge.monitor.problems import Problems

from tests.monitors import START, small_baseline, small_monitor, small_store, some_rows

DAY = 86_400.0
SPANS = tuple(map(TimeSpan.named, ("1h", "7d", "30d")))
BASELINE = small_baseline()


def _options(*spans: TimeSpan, clock: ClockName = "arrival") -> MonitorOptions:
    policy = Policy(windows=(200, 1_000), time_windows=spans or SPANS, learning_seconds=0.0)
    return MonitorOptions(policy=policy, clock=clock)


def _worker(folder: Path, now: float, options: MonitorOptions) -> ColumnMonitor:
    store = small_store(folder, options)
    return ColumnMonitor(BASELINE, model_name="churn", model_version="1", now=now, options=options, store=store)


def _killed(folder: Path, now: float, rows: FloatArray, at: FloatArray) -> None:
    """Let another worker observe rows and be killed before any of them is read."""
    _worker(folder, now, _options()).observe(rows, arrival=at)
    os.kill(os.getpid(), signal.SIGKILL)


class _Recount:
    """Every row that was observed."""

    def __init__(self) -> None:
        self.values, self.at = np.empty((0, len(BASELINE.columns))), np.empty(0)

    def add(self, values: FloatArray, at: FloatArray) -> None:
        self.values, self.at = np.concatenate([self.values, values]), np.concatenate([self.at, at])

    def forget_after(self, moment: float) -> None:
        kept = self.at <= moment
        self.values, self.at = self.values[kept], self.at[kept]

    def check(self, monitor: ColumnMonitor, now: float) -> None:
        """Assert that the long windows of a monitor hold what a recount gives."""
        found = monitor.evaluate(now)
        codes = BASELINE.binner.codes(self.values)
        with monitor.store.evaluating():
            totals = monitor.store.snapshot(monitor.clock.now(monitor.store.latest_at, now)).totals
        for span, own in zip(SPANS, totals, strict=True):
            newest = math.floor(now / span.width)
            bucket = np.floor(self.at / span.width)
            inside = (bucket > newest - span.buckets) & (bucket <= newest)
            np.testing.assert_array_equal(own.counts, BASELINE.binner.counts(codes[inside]))
            np.testing.assert_array_equal(own.hours, rows_by_hour(self.at[inside]) if inside.any() else 0)
            assert found.report.windows[span.name].rows == inside.sum()
            if own.days is None:
                assert span.name == "1h"
                continue
            end = newest * span.width
            for day, counts in enumerate(reversed(own.days.counts)):
                of_day = inside & (self.at >= end - (day + 1) * DAY) & (self.at < end - day * DAY)
                np.testing.assert_array_equal(counts, BASELINE.binner.counts(codes[of_day]))


@pytest.mark.parametrize("seed", [1, 2])
def test_months_of_two_workers_with_restarts_kills_and_a_gap(tmp_path: Path, seed: int) -> None:
    rng, now, recount = np.random.default_rng(seed), START, _Recount()
    workers = [_worker(tmp_path, now, _options()) for _ in range(2)]
    for day in range(64):
        for worker in workers:
            rows = some_rows(int(rng.integers(1, 120)), int(rng.integers(1 << 30)))
            at = now + np.sort(rng.uniform(0.0, DAY - 1.0, len(rows)))
            worker.observe(rows, arrival=at)
            recount.add(rows, at)
        now += DAY * (9.0 if day == 40 else 1.0)
        if day % 16 == 7:
            rows, at = some_rows(50, day), np.full(50, now - 100.0)
            child = multiprocessing.get_context("fork").Process(target=_killed, args=(tmp_path, now, rows, at))
            child.start()
            child.join(60.0)
            assert child.exitcode == -signal.SIGKILL
            recount.add(rows, at)
        if day % 16 == 11:
            workers[1].store.leave()
            workers[1] = _worker(tmp_path, now, _options())
        if day % 5 == 4:
            recount.check(workers[int(rng.integers(2))], now)
    recount.check(workers[0], now)
    for worker in workers:
        worker.store.leave()
    again = _worker(tmp_path, now, _options())
    recount.check(again, now)
    assert again.store.recoveries == []
    again.store.leave()


def test_rows_of_a_clock_that_was_ahead_leave_the_long_windows(tmp_path: Path) -> None:
    now, recount, worker = START, _Recount(), _worker(tmp_path, START, _options())
    for day in range(9):
        ahead = 3.0 * DAY if day == 3 else 0.0
        rows, at = some_rows(40, day), now + ahead + np.linspace(0.0, DAY / 2.0, 40)
        worker.observe(rows, arrival=at)
        recount.add(rows, at)
        if ahead:
            recount.check(worker, now + ahead + DAY / 2.0)
            recount.forget_after(now + DAY / 2.0)
        now += DAY
        recount.check(worker, now)
    assert any("clock was ahead" in note for note in worker.store.notes)
    worker.store.leave()


def test_a_clock_that_jumps_ahead_for_good_keeps_the_days_that_are_still_inside(tmp_path: Path) -> None:
    recount, worker = _Recount(), _worker(tmp_path, START, _options())
    for now in START + DAY * np.array([0.0, 1.0, 2.0, 25.0, 31.5, 100.0]):
        rows, at = some_rows(40, int(now)), np.full(40, now)
        worker.observe(rows, arrival=at)
        recount.add(rows, at)
        recount.check(worker, float(now))
    worker.store.leave()


def test_a_state_without_long_windows_goes_on_with_empty_ones(tmp_path: Path) -> None:
    before = _worker(tmp_path, START, _options(TimeSpan.named("1h")))
    before.observe(some_rows(300), arrival=START + 1.0)
    before.evaluate(START + 2.0)
    before.store.leave()
    later = START + 40.0 * DAY
    after = _worker(tmp_path, later, _options())
    rows = some_rows(50, 1)
    after.observe(rows, arrival=later + 1.0)
    windows = after.evaluate(later + 2.0).report.windows
    assert {name: windows[name].rows for name in ("7d", "30d")} == {"7d": 50, "30d": 50}
    after.store.leave()


def test_rows_that_are_sent_later_land_in_their_days_by_the_clock_of_events() -> None:
    monitor, now = small_monitor(options=_options(clock="event")), START + 60.0 * DAY
    monitor.observe(some_rows(10), arrival=now, event=np.full(10, now))
    for day in range(40):
        monitor.observe(some_rows(20, day), arrival=now + 1.0, event=np.full(20, now - day * DAY))
    windows = monitor.evaluate(now + 2.0).report.windows
    month = windows["30d"]
    assert month.days is not None
    # The bucket of the newest row is still filling; days end with the one before it.
    assert (month.rows, month.days.rows.tolist()) == (10 + 30 * 20, [20] * 29)
    assert windows["7d"].rows == 10 + 7 * 20


def test_a_report_is_judged_once_and_its_days_are_measured_once() -> None:
    monitor, judged = small_monitor(options=_options()), LongWindows(Problems(lambda: START))
    for day in range(8):
        monitor.observe(some_rows(100, day), arrival=START + day * DAY + np.linspace(0.0, DAY - 1.0, 100))
    first = monitor.evaluate(START + 8.0 * DAY).report
    found = judged.report_on(first)
    assert found is not None
    assert judged.report_on(first) is found
    second = monitor.evaluate(START + 8.0 * DAY + 1.0).report
    again, expected = judged.report_on(second), gradual_report(second)
    assert again is not None
    assert expected is not None
    assert again.variation is found.variation
    for own, other in zip(again.windows, expected.windows, strict=True):
        np.testing.assert_array_equal(own.psi_debiased, other.psi_debiased)
        np.testing.assert_array_equal(own.thresholds, other.thresholds)


def test_without_long_windows_there_is_no_verdict_on_them() -> None:
    judged = LongWindows(Problems(lambda: START))
    assert judged.report_on(small_monitor().last.report) is None
