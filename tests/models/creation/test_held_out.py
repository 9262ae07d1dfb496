"""What is kept of held-out rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from driftgauge import create_bundle, load_bundle
from driftgauge.drift.performance.held_out import Estimator
from driftgauge.drift.windows.window import Rows, sliding_windows
from driftgauge.models.bundle import Bundle
from driftgauge.models.creation.baseline import BaselineOptions
from driftgauge.models.predictor import Predictor, batch_of
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder


def _frame(rows: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x, kind = rng.normal(shift, 1.0, rows), rng.choice(["a", "b", "c"], rows)
    noise = rng.normal(size=rows) * (1.0 + 2.0 * (kind == "b") + np.abs(x))
    number = 2.0 * x + noise
    return pd.DataFrame(
        {
            "at": np.arange(rows) * 60.0,
            "x": x,
            "kind": kind,
            "number": number,
            "sign": np.where(number > 0, "up", "down"),
            "third": np.digitize(number, [-2.0, 2.0]),
        }
    )


def _bundle(tmp_path: Path, target: str, *, held_out: bool = True) -> Bundle:
    train, test = _frame(1_500, 0), _frame(3_000, 1)
    texts = make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough")
    model = make_pipeline(texts, LinearRegression() if target == "number" else LogisticRegression())
    columns = ["at", "x", "kind", target]
    model.fit(train[["x", "kind"]], train[target])
    return create_bundle(
        model,
        train[columns],
        target,
        name="m",
        version="1",
        out=tmp_path / "bundle",
        evaluation=test[columns] if held_out else None,
        options=BaselineOptions(time="at"),
    )


def _realised(bundle: Bundle, live: pd.DataFrame, target: str) -> tuple[dict[str, float], float, list[object]]:
    """Return the estimates for live rows, their mean error or accuracy, and the errors of each answer."""
    rows = [{"x": x, "kind": kind} for x, kind in zip(live["x"].tolist(), live["kind"].tolist(), strict=True)]
    answers = Predictor(bundle).predict(batch_of(bundle.info.features, rows))
    binner = bundle.baseline.binner
    seen = Rows(answers.columns, binner.codes(answers.columns), np.arange(len(live), dtype=np.float64))
    windows = sliding_windows(seen, (len(live),), 0.0, binner)
    assert bundle.held_out is not None
    found = Estimator(bundle.held_out, bundle.baseline).estimates(windows)[str(len(live))]
    if target == "number":
        return dict(found), float(np.abs(live[target] - answers.scores).mean()), list(answers.labels)
    return dict(found), float(np.mean(np.array(answers.labels) == live[target])), list(answers.labels)


@pytest.mark.parametrize(
    ("target", "metrics"), [("number", {"mae"}), ("sign", {"accuracy", "roc_auc"}), ("third", {"accuracy"})]
)
def test_the_performance_of_rows_that_have_moved_is_estimated(tmp_path: Path, target: str, metrics: set[str]) -> None:
    _bundle(tmp_path, target)
    bundle = load_bundle(tmp_path / "bundle")
    found, realised, _ = _realised(bundle, _frame(4_000, 2, 1.0), target)
    assert set(found) == metrics
    first = found["mae"] if "mae" in found else found["accuracy"]
    assert first == pytest.approx(realised, rel=0.05)


def test_the_errors_of_held_out_rows_are_in_the_order_of_their_times(tmp_path: Path) -> None:
    kept = _bundle(tmp_path, "sign").held_out
    assert kept is not None
    assert kept.errors.names == ("error", "residual")
    assert kept.errors.rows == 3_000
    assert kept.errors.time_column == "at"
    assert kept.errors.columns[0].tau is not None
    accuracy = 1.0 - kept.errors.columns[0].mean
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.info.performance is not None
    assert accuracy == pytest.approx(bundle.info.performance.metrics["accuracy"])


def test_nothing_is_kept_of_rows_that_the_model_was_fitted_on(tmp_path: Path) -> None:
    assert _bundle(tmp_path, "sign", held_out=False).held_out is None
    assert load_bundle(tmp_path / "bundle").held_out is None
