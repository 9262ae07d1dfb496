from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from driftgauge.errors import BundleError
from driftgauge.models.creation.estimator import classes_of, features_of, selects_by_name
from driftgauge.models.creation.feature_names import names_of
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FRAME = pd.DataFrame({"b": [1.0, 2.0, 3.0, 4.0], "a": [4.0, 1.0, 3.0, 2.0]})
TARGET = np.array([0, 1, 0, 1])


def test_features_are_in_the_order_of_the_estimators_own_names() -> None:
    model = LogisticRegression().fit(FRAME, TARGET)
    table = pa.table({"a": [1.0], "id": [7], "b": [2.0]})
    names = names_of(model, table.column_names, []).names
    assert [feature.name for feature in features_of(model, table, names, {}, {})] == ["b", "a"]


def test_features_are_the_tables_columns_where_the_estimator_knows_no_names() -> None:
    model = LogisticRegression().fit(FRAME.to_numpy(), TARGET)
    table = pa.table({"a": [1.0], "id": [7], "b": ["x"]})
    names = names_of(model, table.column_names, ["id"]).names
    found = features_of(model, table, names, {}, {"b": {"x": 3.0, "y": 4.0}})
    assert [(feature.name, feature.kind, feature.codes) for feature in found] == [
        ("a", "numeric", None),
        ("b", "categorical", (3.0, 4.0)),
    ]
    with pytest.raises(BundleError, match="fitted on 2 features, the reference has 3"):
        features_of(model, table, names_of(model, table.column_names, []).names, {}, {})


def test_classes_are_plain_values_and_none_for_a_regression() -> None:
    assert classes_of(LogisticRegression().fit(FRAME, TARGET)) == (0, 1)
    assert classes_of(LogisticRegression().fit(FRAME, np.array(["no", "yes", "no", "yes"]))) == ("no", "yes")
    assert classes_of(LinearRegression().fit(FRAME, TARGET)) is None
    with pytest.raises(BundleError, match="no predict_proba"):
        classes_of(RidgeClassifier().fit(FRAME, TARGET))
    with pytest.raises(BundleError, match="neither a fitted classifier"):
        classes_of(StandardScaler().fit(FRAME))


@pytest.mark.parametrize(("columns", "by_name"), [(["a"], True), ([0], False), (slice("a", "b"), True)])
def test_a_selection_by_name_is_found_inside_other_estimators(columns: object, by_name: bool) -> None:
    chosen = make_column_transformer((StandardScaler(), columns), remainder="passthrough")
    inner = make_pipeline(chosen, LogisticRegression())
    assert selects_by_name(inner) is by_name
    assert selects_by_name(GridSearchCV(inner, {"logisticregression__C": [1.0]}, cv=2)) is by_name
