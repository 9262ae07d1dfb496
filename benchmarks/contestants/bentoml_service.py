"""BentoML with adaptive batching, as its documentation shows it; runs in an environment of its own.

The service shares nothing with the other contestants but the model's file.
"""

from __future__ import annotations

import os

import bentoml
import joblib
import numpy as np


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Classifier:
    """A fitted classifier of scikit-learn."""

    def __init__(self) -> None:
        self.model = joblib.load(os.environ["MODEL"])

    @bentoml.api(batchable=True)  # type: ignore[untyped-decorator]
    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Return the probabilities of the classes, shape [n, 2]."""
        probabilities: np.ndarray = self.model.predict_proba(rows)
        return probabilities
