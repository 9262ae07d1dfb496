"""Fits a detector of outliers on rows of the reference."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.novelty.attach import Detected
from driftgauge.drift.novelty.novelty import Detector
from driftgauge.models.outlier_file import FittedDetector

MOST_FIT_ROWS: Final = 5_000
"""Rows that a detector is fitted on, drawn at random: the time of a support vector machine grows with their square."""
FOLDS: Final = 5
_SEED: Final = 0


def detect(name: Detector, rows: FloatArray) -> Detected:
    """Fit a detector, and score each row by one that was fitted without it; `rows` have shape [n, columns]."""
    random = np.random.default_rng(_SEED)
    fold = random.permutation(len(rows)) % FOLDS
    scores = np.empty(len(rows))
    for own in np.unique(fold):
        is_own = fold == own
        others = rows if is_own.all() else rows[~is_own]
        scores[is_own] = _fitted(name, others, random)(rows[is_own])
    return Detected(name, _fitted(name, rows, random), scores)


def _fitted(name: Detector, rows: FloatArray, random: np.random.Generator) -> FittedDetector:
    from sklearn.ensemble import IsolationForest  # takes a second, which commands without a detector do not wait for
    from sklearn.svm import OneClassSVM

    some = rows if len(rows) <= MOST_FIT_ROWS else rows[random.choice(len(rows), MOST_FIT_ROWS, replace=False)]
    model: Any = IsolationForest(random_state=_SEED) if name == "isolation_forest" else OneClassSVM(nu=0.1)
    return FittedDetector(model.fit(some))
