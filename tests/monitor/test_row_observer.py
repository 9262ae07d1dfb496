from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest
from driftgauge.edges.formats.drift_status import Selection, report_json
from driftgauge.metrics.series import DROPPED, OBSERVATIONS, PREDICTIONS, SCORE
from driftgauge.monitor.clock import ClockName
from driftgauge.monitor.monitor import ColumnMonitor
from driftgauge.monitor.row_observer import RowObserver

from tests.monitors import START, small_baseline, small_monitor, small_options, small_store, some_rows
from tests.states import assert_same_evidence

EVERYTHING = Selection(None, None)
SCORED = small_baseline().names.index("prediction")


@pytest.mark.parametrize("clock", ["arrival", "event"])
def test_single_rows_are_counted_as_a_batch_of_them_is(clock: ClockName) -> None:
    options = replace(small_options(200, 1_000), clock=clock)
    one, many = small_monitor(options=options), small_monitor(options=options)
    observer, rows = RowObserver(one, "library", SCORED), some_rows(3_000, age=55.0)
    rows[:, SCORED] = np.random.default_rng(5).random(3_000)
    for first in range(0, 3_000, 100):
        at = START + first
        for row in rows[first : first + 100]:
            observer.observe(row, at)
        many.observe(rows[first : first + 100], arrival=at, source="library")
    with many.store.counting() as counters:
        counters.add(PREDICTIONS.name, 3_000)
        counters.observe(SCORE, rows[:, SCORED])
    reports = [report_json(monitor.evaluate(START + 3_000).report, EVERYTHING) for monitor in (one, many)]
    assert orjson.dumps(reports[0]) == orjson.dumps(reports[1])  # where an unknown number equals another
    assert reports[0]["rows_observed"] == 3_000
    assert_same_evidence(one.store.root.progress.evidence, many.store.root.progress.evidence)
    assert (one.bin_rows() == many.bin_rows()).all()
    totals = [monitor.store.counted()[0].counted for monitor in (one, many)]
    for name in (OBSERVATIONS.name, PREDICTIONS.name, SCORE):
        assert totals[0][name] == pytest.approx(totals[1][name])
    assert one.store.latest_at == many.store.latest_at


def test_a_score_that_is_missing_is_in_no_bucket() -> None:
    monitor = small_monitor()
    row = some_rows(1)[0]
    row[SCORED] = np.nan
    RowObserver(monitor, "library", SCORED).observe(row, START)
    counted = monitor.store.counted()[0].counted
    assert counted[SCORE].sum() == 0
    assert counted[PREDICTIONS.name].sum() == 1


def test_a_log_without_room_makes_room_and_keeps_every_row(tmp_path: Path) -> None:
    options = small_options(200, 1_000)
    store = small_store(tmp_path, options)
    monitor = ColumnMonitor(
        small_baseline(), model_name="churn", model_version="1", now=START, options=options, store=store
    )
    observer, rows = RowObserver(monitor, "library", SCORED), some_rows(2_000)
    many = 3 * store.shape.unread_rows
    for index in range(many):
        observer.observe(rows[index % 2_000], START)
    assert monitor.evaluate(START).report.rows_observed == many
    assert store.counted()[0].counted[DROPPED.name].sum() == 0
    store.leave()


class _Full:
    """Never makes room."""

    def __init__(self) -> None:
        self.requests = 0

    def request(self) -> None:
        self.requests += 1

    def make(self, now: float) -> bool:
        return False


def test_a_row_without_room_is_dropped_and_counted_and_a_catch_up_is_asked_for_now_and_then() -> None:
    monitor = small_monitor()
    room = monitor.room = _Full()
    observer, row = RowObserver(monitor, "library", SCORED), some_rows(1)[0]
    unread = monitor.store.shape.unread_rows
    for _ in range(unread + 7):
        observer.observe(row, START)
    counted = monitor.store.counted()[0].counted
    assert counted[DROPPED.name].sum() == 7
    assert counted[OBSERVATIONS.name].sum() == unread
    assert 10 <= room.requests <= 70  # not for each row of the second half


def test_threads_observe_at_once() -> None:
    monitor = small_monitor()
    observer, rows = RowObserver(monitor, "library", SCORED), some_rows(500)

    def work() -> None:
        for row in rows:
            observer.observe(row, START)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert monitor.evaluate(START).report.rows_observed == 2_000
    assert monitor.store.counted()[0].counted[OBSERVATIONS.name].sum() == 2_000
    assert (monitor.bin_rows().sum(axis=1) == 2_000).all()
