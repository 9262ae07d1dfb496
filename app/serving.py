"""Predicting: from validated rows to scores, and to the columns that a monitor watches."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final

import numpy as np

from app.bundles import SAMPLE_TOLERANCE, Bundle, BundleInfo, Feature, Label, Sample
from app.drift.baseline import PREDICTION_CLASS
from app.drift.bins import Bins, FloatArray, category_name
from app.errors import BundleError, ModelFailed, Reason, Refused
from app.naming import named, shortened

SINGLE_PRECISION: Final = float(np.finfo(np.float32).max)
"""The largest number of 32 bits."""


@dataclass(frozen=True)
class Batch:
    """Rows as they came: numbers in `cells` (NaN is missing), texts by the place of their feature."""

    cells: FloatArray
    """Shape [n, features]; what it holds for a categorical feature does not matter."""
    texts: Mapping[int, Sequence[str | None]]

    def __len__(self) -> int:
        return len(self.cells)


@dataclass(frozen=True)
class Predictions:
    """What the model answered, row by row."""

    labels: Sequence[Label]
    """The predicted class; for a regression the value."""
    scores: FloatArray
    """Binary: probability of the positive class; multiclass: the top probability; regression: the value."""
    columns: FloatArray
    """What the monitor watches, in the baseline's order: features, score (and class), shape [n, columns]."""


class Predictor:
    """Turns batches of rows into predictions with the model of a bundle."""

    def __init__(self, bundle: Bundle) -> None:
        if bundle.info.input == "dataframe" and find_spec("pandas") is None:
            raise BundleError(
                "the model takes a DataFrame, and pandas is not installed: pip install 'driftgauge[pandas]'"
            )
        self.info: Final = bundle.info
        self._asking = threading.Lock()  # samples are predicted in a thread while others are on the event loop
        self._model = bundle.model
        self._encoders = {
            place: _CategoryEncoder(feature, column.bins)
            for place, (feature, column) in enumerate(zip(bundle.info.features, bundle.baseline.columns, strict=False))
            if feature.kind == "categorical"
        }
        self._strict = [
            (place, encoder) for place, encoder in self._encoders.items() if not encoder.feature.accepts_missing
        ]
        self._class_codes: FloatArray | None = None
        if PREDICTION_CLASS in bundle.baseline.names:
            bins = bundle.baseline.bins[bundle.baseline.names.index(PREDICTION_CLASS)]
            self._class_codes = bins.encode(map(category_name, bundle.info.classes))

    def admit(self, batch: Batch) -> None:
        """Raise Refused for a category that the model does not know, where it takes no missing value."""
        for place, encoder in self._strict:
            encoder.refuse_unknown(batch.texts[place])

    def predict(self, batch: Batch) -> Predictions:
        """Predict all rows or none: Refused for a cell that the model cannot take, else ModelFailed."""
        self.admit(batch)
        return self.predict_admitted(batch)

    def predict_admitted(self, batch: Batch) -> Predictions:
        """Predict rows that `admit` let through; raises as `predict` does."""
        inputs, observed = self._encode(batch)
        try:
            return self._answer(inputs, observed)
        except Exception as error:
            self._refuse_huge(batch.cells)
            raise ModelFailed(f"the model raised {type(error).__name__}: {error}") from error

    def _refuse_huge(self, cells: FloatArray) -> None:
        """Raise Refused for a number beyond single precision, which is what many models work in."""
        for place, feature in enumerate(self.info.features):
            magnitude = np.abs(cells[:, place])
            huge = np.isfinite(magnitude) & (magnitude > SINGLE_PRECISION)
            if feature.kind == "numeric" and huge.any():
                row = int(huge.argmax())
                raise Refused(
                    Reason.NOT_FINITE,
                    f"{feature.name}: {cells[row, place]:g} is too large for the model; send null where it is missing",
                    {"field": feature.name, "row": row},
                )

    def _encode(self, batch: Batch) -> tuple[Any, FloatArray]:
        """Return what the model is given, and what of it is watched, shape [n, features]."""
        inputs, observed = batch.cells.copy(), batch.cells.copy()
        texts: dict[str, list[str | None]] = {}
        for place, encoder in self._encoders.items():
            names = batch.texts[place]
            inputs[:, place], observed[:, place] = encoder.encode(names)
            if encoder.feature.codes is None:
                texts[encoder.feature.name] = encoder.known_only(names)
        return (self._frame(inputs, texts) if self.info.input == "dataframe" else inputs), observed

    def _frame(self, inputs: FloatArray, texts: Mapping[str, list[str | None]]) -> Any:
        import pandas as pd  # an extra: only estimators that want a DataFrame need it

        return pd.DataFrame(
            {
                feature.name: pd.Categorical(texts[feature.name], categories=list(feature.categories))
                if feature.name in texts
                else inputs[:, place]
                for place, feature in enumerate(self.info.features)
            }
        )

    def _answer(self, inputs: Any, observed: FloatArray) -> Predictions:
        with self._asking:
            return self._asked(inputs, observed)

    def _asked(self, inputs: Any, observed: FloatArray) -> Predictions:
        if self.info.task == "regression":
            values = np.asarray(self._model.predict(inputs), dtype=np.float64).reshape(len(observed))
            _require_finite(values)
            return Predictions(values.tolist(), values, np.column_stack([observed, values]))
        probabilities = np.asarray(self._model.predict_proba(inputs), dtype=np.float64)
        _require_finite(probabilities)
        top = probabilities.argmax(axis=1)
        labels = [self.info.classes[place] for place in top.tolist()]
        scores = probabilities[:, 1].copy() if self.info.task == "binary" else probabilities.max(axis=1)
        watched = [observed, scores]
        if self._class_codes is not None:  # not yet known while a bundle is being made
            watched.append(self._class_codes[top])
        return Predictions(labels, scores, np.column_stack(watched))


