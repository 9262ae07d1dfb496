"""Observes answered rows once a slow detector has scored them, in a thread of its own."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Final, NamedTuple

import numpy as np

from driftgauge.common.row_queue import RowQueue
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.novelty.outlier_scorer import NoveltyScorer
from driftgauge.errors import Reason
from driftgauge.metrics.series import DROPPED
from driftgauge.monitor.monitor import ColumnMonitor
from driftgauge.monitor.problems import Problems

FAILED: Final = "outliers_failed"
SKIPPED: Final = "outliers_skipped"


class ScoresSkipped(Exception):
    """Too many rows wait for their scores."""


class AnsweredRows(NamedTuple):
    """Rows that wait for their scores."""

    columns: FloatArray
    arrival: FloatArray
    event: FloatArray | None


class LaterOutliers:
    """Scores rows and observes them.

    If too many rows wait, new ones are observed at once without a score: they count as missing in the column of
    outliers, and a problem is recorded.
    """

    def __init__(
        self,
        monitor: ColumnMonitor,
        scorer: NoveltyScorer,
        problems: Problems,
        executor: Executor,
        *,
        queue_rows: int,
        batch_rows: int,
    ) -> None:
        """`executor` has one thread."""
        self._monitor = monitor
        self._scorer = scorer
        self._problems = problems
        self._queue = RowQueue(
            self._score,
            lambda error: problems.record(FAILED, error),
            executor,
            most_rows=queue_rows,
            batch_rows=batch_rows,
        )

    def observe(self, rows: AnsweredRows) -> None:
        """Queue rows, or observe them without a score."""
        many = len(rows.columns)
        try:
            fits = self._queue.put(rows, many)
        except RuntimeError:  # the executor is shut down: the rows must not be lost
            self._queue.work()
            return
        if not fits:
            waiting = self._queue.rows
            self._problems.record(SKIPPED, ScoresSkipped(f"{many} rows are not scored: {waiting} wait already"))
            self._observe(rows, np.full(many, np.nan))

    def _score(self, batch: Sequence[AnsweredRows]) -> None:
        columns = np.concatenate([rows.columns for rows in batch])
        try:
            scores = self._scorer.scores(columns)
        except Exception as error:  # the rows are observed all the same
            self._problems.record(FAILED, error)
            scores = np.full(len(columns), np.nan)
        first = 0
        for rows in batch:
            last = first + len(rows.columns)
            try:
                self._observe(rows, scores[first:last])
            except Exception as error:  # those of the other requests are observed all the same
                self._problems.record(FAILED, error)
                with self._monitor.store.counting() as counters:
                    counters.add(DROPPED.name, last - first, Reason.MONITORING_FAILED)
            first = last
        self._monitor.store.publish()

    def _observe(self, rows: AnsweredRows, scores: FloatArray) -> None:
        self._monitor.observe(rows.columns, arrival=rows.arrival, event=rows.event, outlier_scores=scores)
