"""An estimator and the ones inside it take a matrix without their feature names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from driftgauge.models.bundle import MODEL_FILE
from driftgauge.models.inner_estimators import parts, strip_feature_names
from driftgauge.models.model_file import load_model
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from tests.examples import TARGET, boosting, cells, logistic

ESTIMATORS: dict[str, Callable[[], Any]] = {
    "logistic": logistic,
    "boosting": boosting,
    "forest": lambda: RandomForestClassifier(3, random_state=0),
    "extra trees": lambda: ExtraTreesClassifier(3, random_state=0),
    "gradient boosting": lambda: GradientBoostingClassifier(n_estimators=3, random_state=0),
    "tree": lambda: DecisionTreeClassifier(max_depth=3, random_state=0),
    "calibrated": lambda: CalibratedClassifierCV(GaussianNB(), cv=2),
    "voting": lambda: VotingClassifier([("a", GaussianNB()), ("b", logistic())], voting="soft"),
    "stacking": lambda: StackingClassifier([("a", GaussianNB())], LogisticRegression(), cv=2),
    "neighbours": lambda: make_pipeline(StandardScaler(), KNeighborsClassifier(3)),
    "network": lambda: make_pipeline(
        StandardScaler(), MLPClassifier((3,), max_iter=20, solver="adam", tol=10.0, random_state=0)
    ),
    "ada boost": lambda: AdaBoostClassifier(n_estimators=3, random_state=0),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_usual_estimators_load_and_take_a_matrix_without_a_warning(name: str, tmp_path: Path) -> None:
    data = cells().head(120)
    rows = data.drop(columns=TARGET)
    estimator = ESTIMATORS[name]().fit(rows, data[TARGET])
    expected = estimator.predict_proba(rows)
    path = tmp_path / MODEL_FILE
    skops.io.dump(estimator, path)
    model = strip_feature_names(load_model(path))
    assert np.allclose(model.predict_proba(rows.to_numpy()), expected, rtol=1e-12)  # a warning is an error here


def test_each_estimator_is_found_once_however_it_is_nested() -> None:
    shared = StandardScaler()
    model = make_pipeline(shared, make_pipeline(shared, LogisticRegression()))
    assert [type(part).__name__ for part in parts(model)] == [
        "Pipeline",
        "StandardScaler",
        "Pipeline",
        "LogisticRegression",
    ]
