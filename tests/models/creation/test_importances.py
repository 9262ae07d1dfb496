"""Importances are those that scikit-learn finds by permutation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from driftgauge import create_bundle, load_bundle
from driftgauge.errors import ModelFailed
from driftgauge.models.bundle import Bundle
from driftgauge.models.creation.importances import FEWEST_ROWS, MOST_SECONDS, REPEATS, Shuffled
from driftgauge.models.predictor import Predictor, batch_of
from sklearn.compose import make_column_transformer
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

FEATURES = ["x", "y", "noise", "kind"]


def frame(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({name: rng.normal(size=rows) for name in FEATURES[:3]})
    table["kind"] = rng.choice(["a", "b", "c"], rows)
    number = 3.0 * table["x"] + table["y"] + 2.0 * (table["kind"] == "b") + 0.5 * rng.normal(size=rows)
    return table.assign(number=number, sign=np.where(number > 0, "up", "down"), third=np.digitize(number, [-2.0, 2.0]))


def estimator(target: str) -> Any:
    texts = make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough")
    model = make_pipeline(texts, LinearRegression() if target == "number" else LogisticRegression(max_iter=500))
    train = frame(2_000, 0)
    return model.fit(train[FEATURES], train[target])


def bundle(tmp_path: Path, target: str, **options: Any) -> Bundle:
    columns = [*FEATURES, target]
    train, test = frame(2_000, 0)[columns], options.pop("evaluation", frame(3_000, 1)[columns])
    out = tmp_path / "bundle"
    create_bundle(estimator(target), train, target, name="m", version="1", out=out, evaluation=test, **options)
    return load_bundle(out)


@pytest.mark.parametrize(
    ("target", "metric", "scoring"),
    [
        ("number", "mean_absolute_error", "neg_mean_absolute_error"),
        ("sign", "brier", "neg_brier_score"),
        ("third", "accuracy", "accuracy"),
    ],
)
def test_importances_are_those_of_scikit_learn(tmp_path: Path, target: str, metric: str, scoring: str) -> None:
    kept = bundle(tmp_path, target).importances
    assert kept is not None
    assert (kept.method, kept.metric) == ("permutation", metric)
    assert list(kept.shares) == FEATURES
    assert sum(kept.shares.values()) == pytest.approx(1.0)
    test = frame(3_000, 1)
    truth = (test[target] == "up").astype(int) if target == "sign" else test[target]
    model: Any = estimator(target)
    if target == "sign":
        model.steps[-1][1].classes_ = np.array([0, 1])
    found = permutation_importance(model, test[FEATURES], truth, scoring=scoring, n_repeats=10, random_state=1)
    expected = np.maximum(found.importances_mean, 0.0)
    assert list(kept.shares.values()) == pytest.approx((expected / expected.sum()).tolist(), abs=0.015)


def test_without_a_known_truth_the_change_of_the_score_counts(tmp_path: Path) -> None:
    unknown = frame(1_000, 1)[[*FEATURES, "number"]].assign(number=np.nan)
    kept = bundle(tmp_path, "number", evaluation=unknown).importances
    assert kept is not None
    assert kept.metric == "score"
    # E|a·(x - x')| of a normal feature is proportional to |a|.
    assert kept.shares["x"] / kept.shares["y"] == pytest.approx(3.0, rel=0.1)
    assert kept.shares["noise"] < 0.01


def test_without_an_evaluation_table_the_reference_is_shuffled(tmp_path: Path) -> None:
    kept = bundle(tmp_path, "number", evaluation=None).importances
    assert kept is not None
    assert kept.metric == "mean_absolute_error"
    assert max(kept.shares, key=lambda name: kept.shares[name]) == "x"


def test_they_are_left_out_on_demand(tmp_path: Path) -> None:
    said: list[str] = []
    assert bundle(tmp_path, "number", importances=False, progress=said.append).importances is None
    assert said == []


def test_progress_names_each_feature(tmp_path: Path) -> None:
    said: list[str] = []
    bundle(tmp_path, "number", progress=said.append)
    assert said[-2:] == ["measuring importances: feature 4 of 4 …", "measuring attributions …"]


def shuffled(tmp_path: Path, seconds: float, predictor: Any = None) -> Shuffled:
    """Rows of a model whose predictions of all rows take a time."""
    made = bundle(tmp_path, "number", importances=False)
    ticks: Iterator[float] = iter([0.0, seconds])
    rows = frame(3_000, 1)[FEATURES].to_dict("records")
    batch = batch_of(made.info.features, rows)  # type: ignore[arg-type]
    return Shuffled(made.info, predictor or Predictor(made), batch, clock=lambda: next(ticks))


def test_a_slow_model_gets_fewer_rows(tmp_path: Path) -> None:
    four = REPEATS * len(FEATURES)
    for seconds, rows in [(1.0, 3_000), (2.0 * MOST_SECONDS / four, 1_500), (1e6, FEWEST_ROWS)]:
        own = shuffled(tmp_path / str(rows), seconds)
        assert len(own._affordable(np.arange(3_000), np.random.default_rng(0))) == rows


def test_a_model_that_fails_on_shuffled_rows_has_no_importances(tmp_path: Path) -> None:
    class Failing:
        def predict(self, batch: object) -> None:
            raise ModelFailed("no such combination")

    table = pa.Table.from_pandas(frame(3_000, 1))
    assert shuffled(tmp_path, 1.0, Failing()).importances(table) is None


def test_a_constant_model_has_no_importances(tmp_path: Path) -> None:
    train = frame(500, 0)
    model = LinearRegression().fit(train[["x"]] * 0.0, train["number"])
    create_bundle(model, train[["x", "number"]], "number", name="m", version="1", out=tmp_path / "b")
    assert load_bundle(tmp_path / "b").importances is None
