"""Counts what becomes of a model's predictions on their way into the prediction log."""

from __future__ import annotations

from typing import Final

from driftgauge.drift.bins import FloatArray
from driftgauge.errors import Reason
from driftgauge.metrics.series import LOG_DROPPED, LOG_LAG, LOG_WRITTEN
from driftgauge.state.store import Store


class LogCounts:
    """Counts in the state of the model."""

    def __init__(self, store: Store) -> None:
        self._store: Final = store

    def written(self, rows: int, lag_seconds: FloatArray) -> None:
        """Count rows that were written, so long after their arrival."""
        with self._store.counting() as counters:
            counters.add(LOG_WRITTEN.name, rows)
            counters.observe(LOG_LAG.name, lag_seconds)

    def dropped(self, rows: int, reason: Reason) -> None:
        """Count rows that were not written."""
        with self._store.counting() as counters:
            counters.add(LOG_DROPPED.name, rows, reason)
