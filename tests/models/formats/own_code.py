"""Code of an operator: what `python:MODULE:OBJECT` names in the tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.examples import TARGET, cells


class WithRatio(BaseEstimator, TransformerMixin):  # type: ignore[misc]  # scikit-learn has no types
    """A transformer of one's own, which skops does not know."""

    def fit(self, frame: pd.DataFrame, target: Any = None) -> WithRatio:
        self.feature_names_in_ = np.array(frame.columns, dtype=object)
        self.n_features_in_ = len(frame.columns)
        return self

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(ratio=frame["mean area"] / frame["mean radius"])


def pipeline() -> Any:
    """Return a fitted pipeline; a real one would read its own file."""
    train = cells().head(379)
    model = make_pipeline(WithRatio(), StandardScaler(), LogisticRegression())
    return model.fit(train.drop(columns=TARGET), train[TARGET])


def risk(frame: pd.DataFrame) -> Any:
    """Return the probability of the second class; a missing shape is a shape of its own."""
    shape = frame["shape"].map({"flat": 0.5, "oval": 0.1}).astype(float).fillna(-0.4)
    return 1 / (1 + np.exp(frame["radius"] - 14 + shape))


class Doubling:
    """An object with predict."""

    def predict(self, frame: pd.DataFrame) -> Any:
        return 2 * frame["bmi"] + frame["bp"]


def broken() -> Any:
    raise RuntimeError("no such file")


NUMBER = 5
