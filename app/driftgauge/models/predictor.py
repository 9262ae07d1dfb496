"""Prediction: from validated rows to scores and to the columns that are monitored."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import Any, Final

import numpy as np

from driftgauge.common.quoting import bounded_name, named, shortened
from driftgauge.drift.bins import UNSEEN, Bins, FloatArray, IntArray, category_name
from driftgauge.drift.reference.baseline import PREDICTION_CLASS
from driftgauge.errors import BundleError, ModelFailed, Reason, Refused, count_refused
from driftgauge.models.bundle import Bundle, BundleInfo, Feature, Label, Sample
from driftgauge.models.categories import CategoryNames
from driftgauge.models.formats.explained import Explainable, Explained
from driftgauge.models.formats.registry import format_of
from driftgauge.models.frames import Frames
from driftgauge.tables.cells import number_of

SINGLE_PRECISION: Final = float(np.finfo(np.float32).max)
"""Largest 32-bit float."""


@dataclass(frozen=True)
class Batch:
    """Rows of a request: numbers in `cells`, NaN for missing, and texts by the index of their feature."""

    cells: FloatArray
    """Shape [n, features]; cells of categories and free texts are ignored."""
    texts: Mapping[int, Sequence[str | None]]
    """Names of categories, and free texts."""
    lacking: int = 0
    """Rows that lacked a required column when they were sent; of all rows, and of no part."""
    lacks: str = ""
    """A required column that the first of them lacked."""

    def __len__(self) -> int:
        return len(self.cells)

    def part(self, rows: slice) -> Batch:
        """Return some of the rows."""
        return Batch(self.cells[rows], {index: texts[rows] for index, texts in self.texts.items()})

    def rows(self, chosen: IntArray) -> Batch:
        """Return the rows at some places, in their order."""
        places = chosen.tolist()
        return Batch(self.cells[chosen], {i: [texts[place] for place in places] for i, texts in self.texts.items()})


@dataclass(frozen=True)
class Predictions:
    """The model's predictions, row by row."""

    labels: Sequence[Label]
    """The predicted class, or the value of a regression."""
    scores: FloatArray
    """Binary: probability of the positive class; multiclass: the top probability; regression: the value."""
    columns: FloatArray
    """The monitored columns in the baseline's order: features, score (and class), shape [n, columns]."""
    probabilities: FloatArray | None = None
    """Of each class, where there are more than two, shape [n, classes]."""


