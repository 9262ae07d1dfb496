"""Rows whose slow score comes after their answer."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.errors import Reason
from driftgauge.metrics.series import DROPPED
from driftgauge.models.creation.baseline import BaselineOptions, create_baseline
from driftgauge.monitor.later import AnsweredRows, LaterOutliers
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions
from driftgauge.monitor.problems import Problems

from tests.monitors import START

BASELINE = create_baseline(
    {"age": np.random.default_rng(0).normal(40.0, 5.0, 1_000)},
    BaselineOptions(outlier_detector="isolation_forest", outlier_quantile=0.95),
)


class Setting:
    """A monitor, and what observes rows later; scores wait for `open`."""

    def __init__(self, queue_rows: int = 100, error: Exception | None = None) -> None:
        self.monitor = ColumnMonitor(
            BASELINE, model_name="m", model_version="1", now=START, options=MonitorOptions(outliers=True)
        )
        self.problems = Problems(lambda: START)
        self.executor = ThreadPoolExecutor(1)
        self.open = threading.Event()
        self.error = error
        scorer = self.monitor.outlier_scorer
        assert scorer is not None
        self._scores = scorer.scores
        slow = cast("Any", scorer)
        slow.scores = self.scores
        self.later = LaterOutliers(
            self.monitor, scorer, self.problems, self.executor, queue_rows=queue_rows, batch_rows=50
        )

    def scores(self, columns: FloatArray) -> FloatArray:
        self.open.wait(60.0)
        if self.error is not None:
            raise self.error
        return self._scores(columns)

    def observe(self, *ages: float) -> None:
        columns = np.array(ages)[:, np.newaxis]
        self.later.observe(AnsweredRows(columns, np.full(len(ages), START), None))

    def ended(self) -> list[int]:
        """Return the rows that are ordinary, outliers and without a score, once all are observed."""
        self.open.set()
        self.executor.shutdown()
        self.monitor.evaluate(START + 1.0)
        counts = self.monitor.bin_rows()[-1]
        gap = BASELINE.novelty.column.bins.special["missing"]  # type: ignore[union-attr]
        return [int(counts[0]), int(counts[1]), int(counts[gap])]


def test_rows_are_observed_with_their_scores() -> None:
    setting = Setting()
    setting.observe(40.0, 1e9)
    setting.observe(41.0)
    assert setting.ended() == [2, 1, 0]
    assert setting.problems.current() == []


def test_rows_for_which_there_is_no_room_are_observed_at_once_without_a_score() -> None:
    setting = Setting(queue_rows=3)
    setting.observe(40.0, 40.0, 40.0)
    for _ in range(4):
        setting.observe(1e9, 1e9)
    assert setting.monitor.evaluate(START + 1.0).report.rows_observed in (2, 4, 6, 8)
    ordinary, outliers, unscored = setting.ended()
    assert ordinary == 3
    assert outliers + unscored == 8
    assert unscored >= 2
    assert setting.problems.current()[0].startswith("outliers_skipped: ScoresSkipped: 2 rows are not scored")


def test_rows_that_cannot_be_scored_are_observed_without_a_score() -> None:
    setting = Setting(error=MemoryError("no room"))
    setting.observe(40.0, 1e9)
    assert setting.ended() == [0, 0, 2]
    assert setting.problems.current() == ["outliers_failed: MemoryError: no room"]


def test_rows_that_cannot_be_observed_are_counted_and_cost_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting()
    observe = setting.monitor.observe

    def failing(columns: FloatArray, **more: Any) -> None:
        if columns[0, 0] == 41.0:
            raise OSError("no space")
        observe(columns, **more)

    monkeypatch.setattr(setting.monitor, "observe", failing)
    setting.executor.submit(setting.open.wait, 60.0)  # then all are one batch
    for age in (40.0, 41.0, 42.0):
        setting.observe(age)
    assert setting.ended() == [2, 0, 0]
    assert setting.problems.current() == ["outliers_failed: OSError: no space"]
    dropped = setting.monitor.store.counters.copy()[DROPPED.name]
    assert dropped[DROPPED.children.index((Reason.MONITORING_FAILED,)), 0] == 1.0


def test_rows_that_come_after_the_thread_has_ended_are_observed() -> None:
    setting = Setting()
    setting.open.set()
    setting.executor.shutdown()
    setting.observe(40.0, 1e9)
    assert setting.ended() == [1, 1, 0]


@pytest.mark.parametrize("requests", [1, 120])
def test_many_requests_are_scored_together_and_each_row_once(requests: int) -> None:
    setting = Setting(queue_rows=1_000)
    for _ in range(requests):
        setting.observe(40.0)
    assert setting.ended() == [requests, 0, 0]
