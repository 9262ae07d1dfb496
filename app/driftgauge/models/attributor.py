"""Finds what each feature contributes to the scores of rows, with the model of a bundle."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import numpy as np

from driftgauge.drift.attribution.attributions import Attributions, Method, attributions_of
from driftgauge.drift.bins import MISSING, OTHER, FloatArray
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.models.bundle import Feature
from driftgauge.models.monitored_rows import monitored_rows
from driftgauge.models.predictor import Batch, Predictions, Predictor
from driftgauge.models.threads import one_thread

ROWS_AT_ONCE: Final = 256
"""Rows that the model is given at once: requests wait for them."""
MOST_SECONDS: Final = 2.0
"""About how long live rows may take; of a slow model, fewer are explained."""


class Attributor:
    """Finds the magnitudes of contributions, by the method of the model's library or by replacing values."""

    def __init__(
        self, predictor: Predictor, method: Method | None = None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """Use a method, by default the library's own; ModelFailed if its terms cannot be centred."""
        explained = predictor.explained
        self.method: Final[Method] = method or (explained.method if explained else "replacement")
        self._predictor = predictor
        self._clock = clock
        self._centre: FloatArray | None = None
        if self.method != "replacement" and explained is not None and not explained.is_centred:
            self._centre = predictor.contributions_of(_mean_row(predictor))

    def attributions(
        self, batch: Batch, seconds: float, *, seed: int = 0, at_once: int = ROWS_AT_ONCE
    ) -> Attributions | None:
        """Return the attributions of rows, in their order of as many as fit in about the time.

        None without rows, and of a model of free text, whose live texts are not kept. Raises ModelFailed or Refused
        for a row that the model does not take.
        """
        count, random = len(self._predictor.info.features), np.random.default_rng(seed)
        size = at_once if self.method != "replacement" else max(1, at_once // count)
        if any(feature.kind == "text" for feature in self._predictor.info.features):
            return None
        began, parts = self._clock(), list[FloatArray]()
        for first in range(0, len(batch), size):
            parts.append(self._magnitudes(batch.part(slice(first, first + size)), random))
            if self._clock() - began > seconds:
                break
        names = [feature.name for feature in self._predictor.info.features]
        return attributions_of(self.method, names, np.concatenate(parts)) if parts else None

    def _magnitudes(self, batch: Batch, random: np.random.Generator) -> FloatArray:
        """Return the magnitudes of contributions, shape [n, features]; those to several outputs are added."""
        if self.method == "replacement":
            return self._replaced(batch, random)
        found = self._predictor.contributions(batch)
        magnitudes: FloatArray = np.abs(found if self._centre is None else found - self._centre).sum(axis=1)
        return magnitudes

    def _replaced(self, batch: Batch, random: np.random.Generator) -> FloatArray:
        """Return how far each score moves when a value is replaced by one of the reference, drawn at random."""
        features, rows = self._predictor.info.features, len(batch)
        every = batch.rows(np.tile(np.arange(rows), len(features)))
        cells, texts = every.cells, {index: list(names) for index, names in every.texts.items()}
        for index, feature in enumerate(features):
            own = slice(index * rows, (index + 1) * rows)
            column = self._predictor.baseline.columns[index]
            if index in texts:
                texts[index][own] = _drawn_names(feature, column, rows, random)
            else:
                cells[own, index] = _drawn_numbers(feature, column, rows, random)
        before = self._predictor.predict(batch)
        after = self._predictor.predict(Batch(cells, texts))
        return _moved(before, after, len(features))


def live_measure(predictor: Predictor, method: Method) -> Callable[[FloatArray, int], Attributions | None]:
    """Return what finds the attributions of monitored rows by a method; it blocks, and uses one thread.

    Its arguments are the rows, shape [n, columns of the baseline], and a seed.
    """

    def measure(values: FloatArray, seed: int) -> Attributions | None:
        with one_thread():
            batch = monitored_rows(predictor, values)
            if batch is None or not len(batch):
                return None
            order = np.random.default_rng(seed).permutation(len(batch))  # it may not get to all of them
            return Attributor(predictor, method).attributions(batch.rows(order), MOST_SECONDS, seed=seed)

    return measure


def _moved(before: Predictions, after: Predictions, features: int) -> FloatArray:
    """Return the moves of scores, shape [n, features]; `after` has the rows once for each feature."""
    rows = len(before.scores)
    if before.probabilities is not None and after.probabilities is not None:
        moves = np.abs(after.probabilities - np.tile(before.probabilities, (features, 1))).sum(axis=1) / 2.0
    else:
        moves = np.abs(after.scores - np.tile(before.scores, features))
    return np.ascontiguousarray(moves.reshape(features, rows).T)


def _drawn_numbers(feature: Feature, column: ColumnBaseline, rows: int, random: np.random.Generator) -> FloatArray:
    drawn = random.choice(np.array(column.quantiles or (np.nan,)), rows)
    if feature.accepts_missing:
        drawn[random.random(rows) < _missing_ratio(column)] = np.nan
    return drawn


def _drawn_names(feature: Feature, column: ColumnBaseline, rows: int, random: np.random.Generator) -> list[str | None]:
    kept = column.bins.categories
    names: list[str | None] = [*kept]
    counts = list(column.counts[: len(kept)])
    tail = [name for name in feature.categories if name not in kept]
    if tail:
        names.append(tail[0])
        counts.append(column.counts[column.bins.special[OTHER]])
    if feature.accepts_missing:
        names.append(None)
        counts.append(column.counts[column.bins.special[MISSING]])
    shares = np.array(counts) / max(sum(counts), 1e-300)
    return [names[place] for place in random.choice(len(names), rows, p=shares).tolist()]


def _missing_ratio(column: ColumnBaseline) -> float:
    return float(column.counts[column.bins.special[MISSING]]) / max(column.rows, 1)


def _mean_row(predictor: Predictor) -> FloatArray:
    """Return the mean of the reference as the model is given it, shape [1, features]; NaN for an unknown one."""
    return np.array([[_mean(*own) for own in zip(predictor.info.features, predictor.baseline.columns, strict=False)]])


def _mean(feature: Feature, column: ColumnBaseline) -> float:
    if feature.kind == "numeric" or feature.codes is None:
        return column.mean
    codes = dict(zip(feature.categories, feature.codes, strict=True))
    counts = np.array(column.counts[: len(column.bins.categories)])
    numbers = np.array([codes[name] for name in column.bins.categories])
    return float(counts @ numbers / counts.sum()) if counts.sum() else np.nan
