from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from driftgauge.errors import BundleError
from driftgauge.models.creation.feature_names import FeatureNames, names_of, not_taken
from lightgbm import LGBMClassifier
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FRAME = pd.DataFrame({"b": [1.0, 2.0, 3.0, 4.0], "a": [4.0, 1.0, 3.0, 2.0]})
TARGET = np.array([0, 1, 0, 1])
COLUMNS = ["a", "id", "b", "y"]


class Plain(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """A transformer as many write it: it keeps nothing of what it was fitted on."""

    def fit(self, x: Any, y: Any = None) -> Plain:
        self.fitted_ = True
        return self

    def transform(self, x: Any) -> Any:
        return x * 2


class Dropping(Plain):
    """A transformer that takes a column which later steps do not see."""

    def transform(self, x: Any) -> Any:
        return x.assign(**{x.columns[0]: x.iloc[:, 0] + x["extra"]}).drop(columns="extra")


class Renaming(Plain):
    def transform(self, x: Any) -> Any:
        return x.rename(columns={"a": "twice a"})


def test_an_estimators_own_names_come_first() -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(FRAME, TARGET)
    assert names_of(model, COLUMNS, ["y"]) == FeatureNames(("b", "a"), "by the estimator's own names")
    assert names_of(model, COLUMNS, ["y"], ["a", "b"]).names == ("b", "a")
    with pytest.raises(BundleError, match="fitted on b, a, --features names a, id"):
        names_of(model, COLUMNS, ["y"], ["a", "id"])


def test_a_later_steps_names_are_taken_where_the_first_has_none() -> None:
    model = make_pipeline(Plain(), StandardScaler(), LogisticRegression()).fit(FRAME, TARGET)
    assert not hasattr(model, "feature_names_in_")
    expected = FeatureNames(
        ("b", "a"), "by the names that its step standardscaler was fitted on", as_frame=True, guessed=True
    )
    assert names_of(model, COLUMNS, ["y"]) == expected
    deep = make_pipeline(Plain(), make_pipeline(Plain(), Ridge())).fit(FRAME, TARGET)
    assert names_of(deep, COLUMNS, ["y"]).source == "by the names that its step ridge was fitted on"
    search = GridSearchCV(make_pipeline(Plain(), Ridge()), {"ridge__alpha": [1.0]}, cv=2).fit(FRAME, TARGET)
    assert names_of(search, COLUMNS, ["y"]).names == ("b", "a")


@pytest.mark.parametrize("table", [FRAME, FRAME.to_numpy()])
def test_names_are_demanded_where_no_step_has_those_of_the_table(table: Any) -> None:
    first = Renaming() if isinstance(table, pd.DataFrame) else Plain()
    model = make_pipeline(first, LogisticRegression()).fit(table, TARGET)
    with pytest.raises(
        BundleError, match=r"does not know which columns .* --features a,id,b; these are the reference's"
    ):
        names_of(model, COLUMNS, ["y"])
    asked = names_of(model, COLUMNS, ["y"], ["b", "a"])
    assert asked == FeatureNames(("b", "a"), "as --features names them", as_frame=isinstance(table, pd.DataFrame))


def test_an_estimator_that_knows_a_number_of_features_takes_the_tables_columns() -> None:
    model = LogisticRegression().fit(FRAME.to_numpy(), TARGET)
    assert names_of(model, COLUMNS, ["y", "id"]).names == ("a", "b")


def test_an_estimator_of_texts_takes_the_one_column_beside_the_target() -> None:
    texts = ["red car", "blue car", "red bus", "green bus"]
    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts, TARGET)
    assert names_of(model, ["y", "note"], ["y"]).names == ("note",)
    assert names_of(model, COLUMNS, ["y"], ["id"]).names == ("id",)


def test_names_that_lightgbm_respelled_are_the_tables() -> None:
    frame = FRAME.rename(columns={"a": "length in cm"})
    model = LGBMClassifier(n_estimators=1, min_child_samples=1, n_jobs=1, verbose=-1).fit(frame, TARGET)
    assert list(model.feature_names_in_) == ["b", "length_in_cm"]
    assert names_of(model, ["length in cm", "y", "b"], ["y"]).names == ("b", "length in cm")


@pytest.mark.parametrize(
    ("names", "option"),
    [
        (["a", "b"], "--features a,b;"),
        (["a b", "c"], "--features 'a b,c';"),
        (["a", "length, cm"], "--features a --features 'length, cm';"),
    ],
)
def test_the_option_that_is_asked_for_can_be_pasted(names: list[str], option: str) -> None:
    model = make_pipeline(Plain(), LogisticRegression()).fit(FRAME.to_numpy(), TARGET)
    with pytest.raises(BundleError) as caught:
        names_of(model, [*names, "y"], ["y"])
    assert option in str(caught.value)


def test_a_name_given_twice_is_refused() -> None:
    model = LogisticRegression().fit(FRAME.to_numpy(), TARGET)
    with pytest.raises(BundleError, match="--features names a twice"):
        names_of(model, COLUMNS, ["y"], ["a", "b", "a"])


def test_what_was_not_taken_is_told_with_its_reason() -> None:
    assert not_taken(COLUMNS, ["b"], {"y": "the target", "b": "?"}) == "a, id, y (the target)"
