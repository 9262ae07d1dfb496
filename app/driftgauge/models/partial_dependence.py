"""Asks a model how its score depends on one feature."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import numpy as np

from driftgauge.drift.attribution.partial_dependence import PartialDependence, Point, points_of
from driftgauge.drift.bins import FloatArray
from driftgauge.errors import ModelFailed, Refused
from driftgauge.models.monitored_rows import monitored_rows
from driftgauge.models.predictor import Batch, Predictor
from driftgauge.models.threads import one_thread

MOST_ROWS: Final = 200
FEWEST_ROWS: Final = 20
MOST_SECONDS: Final = 2.0
"""About how long the predictions of one feature may take; a slower model gets fewer rows, or is not asked."""


class DependenceProbe:
    """Finds partial dependences of a model; the last one is kept. It blocks: call it off the event loop."""

    def __init__(self, predictor: Predictor, clock: Callable[[], float] = time.perf_counter) -> None:
        """Ask a predictor; `clock` gives seconds."""
        self._predictor = predictor
        self._clock = clock
        self._kept: tuple[tuple[str, object], PartialDependence | None] | None = None

    def of(self, feature: str, values: FloatArray, live: FloatArray, key: object = None) -> PartialDependence | None:
        """Return how the score depends on a feature, or None where the model cannot be asked.

        `values` are monitored rows, shape [n, columns of the baseline]: live ones or kept ones of the reference, of
        which the newest 200 are taken. `live` are live values of the feature, shape [m], or none of them; they show
        which part of its range is new. With a `key`, such as the time of an evaluation, the last result is kept and
        returned again for the same feature and key.
        """
        if key is not None and self._kept is not None and self._kept[0] == (feature, key):
            return self._kept[1]
        try:
            found = self._found(feature, values[-MOST_ROWS:], live)
        except (ModelFailed, Refused):
            found = None
        self._kept = ((feature, key), found)
        return found

    def _found(self, feature: str, values: FloatArray, live: FloatArray) -> PartialDependence | None:
        names = [own.name for own in self._predictor.info.features]
        if feature not in names:
            return None
        index = names.index(feature)
        column, batch = self._predictor.baseline.columns[index], monitored_rows(self._predictor, values)
        own = self._predictor.info.features[index]
        points = points_of(column, live, takes_missing=own.accepts_missing)
        if batch is None or not len(batch) or not points:
            return None
        with one_thread():
            self._predictor.predict(batch.part(slice(1)))  # the first call of a library may be slow
            rows = self._affordable(batch, len(points))
            if rows is None:
                return None
            batch = batch.part(slice(len(batch) - rows, None))
            scores = np.array([self._predictor.predict(_with(batch, index, point)).scores for point in points])
        means, spreads = ([float(number) for number in of(scores, axis=1)] for of in (np.mean, np.std))
        return PartialDependence(feature, column.kind, points, means, spreads, scores.shape[1])

    def _affordable(self, batch: Batch, points: int) -> int | None:
        """Return how many rows can be predicted for each point; None of a model that is too slow for the fewest."""
        first, most = min(FEWEST_ROWS, len(batch)), MOST_SECONDS / points
        one = self._seconds(batch, 1)
        few = self._seconds(batch, first) if one <= most else one
        if few > most:
            return None
        each = max(few - one, 0.0) / max(first - 1, 1)
        affordable = len(batch) if each == 0.0 else int((most - one) / each)
        return min(len(batch), max(first, affordable))

    def _seconds(self, batch: Batch, rows: int) -> float:
        """Return how long the newest rows take."""
        began = self._clock()
        self._predictor.predict(batch.part(slice(len(batch) - rows, None)))
        return self._clock() - began


def _with(batch: Batch, index: int, point: Point) -> Batch:
    """Return the rows with one value of a feature."""
    if index in batch.texts:
        return Batch(batch.cells, {**batch.texts, index: [point.name] * len(batch)})
    cells = batch.cells.copy()
    cells[:, index] = point.value
    return Batch(cells, batch.texts)