class Predictor:
    """Turns batches of rows into predictions with the model of a bundle."""

    def __init__(self, bundle: Bundle) -> None:
        if bundle.info.input == "dataframe" and find_spec("pandas") is None:
            raise BundleError(
                "the model needs a DataFrame, and pandas is not installed: pip install 'driftgauge[pandas]'"
            )
        self.info: Final = bundle.info
        self.baseline: Final = bundle.baseline
        self._lock = threading.Lock()  # samples are predicted in a thread beside the event loop
        self._model = format_of(bundle.info.model.format).adapted(bundle.model, bundle.info)
        self._frames = Frames(bundle.info.features) if bundle.info.input == "dataframe" else None
        features = list(enumerate(bundle.info.features))
        self._encoders = {
            index: _CategoryEncoder(
                feature, bundle.baseline.columns[index].bins, by_name=bundle.info.input in ("dataframe", "columns")
            )
            for index, feature in features
            if feature.kind == "categorical"
        }
        self._single = [
            index for index, feature in features if feature.dtype == "float32" and feature.kind == "numeric"
        ]
        self._texts = [index for index, feature in features if feature.kind == "text"]
        self._strict = [(index, encoder) for index, encoder in self._encoders.items() if not encoder.takes_all]
        self._class_codes: FloatArray | None = None
        if PREDICTION_CLASS in bundle.baseline.names:
            bins = bundle.baseline.bins[bundle.baseline.names.index(PREDICTION_CLASS)]
            named = bins.encode(map(category_name, bundle.info.classes))
            self._class_codes = np.append(named, float(bins.special[UNSEEN]))  # the last for an unknown class

    def admit(self, batch: Batch) -> None:
        """Raise Refused for an unseen category of a feature that accepts none."""
        for index, encoder in self._strict:
            try:
                encoder.refuse_unknown(batch.texts[index])
            except Refused as error:
                count_refused(error, dict.fromkeys(error.violations, self._unknown_rows(batch)), len(batch))
                raise

    def _unknown_rows(self, batch: Batch) -> int:
        """Return how many rows have a category that the model cannot take."""
        return len({row for index, encoder in self._strict for row in encoder.unknown(batch.texts[index])})

    def predict(self, batch: Batch) -> Predictions:
        """Predict all rows or none; Refused for a cell that the model cannot take, else ModelFailed."""
        self.admit(batch)
        return self.predict_admitted(batch)

    def predict_admitted(self, batch: Batch) -> Predictions:
        """Predict rows that passed `admit`; raises as `predict` does."""
        try:
            return self._answer(batch)
        except Exception as error:
            self._refuse_huge(batch.cells)
            raise ModelFailed.of(error) from error

    def _refuse_huge(self, cells: FloatArray) -> None:
        """Raise Refused for a number beyond single precision, which many models compute in."""
        for index, feature in enumerate(self.info.features):
            magnitude = np.abs(cells[:, index])
            huge = np.isfinite(magnitude) & (magnitude > SINGLE_PRECISION)
            if feature.kind == "numeric" and huge.any():
                row = int(huge.argmax())
                raise Refused(
                    Reason.NOT_FINITE,
                    f"{bounded_name(feature.name)}: {cells[row, index]:g} is too large for the model; "
                    "send null where it is missing",
                    {"field": feature.name, "row": row},
                )

    def _encode(self, batch: Batch) -> tuple[FloatArray, FloatArray]:
        """Return the model's inputs and the monitored values, both of shape [n, features]."""
        inputs = batch.cells.copy()  # a model may change its input
        observed = batch.cells.copy() if batch.texts else batch.cells
        for index, encoder in self._encoders.items():
            inputs[:, index], observed[:, index] = encoder.encode(batch.texts[index])
        for index in self._texts:
            observed[:, index] = [math.nan if text is None else len(text) for text in batch.texts[index]]
        return inputs, observed

    def _answer(self, batch: Batch) -> Predictions:
        inputs, observed = self._encode(batch)
        with self._lock:
            if self._frames is None:
                return self._predictions(self._unframed(inputs, batch.texts), observed)
            frames = list(self._frames.of(inputs, batch.texts))
            parts = [
                (rows, self._predictions(frame, observed if rows is None else observed[rows])) for rows, frame in frames
            ]
        return parts[0][1] if len(parts) == 1 else _merged(parts, len(batch))

    @cached_property
    def explained(self) -> Explained | None:
        """How the library that made the model explains its answers; None if it does not."""
        return self._model.explained() if isinstance(self._model, Explainable) else None

    def contributions_of(self, inputs: FloatArray) -> FloatArray:
        """Return the contributions for a matrix as the model is given it, shape [n, features]; else ModelFailed."""
        if self.explained is None or self.info.input != "matrix":
            raise ModelFailed("it cannot be explained by a matrix")
        try:
            with self._lock:
                return self.explained.contributions(inputs)
        except Exception as error:
            raise ModelFailed.of(error) from error

    def contributions(self, batch: Batch) -> FloatArray:
        """Return what each feature contributes to the answers, shape [n, outputs, features]; else ModelFailed."""
        if self.explained is None:
            raise ModelFailed("its library does not say what a feature contributes")
        self.admit(batch)
        inputs, _ = self._encode(batch)
        try:
            with self._lock:
                if self._frames is None:
                    return self.explained.contributions(self._unframed(inputs, batch.texts))
                frames = list(self._frames.of(inputs, batch.texts))
                parts = [self.explained.contributions(frame) for _, frame in frames]
        except Exception as error:
            raise ModelFailed.of(error) from error
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts)[_order([rows for rows, _ in frames], len(batch))]

    def _unframed(self, inputs: FloatArray, texts: Mapping[int, Sequence[str | None]]) -> Any:
        """Return the input of a model that is not given a DataFrame."""
        if self.info.input == "texts":
            return self._texts_alone(texts[0])
        if self.info.input == "matrix":
            return self._rounded(inputs)
        return [
            texts[index] if index in texts and feature.codes is None else inputs[:, index]
            for index, feature in enumerate(self.info.features)
        ]

    def _rounded(self, inputs: FloatArray) -> Any:
        """Return the matrix with single-precision columns rounded as they were in training."""
        if not self._single:
            return inputs
        if len(self._single) == inputs.shape[1]:
            return inputs.astype(np.float32)
        inputs[:, self._single] = inputs[:, self._single].astype(np.float32)
        return inputs

    def _texts_alone(self, texts: Sequence[str | None]) -> list[str | None]:
        """Return the input of a model that takes a list of texts."""
        gap = "" if self.info.features[0].missing == "empty" else None
        return [gap if text is None else text for text in texts]

    def _predictions(self, inputs: Any, observed: FloatArray) -> Predictions:
        answer = self._model.predict(inputs)
        # While a bundle is created, its classes have no codes yet.
        codes, indices = self._class_codes, answer.indices
        further = [] if codes is None or indices is None else [codes[indices]]
        columns = _with_scores(observed, answer.scores, *further)
        return Predictions(answer.labels, answer.scores, columns, answer.probabilities)


def _with_scores(observed: FloatArray, *scores: FloatArray) -> FloatArray:
    """Append score columns, faster than numpy stacks a few rows; ValueError if their lengths differ."""
    rows, count = observed.shape
    if len(scores[0]) != rows:
        raise ValueError(f"it answered {len(scores[0])} rows of {rows}")
    columns = np.empty((rows, count + len(scores)))
    columns[:, :count] = observed
    for index, column in enumerate(scores, count):
        columns[:, index] = column
    return columns


