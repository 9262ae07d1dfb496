from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from driftgauge.models.labels import LARGEST_IS_PREDICTED, Labels, follows_probabilities
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, TunedThresholdClassifierCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 3))
ROWS = RNG.normal(size=(4_000, 3)) * 10.0 ** -RNG.uniform(0, 20, 4_000)[:, None]
"""Most of them so near to zero that a linear model without an intercept rounds its probability to 0.5."""

KNOWN: dict[str, Callable[[], Any]] = {
    "LogisticRegression": lambda: LogisticRegression(fit_intercept=False),
    "LogisticRegressionCV": lambda: LogisticRegressionCV(
        cv=2, fit_intercept=False, use_legacy_attributes=False, l1_ratios=(0,), scoring="accuracy"
    ),
    "HistGradientBoostingClassifier": lambda: HistGradientBoostingClassifier(max_iter=3),
    "GradientBoostingClassifier": lambda: GradientBoostingClassifier(n_estimators=3),
    "RandomForestClassifier": lambda: RandomForestClassifier(4),
    "ExtraTreesClassifier": lambda: ExtraTreesClassifier(4),
    "DecisionTreeClassifier": lambda: DecisionTreeClassifier(max_depth=2),
    "CalibratedClassifierCV": lambda: CalibratedClassifierCV(LogisticRegression(), cv=2),
}


class Contrary(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
    """A classifier of a user's own."""

    def predict(self, x: Any) -> Any:
        return 1 - super().predict(x)


class Abstaining(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
    """A classifier that answers something that is no class of it."""

    def predict(self, x: Any) -> Any:
        return np.full(len(x), 7)


OTHERS: dict[str, Callable[[], Any]] = {
    "fixed threshold": lambda: FixedThresholdClassifier(LogisticRegression(), threshold=0.2),
    "tuned threshold": lambda: TunedThresholdClassifierCV(LogisticRegression(), cv=2, scoring="f1"),
    "a threshold in a pipeline": lambda: make_pipeline(
        StandardScaler(), FixedThresholdClassifier(LogisticRegression(), threshold=0.2)
    ),
    "neighbours": lambda: KNeighborsClassifier(4),
    "a subclass": Contrary,
}


def labelled(model: Any, rows: Any) -> tuple[list[Any], list[int]]:
    probabilities = model.predict_proba(rows)
    scores = probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities.max(axis=1)
    labels, places = Labels(model, tuple(model.classes_.tolist())).of(rows, probabilities, scores)
    return labels, places.tolist()


def test_every_classifier_of_the_list_is_tried_here() -> None:
    assert {known.__name__ for known in LARGEST_IS_PREDICTED} == set(KNOWN)


@pytest.mark.parametrize(("name", "classes"), [*product(KNOWN, (2, 3)), *((name, 2) for name in OTHERS)])
def test_the_label_is_the_models_own(name: str, classes: int) -> None:
    model = {**KNOWN, **OTHERS}[name]().fit(X, RNG.integers(0, classes, len(X)))
    assert follows_probabilities(model) is (name in KNOWN)
    labels, places = labelled(model, ROWS)
    assert labels == model.predict(ROWS).tolist()
    assert [model.classes_[place] for place in places] == labels


def test_probabilities_that_round_to_the_same_are_decided_by_predict() -> None:
    model = LogisticRegression(fit_intercept=False).fit(X, X[:, 0] > 0)
    argmax = model.classes_[model.predict_proba(ROWS).argmax(axis=1)]
    assert (argmax != model.predict(ROWS)).any()  # so that the largest probability alone would not do
    assert labelled(model, ROWS)[0] == model.predict(ROWS).tolist()


@pytest.mark.parametrize("around", [lambda m: m, lambda m: make_pipeline(StandardScaler(), m)])
def test_where_one_call_gives_both_it_is_one_call(
    around: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    predict = LogisticRegression.predict

    def counted(self: Any, x: Any) -> Any:
        asked.append(len(x))
        return predict(self, x)

    monkeypatch.setattr(LogisticRegression, "predict", counted)
    model = around(LogisticRegression()).fit(X, X[:, 0] > 0)
    assert labelled(model, X)[0] == (model.predict_proba(X)[:, 1] > 0.5).tolist()
    assert asked == []


def test_a_search_is_what_it_found() -> None:
    found = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2).fit(X, X[:, 0] > 0)
    assert follows_probabilities(found)
    assert labelled(found, X)[0] == found.predict(X).tolist()


def test_a_label_that_is_no_class_is_answered_and_has_no_place() -> None:
    labels, places = labelled(Abstaining().fit(X, (X[:, 0] > 0).astype(int)), X[:3])
    assert (labels, places) == ([7, 7, 7], [-1, -1, -1])
