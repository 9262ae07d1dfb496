"""Predicted labels: from the model's `predict`, or from its probabilities if they agree."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.models.bundle import Label

LARGEST_IS_PREDICTED: Final = (
    LogisticRegression,
    LogisticRegressionCV,
    HistGradientBoostingClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
    ExtraTreesClassifier,
    DecisionTreeClassifier,
    CalibratedClassifierCV,
)
"""Classifiers whose `predict` names the class of the largest probability, unless two are equally large.

Some compare raw scores, and different scores may round to equal probabilities: then `predict` decides. For a
classifier with its own threshold, or from another library, `predict` is always called.
"""


def follows_probabilities(model: Any) -> bool:
    """Return whether a model is known to predict the class of its largest probability."""
    inner = _deciding(model)
    return type(inner) in LARGEST_IS_PREDICTED and "predict" not in vars(inner)


def _deciding(model: Any) -> Any:
    """Return the classifier whose `predict` a pipeline or search calls."""
    while type(model) in (Pipeline, GridSearchCV, RandomizedSearchCV):
        model = model.steps[-1][1] if type(model) is Pipeline else getattr(model, "best_estimator_", None)
    return model


class Labels:
    """Returns the class that a classifier predicts for each row."""

    def __init__(self, model: Any, classes: tuple[Label, ...]) -> None:
        self._model = model
        self._classes = classes
        self._index = {label: index for index, label in enumerate(classes)}
        self._has_predict = hasattr(model, "predict")
        self._by_probability = follows_probabilities(model)

    def of(self, inputs: Any, probabilities: FloatArray, scores: FloatArray) -> tuple[list[Label], IntArray]:
        """Return the labels and their indices among the classes, shape [n]; -1 for an unknown class.

        `scores` are each row's probability of the positive class, or the largest of more than two classes.
        """
        if not self._has_predict or (self._by_probability and not _has_ties(probabilities, scores)):
            indices: IntArray = probabilities.argmax(axis=1)
            return [self._classes[index] for index in indices.tolist()], indices
        predicted = np.asarray(self._model.predict(inputs)).reshape(len(probabilities)).tolist()
        found = [self._index.get(label, -1) for label in predicted]
        labels = [label if index < 0 else self._classes[index] for label, index in zip(predicted, found, strict=True)]
        return labels, np.array(found, dtype=np.int64)


def _has_ties(probabilities: FloatArray, scores: FloatArray) -> bool:
    """Return whether two classes share the largest probability in any row."""
    if probabilities.shape[1] == 2:  # they add up to one
        return 0.5 in scores.tolist()
    return int(np.count_nonzero(probabilities == scores[:, None])) > len(scores)
