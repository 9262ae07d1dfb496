"""What a model of another library says about itself, in a bundle: classes, categories and columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from driftgauge.errors import BundleError, Reason, Refused
from driftgauge.models.bundle import Bundle, Label, load_bundle
from driftgauge.models.creation.create import create_bundle
from driftgauge.models.predictor import Predictor, batch_of

from tests.examples import TARGET, shapes
from tests.models.formats.cases import as_categories, split

TREES: Any = {"n_estimators": 6, "num_leaves": 5, "verbose": -1, "min_child_samples": 5}


def bundle(out: Path, model: Any, table: Any, **options: Any) -> Bundle:
    create_bundle(model, table, TARGET, name="m", version="1", out=out, **options)
    return load_bundle(out)


def scores(made: Bundle, rows: list[dict[str, Any]]) -> list[float]:
    found: list[float] = Predictor(made).predict(batch_of(made.info.features, rows)).scores.tolist()
    return found


def booster(target: Any) -> Any:
    train, _ = split(shapes())
    return lightgbm.LGBMClassifier(**TREES).fit(as_categories(train.drop(columns=TARGET)), target(train)).booster_


def labelled(names: tuple[Label, Label]) -> pd.DataFrame:
    train, _ = split(shapes())
    return train.assign(**{TARGET: [names[value] for value in train[TARGET]]})


@pytest.mark.parametrize("names", [(0, 1), ("no", "yes"), (False, True), (3, 7)])
def test_the_classes_of_a_booster_are_the_sorted_values_of_the_target(
    names: tuple[Label, Label], tmp_path: Path
) -> None:
    table = labelled(names)
    made = bundle(tmp_path / "b", booster(lambda train: train[TARGET]), table)
    assert made.info.classes == names
    assert made.info.task == "binary"
    assert made.info.performance is not None
    assert made.info.performance.metrics["roc_auc"] > 0.9


def test_stated_classes_win(tmp_path: Path) -> None:
    table = labelled(("yes", "no"))  # the first class of the booster is not the first in the alphabet
    made = bundle(tmp_path / "b", booster(lambda train: train[TARGET]), table, classes=["yes", "no"])
    assert made.info.classes == ("yes", "no")
    assert made.info.performance is not None
    assert made.info.performance.metrics["roc_auc"] > 0.9


def test_a_regression_has_no_classes(tmp_path: Path) -> None:
    train, _ = split(shapes())
    model = lightgbm.LGBMRegressor(**TREES).fit(as_categories(train.drop(columns=TARGET)), train[TARGET]).booster_
    with pytest.raises(BundleError, match="the model predicts a number, and classes are named: leave out --classes"):
        bundle(tmp_path / "b", model, train, classes=["a", "b"])
    assert bundle(tmp_path / "b", model, train).info.task == "regression"


def test_categories_have_the_numbers_that_the_library_saved_whatever_the_table_is(tmp_path: Path) -> None:
    train, _ = split(shapes())
    model = booster(lambda train: train[TARGET])
    train.to_csv(tmp_path / "t.csv", index=False)
    train.to_parquet(tmp_path / "t.parquet")
    rows = [{"radius": 14.0, "shape": shape, "smooth": True} for shape in ("flat", "oval", "round")]
    expected = model.predict(as_categories(pd.DataFrame(rows)))
    for place in ("t.csv", "t.parquet"):
        made = bundle(tmp_path / place.replace(".", "-"), model, tmp_path / place)
        (shape,) = [feature for feature in made.info.features if feature.name == "shape"]
        assert (shape.categories, shape.codes) == (("flat", "oval", "round"), (0.0, 1.0, 2.0))
        assert scores(made, rows) == expected.tolist()
        assert made.info.input == "matrix"


def test_numbers_in_place_of_texts_are_stated(tmp_path: Path) -> None:
    train, _ = split(shapes())
    codes = {"flat": 5.0, "oval": 3.0, "round": 1.0}
    given = train.drop(columns=TARGET).assign(shape=train["shape"].map(codes), smooth=train["smooth"].astype(float))
    model = xgboost.train(
        {"objective": "binary:logistic", "max_depth": 3}, xgboost.DMatrix(given, train[TARGET]), num_boost_round=5
    )
    with pytest.raises(BundleError, match=r"shape: the model takes a number, .* holds text \(flat, oval"):
        bundle(tmp_path / "b", model, train)
    made = bundle(tmp_path / "b", model, train, category_codes={"shape": codes})
    rows = [{"radius": 14.0, "shape": "oval", "smooth": False}]
    expected = model.predict(xgboost.DMatrix(pd.DataFrame([{"radius": 14.0, "shape": 3.0, "smooth": 0.0}])))
    assert scores(made, rows) == expected.astype(float).tolist()


def test_xgboost_refuses_an_unseen_category_and_lightgbm_takes_it_for_missing(tmp_path: Path) -> None:
    train, _ = split(shapes())
    given = as_categories(train.drop(columns=TARGET))
    strict = xgboost.XGBClassifier(n_estimators=5, enable_categorical=True).fit(given, train[TARGET]).get_booster()
    row: dict[str, Any] = {"radius": 14.0, "shape": "square", "smooth": True}
    with pytest.raises(Refused) as caught:
        scores(bundle(tmp_path / "x", strict, train), [row])
    assert caught.value.reason is Reason.UNSEEN_CATEGORY
    lenient = bundle(tmp_path / "l", booster(lambda train: train[TARGET]), train)
    assert scores(lenient, [row]) == scores(lenient, [{**row, "shape": None}])


def test_a_bare_matrix_names_no_columns_and_takes_them_in_order(tmp_path: Path) -> None:
    train, _ = split(shapes())
    numbers = pd.DataFrame({"a": train["radius"], "b": train["smooth"].astype(float), TARGET: train[TARGET]})
    model = lightgbm.LGBMClassifier(**TREES).fit(numbers[["b", "a"]].to_numpy(), numbers[TARGET]).booster_
    made = bundle(tmp_path / "b", model, numbers, features=["b", "a"])
    assert [feature.name for feature in made.info.features] == ["b", "a"]
    expected = model.predict(np.array([[1.0, 14.0]])).tolist()
    assert scores(made, [{"a": 14.0, "b": 1.0}]) == expected
    with pytest.raises(BundleError, match="2 features, the reference has 3 besides the target"):
        bundle(tmp_path / "c", model, numbers.assign(c=1.0))
