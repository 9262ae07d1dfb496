"""Counts the calls and requests in which a program predicts, and has their rows observed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from driftgauge.errors import Reason
from driftgauge.library.selection import Key, Selector, selector
from driftgauge.library.session import Opener
from driftgauge.metrics.series import FAILED, INPUT_SIZE, LATENCY
from driftgauge.monitor.capture import batch_size


class Observe(Protocol):
    """`Monitor.observe`."""

    def __call__(self, rows: Any, *, prediction: Any = None, prediction_class: Any = None) -> object:
        """Count rows and their predictions."""


@dataclass(frozen=True)
class Outputs:
    """Where the predictions stand in an answer."""

    prediction: Selector
    prediction_class: Selector | None

    @classmethod
    def of(cls, prediction: Key | None, prediction_class: Key | None) -> Outputs:
        """Return what these keys select; without one the whole answer is the prediction."""
        of_class = selector("prediction_class", prediction_class) if prediction_class is not None else None
        return cls(selector("prediction", prediction), of_class)


class Recorder:
    """Counts answers with their latency, and failures of the model."""

    def __init__(
        self,
        opener: Opener,
        observe: Observe,
        lost: Callable[[Exception], None],
        names: Sequence[str],
        timer: Callable[[], float],
    ) -> None:
        """Hand rows to `observe`, and errors of monitoring itself to `lost`; `names` are the columns of rows."""
        self._opener = opener
        self._observe = observe
        self._lost = lost
        self.names = tuple(names)
        self.timer = timer
        """Seconds, for latencies."""

    def answered(self, rows: Any, answer: Any, outputs: Outputs, seconds: float) -> None:
        """Count an answer, and observe its rows; raises only what `observe` or a selector raises."""
        self._count_answer(rows_in(rows), seconds)
        try:
            prediction = outputs.prediction(answer)
            prediction_class = outputs.prediction_class(answer) if outputs.prediction_class else None
        except Exception as error:
            self._lost(error)
            return
        self._observe(rows, prediction=prediction, prediction_class=prediction_class)

    def unread(self, error: Exception) -> None:
        """Count an answer whose rows cannot be read."""
        self._lost(error)

    def failed(self, rows: Any) -> None:
        """Count the rows on which the model failed."""
        try:
            store = self._opener().monitor.store
            with store.counters_lock:
                store.counters.add(FAILED.name, rows_in(rows), Reason.MODEL_FAILED)
        except Exception as error:
            with suppress(Exception):  # the program's own error is the one to be seen
                self._lost(error)

    def _count_answer(self, rows: int, seconds: float) -> None:
        try:
            store = self._opener().monitor.store
            with store.counters_lock:
                store.counters.observe(LATENCY.name, [seconds], batch_size(rows))
                store.counters.observe(INPUT_SIZE.name, [rows])
        except Exception as error:
            self._lost(error)


def rows_in(rows: Any) -> int:
    """Return the number of rows in what `observe` takes, 1 for what it would refuse."""
    if isinstance(rows, Mapping | str | bytes):
        return 1
    shape = getattr(rows, "shape", None)
    if isinstance(shape, tuple):
        return int(shape[0]) if len(shape) > 1 else 1
    if isinstance(rows, Sequence):
        is_single = bool(rows) and (isinstance(rows[0], str) or not hasattr(rows[0], "__len__"))
        return 1 if is_single else len(rows)
    return len(rows) if hasattr(rows, "column_names") else 1
