"""The models that are served, fitted on seeded data: each as a bundle, as a file for the others, and rows to ask."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
from driftgauge.drift.bins import FloatArray
from driftgauge.models.creation.create import create_bundle
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from benchmarks.serving_formats import as_onnx, as_ubj, xgboost_classifier

ROWS: Final = 20_000
BODIES: Final = 64
TARGET: Final = "target"


@dataclass(frozen=True)
class Kind:
    """A model that can be served."""

    name: str
    make: Callable[[], Any]
    rows: int = ROWS
    held_out_rows: int = 5_000
    written: Callable[[Any, int, Path], Any] | None = None
    """Writes the file that the bundle is made of, and returns the model for the other servers; without it both are the
    estimator."""
    file: str = ""
    """Name of that file. The other environments lack its library."""


LOGISTIC: Final = Kind("logistic regression", LogisticRegression)
BOOSTING: Final = Kind("gradient boosting", lambda: HistGradientBoostingClassifier(max_iter=100, random_state=0))
ONNX: Final = Kind("logistic regression as ONNX", LogisticRegression, written=as_onnx, file="model.onnx")
XGBOOST: Final = Kind("XGBoost", xgboost_classifier, written=as_ubj, file="model.ubj")
SLOW: Final = Kind("nearest neighbours", lambda: KNeighborsClassifier(15, algorithm="kd_tree"), 61_000, 1_000)
"""Some milliseconds a row: in thirty dimensions the tree is of no use, all rows are compared. A batch saves little."""
KINDS: Final = (LOGISTIC, BOOSTING, ONNX, *([XGBOOST] if find_spec("xgboost") else []))


@dataclass(frozen=True)
class Fitted:
    """A fitted model on disk, with rows that it was not fitted on."""

    kind: str
    features: int
    bundle: Path
    model: Path
    """For the other contestants, written with joblib."""
    rows: FloatArray
    """What is asked, shape [bodies, features]."""
    scores: FloatArray
    """What the model says to it: the probability of the second class, shape [bodies]."""
    everywhere: bool = True
    """Whether servers in other environments can load the model's file."""

    @property
    def names(self) -> list[str]:
        """The features' names, in order."""
        return feature_names(self.features)

    def write_bodies(self, path: Path, body: Callable[[Mapping[str, float]], object]) -> Path:
        """Write a file with a body a line, one row each."""
        rows = (dict(zip(self.names, row, strict=True)) for row in self.rows.tolist())
        path.write_text("".join(json.dumps(body(row), separators=(",", ":")) + "\n" for row in rows))
        return path


def feature_names(count: int) -> list[str]:
    """Return the names of this many features."""
    return [f"f{place:03}" for place in range(count)]


def fit(kind: Kind, features: int, folder: Path, *, seed: int = 1, bodies: int = BODIES) -> Fitted:
    """Fit a model and write its bundle, its file and the rows to ask into a folder."""
    generator = np.random.default_rng([seed, features])
    x = generator.normal(size=(kind.rows, features)).round(4)
    weights = generator.normal(size=features) / np.sqrt(features)
    y = (x @ weights + 0.5 * generator.normal(size=kind.rows) > 0).astype(np.int64)
    part = kind.rows - kind.held_out_rows
    model = kind.make().fit(x[:part], y[:part])
    folder.mkdir(parents=True, exist_ok=True)
    file, names = folder / "model.joblib", feature_names(features)
    given = model
    if kind.written is not None:
        given = folder / kind.file
        model = kind.written(model, features, given)
    joblib.dump(model, file)
    tables = [_table(names, x[own], y[own]) for own in (slice(part), slice(part, None))]
    create_bundle(
        given, tables[0], TARGET, name="model", version="1", out=folder / "bundle", evaluation=tables[1], overwrite=True
    )
    asked = np.ascontiguousarray(x[part : part + bodies])
    scores = model.predict_proba(asked)[:, 1].astype(np.float64)
    return Fitted(kind.name, features, folder / "bundle", file, asked, scores, everywhere=kind.written is None)


def _table(names: Sequence[str], x: FloatArray, y: FloatArray) -> dict[str, FloatArray]:
    return {**dict(zip(names, x.T, strict=True)), TARGET: y}
