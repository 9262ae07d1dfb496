"""Observes single rows, in a fraction of the time that a batch of one row takes."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.errors import Reason
from driftgauge.metrics.series import DROPPED, OBSERVATIONS, PREDICTIONS, SCORE
from driftgauge.monitor.monitor import ColumnMonitor


class RowObserver:
    """Counts rows and their predictions as `ColumnMonitor.observe` does, one at a time.

    The monitor must not watch outliers, whose scores are computed for batches.
    """

    def __init__(self, monitor: ColumnMonitor, source: str, score: int | None) -> None:
        """Observe rows from a declared source; `score` is the position of the predictions' column, if there is one."""
        self._monitor: Final = monitor
        self._source: Final = source
        self._score: Final = score
        self._by_event: Final = monitor.clock.latches_by_rows
        store = monitor.store
        self._store: Final = store
        self._observing: Final = monitor.observing
        self._counting: Final = store.counters_lock
        self._count: Final = store.counters.counter(OBSERVATIONS.name, source)
        self._count_dropped: Final = store.counters.counter(DROPPED.name, Reason.LOG_FULL)
        self._count_prediction: Final = store.counters.counter(PREDICTIONS.name)
        self._count_score: Final = store.counters.histogram(SCORE)

    def observe(self, values: FloatArray, arrival: float) -> None:
        """Observe one row: `values` in the baseline's order, shape [columns]; `arrival` in seconds since 1970."""
        if self._by_event:
            self._monitor.observe(values[np.newaxis], arrival=arrival, source=self._source)
            appended = None
        else:
            with self._observing:
                appended = self._appended(values, arrival)
        with self._counting:
            self._count_prediction(1.0)
            if self._score is not None and math.isfinite(score := values.item(self._score)):
                self._count_score(score)
            if appended is not None:
                (self._count if appended else self._count_dropped)(1.0)

    def _appended(self, values: FloatArray, arrival: float) -> bool:
        """Append the row and return whether there was room for it."""
        while not self._store.append_row(values, arrival, arrival):
            if not self._monitor.room.make(arrival):
                return False
        if self._store.fills():
            self._monitor.room.request()
        return True
