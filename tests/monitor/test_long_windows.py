"""Time windows of weeks against a recount of every row: months, workers, restarts, kills, steps of the clock."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.gradual.report import gradual_report
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.monitor.clock import BEHIND_SECONDS
from driftgauge.monitor.long_windows import LongWindows
from driftgauge.monitor.monitor import ColumnMonitor
from driftgauge.monitor.problems import Problems
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.effort import examples
from tests.long_windows import DAY, Recount, kill_after, options_of, worker_in
from tests.monitors import START, small_monitor, some_rows
from tests.writers import CATCH_UP_POINTS

WORKERS = 2
STEPS = st.one_of(st.floats(0.0, BEHIND_SECONDS), st.floats(0.0, 2.0 * DAY), st.floats(0.0, 45.0 * DAY))
"""Seconds by which a clock goes on, or is set back."""


class Months(RuleBasedStateMachine):
    """Two workers of a folder, whose clock goes on and is set back; they are stopped and killed in any order."""

    def __init__(self) -> None:
        """Start both workers."""
        super().__init__()
        self._place = TemporaryDirectory()
        self._folder = Path(self._place.name)
        self._now, self._recount, self._seed = START, Recount(), 0
        self._workers = [self._started() for _ in range(WORKERS)]

    def _started(self) -> ColumnMonitor:
        worker = worker_in(self._folder, self._now)  # which reads all rows
        self._recount.read(self._now, self._now + BEHIND_SECONDS)
        return worker

    def _rows(self, count: int, seconds: float) -> tuple[FloatArray, FloatArray]:
        """Return rows, and their times until now."""
        self._seed += 1
        return some_rows(count, self._seed), self._now - np.linspace(seconds, 0.0, count)

    @rule(worker=st.integers(0, WORKERS - 1), count=st.integers(1, 60), seconds=STEPS)
    def observe(self, worker: int, count: int, seconds: float) -> None:
        """Let time go on, and a worker observe rows meanwhile."""
        self._now += seconds
        rows, at = self._rows(count, seconds)
        self._workers[worker].observe(rows, arrival=at)
        self._recount.add(rows, at)

    @rule(seconds=STEPS)
    def set_back(self, seconds: float) -> None:
        """Set the clock back."""
        self._now -= seconds

    @rule(worker=st.integers(0, WORKERS - 1))
    def restart(self, worker: int) -> None:
        """Stop a worker in good order, and start another one."""
        self._workers[worker].store.leave()
        self._workers[worker] = self._started()

    @rule(count=st.integers(1, 60), point=st.sampled_from(["", *CATCH_UP_POINTS]), nth=st.integers(1, 3))
    def kill(self, count: int, point: str, nth: int) -> None:
        """Kill one more worker before it reads its rows, or while it does."""
        rows, at = self._rows(count, 60.0)
        kill_after(self._folder, self._now, rows, at, point, nth)
        self._recount.read(self._now, self._now + BEHIND_SECONDS)  # as it started
        self._recount.add(rows, at)
        self.recount(0)

    @rule(worker=st.integers(0, WORKERS - 1))
    def recount(self, worker: int) -> None:
        """Compare all windows with the rows themselves."""
        self._recount.assert_same(self._workers[worker], self._now)

    def teardown(self) -> None:
        """Compare once more, and stop both workers."""
        self.recount(1)
        for worker in self._workers:
            assert worker.store.recoveries == []
            worker.store.leave()
        self._place.cleanup()


Months.TestCase.settings = settings(max_examples=examples(30), stateful_step_count=20)
TestMonths = Months.TestCase


@pytest.mark.parametrize("nth", [1, 2, 5])
@pytest.mark.parametrize("point", CATCH_UP_POINTS)
def test_a_catch_up_of_days_that_is_killed_counts_each_day_once(tmp_path: Path, point: str, nth: int) -> None:
    now, recount, worker = START, Recount(), worker_in(tmp_path, START)
    for _ in range(3):
        now += 11.0 * DAY
        rows, at = some_rows(300, int(now)), now - np.linspace(11.0 * DAY, 0.0, 300)
        kill_after(tmp_path, now, rows, at, point, nth)
        recount.add(rows, at)
        recount.assert_same(worker, now)
    assert worker.store.notes == []
    worker.store.leave()


@settings(max_examples=examples(40))
@given(days=st.lists(st.one_of(st.floats(-70.0, 5.0), st.just(None)), min_size=1, max_size=20))
def test_days_in_any_order_with_restarts_by_the_clock_of_events(days: list[float | None]) -> None:
    options, recount, now = options_of(clock="event"), Recount(), START + 100.0 * DAY
    with TemporaryDirectory() as place:
        worker = worker_in(Path(place), now, options)
        for seed, day in enumerate(days):
            if day is None:
                worker.store.leave()
                worker = worker_in(Path(place), now, options)
            else:
                rows, at = some_rows(20, seed), START + DAY * (day + np.linspace(0.0, 1.0, 20))
                worker.observe(rows, arrival=now, event=at)
                recount.add(rows, at)
            recount.assert_same(worker, now)
        worker.store.leave()


@pytest.mark.parametrize("seed", [1, 2])
def test_months_of_two_workers_with_restarts_kills_and_a_gap(tmp_path: Path, seed: int) -> None:
    rng, now, recount = np.random.default_rng(seed), START, Recount()
    workers = [worker_in(tmp_path, now) for _ in range(2)]
    for day in range(64):
        for worker in workers:
            rows = some_rows(int(rng.integers(1, 120)), int(rng.integers(1 << 30)))
            at = now + np.sort(rng.uniform(0.0, DAY - 1.0, len(rows)))
            worker.observe(rows, arrival=at)
            recount.add(rows, at)
        now += DAY * (9.0 if day == 40 else 1.0)
        if day % 16 == 7:
            rows, at = some_rows(50, day), np.full(50, now - 100.0)
            kill_after(tmp_path, now, rows, at)
            recount.add(rows, at)
        if day % 16 == 11:
            workers[1].store.leave()
            workers[1] = worker_in(tmp_path, now)
        if day % 5 == 4:
            recount.assert_same(workers[int(rng.integers(2))], now)
    recount.assert_same(workers[0], now)
    for worker in workers:
        worker.store.leave()
    again = worker_in(tmp_path, now)
    recount.assert_same(again, now)
    assert again.store.recoveries == []
    again.store.leave()


def test_rows_of_a_clock_that_was_ahead_leave_the_long_windows(tmp_path: Path) -> None:
    now, recount, worker = START, Recount(), worker_in(tmp_path, START)
    for day in range(9):
        ahead = 3.0 * DAY if day == 3 else 0.0
        rows, at = some_rows(40, day), now + ahead + np.linspace(0.0, DAY / 2.0, 40)
        worker.observe(rows, arrival=at)
        recount.add(rows, at)
        if ahead:
            recount.assert_same(worker, now + ahead + DAY / 2.0)
        now += DAY
        recount.assert_same(worker, now)
    assert any("clock was ahead" in note for note in worker.store.notes)
    worker.store.leave()


@pytest.mark.parametrize("restarts", [False, True])
def test_the_verdict_of_several_workers_is_on_new_rows_after_the_clock_is_set_back(
    tmp_path: Path, restarts: bool
) -> None:
    now, workers = START, [worker_in(tmp_path, START) for _ in range(3)]
    for day in range(3):
        for worker in workers:
            worker.observe(some_rows(400, day), arrival=now + np.linspace(0.0, DAY - 1.0, 400))
        now += DAY
        workers[0].evaluate(now)
    workers.pop().store.leave()  # its rows are the newest for the clock that was ahead
    now -= 40.0 * DAY
    for worker in workers:
        worker.observe(some_rows(600, 7, age=75.0), arrival=now + np.linspace(0.0, 3_000.0, 600))
    now += 3_600.0
    if restarts:
        workers.pop().store.leave()
    window = workers[0].evaluate(now).report.windows["1000"]
    assert (window.rows, window.end) == (1_000, now - 600.0)
    assert window.start is not None
    assert window.start > now - 3_600.0
    for worker in workers:
        worker.store.leave()


def test_a_clock_that_jumps_ahead_for_good_keeps_the_days_that_are_still_inside(tmp_path: Path) -> None:
    recount, worker = Recount(), worker_in(tmp_path, START)
    for now in START + DAY * np.array([0.0, 1.0, 2.0, 25.0, 31.5, 100.0]):
        rows, at = some_rows(40, int(now)), np.full(40, now)
        worker.observe(rows, arrival=at)
        recount.add(rows, at)
        recount.assert_same(worker, float(now))
    worker.store.leave()


def test_a_state_without_long_windows_goes_on_with_empty_ones(tmp_path: Path) -> None:
    before = worker_in(tmp_path, START, options_of(TimeSpan.named("1h")))
    before.observe(some_rows(300), arrival=START + 1.0)
    before.evaluate(START + 2.0)
    before.store.leave()
    later = START + 40.0 * DAY
    after = worker_in(tmp_path, later)
    rows = some_rows(50, 1)
    after.observe(rows, arrival=later + 1.0)
    windows = after.evaluate(later + 2.0).report.windows
    assert {name: windows[name].rows for name in ("7d", "30d")} == {"7d": 50, "30d": 50}
    after.store.leave()


def test_rows_that_are_sent_later_land_in_their_days_by_the_clock_of_events() -> None:
    monitor, now = small_monitor(options=options_of(clock="event")), START + 60.0 * DAY
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
    monitor, judged = small_monitor(options=options_of()), LongWindows(Problems(lambda: START))
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
