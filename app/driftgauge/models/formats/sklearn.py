"""Estimators of scikit-learn, and of libraries with its interface, in a skops file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftgauge.models.formats.answer import Answer, of_several, scores_of, values_of
from driftgauge.models.formats.explained import Explained, of_estimator
from driftgauge.models.formats.spec import ModelSpec
from driftgauge.models.labels import Labels
from driftgauge.models.model_file import load_model

if TYPE_CHECKING:
    from driftgauge.models.bundle import BundleInfo


def load(path: Path, spec: ModelSpec, trusted: Iterable[str]) -> Any:
    """Load an estimator; BundleError for a file that is unreadable or holds untrusted types."""
    return load_model(path, trusted)


class EstimatorModel:
    """Asks an estimator for labels and probabilities."""

    def __init__(self, model: Any, info: BundleInfo) -> None:
        self._model = model
        self._is_regression: Final = info.task == "regression"
        self._is_binary: Final = info.task == "binary"
        self._labels = Labels(model, info.classes)

    def predict(self, inputs: Any) -> Answer:
        """Answer with the estimator's own labels and probabilities."""
        if self._is_regression:
            return values_of(self._model.predict(inputs), len(inputs))
        probabilities = np.asarray(self._model.predict_proba(inputs), dtype=np.float64)
        scores = scores_of(probabilities)
        labels, indices = self._labels.of(inputs, probabilities, scores)
        return Answer(labels, scores, indices, of_several(probabilities))

    def explained(self) -> Explained | None:
        """Explain answers as the library does that made the estimator."""
        return of_estimator(self._model)


adapted = EstimatorModel
