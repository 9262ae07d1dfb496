"""Permutation importances: how much worse a model answers when the values of a feature are shuffled."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from driftgauge.drift.bins import BoolArray, FloatArray, IntArray, category_name
from driftgauge.drift.diagnosis.importances import Importances
from driftgauge.errors import ModelFailed, Refused
from driftgauge.models.bundle import BundleInfo
from driftgauge.models.predictor import Batch, Predictions, Predictor
from driftgauge.tables.cells import as_numbers
from driftgauge.tables.table import categories

MOST_ROWS: Final = 5_000
FEWEST_ROWS: Final = 200
"""Rows that are taken even of a slow model."""
REPEATS: Final = 3
MOST_SECONDS: Final = 60.0
"""About how long all predictions may take; a slower model gets fewer rows."""
METRICS: Final = {"binary": "brier", "multiclass": "accuracy", "regression": "mean_absolute_error"}
"""The metric by the model's task."""
SCORE: Final = "score"
"""What is measured instead where no truth is known: how much the answers change."""
_SEED: Final = 0

Loss = Callable[[Predictions], float]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Shuffled:
    """Rows whose features are shuffled one by one."""

    info: BundleInfo
    predictor: Predictor
    batch: Batch
    clock: Callable[[], float] = time.perf_counter
    progress: Progress = lambda _: None

    def importances(self, table: pa.Table) -> Importances | None:
        """Return the importances on the rows of a table with the target, in the order of the batch.

        None if no feature changes an answer, or if the model fails on shuffled rows.
        """
        try:
            return self._importances(_truth(self.info, table))
        except (ModelFailed, Refused):  # it does not take every combination of values
            return None

    def _importances(self, truth: Truth) -> Importances | None:
        random = np.random.default_rng(_SEED)
        known = np.flatnonzero(truth.known)
        chosen = self._affordable(known if known.size else np.arange(len(self.batch)), random)
        batch = self.batch.rows(chosen)
        answers = self.predictor.predict(batch)
        losses = [_change(answers)]
        if known.size:
            losses.insert(0, truth.loss(self.info, chosen))
        found = self._increases(batch, losses, random) - [loss(answers) for loss in losses]
        metrics = [METRICS[self.info.task], SCORE] if known.size else [SCORE]
        for metric, increases in zip(metrics, found.T, strict=True):
            if (increases > 0.0).any():
                names = [feature.name for feature in self.info.features]
                return Importances.of_measured("permutation", metric, dict(zip(names, increases.tolist(), strict=True)))
        return None

    def _affordable(self, rows: IntArray, random: np.random.Generator) -> IntArray:
        """Return as many rows, drawn at random, as the model can answer in the time."""
        chosen = random.permutation(rows)[:MOST_ROWS]
        began = self.clock()
        self.predictor.predict(self.batch.rows(chosen))
        seconds = (self.clock() - began) * REPEATS * len(self.info.features)
        affordable = int(len(chosen) * MOST_SECONDS / max(seconds, MOST_SECONDS))
        return np.sort(chosen[: max(affordable, FEWEST_ROWS)])

    def _increases(self, batch: Batch, losses: Sequence[Loss], random: np.random.Generator) -> FloatArray:
        """Return the mean loss of the batch with each feature shuffled, shape [features, losses]."""
        count = len(self.info.features)
        found = np.zeros((count, len(losses)))
        for index in range(count):
            self.progress(f"measuring importances: feature {index + 1:,} of {count:,} …")
            for _ in range(REPEATS):
                answers = self.predictor.predict(_shuffled(batch, index, random.permutation(len(batch))))
                found[index] += [loss(answers) / REPEATS for loss in losses]
        return found


def _shuffled(batch: Batch, index: int, order: IntArray) -> Batch:
    """Return the batch with the values of one feature in another order."""
    if index in batch.texts:
        names = batch.texts[index]
        return Batch(batch.cells, {**batch.texts, index: [names[row] for row in order.tolist()]})
    cells = batch.cells.copy()
    cells[:, index] = cells[order, index]
    return Batch(cells, batch.texts)


def _change(before: Predictions) -> Loss:
    """Return how far answers lie from earlier ones: their scores, or the probabilities of several classes."""

    def change(after: Predictions) -> float:
        if before.probabilities is not None and after.probabilities is not None:
            return float(np.abs(after.probabilities - before.probabilities).sum(axis=1).mean() / 2.0)
        return float(np.abs(after.scores - before.scores).mean())

    return change


@dataclass(frozen=True)
class Truth:
    """The truth of the rows of a table."""

    known: BoolArray
    numbers: FloatArray
    """Of a regression its value, of two classes 1 for the positive one, else the index of the class."""

    def loss(self, info: BundleInfo, rows: IntArray) -> Loss:
        """Return the loss of predictions for some rows, whose truth is known."""
        actual = self.numbers[rows]
        if info.task == "regression":
            return lambda found: float(np.abs(found.scores - actual).mean())
        if info.task == "binary":
            return lambda found: float(np.square(found.scores - actual).mean())
        index = {label: place for place, label in enumerate(info.classes)}
        return lambda found: float(np.mean([index.get(own, -1) for own in found.labels] != actual))


def _truth(info: BundleInfo, table: pa.Table) -> Truth:
    target = info.target or ""
    if info.task == "regression":
        numbers = as_numbers(table[target], target)
        return Truth(np.isfinite(numbers), numbers)
    classes = [category_name(label) or "" for label in info.classes]
    found = categories(table, target, classes)
    index = {name: place for place, name in enumerate(classes)}
    places = np.array([*(index.get(name, -1) for name in found.names), -1], dtype=np.float64)[found.codes]
    return Truth(places >= 0.0, places)
