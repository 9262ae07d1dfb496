"""Contributions are those of the library that made the model, or of replaced values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from driftgauge import create_bundle, load_bundle
from driftgauge.drift.bins import FloatArray
from driftgauge.models.attributor import Attributor, live_measure
from driftgauge.models.predictor import Batch, Predictor, batch_of
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from threadpoolctl import threadpool_info, threadpool_limits

from tests.models.formats.cases import MAKERS, Case

CaseOf = Callable[[str], Case]
SHAP = {
    "xgboost-binary": "tree_shap",
    "xgboost-multiclass": "tree_shap",
    "xgboost-regression": "tree_shap",
    "xgboost-linear": "linear",
    "lightgbm-binary": "tree_shap",
    "lightgbm-multiclass": "tree_shap",
    "lightgbm-regression": "tree_shap",
    "catboost-binary": "tree_shap",
    "catboost-multiclass": "tree_shap",
    "sklearn-xgboost": "tree_shap",
    "sklearn-lightgbm": "tree_shap",
}
"""Cases whose library explains its answers; all others are explained by replacement."""


@pytest.fixture(scope="module")
def case_of(tmp_path_factory: pytest.TempPathFactory) -> CaseOf:
    made: dict[str, Case] = {}

    def case(name: str) -> Case:
        if name not in made:
            made[name] = MAKERS[name](tmp_path_factory.mktemp("formats") / name)
        return made[name]

    return case


@pytest.mark.parametrize("name", SHAP)
def test_contributions_add_up_to_what_the_model_answers(name: str, case_of: CaseOf) -> None:
    case = case_of(name)
    predictor, batch = Predictor(case.bundle), case.batch(case.rows)
    answers = predictor.predict(batch)
    found = predictor.contributions(batch).sum(axis=2)
    if answers.probabilities is not None:  # softmax: the differences of outputs are those of log-probabilities
        margins = np.log(answers.probabilities)
        margins, found = margins[:, 1:] - margins[:, :1], found[:, 1:] - found[:, :1]
    elif case.bundle.info.task == "binary":
        margins = np.log(answers.scores / (1.0 - answers.scores))[:, None]
    else:
        margins = answers.scores[:, None]
    rest = margins - found  # the bias, which is the same for each row
    assert np.allclose(rest, rest[0], atol=2e-3 * np.abs(margins).max())


@pytest.mark.parametrize("name", MAKERS)
def test_the_attributions_of_a_bundle_are_found_again_from_its_rows(name: str, case_of: CaseOf) -> None:
    case = case_of(name)
    kept = case.bundle.attributions
    assert kept is not None
    assert kept.method == SHAP.get(name, "replacement" if name != "python-pipeline" else kept.method)
    assert kept.rows == len(case.rows)
    again = Attributor(Predictor(case.bundle), kept.method).attributions(case.batch(case.rows), 1e9, seed=1)
    assert again is not None
    # Other draws of replaced values give other shares, within their standard error.
    errors = np.array(kept.share_spreads) / kept.rows**0.5 if kept.method == "replacement" else 0.0
    assert (np.abs(again.shares - kept.shares) <= 5.0 * errors + 1e-6).all()


def table_of(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"x": rng.normal(5.0, 1.0, rows), "y": rng.normal(0.0, 3.0, rows), "z": rng.normal(size=rows)})
    return table.assign(number=2.0 * table["x"] - table["y"], sign=(table["x"] > 5.0).astype(int))


def predictor_of(folder: Path, model: Any, target: str = "number") -> Predictor:
    train = table_of(2_000, 0)
    model.fit(train[["x", "y", "z"]].to_numpy(), train[target])
    columns = train[["x", "y", "z", target]]
    create_bundle(model, columns, target, name="m", version="1", out=folder, features=["x", "y", "z"])
    return Predictor(load_bundle(folder))


def magnitudes(predictor: Predictor, rows: int = 1_000) -> tuple[FloatArray, str, pd.DataFrame]:
    live = table_of(rows, 1)
    records: Any = live[["x", "y", "z"]].to_dict("records")
    own = Attributor(predictor)
    found = own.attributions(batch_of(predictor.info.features, records), 1e9)
    assert found is not None
    return np.array(found.means), own.method, live


@pytest.mark.parametrize("steps", [[], [StandardScaler()], [SimpleImputer(), StandardScaler()]])
def test_a_linear_model_is_explained_by_its_terms_against_the_references_mean(tmp_path: Path, steps: list[Any]) -> None:
    predictor = predictor_of(tmp_path / "b", make_pipeline(*steps, LinearRegression()))
    found, method, live = magnitudes(predictor)
    mean = table_of(2_000, 0).mean()
    expected = [2.0 * (live["x"] - mean["x"]).abs().mean(), (live["y"] - mean["y"]).abs().mean(), 0.0]
    assert method == "linear"
    assert found.tolist() == pytest.approx(expected, abs=1e-6)


def test_a_classifiers_terms_are_log_odds(tmp_path: Path) -> None:
    model = LogisticRegression()
    predictor = predictor_of(tmp_path / "b", model, "sign")
    found, method, live = magnitudes(predictor)
    gap = (live[["x", "y", "z"]] - table_of(2_000, 0)[["x", "y", "z"]].mean()).abs().mean()
    assert method == "linear"
    assert found.tolist() == pytest.approx((np.abs(model.coef_[0]) * gap).tolist())


@pytest.mark.parametrize(
    "model",
    [RandomForestRegressor(50, random_state=0), make_pipeline(PolynomialFeatures(1), LinearRegression())],
)
def test_other_estimators_are_explained_by_replacing_values(tmp_path: Path, model: Any) -> None:
    found, method, _ = magnitudes(predictor_of(tmp_path / "b", model))
    assert method == "replacement"
    # E|a(x - x')| of two independent normal values is 2·a·sd/√π.
    assert found[:2].tolist() == pytest.approx([2 * 2.0 / np.pi**0.5, 2 * 3.0 / np.pi**0.5], rel=0.1)
    assert found[2] < 0.1


def test_a_slow_model_is_explained_on_as_many_rows_as_fit(tmp_path: Path) -> None:
    predictor = predictor_of(tmp_path / "b", LinearRegression())
    ticks: Iterator[float] = iter(range(100))
    records: Any = table_of(1_000, 1)[["x", "y", "z"]].to_dict("records")
    own = Attributor(predictor, clock=lambda: next(ticks))
    found = own.attributions(batch_of(predictor.info.features, records), 1.5, at_once=100)
    assert found is not None
    assert found.rows == 200
    assert own.attributions(batch_of(predictor.info.features, []), 1.0) is None


def test_a_model_of_free_text_has_no_attributions(tmp_path: Path) -> None:
    table = pd.DataFrame({"note": ["good thing", "bad thing"] * 100, "y": [1, 0] * 100})
    model = make_pipeline(make_column_transformer((CountVectorizer(), "note")), LogisticRegression())
    model.fit(table[["note"]], table["y"])
    create_bundle(model, table, "y", name="m", version="1", out=tmp_path / "b")
    assert load_bundle(tmp_path / "b").attributions is None


def test_live_rows_are_explained_in_one_thread_and_predictions_keep_theirs(
    case_of: CaseOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = case_of("sklearn-lightgbm")
    predictor = Predictor(case.bundle)
    contributions, seen = predictor.contributions, list[dict[str, int]]()

    def spied(batch: Batch) -> FloatArray:
        seen.append({own["user_api"]: own["num_threads"] for own in threadpool_info()})
        return contributions(batch)

    monkeypatch.setattr(predictor, "contributions", spied)
    values = predictor.predict(case.batch(case.rows)).columns
    with threadpool_limits(2):
        usual = {own["user_api"]: own["num_threads"] for own in threadpool_info()}
        assert live_measure(predictor, "tree_shap")(values, 0) is not None
    assert usual == {"blas": 2, "openmp": 2}
    assert seen[0] == {"blas": 2, "openmp": 1}
