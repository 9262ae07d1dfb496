"""A bundle's model on rows of tables: missing scores, and performance where the target is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from driftgauge.drift.bins import BoolArray, FloatArray, IntArray, category_name
from driftgauge.drift.reference.columns import Categories
from driftgauge.errors import BundleError, ModelFailed, Refused, TableError
from driftgauge.models.bundle import Bundle, BundleInfo, Feature, Label, Performance
from driftgauge.models.categories import CategoryNames
from driftgauge.models.performance import measure_performance
from driftgauge.models.predictor import Batch, Predictions, Predictor, verify
from driftgauge.tables.cells import KnownCategories, as_categories, as_numbers, is_text, plain, texts_of
from driftgauge.tables.stream import Part

SEED: Final = 0
"""Seed of the sample of rows that performance is measured on."""
_MOST_FAILURES: Final = 100
"""Most rows of one part on which the model may fail; bisection finds each of them."""


@dataclass(frozen=True)
class Answers:
    """The model's answers to rows; label None and scores NaN for an unanswered row."""

    labels: Sequence[Label | None]
    scores: FloatArray
    columns: FloatArray
    """The monitored score columns, shape [n, score columns]."""
    truth: Sequence[str | float | None]
    """Values of the target, None where unknown."""


class Scorer:
    """Asks a bundle's model about rows of tables; the model is loaded on demand."""

    def __init__(self, info: BundleInfo, load: Callable[[], Bundle]) -> None:
        self.info: Final = info
        self.features: Final = [feature.name for feature in info.features]
        self._load = load
        self._predictor: Predictor | None = None
        self._classes = KnownCategories([category_name(label) or "" for label in info.classes])

    def load_model(self) -> None:
        """Load the model; BundleError if that fails or its answers differ from the bundle's samples."""
        predictor = Predictor(self._load())
        verify(predictor, self.info)
        self._predictor = predictor

    def answers(self, part: Part) -> Answers:
        """Return the model's answers; ColumnError for a cell of the wrong kind."""
        if self._predictor is None:
            raise BundleError("the model is not loaded")
        batch = self._batch(part)
        labels: list[Label | None] = [None] * len(batch)
        scores = np.full(len(batch), math.nan)
        columns = np.full((len(batch), len(self.info.score_columns)), math.nan)
        accepted = np.flatnonzero(~self._rejected_rows(self._predictor, batch))
        for rows, found in _predict_accepted(self._predictor, batch, accepted):
            scores[rows], columns[rows] = found.scores, found.columns[:, len(self.features) :]
            for row, label in zip(rows.tolist(), found.labels, strict=True):
                labels[row] = label
        return Answers(labels, scores, columns, self._truth(part))

    def _batch(self, part: Part) -> Batch:
        rows = part.table.num_rows
        cells = np.full((rows, len(self.features)), math.nan)
        texts: dict[int, list[str | None]] = {}
        for index, feature in enumerate(self.info.features):
            column = part.table[feature.name]
            if feature.kind == "numeric":
                cells[:, index] = as_numbers(column, feature.name)
            elif feature.kind == "text":
                texts[index] = texts_of(column, feature.name)
            else:
                texts[index] = _names_of(column, feature, is_written=feature.name in part.written)
        return Batch(cells, texts)

    def _rejected_rows(self, predictor: Predictor, batch: Batch) -> BoolArray:
        """Return which rows a server would reject."""
        rejected: BoolArray = np.asarray(np.isinf(batch.cells).any(axis=1))
        for index, feature in enumerate(self.info.features):
            if index in batch.texts:
                names = batch.texts[index]
                refused = self._rejected_names(predictor, index, set(names))
                rejected |= np.array([name in refused for name in names], dtype=np.bool_)
            elif not feature.accepts_missing:
                rejected |= np.isnan(batch.cells[:, index])
        return rejected

    def _rejected_names(self, predictor: Predictor, index: int, names: Collection[str | None]) -> set[str | None]:
        feature = self.info.features[index]
        refused: set[str | None] = set() if feature.accepts_missing else {None}
        unknown = set(names) - set(feature.categories) - {None} if feature.kind == "categorical" else set()
        for name in unknown:
            row: dict[int, Sequence[str | None]] = {
                other: [_some(own)] for other, own in enumerate(self.info.features) if own.kind != "numeric"
            }
            try:
                predictor.admit(Batch(np.zeros((1, len(self.features))), {**row, index: [name]}))
            except Refused:
                refused.add(name)
        return refused

    def _truth(self, part: Part) -> Sequence[str | float | None]:
        target = self.info.target
        if target is None or target not in part.table.column_names:
            return [None] * part.table.num_rows
        column = part.table[target]
        if self.info.task == "regression":
            return [None if math.isnan(value) else value for value in as_numbers(column, target).tolist()]
        meant = self._classes.written if target in part.written else self._classes.typed
        return _texts_of(as_categories(column, target, meant))


