"""Small models of scikit-learn's own data, each with its tables and the bundle made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from driftgauge.models.bundle import Bundle, load_bundle
from driftgauge.models.creation.create import create_bundle
from driftgauge.models.predictor import Batch, batch_of
from driftgauge.settings.options import Settings
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

TARGET = "outcome"
SHAPE_CODES = {"flat": 0.0, "oval": 1.0, "round": 2.0}


@dataclass(frozen=True)
class Example:
    """A fitted estimator, its tables, and its bundle as read back from its folder."""

    folder: Path
    bundle: Bundle
    estimator: Any
    reference: pd.DataFrame
    evaluation: pd.DataFrame
    inputs: Callable[[pd.DataFrame], Any]
    """What the estimator itself is given for rows of a table."""

    @property
    def names(self) -> list[str]:
        return [feature.name for feature in self.bundle.info.features]

    @property
    def held_out(self) -> pd.DataFrame:
        """The evaluation table without its target."""
        return self.evaluation[self.names]

    def rows(self, count: int | None = None, first: int = 0) -> list[dict[str, Any]]:
        """Rows of the evaluation table as a request sends them."""
        return json_rows(self.held_out.iloc[first : None if count is None else first + count])

    def batch(self, rows: list[dict[str, Any]]) -> Batch:
        return batch_of(self.bundle.info.features, rows)


def json_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    columns = {str(name): [None if value != value else value for value in frame[name].tolist()] for name in frame}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def quiet(**options: Any) -> Settings:
    """Settings of a test: small windows, nothing to learn, and an evaluation for every reader."""
    return Settings(
        **{
            "windows": (50, 1000),
            "learning_seconds": 0,
            "state_dir": "memory",
            "evaluation_rest_factor": 0.0,
            "evaluation_interval_seconds": 600,
            "evaluation_stale_seconds": 1200,
            "evaluation_wait_seconds": 30,
            **options,
        }
    )


def cells() -> pd.DataFrame:
    """Six numbers of each of 569 cells, and whether it was benign."""
    data = load_breast_cancer(as_frame=True)
    return _shuffled(data.data.iloc[:, :6].assign(**{TARGET: data.target}))


def shapes() -> pd.DataFrame:
    """A number, a text and a boolean for each cell."""
    frame = cells()
    texture = frame["mean texture"]
    return pd.DataFrame(
        {
            "radius": frame["mean radius"],
            "shape": np.where(texture < 16, "round", np.where(texture < 20, "oval", "flat")),
            "smooth": frame["mean smoothness"] < 0.1,
            TARGET: frame[TARGET],
        }
    )


def flowers() -> pd.DataFrame:
    data = load_iris(as_frame=True)
    return _shuffled(data.data.assign(**{TARGET: data.target_names[data.target]}))


def patients() -> pd.DataFrame:
    data = load_diabetes(as_frame=True)
    return _shuffled(data.data.assign(**{TARGET: data.target}))


def _shuffled(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sample(frac=1.0, random_state=0).reset_index(drop=True)


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def coded(frame: pd.DataFrame) -> Any:
    codes = frame.assign(shape=frame["shape"].map(SHAPE_CODES))
    return codes.astype(float).to_numpy()


def categorical(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(shape=pd.Categorical(frame["shape"], categories=sorted(SHAPE_CODES)))


def boosting(**options: Any) -> Any:
    return HistGradientBoostingClassifier(max_iter=8, max_leaf_nodes=6, random_state=0, **options)


def logistic() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression())


def one_hot() -> Any:
    encode = ColumnTransformer(
        [("text", OneHotEncoder(), ["shape"]), ("number", StandardScaler(), ["radius", "smooth"])]
    )
    return make_pipeline(encode, LogisticRegression())


def make(
    folder: Path,
    estimator: Any,
    table: pd.DataFrame,
    inputs: Callable[[pd.DataFrame], Any] = plain,
    category_codes: Mapping[str, Mapping[str, float]] | None = None,
) -> Example:
    """Fit an estimator on two thirds of a table and make its bundle, the last third being held out."""
    split = len(table) * 2 // 3
    reference, evaluation = table.iloc[:split], table.iloc[split:].reset_index(drop=True)
    with threadpool_limits(1):  # small models, and other tests on the other cores
        estimator.fit(inputs(reference.drop(columns=TARGET)), reference[TARGET].to_numpy())
        create_bundle(
            estimator,
            reference,
            TARGET,
            name=folder.name,
            version="1.2",
            out=folder,
            evaluation=evaluation,
            category_codes=category_codes,
        )
    return Example(folder, load_bundle(folder), estimator, reference, evaluation, inputs)


MAKERS: dict[str, Callable[[Path], Example]] = {
    "binary": lambda folder: make(folder, logistic(), cells()),
    "tolerant": lambda folder: make(folder, boosting(), cells()),
    "multiclass": lambda folder: make(folder, LogisticRegression(max_iter=500), flowers()),
    "regression": lambda folder: make(folder, Ridge(), patients()),
    "text": lambda folder: make(folder, one_hot(), shapes()),
    "category": lambda folder: make(folder, boosting(categorical_features="from_dtype"), shapes(), categorical),
    "coded": lambda folder: make(
        folder, boosting(categorical_features=[1]), shapes(), coded, category_codes={"shape": SHAPE_CODES}
    ),
}
