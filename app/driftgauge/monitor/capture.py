"""Hands predictions to the monitor; a failure there never fails the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.quality.report import REQUIRED
from driftgauge.errors import Reason, Refused
from driftgauge.metrics.series import (
    BATCH_ROWS,
    BATCH_SIZES,
    DROPPED,
    FAILED,
    INPUT_SIZE,
    LATENCY,
    PREDICTIONS,
    REJECTED,
    REQUEST_ROWS_REFUSED,
    REQUEST_VIOLATIONS,
    RETRIED,
    SCORE,
)
from driftgauge.monitor.later import AnsweredRows, LaterOutliers
from driftgauge.monitor.monitor import ColumnMonitor
from driftgauge.monitor.problems import Problems
from driftgauge.predictions.log import ModelLog

PROBLEM: Final = "observation_failed"
MEDIUM_ROWS: Final = 10
LARGE_ROWS: Final = 100


@dataclass(frozen=True)
class Answered:
    """The answers of one batch: k requests with n rows in total."""

    rows: Sequence[int]
    """Rows of each request."""
    latency_seconds: Sequence[float]
    """Latency of each request."""
    scores: FloatArray
    """Shape [n]."""
    columns: FloatArray
    """Monitored values in the baseline's order, shape [n, columns]."""
    arrival: FloatArray
    """Seconds since 1970, shape [n]."""
    event: FloatArray | None
    """Event times given by requests, NaN for rows without one, shape [n]; None if no row has one."""
    ids: Sequence[str]
    """Id of each row's prediction."""
    labels: Sequence[str | int | float | bool | None]
    """Predicted class of each row, or the value of a regression; None where it is not known."""
    callers: Sequence[str] = ()
    """Name of the token that sent each request, empty for one without; empty if none has one."""
    probabilities: FloatArray | None = None
    """Probability of each class of a model of several, shape [n, classes]; None where unknown."""
    outlier_scores: FloatArray | None = None
    """How unlike the reference each row is, shape [n]; None where unknown."""


class Capture:
    """Counts answers and hands their rows to a monitor; without `watching` it only counts.

    `later` observes rows in its place, once a slow detector has scored them.
    """

    def __init__(
        self, monitor: ColumnMonitor, problems: Problems, *, watching: bool = True, later: LaterOutliers | None = None
    ) -> None:
        self._monitor = monitor
        self.problems: Final = problems
        self._watching = watching
        self._later = later
        self.log: ModelLog | None = None
        """Keeps every prediction, if the server has a prediction log."""

    def sent_by(self, client: str, rows: int, at: float) -> None:
        """Count the rows of a client that were answered; a failure is recorded."""
        clients = self._monitor.clients
        if clients is not None:
            try:
                clients.count(client, rows, at)
            except Exception as error:
                self.problems.record(PROBLEM, error)

    def answered(self, answered: Answered) -> None:
        """Count answers and observe their rows; a failure is counted, logged and shown."""
        rows = len(answered.scores)
        try:
            with self._monitor.store.counting() as counters:
                counters.add(PREDICTIONS.name, rows)
                for size, seconds in _by_size(answered).items():
                    counters.observe(LATENCY.name, seconds, size)
                counters.observe(INPUT_SIZE.name, answered.rows)
                counters.observe(SCORE, answered.scores)
                counters.observe(BATCH_ROWS.name, [rows])
            if self.log is not None:
                self.log.put(answered)
            if self._watching and self._later is not None:
                self._later.observe(AnsweredRows(answered.columns, answered.arrival, answered.event))
            elif self._watching:
                self._monitor.observe(
                    answered.columns,
                    arrival=answered.arrival,
                    event=answered.event,
                    outlier_scores=answered.outlier_scores,
                )
        except Exception as error:
            with suppress(Exception):  # the log may be what fails
                self.problems.record(PROBLEM, error)
            with self._monitor.store.counting() as counters:
                counters.add(DROPPED.name, rows, Reason.MONITORING_FAILED)
        try:
            self._monitor.store.publish()
        except Exception as error:
            with suppress(Exception):
                self.problems.record(PROBLEM, error)

    def retried(self) -> None:
        """Count a batch that the model failed on and that is retried in parts."""
        with self._monitor.store.counting() as counters:
            counters.add(RETRIED.name)

    def refused(self, error: Refused) -> None:
        """Count a request that was refused, and its rows by the constraint that they violate."""
        with self._monitor.store.counting() as counters:
            if counters.has(REJECTED.name, error.reason):
                counters.add(REJECTED.name, 1, error.reason)
            count_violations(counters.add, error)
        if self._monitor.sent is not None:
            self._monitor.sent.refused(error)

    def lacked(self, column: str, rows: int) -> None:
        """Count rows that are accepted although they lack a required column; `column` is one of them."""
        with self._monitor.store.counting() as counters:
            counters.add(REQUEST_VIOLATIONS.name, rows, REQUIRED)
        if self._monitor.sent is not None:
            self._monitor.sent.lacked(column)

    def failed(self, rows: int) -> None:
        """Count rows that the model failed on."""
        with self._monitor.store.counting() as counters:
            counters.add(FAILED.name, rows, Reason.MODEL_FAILED)


def count_violations(add: Callable[..., None], error: Refused) -> None:
    """Count the rows of a refusal by the constraint that they violate; `add` is that of the counters."""
    for constraint, rows in error.violations.items():
        add(REQUEST_VIOLATIONS.name, rows, constraint)
    if error.violations:
        add(REQUEST_ROWS_REFUSED.name, error.rows)


def _by_size(answered: Answered) -> Mapping[str, Sequence[float]]:
    """Return the latencies of requests, grouped by `batch_size_bucket`."""
    if max(answered.rows) < MEDIUM_ROWS:
        return {BATCH_SIZES[0]: answered.latency_seconds}
    sizes: dict[str, list[float]] = {}
    for rows, seconds in zip(answered.rows, answered.latency_seconds, strict=True):
        sizes.setdefault(batch_size(rows), []).append(seconds)
    return sizes


def batch_size(rows: int) -> str:
    """Return the `batch_size_bucket` of a request with this many rows."""
    small, medium, large = BATCH_SIZES
    return small if rows < MEDIUM_ROWS else medium if rows < LARGE_ROWS else large
