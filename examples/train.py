"""Fits a model of late flights, and writes it beside the table that a monitor compares with."""

from __future__ import annotations

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

ROWS = 20_000


def flights() -> pd.DataFrame:
    """Return invented flights, five minutes apart."""
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "departed": pd.date_range("2026-01-01", periods=ROWS, freq="5min", tz="UTC"),
            "carrier": random.choice(["AA", "DL", "UA"], ROWS),
            "hour": random.integers(5, 23, ROWS),
            "distance": random.gamma(4.0, 250.0, ROWS).round(),
        }
    )


def is_late(table: pd.DataFrame) -> np.ndarray:
    """Say which flights are late: more of the evening's, and more of one carrier's."""
    odds = 3.0 - 0.15 * table["hour"] - 0.8 * (table["carrier"] == "UA")
    return np.random.default_rng(1).random(len(table)) < 1 / (1 + np.exp(odds))


def main() -> None:
    """Write `model.joblib` and `training.parquet`."""
    table = flights()
    features, late = table.drop(columns="departed"), is_late(table)
    encode = ColumnTransformer(
        [
            ("text", OneHotEncoder(handle_unknown="ignore"), ["carrier"]),
            ("number", StandardScaler(), ["hour", "distance"]),
        ]
    )
    model = make_pipeline(encode, LogisticRegression())
    # Scores of rows that the model was not fitted on: those are what it will give to live rows.
    scores = cross_val_predict(model, features, late, method="predict_proba")[:, 1]
    joblib.dump(model.fit(features, late), "model.joblib")
    table.assign(prediction=scores).to_parquet("training.parquet")


if __name__ == "__main__":
    main()
