"""The model of a bundle on the rows of tables: the scores that they lack, and how good they are where the truth is."""

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
"""Of the random keys that decide of which rows the performance is measured where there are very many."""
_MOST_FAILURES: Final = 100
"""Rows of one part that the model may fail on, each found by halving the part."""


@dataclass(frozen=True)
class Answers:
    """What the model answers to rows; a row that it cannot answer has NaN, and None as label."""

    labels: Sequence[Label | None]
    scores: FloatArray
    columns: FloatArray
    """The watched columns of the scores, shape [n, score columns]."""
    truth: Sequence[str | float | None]
    """What the target says, as far as it is known."""


class Scorer:
    """Asks a bundle's model about the rows of tables, which is loaded when it is needed."""

    def __init__(self, info: BundleInfo, load: Callable[[], Bundle]) -> None:
        self.info: Final = info
        self.features: Final = [feature.name for feature in info.features]
        self._load = load
        self._predictor: Predictor | None = None
        self._classes = KnownCategories([category_name(label) or "" for label in info.classes])

    def open(self) -> None:
        """Load the model; BundleError if it cannot be, or answers otherwise than when the bundle was made."""
        predictor = Predictor(self._load())
        verify(predictor, self.info)
        self._predictor = predictor

    def answers(self, part: Part) -> Answers:
        """Return what the model answers; ColumnError for a cell that is no number where it takes one."""
        if self._predictor is None:
            raise BundleError("the model is not loaded")
        batch = self._batch(part)
        labels: list[Label | None] = [None] * len(batch)
        scores = np.full(len(batch), math.nan)
        columns = np.full((len(batch), len(self.info.score_columns)), math.nan)
        usual = np.flatnonzero(~self._unusual(self._predictor, batch))
        for rows, found in _answered(self._predictor, batch, usual):
            scores[rows], columns[rows] = found.scores, found.columns[:, len(self.features) :]
            for row, label in zip(rows.tolist(), found.labels, strict=True):
                labels[row] = label
        return Answers(labels, scores, columns, self._truth(part))

    def _batch(self, part: Part) -> Batch:
        rows = part.table.num_rows
        cells = np.full((rows, len(self.features)), math.nan)
        texts: dict[int, list[str | None]] = {}
        for place, feature in enumerate(self.info.features):
            column = part.table[feature.name]
            if feature.kind == "numeric":
                cells[:, place] = as_numbers(column, feature.name)
            elif feature.kind == "text":
                texts[place] = texts_of(column, feature.name)
            else:
                texts[place] = _names_of(column, feature, is_written=feature.name in part.written)
        return Batch(cells, texts)

    def _unusual(self, predictor: Predictor, batch: Batch) -> BoolArray:
        """Say which rows a server would refuse: a cell is infinite, or missing or unknown where it must not be."""
        unusual: BoolArray = np.asarray(np.isinf(batch.cells).any(axis=1))
        for place, feature in enumerate(self.info.features):
            if place in batch.texts:
                names = batch.texts[place]
                refused = self._refused(predictor, place, set(names))
                unusual |= np.array([name in refused for name in names], dtype=np.bool_)
            elif not feature.accepts_missing:
                unusual |= np.isnan(batch.cells[:, place])
        return unusual

    def _refused(self, predictor: Predictor, place: int, names: Collection[str | None]) -> set[str | None]:
        feature = self.info.features[place]
        refused: set[str | None] = set() if feature.accepts_missing else {None}
        unknown = set(names) - set(feature.categories) - {None} if feature.kind == "categorical" else set()
        for name in unknown:
            row: dict[int, Sequence[str | None]] = {
                other: [_some(own)] for other, own in enumerate(self.info.features) if own.kind != "numeric"
            }
            try:
                predictor.admit(Batch(np.zeros((1, len(self.features))), {**row, place: [name]}))
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


def _answered(predictor: Predictor, batch: Batch, rows: IntArray) -> Iterator[tuple[IntArray, Predictions]]:
    """Yield stretches of rows with their answers; rows on which the model fails are found by halving, and left out."""
    failed, waiting = 0, [rows] if len(rows) else []
    while waiting:
        stretch = waiting.pop()
        try:
            with np.errstate(all="ignore"):  # what is no number for a row is found in its answer
                found = predictor.predict(_rows_of(batch, stretch))
        except (ModelFailed, Refused) as error:
            failed += len(stretch) == 1
            if failed > _MOST_FAILURES:
                why = str(error).partition("\n")[0]
                raise TableError(f"the model fails on many rows ({why}); --no-predict leaves it out") from error
            middle = len(stretch) // 2
            waiting += [half for half in (stretch[middle:], stretch[:middle]) if middle]
        else:
            yield stretch, found


def _texts_of(data: Categories) -> list[str | None]:
    named = (*data.names, None)
    return [named[code] for code in data.codes.tolist()]


def _names_of(column: pa.ChunkedArray, feature: Feature, *, is_written: bool) -> list[str | None]:
    """Return categories as a request would name them, missing ones included."""
    names = KnownCategories(feature.categories)
    found = as_categories(column, feature.name, names.written if is_written else names.typed)
    spells = is_written or not is_text(plain(column).type)
    meant = CategoryNames(feature).of_table([*found.names, None], as_written=spells)
    return [meant[code] for code in found.codes.tolist()]


def _some(feature: Feature) -> str | None:
    return feature.categories[0] if feature.categories else None


def _rows_of(batch: Batch, rows: IntArray) -> Batch:
    picked = rows.tolist()
    return Batch(batch.cells[rows], {place: [names[row] for row in picked] for place, names in batch.texts.items()})


class Grades:
    """Answers whose truth is known: all of them up to a bound, of more a uniform sample."""

    def __init__(self, info: BundleInfo, most: int) -> None:
        self.unanswered = 0
        """Rows that the model could not answer."""
        self._info = info
        self._most = most
        self._random = np.random.default_rng(SEED)
        self._held: list[tuple[float, Label, float, str | float]] = []

    def add(self, answers: Answers, rows: slice) -> None:
        """Take some of the rows that were answered."""
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
        """Return how good the answers are, None if no truth is known; TableError where it is of other classes."""
        target = self._info.target
        held = sorted(self._held, key=lambda row: row[0])[: self._most]
        if target is None or not held:
            return None
        truth = pa.table({target: [row[3] for row in held]})
        labels, scores = [row[1] for row in held], np.array([row[2] for row in held])
        try:
            return measure_performance(self._info, truth, target, labels, scores, False)
        except BundleError as error:
            raise TableError(f"{error}; --no-predict leaves the model out") from error