def _require_finite(values: FloatArray) -> None:
    if not np.isfinite(values).all():
        raise ValueError("it answered with a number that is not finite")


class _CategoryEncoder:
    """Gives each category of one feature its number for the model and its bin for the monitor."""

    def __init__(self, feature: Feature, bins: Bins) -> None:
        self.feature: Final = feature
        self._bins = bins
        codes = feature.codes or [math.nan] * len(feature.categories)
        watched = bins.encode(feature.categories).tolist()
        pairs = zip(codes, watched, strict=True)
        self._known: dict[str | None, tuple[float, float]] = dict(zip(feature.categories, pairs, strict=True))
        self._known[None] = (math.nan, math.nan)

    def encode(self, names: Sequence[str | None]) -> tuple[FloatArray, FloatArray]:
        """Return the model's numbers (NaN where it knows none) and the bin codes, shapes [n]."""
        pairs = np.array([self._known.get(name) or self._unknown(str(name)) for name in names]).reshape(len(names), 2)
        return pairs[:, 0], pairs[:, 1]

    def _unknown(self, name: str) -> tuple[float, float]:
        return math.nan, float(self._bins.category_code(name))

    def known_only(self, names: Sequence[str | None]) -> list[str | None]:
        """Return the names with those that the model does not know as missing."""
        return [name if name in self._known else None for name in names]

    def refuse_unknown(self, names: Sequence[str | None]) -> None:
        """Raise Refused for the first name that the model does not know."""
        for row, name in enumerate(names):
            if name not in self._known:
                raise Refused(
                    Reason.UNSEEN_CATEGORY,
                    f"{self.feature.name}: the model does not know the category {shortened(str(name))!r}, and takes "
                    f"no missing value there; it knows {named(self.feature.categories)}",
                    {"field": self.feature.name, "row": row},
                )


def batch_of(features: Sequence[Feature], rows: Sequence[Mapping[str, float | str | None]]) -> Batch:
    """Return a batch of rows that are known to be valid, such as a bundle's samples."""
    cells = np.full((len(rows), len(features)), np.nan)
    texts: dict[int, list[str | None]] = {}
    for place, feature in enumerate(features):
        values = [row.get(feature.name) for row in rows]
        if feature.kind == "categorical":
            texts[place] = [category_name(value) for value in values]
        else:
            cells[:, place] = [math.nan if value is None else float(value) for value in values]
    return Batch(cells, texts)


def check_samples(predictor: Predictor, info: BundleInfo) -> list[tuple[Sample, Label, float, bool]]:
    """Predict the bundle's samples again: each with the label and score of now, and whether they agree."""
    if not info.samples:
        return []
    again = predictor.predict(batch_of(info.features, [sample.features for sample in info.samples]))
    return [
        (sample, label, score, math.isclose(score, sample.score, rel_tol=SAMPLE_TOLERANCE, abs_tol=SAMPLE_TOLERANCE))
        for sample, label, score in zip(info.samples, again.labels, again.scores.tolist(), strict=True)
    ]


def verify(predictor: Predictor, info: BundleInfo) -> None:
    """Raise BundleError if the model answers its own samples otherwise than when the bundle was made."""
    made = ", ".join(f"{name} {version}" for name, version in sorted(info.libraries.items()))
    try:
        checked = check_samples(predictor, info)
    except (ModelFailed, Refused) as error:
        raise BundleError(
            f"the model fails on a sample of its bundle ({error}). The bundle was made "
            f"with {made}: install those versions, or make the bundle again"
        ) from error
    for sample, _, score, agrees in checked:
        if not agrees:
            raise BundleError(
                f"the model answers a sample with {score:.9g}, its bundle says {sample.score:.9g}. The bundle was made "
                f"with {made}: install those versions, or make the bundle again"
            )