def _merged(parts: Sequence[tuple[IntArray | None, Predictions]], rows: int) -> Predictions:
    """Merge the predictions of parts of a batch, in the order of its rows."""
    order = _order([own for own, _ in parts], rows)
    labels = [label for _, part in parts for label in part.labels]
    scores = np.concatenate([part.scores for _, part in parts])[order]
    columns = np.concatenate([part.columns for _, part in parts])[order]
    given = [part.probabilities for _, part in parts if part.probabilities is not None]
    probabilities = np.concatenate(given)[order] if given else None
    return Predictions([labels[index] for index in order.tolist()], scores, columns, probabilities)


def _order(parts: Sequence[IntArray | None], rows: int) -> IntArray:
    """Return where each row stands in the parts of a batch one after another."""
    order = np.empty(rows, dtype=np.int64)
    order[np.concatenate([own for own in parts if own is not None])] = np.arange(rows)
    return order


class _CategoryEncoder:
    """Encodes the categories of one feature: a number for the model, a bin for the monitor."""

    def __init__(self, feature: Feature, bins: Bins, *, by_name: bool) -> None:
        self.feature: Final = feature
        self._bins = bins
        codes = feature.codes or [math.nan] * len(feature.categories)
        bin_codes = bins.encode(feature.categories).tolist()
        pairs = zip(codes, bin_codes, strict=True)
        self._known: dict[str | None, tuple[float, float]] = dict(zip(feature.categories, pairs, strict=True))
        self._known[None] = (math.nan, math.nan)
        self._numbers = feature.values in ("number", "integer")
        as_itself = feature.accepts_unseen and (by_name or self._numbers)
        self._takes_unseen = feature.accepts_missing if feature.values is None else as_itself
        self.takes_all: Final = self._takes_unseen and (feature.values in (None, "text"))
        """Whether the model accepts every name."""

    def encode(self, names: Sequence[str | None]) -> tuple[FloatArray, FloatArray]:
        """Return the model's numbers, NaN for unknown, and the bin codes; shapes [n]."""
        pairs = np.array([self._known.get(name) or self._unknown(str(name)) for name in names]).reshape(len(names), 2)
        return pairs[:, 0], pairs[:, 1]

    def _unknown(self, name: str) -> tuple[float, float]:
        number = number_of(name) if self._numbers else None
        return math.nan if number is None else number, float(self._bins.category_code(name))

    def _takes(self, name: str | None) -> bool:
        if name in self._known:
            return True
        # A column of numbers or booleans cannot hold any other text.
        representable = self.feature.values in (None, "text") or (self._numbers and number_of(str(name)) is not None)
        return self._takes_unseen and representable

    def refuse_unknown(self, names: Sequence[str | None]) -> None:
        """Raise Refused for the first name that the model cannot take."""
        row = next(self.unknown(names), None)
        if row is not None:
            name = shortened(str(names[row]))
            raise Refused(
                Reason.UNSEEN_CATEGORY,
                f"{bounded_name(self.feature.name)}: the model does not know the category {name!r} "
                f"and raises on unknown ones; it knows {named(self.feature.categories)}",
                {"field": self.feature.name, "row": row},
            )

    def unknown(self, names: Sequence[str | None]) -> Iterator[int]:
        """Yield the rows whose name the model cannot take."""
        return (row for row, name in enumerate(names) if not self._takes(name))


def batch_of(features: Sequence[Feature], rows: Sequence[Mapping[str, float | str | None]]) -> Batch:
    """Return a batch of valid rows, such as a bundle's samples."""
    cells = np.full((len(rows), len(features)), np.nan)
    texts: dict[int, list[str | None]] = {}
    for index, feature in enumerate(features):
        values = [row.get(feature.name) for row in rows]
        if feature.kind != "numeric":
            texts[index] = CategoryNames(feature).of(values)
        else:
            cells[:, index] = [math.nan if value is None else float(value) for value in values]
    return Batch(cells, texts)


def check_samples(predictor: Predictor, info: BundleInfo) -> list[tuple[Sample, Label, float, bool]]:
    """Predict the bundle's samples again; yield each with its new label and score, and whether they agree."""
    if not info.samples:
        return []
    allowed = info.sample_tolerance
    again = predictor.predict(batch_of(info.features, [sample.features for sample in info.samples]))
    return [
        (sample, label, score, math.isclose(score, sample.score, rel_tol=allowed, abs_tol=allowed))
        for sample, label, score in zip(info.samples, again.labels, again.scores.tolist(), strict=True)
    ]


def verify(predictor: Predictor, info: BundleInfo) -> None:
    """Raise BundleError if the model no longer gives its samples the stored scores."""
    made = ", ".join(f"{name} {version}" for name, version in sorted(info.libraries.items()))
    try:
        checked = check_samples(predictor, info)
    except (ModelFailed, Refused) as error:
        raise BundleError(
            f"the model fails on a sample of its bundle ({error}). The bundle was created "
            f"with {made}: install those versions, or create the bundle again"
        ) from error
    for sample, _, score, agrees in checked:
        if not agrees:
            raise BundleError(
                f"the model scores a sample {score:.9g}, but its bundle says {sample.score:.9g}. The bundle was "
                f"created with {made}: install those versions, or create the bundle again"
            )
