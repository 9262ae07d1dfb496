"""Adversarial validation: how well a classifier tells the window's rows from the reference's.

The classifier is a ridge regression of -1 and 1 on standardised values, their squares and products: it has a closed
form, needs nothing but numpy, and sees changes of means, spreads and correlations. A boosted forest would see more
shapes of change, and take a hundred times as long each minute.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.bins import BoolArray, FloatArray, IntArray
from driftgauge.drift.multivariate.encoding import Encoded, Features
from driftgauge.drift.statistics.roc import delong, rows_by_score

FOLDS: Final = 5
FEWEST_ROWS: Final = 200
"""Rows of each side that are needed."""
Z: Final = 1.96
RIDGE: Final = 0.02
"""Penalty of the regression, as a share of the rows."""
NAMED: Final = 5
"""Columns that are named at most."""


@dataclass(frozen=True)
class Separation:
    """How well rows of the window can be told from rows of the reference."""

    auc: float
    """Probability that a row of the window looks more like the window than one of the reference: 0.5 by chance."""
    low: float
    """Ends of its 95 % interval, for independent rows."""
    high: float
    columns: tuple[tuple[int, float], ...]
    """Columns that tell the sides apart, and how much smaller the AUC is without each, the largest first."""

    @property
    def is_significant(self) -> bool:
        """Whether chance alone does not explain the AUC."""
        return self.low > 0.5


def separation(rows: Encoded, is_current: BoolArray, rng: np.random.Generator) -> Separation:
    """Return how well the rows where `is_current` (shape [n]) is true can be told from the others.

    Each row is scored by a model that was fitted without it, and the AUC is the mean over the folds. The models share
    rows, so that the folds' areas depend on one another: their variance is that of DeLong, enlarged as Nadeau and
    Bengio propose.
    """
    features = Features(rows.owners)
    whole, target = features(rows.values), np.where(is_current, 1.0, -1.0)
    fold = _folds(is_current, rng)
    held = [_Held.of(fold == index, whole, target) for index in range(FOLDS)]
    mean = float(np.mean([own.area for own in held]))
    enlarged = 1.0 / FOLDS + 1.0 / (FOLDS - 1)
    error = math.sqrt(enlarged * float(np.mean([own.variance for own in held])))
    low, high = max(0.0, mean - Z * error), min(1.0, mean + Z * error)
    if low <= 0.5:
        return Separation(mean, low, high, ())
    loss = np.mean([own.losses(rows, features, rng) for own in held], axis=0)
    least = max(error / Z, float(loss.max()) / 10.0)
    named = [(int(i), float(loss[i])) for i in np.argsort(-loss)[:NAMED] if loss[i] > least]
    return Separation(mean, low, high, tuple(named))


@dataclass(frozen=True, eq=False)
class _Held:
    """The rows of one fold, scored by a model of the other rows."""

    taken: BoolArray
    model: _Ridge
    scores: FloatArray
    positive: BoolArray
    area: float
    variance: float

    @classmethod
    def of(cls, taken: BoolArray, features: FloatArray, target: FloatArray) -> _Held:
        model = _Ridge.fit(features[~taken], target[~taken])
        scores, positive = model.scores(features[taken]), target[taken] > 0
        return cls(taken, model, scores, positive, *auc(scores, positive))

    def losses(self, rows: Encoded, features: Features, rng: np.random.Generator) -> FloatArray:
        """Return how much smaller the AUC is when each column is shuffled, shape [columns]."""
        values = rows.values[self.taken]
        order, found = rng.permutation(len(values)), []
        for column in range(int(rows.owners.max()) + 1):
            own, touched = rows.owners == column, features.of_column(column)
            shuffled = values.copy()
            shuffled[:, own] = values[order][:, own]
            changes = features.some(shuffled, touched) - features.some(values, touched)
            without = self.scores + self.model.parts(changes, touched)
            found.append(self.area - auc(without, self.positive)[0])
        return np.array(found)


def auc(scores: FloatArray, positive: BoolArray) -> tuple[float, float]:
    """Return the area under the ROC curve and its variance by DeLong; ties count half.

    At least the variance of a classifier that knows nothing is returned, because DeLong's is too small near 1.
    """
    area, variance = delong(*rows_by_score(scores, positive))
    n, m = int(positive.sum()), int((~positive).sum())
    return area, max(variance, 1.0 / (12.0 * n * m) * (n + m + 1) * 4.0 * area * (1.0 - area))


def _folds(is_current: BoolArray, rng: np.random.Generator) -> IntArray:
    """Return the fold of each row; each has the same share of both sides."""
    fold = np.empty(len(is_current), dtype=np.int64)
    for side in (is_current, ~is_current):
        count = int(side.sum())
        fold[side] = rng.permutation(np.arange(count) % FOLDS)
    return fold


@dataclass(frozen=True, eq=False)
class _Ridge:
    """A linear model of standardised features."""

    mean: FloatArray
    scale: FloatArray
    weights: FloatArray

    @classmethod
    def fit(cls, features: FloatArray, target: FloatArray) -> _Ridge:
        mean, std = features.mean(axis=0), features.std(axis=0)
        scale = np.where(std > 1e-9, std, np.inf)
        x = (features - mean) / scale
        rows, width = x.shape
        y = target - target.mean()
        penalty = RIDGE * rows
        if width <= rows:
            weights = np.linalg.solve(x.T @ x + penalty * np.eye(width), x.T @ y)
        else:
            weights = x.T @ np.linalg.solve(x @ x.T + penalty * np.eye(rows), y)
        return cls(mean, scale, weights)

    def scores(self, features: FloatArray) -> FloatArray:
        scores: FloatArray = (features - self.mean) / self.scale @ self.weights
        return scores

    def parts(self, changes: FloatArray, taken: IntArray) -> FloatArray:
        """Return what changes of some features add to the scores."""
        parts: FloatArray = changes / self.scale[taken] @ self.weights[taken]
        return parts
