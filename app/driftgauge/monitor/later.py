"""Observes answered rows once a slow detector has scored them, in a thread of its own."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import suppress
from typing import Final, NamedTuple

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.novelty.outlier_scorer import NoveltyScorer
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
        self._executor = executor
        self._most = queue_rows
        self._batch_rows = batch_rows
        self._lock = threading.Lock()
        self._queue: deque[AnsweredRows] = deque()
        self._rows = 0
        self._is_scheduled = False

    def observe(self, rows: AnsweredRows) -> None:
        """Queue rows, or observe them without a score."""
        many = len(rows.columns)
        with self._lock:
            fits = self._rows + many <= self._most
            if fits:
                self._queue.append(rows)
                self._rows += many
            schedule, self._is_scheduled = fits and not self._is_scheduled, self._is_scheduled or fits
        if not fits:
            self._problems.record(SKIPPED, ScoresSkipped(f"{many} rows are not scored: {self._rows} wait already"))
            self._observe(rows, np.full(many, np.nan))
        elif schedule:
            try:
                self._executor.submit(self._work)
            except RuntimeError:  # the executor is shut down: the rows must not be lost
                self._work()

    def _work(self) -> None:
        """Score and observe what waits, one batch after the other."""
        while batch := self._next():
            try:
                self._score(batch)
            except Exception as error:
                with suppress(Exception):
                    self._problems.record(FAILED, error)

    def _next(self) -> Sequence[AnsweredRows]:
        """Return the next batch; nothing, and then the thread is free, if none waits."""
        taken: list[AnsweredRows] = []
        rows = 0
        with self._lock:
            while self._queue and (not taken or rows + len(self._queue[0].columns) <= self._batch_rows):
                taken.append(self._queue.popleft())
                rows += len(taken[-1].columns)
            self._rows -= rows
            self._is_scheduled = bool(taken)
        return taken

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
            self._observe(rows, scores[first:last])
            first = last
        self._monitor.store.publish()

    def _observe(self, rows: AnsweredRows, scores: FloatArray) -> None:
        self._monitor.observe(rows.columns, arrival=rows.arrival, event=rows.event, outlier_scores=scores)
