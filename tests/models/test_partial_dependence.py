"""Partial dependence is that of scikit-learn on the same rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from driftgauge import create_bundle, load_bundle
from driftgauge.drift.bins import FloatArray
from driftgauge.errors import ModelFailed
from driftgauge.models.partial_dependence import FEWEST_ROWS, MOST_ROWS, MOST_SECONDS, DependenceProbe
from driftgauge.models.predictor import Batch, Predictor, batch_of
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.inspection import partial_dependence
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

FEATURES = ["x", "y", "kind"]
NONE = np.array([])


def frame(rows: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"x": rng.normal(shift, 1.0, rows), "y": rng.normal(size=rows)})
    table["kind"] = rng.choice(["a", "b", "c"], rows)
    number = 3.0 * table["x"] * table["y"] + table["x"] + 2.0 * (table["kind"] == "b")
    return table.assign(number=number, sign=(number > 0).astype(int))


def made(tmp_path: Path, target: str) -> tuple[Any, Predictor]:
    train = frame(2_000, 0)
    texts = make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough")
    last = LinearRegression() if target == "number" else HistGradientBoostingClassifier(random_state=0)
    model = make_pipeline(texts, last).fit(train[FEATURES], train[target])
    columns = train[[*FEATURES, target]]
    create_bundle(model, columns, target, name="m", version="1", out=tmp_path / "b", importances=False)
    return model, Predictor(load_bundle(tmp_path / "b"))


def monitored(predictor: Predictor, table: pd.DataFrame) -> FloatArray:
    """Return the rows as a monitor keeps them."""
    rows: Any = table[FEATURES].to_dict("records")
    return predictor.predict(batch_of(predictor.info.features, rows)).columns


@pytest.mark.parametrize("target", ["number", "sign"])
@pytest.mark.parametrize("feature", ["x", "kind"])
def test_it_is_that_of_scikit_learn_for_numbers_and_categories(tmp_path: Path, target: str, feature: str) -> None:
    model, predictor = made(tmp_path, target)
    live = frame(500, 1, 4.0)
    values = monitored(predictor, live)
    found = DependenceProbe(predictor, lambda: 0.0).of(feature, values, values[:, FEATURES.index(feature)])
    assert found is not None
    assert (found.feature, found.rows) == (feature, MOST_ROWS)
    grid = np.array([point.value if point.name is None else point.name for point in found.points], dtype=object)
    expected = partial_dependence(
        model,
        live[FEATURES].tail(MOST_ROWS),
        [feature],
        custom_values={feature: grid if feature == "kind" else grid.astype(float)},
        categorical_features=["kind"],
        kind="both",
        response_method="predict_proba" if target == "sign" else "auto",
        method="brute",
    )
    assert found.means == pytest.approx(expected["average"][0].tolist(), abs=1e-9)
    assert found.spreads == pytest.approx(expected["individual"][0].std(axis=0).tolist(), abs=1e-9)
    assert any(point.is_new for point in found.points) == (feature == "x")


def test_the_last_one_is_kept_for_its_key(tmp_path: Path) -> None:
    _, predictor = made(tmp_path, "number")
    probe, values = DependenceProbe(predictor), monitored(predictor, frame(100, 1))
    first = probe.of("x", values, NONE, key=1.0)
    assert probe.of("x", values, NONE, key=1.0) is first
    assert probe.of("x", values, NONE, key=2.0) is not first
    assert probe.of("x", values, NONE) is not probe.of("x", values, NONE)


def test_what_cannot_be_asked_has_none(tmp_path: Path) -> None:
    _, predictor = made(tmp_path, "number")
    values = monitored(predictor, frame(100, 1))
    probe = DependenceProbe(predictor)
    assert probe.of("no feature", values, NONE) is None
    assert probe.of("x", values[:0], NONE) is None
    assert probe.of("x", np.full_like(values, np.nan), NONE) is None  # the model takes no missing values


class Other:
    """A predictor that stands beside another one."""

    def __init__(self, predictor: Predictor, before: Callable[[Batch], None]) -> None:
        self._own, self._before = predictor, before
        self.info, self.baseline = predictor.info, predictor.baseline

    def predict(self, batch: Batch) -> Any:
        self._before(batch)
        return self._own.predict(batch)


def test_a_model_that_fails_has_none(tmp_path: Path) -> None:
    _, predictor = made(tmp_path, "number")

    def fail(_: Batch) -> None:
        raise ModelFailed("no such row")

    values = monitored(predictor, frame(100, 1))
    assert DependenceProbe(Other(predictor, fail)).of("x", values, NONE) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "twenty", "rows"),
    [
        (0.0, 0.0, MOST_ROWS),
        (0.05, 0.05, MOST_ROWS),
        (0.0, 0.019, int(MOST_SECONDS / 19 / 0.001)),
        (0.0, 0.1, FEWEST_ROWS),
    ],
)
def test_a_slow_model_gets_fewer_rows(tmp_path: Path, one: float, twenty: float, rows: int) -> None:
    _, predictor = made(tmp_path, "number")
    ticks: Iterator[float] = iter([0.0, one, 0.0, twenty])
    most: list[int] = []
    slow: Any = Other(predictor, lambda batch: most.append(len(batch)))
    found = DependenceProbe(slow, clock=lambda: next(ticks)).of("x", monitored(predictor, frame(300, 1)), NONE)
    assert found is not None
    assert found.rows == max(most) == rows


@pytest.mark.parametrize(("ticks", "most"), [([0.0, 1.0], 1), ([0.0, 0.01, 0.0, 0.2], FEWEST_ROWS)])
def test_a_model_that_is_too_slow_for_few_rows_is_not_asked(tmp_path: Path, ticks: list[float], most: int) -> None:
    _, predictor = made(tmp_path, "number")
    left, asked = iter(ticks), list[int]()
    slow: Any = Other(predictor, lambda batch: asked.append(len(batch)))
    probe = DependenceProbe(slow, clock=lambda: next(left))
    assert probe.of("x", monitored(predictor, frame(300, 1)), NONE) is None
    assert max(asked) == most
    assert len(asked) <= 3
