"""A BentoML service of the iris model, which logs its predictions as BentoML does by default."""

from __future__ import annotations

import bentoml
import joblib
import numpy as np


@bentoml.service(name="iris_classifier")
class IrisClassifier:
    """Classifies flowers."""

    def __init__(self) -> None:
        self.model = joblib.load("iris.joblib")

    @bentoml.api
    def classify(self, input_array: list[list[float]]) -> list[int]:
        """Return the class of each row: 0, 1 or 2."""
        classes = [int(index) for index in self.model.predict(np.array(input_array))]
        # Lists rather than arrays: numpy shortens the text of large arrays.
        with bentoml.monitor("iris_classifier") as monitor:
            monitor.log("iris_classifier", name="service_name", role="service_name", data_type="text")
            monitor.log(input_array, name="input_array", role="feature", data_type="numerical_sequence")
            monitor.log(classes, name="output_array", role="prediction", data_type="numerical")
        return classes
