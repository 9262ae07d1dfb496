"""Monitored values become rows that the model answers as it did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from driftgauge import create_bundle, load_bundle
from driftgauge.models.monitored_rows import monitored_rows
from driftgauge.models.predictor import Predictor, batch_of
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder


def predictor_of(tmp_path: Path, model: Any, table: pd.DataFrame, target: str, **options: Any) -> Predictor:
    model.fit(table.drop(columns=target), table[target])
    create_bundle(model, table, target, name="m", version="1", out=tmp_path / "b", importances=False, **options)
    return Predictor(load_bundle(tmp_path / "b"))


def table_of(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    kinds = np.where(np.arange(rows) % 500 == 0, "rare", rng.choice(["a", "b"], rows))
    return pd.DataFrame({"x": rng.normal(size=rows), "kind": kinds, "y": rng.normal(size=rows)})


def encoded() -> Any:
    texts = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["kind"]), remainder="passthrough")
    return make_pipeline(texts, LinearRegression())


def test_the_model_answers_monitored_rows_as_it_did_before(tmp_path: Path) -> None:
    table = table_of(3_000)
    predictor = predictor_of(tmp_path, encoded(), table, "y")
    rows: Any = table[["x", "kind"]].to_dict("records")
    before = predictor.predict(batch_of(predictor.info.features, rows))
    batch = monitored_rows(predictor, before.columns)
    assert batch is not None
    assert len(batch) == 3_000
    assert "rare" in batch.texts[1]
    assert np.array_equal(predictor.predict(batch).scores, before.scores)


def test_rows_that_lack_what_the_model_needs_are_left_out(tmp_path: Path) -> None:
    predictor = predictor_of(tmp_path, encoded(), table_of(3_000), "y")
    unseen = float(predictor.baseline.columns[1].bins.category_code("z"))
    values = np.array([[1.0, 0.0, 0.0], [np.nan, 0.0, 0.0], [2.0, unseen, 0.0]])
    batch = monitored_rows(predictor, values)
    assert batch is not None
    takes_missing = predictor.info.features[1].accepts_missing
    assert batch.cells[:, 0].tolist() == ([1.0, 2.0] if takes_missing else [1.0])


def test_texts_are_not_kept_so_there_are_no_rows(tmp_path: Path) -> None:
    table = pd.DataFrame({"note": ["good thing", "bad thing"] * 100, "y": [1, 0] * 100})
    model = make_pipeline(make_column_transformer((CountVectorizer(), "note")), LogisticRegression())
    predictor = predictor_of(tmp_path, model, table, "y")
    assert predictor.info.features[0].kind == "text"
    assert monitored_rows(predictor, np.zeros((3, 2))) is None
