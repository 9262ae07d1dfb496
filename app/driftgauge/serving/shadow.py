"""A shadow version predicts the rows of answered requests in a thread of its own, and is compared with the live one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.common.row_queue import RowQueue
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import PREDICTION
from driftgauge.errors import ModelFailed, Reason, Refused
from driftgauge.metrics.series import (
    ABOVE,
    AGREED,
    BELOW,
    DIFFERED,
    SCORE,
    SHADOW,
    SHADOW_DIFFERENCE,
    SHADOW_DROPPED,
    SHADOW_ROWS,
)
from driftgauge.models.bundle import BundleInfo, Label
from driftgauge.models.predictor import Batch, Predictor
from driftgauge.monitor.monitor import ColumnMonitor
from driftgauge.monitor.problems import Problems
from driftgauge.serving.request import Answer, QueuedRequest, concatenate

PROBLEM: Final = "shadow_failed"
SAME_SDS: Final = 0.1
"""Two values of a regression agree within this many standard deviations of the reference's predictions."""


@dataclass(frozen=True)
class Shown:
    """The rows of an answered request, and the live version's answer."""

    batch: Batch
    labels: Sequence[Label]
    scores: Sequence[float]
    arrival: float
    """Seconds since 1970."""
    event: FloatArray | None
    """Shape [n]."""


class FeatureMap:
    """Turns rows of one version into rows of another, by the names of the features."""

    def __init__(self, live: BundleInfo, shadow: BundleInfo) -> None:
        places = {(feature.name, feature.kind): index for index, feature in enumerate(live.features)}
        self._indices = [places.get((feature.name, feature.kind), -1) for feature in shadow.features]
        self.missing: Final = [
            feature.name for feature, index in zip(shadow.features, self._indices, strict=True) if index < 0
        ]
        """Features of the shadow that the live version does not have, or has as another kind."""
        self._is_same = self._indices == list(range(len(live.features)))

    def rows(self, batch: Batch) -> Batch:
        """Return the rows with the features of the shadow."""
        if self._is_same:
            return batch
        texts = {new: batch.texts[old] for new, old in enumerate(self._indices) if old in batch.texts}
        return Batch(np.ascontiguousarray(batch.cells[:, self._indices]), texts)


class Shadow:
    """Predicts what the live version has answered, and counts how often both agree.

    `offer` costs an answer some microseconds, and drops the rows if too many wait.
    """

    def __init__(
        self,
        predictor: Predictor,
        live: BundleInfo,
        monitor: ColumnMonitor,
        problems: Problems,
        executor: Executor,
        *,
        queue_rows: int,
        batch_rows: int,
    ) -> None:
        """Take the shadow's predictor and monitor; `executor` has one thread."""
        self._predictor = predictor
        self._map = FeatureMap(live, predictor.info)
        self._monitor = monitor
        self._problems = problems
        self._queue = RowQueue(
            self._predict,
            lambda error: problems.record(PROBLEM, error),
            executor,
            most_rows=queue_rows,
            batch_rows=batch_rows,
        )
        self._same = self._tolerance()

    def _tolerance(self) -> float | None:
        """Return how far two values of a regression may differ; None for classes, which are the same or not."""
        if self._predictor.info.task != "regression":
            return None
        baseline = self._monitor.baseline
        spread = float(baseline.numbers("std")[baseline.names.index(PREDICTION)])
        return SAME_SDS * spread if math.isfinite(spread) else 0.0

    def offer(self, answers: Mapping[QueuedRequest, Answer]) -> None:
        """Queue the rows of answered requests, or drop and count them; never raises."""
        try:
            for request, answer in answers.items():
                self._offer(Shown(request.batch, answer.labels, answer.scores, request.arrival, request.event))
        except Exception as error:  # the answer goes out all the same
            with suppress(Exception):
                self._problems.record(PROBLEM, error)

    def _offer(self, shown: Shown) -> None:
        rows = len(shown.batch)
        if self._queue.is_closed:
            return
        if self._map.missing:
            self._drop(rows, Reason.SHADOW_FEATURES)
            return
        with suppress(RuntimeError):  # the executor is shut down
            if not self._queue.put(shown, rows):
                self._drop(rows, Reason.SHADOW_QUEUE_FULL)

    def close(self) -> None:
        """Take no more rows, and forget those that wait."""
        self._queue.close()

    # ------------------------------------------------------------ the thread

    def _predict(self, shown: Sequence[Shown]) -> None:
        """Predict requests together, and one by one if that fails."""
        try:
            predictions = self._predictor.predict(concatenate([self._map.rows(own.batch) for own in shown]))
        except (ModelFailed, Refused) as error:
            if len(shown) > 1:
                for own in shown:
                    self._predict([own])
                return
            self._drop(len(shown[0].batch), Reason.SHADOW_FAILED)
            if isinstance(error, ModelFailed):
                self._problems.record(PROBLEM, error)
            return
        self._count(shown, predictions.labels, predictions.scores)
        rows = [len(own.batch) for own in shown]
        event = None
        if any(own.event is not None for own in shown):
            event = np.concatenate(
                [np.full(len(own.batch), np.nan) if own.event is None else own.event for own in shown]
            )
        arrival = np.repeat([own.arrival for own in shown], rows)
        self._monitor.observe(predictions.columns, arrival=arrival, event=event, source=SHADOW)
        self._monitor.store.publish()

    def _count(self, shown: Sequence[Shown], labels: Sequence[Label], scores: FloatArray) -> None:
        live = np.array([score for own in shown for score in own.scores], dtype=np.float64)
        difference = scores - live
        if self._same is None:
            agreed = sum(
                mine == its for mine, its in zip(labels, (la for own in shown for la in own.labels), strict=True)
            )
        else:
            agreed = int((np.abs(difference) <= self._same).sum())
        with self._monitor.store.counting() as counters:
            counters.add(SHADOW_ROWS.name, agreed, AGREED)
            counters.add(SHADOW_ROWS.name, len(scores) - agreed, DIFFERED)
            counters.add(SHADOW_DIFFERENCE.name, float(np.maximum(difference, 0.0).sum()), ABOVE)
            counters.add(SHADOW_DIFFERENCE.name, float(np.maximum(-difference, 0.0).sum()), BELOW)
            counters.observe(SCORE, scores)

    def _drop(self, rows: int, reason: Reason) -> None:
        with self._monitor.store.counting() as counters:
            counters.add(SHADOW_DROPPED.name, rows, reason)