def _predict_accepted(predictor: Predictor, batch: Batch, rows: IntArray) -> Iterator[tuple[IntArray, Predictions]]:
    """Yield runs of rows with their answers, without rows on which the model fails."""
    failed, pending = 0, [rows] if len(rows) else []
    while pending:
        run = pending.pop()
        try:
            with np.errstate(all="ignore"):  # an answer that is not a number is found afterwards
                found = predictor.predict(_rows_of(batch, run))
        except (ModelFailed, Refused) as error:
            failed += len(run) == 1
            if failed > _MOST_FAILURES:
                why = str(error).partition("\n")[0]
                raise TableError(f"the model fails on many rows ({why}); leave it out with --no-predict") from error
            middle = len(run) // 2
            pending += [half for half in (run[middle:], run[:middle]) if middle]
        else:
            yield run, found


def _texts_of(data: Categories) -> list[str | None]:
    named = (*data.names, None)
    return [named[code] for code in data.codes.tolist()]


def _names_of(column: pa.ChunkedArray, feature: Feature, *, is_written: bool) -> list[str | None]:
    """Return categories as a request names them, None where missing."""
    names = KnownCategories(feature.categories)
    found = as_categories(column, feature.name, names.written if is_written else names.typed)
    spells = is_written or not is_text(plain(column).type)
    meant = CategoryNames(feature).of_table([*found.names, None], as_written=spells)
    return [meant[code] for code in found.codes.tolist()]


def _some(feature: Feature) -> str | None:
    return feature.categories[0] if feature.categories else None


def _rows_of(batch: Batch, rows: IntArray) -> Batch:
    picked = rows.tolist()
    return Batch(batch.cells[rows], {index: [names[row] for row in picked] for index, names in batch.texts.items()})


class PerformanceSample:
    """Answers with a known target, a uniform sample if there are many."""

    def __init__(self, info: BundleInfo, most: int) -> None:
        self.unanswered = 0
        """Rows that the model cannot answer."""
        self._info = info
        self._most = most
        self._random = np.random.default_rng(SEED)
        self._held: list[tuple[float, Label, float, str | float]] = []

    def add(self, answers: Answers, rows: slice) -> None:
        """Add some of the answered rows."""
        keys = self._random.random(len(answers.scores[rows])).tolist()
        scores = answers.scores[rows].tolist()
        for key, label, score, truth in zip(keys, answers.labels[rows], scores, answers.truth[rows], strict=True):
            if label is None:
                self.unanswered += 1
            elif truth is not None:
                self._held.append((key, label, score, truth))
        if len(self._held) > 2 * self._most:
            self._held = sorted(self._held, key=lambda row: row[0])[: self._most]

    def performance(self) -> Performance | None:
        """Return the performance, None without a known target; TableError for a target of other classes."""
        target = self._info.target
        held = sorted(self._held, key=lambda row: row[0])[: self._most]
        if target is None or not held:
            return None
        truth = pa.table({target: [row[3] for row in held]})
        labels, scores = [row[1] for row in held], np.array([row[2] for row in held])
        try:
            return measure_performance(self._info, truth, target, labels, scores, False)
        except BundleError as error:
            raise TableError(f"{error}; leave the model out with --no-predict") from error
