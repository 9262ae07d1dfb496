"""Capture: what was predicted is handed to the monitor, and never stands in the way of the answer."""

from __future__ import annotations

from typing import Final

from app.drift.bins import FloatArray
from app.errors import Reason
from app.metrics import BATCH_SIZES, DROPPED, FAILED, INPUT_SIZE, LATENCY, PREDICTIONS, REJECTED, SCORE
from app.monitor import Monitor
from app.problems import Problems
from app.serving import Predictions

PROBLEM: Final = "observation_failed"


class Capture:
    """Counts answers and hands their rows to a monitor."""

    def __init__(self, monitor: Monitor, problems: Problems) -> None:
        self._monitor = monitor
        self._problems = problems

    def answered(
        self, predictions: Predictions, *, arrival: float, event: FloatArray | None, latency_seconds: float
    ) -> None:
        """Count an answer and observe its rows; a failure to do so is counted, logged and shown."""
        rows = len(predictions.scores)
        try:
            with self._monitor.state.counting() as counters:
                counters.add(PREDICTIONS.name, rows)
                counters.observe(LATENCY.name, latency_seconds, batch_size(rows))
                counters.observe(INPUT_SIZE.name, float(rows))
                counters.observe(SCORE, predictions.scores)
            self._monitor.observe(predictions.columns, arrival=arrival, event=event)
        except Exception as error:
            self._problems.happened(PROBLEM, error)
            with self._monitor.state.counting() as counters:
                counters.add(DROPPED.name, rows, Reason.MONITORING_FAILED)

    def refused(self, reason: Reason) -> None:
        """Count a request that was refused."""
        with self._monitor.state.counting() as counters:
            if counters.has(REJECTED.name, reason):
                counters.add(REJECTED.name, 1, reason)

    def failed(self, rows: int) -> None:
        """Count rows that the model failed on."""
        with self._monitor.state.counting() as counters:
            counters.add(FAILED.name, rows, Reason.MODEL_FAILED)


def batch_size(rows: int) -> str:
    """Return the `batch_size_bucket` of a request's rows."""
    small, medium, large = BATCH_SIZES
    return small if rows < 10 else medium if rows < 100 else large
