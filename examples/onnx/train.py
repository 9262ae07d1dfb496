"""Fits a pipeline on numbers and text, and writes it as ONNX with one tensor for each feature."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

ROWS = 4_000


def flights() -> pd.DataFrame:
    """Return invented flights; those of the evening and of one carrier are late more often."""
    random = np.random.default_rng(0)
    carrier = random.choice(["AA", "DL", "UA"], ROWS)
    hour = random.integers(5, 23, ROWS).astype(float)
    distance = random.gamma(4.0, 250.0, ROWS).round()
    late = random.random(ROWS) < 1 / (1 + np.exp(3.0 - 0.15 * hour - 0.8 * (carrier == "UA")))
    return pd.DataFrame({"carrier": carrier, "hour": hour, "distance": distance, "late": np.where(late, "yes", "no")})


def main() -> None:
    """Write `train.parquet`, `held-out.parquet` and `model.onnx`."""
    table = flights()
    train, held_out = table[: ROWS * 3 // 4], table[ROWS * 3 // 4 :]
    encode = ColumnTransformer(
        [
            ("text", OneHotEncoder(handle_unknown="ignore"), ["carrier"]),
            ("number", StandardScaler(), ["hour", "distance"]),
        ]
    )
    model = make_pipeline(encode, LogisticRegression()).fit(train.drop(columns="late"), train["late"])
    inputs = [
        ("carrier", StringTensorType([None, 1])),
        ("hour", FloatTensorType([None, 1])),
        ("distance", FloatTensorType([None, 1])),
    ]
    written = convert_sklearn(model, initial_types=inputs, options={"zipmap": False})
    Path("model.onnx").write_bytes(written.SerializeToString())
    train.to_parquet("train.parquet")
    held_out.to_parquet("held-out.parquet")


if __name__ == "__main__":
    main()
