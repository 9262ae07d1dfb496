"""Performance where a table has the truth beside the predictions, counted while its rows are read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import pyarrow.compute as pc

from driftgauge.checks.assertions.cells import Cells, class_name
from driftgauge.checks.assertions.language import Value
from driftgauge.checks.assertions.measures import TOO_LARGE, Later, Undefined, sample_note
from driftgauge.checks.assertions.reservoir import Reservoir
from driftgauge.checks.moments import Moments
from driftgauge.drift.bins import BoolArray, FloatArray
from driftgauge.drift.statistics.roc import area, rows_by_score
from driftgauge.errors import ColumnError
from driftgauge.tables.cells import codes_of

MOST_CLASSES: Final = 1_000
TINY: Final = float(np.finfo(np.float64).eps)
"""Scores are kept this far from 0 and 1 in the logarithmic loss, as scikit-learn does."""


@dataclass(frozen=True)
class TruthColumns:
    """The columns of a table that hold the truth and the predictions."""

    label: str | None = None
    """The truth."""
    prediction: str | None = None
    """The predicted class or value; of a score, the class that it makes likelier."""
    score: str | None = None
    """The probability of the positive class."""
    positive: str | None = None
    """The positive class of two; by default 1 or true."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are named."""
        return tuple(name for name in (self.label, self.prediction, self.score) if name is not None)

    def positive_of(self, classes: Iterable[str]) -> str:
        """Return the positive class; Undefined if it is not named, and the classes are not 0 and 1."""
        if self.positive is not None:
            return str(class_name(self.positive))
        others = sorted(set(classes) - {"0", "1"})
        if others:
            raise Undefined(f"the classes are {', '.join(others[:2])}: name the positive one (--positive CLASS)")
        return "1"


class Classes:
    """The classes of all windows: a measure means the same in each, whichever classes the window holds."""

    def __init__(self) -> None:
        self.true: Final[set[str]] = set()
        self.predicted: Final[set[str]] = set()

    def add(self, true: Iterable[str], predicted: Iterable[str] = ()) -> None:
        """Add classes; more than `MOST_CLASSES` make no difference."""
        for held, more in ((self.true, true), (self.predicted, predicted)):
            if len(held) <= MOST_CLASSES:
                held.update(more)


class Confusion:
    """A measure of predicted classes against true ones."""

    note: Final = ""

    def __init__(self, columns: TruthColumns, name: str, classes: Classes) -> None:
        self._columns = columns
        self._name = name
        self._classes = classes
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, cells: Cells) -> None:
        """Add rows; those without a truth or a prediction do not count."""
        label = str(self._columns.label)
        truth = cells.classes(label)
        names, actual = truth.dictionary.to_pylist(), codes_of(truth)
        if self._columns.prediction is None:
            answers = ["0", "1"]
            scores = cells.numbers(str(self._columns.score))
            answered = np.where(np.isnan(scores), -1, (scores >= 0.5).astype(np.int64))
        else:
            predicted = cells.classes(self._columns.prediction)
            answers, answered = predicted.dictionary.to_pylist(), codes_of(predicted)
        rows = (actual >= 0) & (answered >= 0)
        pairs, counts = np.unique(actual[rows] * max(1, len(answers)) + answered[rows], return_counts=True)
        found = [(names[pair // len(answers)], answers[pair % len(answers)]) for pair in pairs.tolist()]
        for pair, count in zip(found, counts.tolist(), strict=True):
            self._counts[pair] += count
        self._classes.add((true for true, _ in found), (answer for _, answer in found))
        if len(self._counts) > MOST_CLASSES**2 or len({true for true, _ in self._counts}) > MOST_CLASSES:
            raise ColumnError(
                label, f"it has more than {MOST_CLASSES:,} classes: a prediction of numbers has mae, rmse"
            )

    def value(self) -> Later:
        """Return what gives the measure; Undefined if the positive class is needed and not known."""
        return lambda: CONFUSIONS[self._name](self._table())

    def _table(self) -> Table:
        columns, classes = self._columns, self._classes
        if columns.prediction is None and self._name != "labelled_rows":
            positive = columns.positive_of(classes.true)
            counts: Counter[tuple[str, str]] = Counter()
            for (true, answer), count in self._counts.items():
                counts["1" if true == positive else "0", answer] += count
            return Table(counts, "1")
        known = classes.true | classes.predicted
        several = len(known) > 2 and columns.positive is None
        needs_none = several or self._name in WITHOUT_POSITIVE
        return Table(self._counts, None if needs_none else columns.positive_of(known))


@dataclass(frozen=True)
class Table:
    """Counts of pairs of a true and a predicted class."""

    counts: Mapping[tuple[str, str], int]
    positive: str | None
    """None for several classes, whose numbers are averaged."""

    @property
    def rows(self) -> int:
        """All pairs."""
        return sum(self.counts.values())

    @property
    def classes(self) -> list[str]:
        """The classes that occur."""
        return sorted({name for pair in self.counts for name in pair})

    def total(self, *, true: str | None = None, predicted: str | None = None) -> int:
        """Return the number of pairs with a true class, a predicted one, or both."""
        return sum(
            count for (own, answer), count in self.counts.items() if true in (None, own) and predicted in (None, answer)
        )

    def average(self, of_class: Callable[[Table, str], float]) -> float:
        """Return the number of the positive class, else the mean of all classes (macro average)."""
        if self.positive is not None:
            return of_class(self, self.positive)
        found = [of_class(self, name) for name in self.classes]
        return math.nan if not found else float(np.nan_to_num(np.array(found)).mean())


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def accuracy(table: Table) -> float:
    """Return the share of right classes."""
    return _ratio(sum(count for (true, answer), count in table.counts.items() if true == answer), table.rows)


def precision(table: Table) -> float:
    """Return the share of predicted positives that are positive."""
    return table.average(lambda own, name: _ratio(own.total(true=name, predicted=name), own.total(predicted=name)))


def recall(table: Table) -> float:
    """Return the share of positives that were predicted positive."""
    return table.average(lambda own, name: _ratio(own.total(true=name, predicted=name), own.total(true=name)))


def f1(table: Table) -> float:
    """Return the harmonic mean of precision and recall."""
    return table.average(
        lambda own, name: _ratio(
            2 * own.total(true=name, predicted=name), own.total(true=name) + own.total(predicted=name)
        )
    )


def false_positive_rate(table: Table) -> float:
    """Return the share of negatives that were predicted positive."""
    return table.average(_false_positive_rate)


def _false_positive_rate(table: Table, name: str) -> float:
    negatives = table.rows - table.total(true=name)
    return _ratio(table.total(predicted=name) - table.total(true=name, predicted=name), negatives)


def labelled_rows(table: Table) -> float:
    """Return the number of rows with a truth and a prediction."""
    return float(table.rows)


CONFUSIONS: Final[Mapping[str, Callable[[Table], float]]] = {
    "accuracy": accuracy,
    "precision": precision,
    "recall": recall,
    "f1": f1,
    "true_positive_rate": recall,
    "false_positive_rate": false_positive_rate,
    "true_negative_rate": lambda table: 1.0 - false_positive_rate(table),
    "false_negative_rate": lambda table: 1.0 - recall(table),
    "labelled_rows": labelled_rows,
}


WITHOUT_POSITIVE: Final = ("accuracy", "labelled_rows")
"""Measures of predicted classes that mean the same whichever class is the positive one."""


class Scored:
    """A measure of scores against true classes: logarithmic loss, Brier score, or area under the ROC curve."""

    def __init__(self, columns: TruthColumns, which: str, most: int, classes: Classes) -> None:
        self._columns = columns
        self._which = which
        self._classes = classes
        self._held = Reservoir(most, 2)
        self._rows = 0
        self._loss = 0.0

    @property
    def note(self) -> str:
        """That the area under the curve is of a sample; the other measures are of all rows."""
        return sample_note(self._held)

    def add(self, cells: Cells) -> None:
        """Add rows; those without a truth or a score do not count."""
        truth, name = cells.classes(str(self._columns.label)), str(self._columns.score)
        scores = cells.numbers(name)
        if np.any((scores < 0.0) | (scores > 1.0)):
            wrong = int(np.argmax((scores < 0.0) | (scores > 1.0)))
            raise ColumnError(name, f"{scores[wrong]:g} is not a probability from 0 to 1", wrong + 1)
        codes = codes_of(truth)
        known = (codes >= 0) & ~np.isnan(scores)
        names = truth.dictionary.to_pylist()
        occurring = [names[code] for code in np.unique(codes[known])]
        self._classes.add(occurring)
        positive = self._columns.positive_of(occurring)
        is_positive = np.asarray(pc.equal(truth.dictionary, positive).to_numpy(zero_copy_only=False))
        actual, answered = np.append(is_positive, False)[codes][known].astype(np.bool_), scores[known]
        self._rows += len(actual)
        if self._which == "roc_auc":
            self._held.add(np.column_stack([answered, actual]))
        else:
            self._loss += float(_losses(self._which, actual, answered).sum())

    def value(self) -> Later:
        """Return what gives the measure, NaN where it is not defined; Undefined if a window has another class."""
        if self._which == "roc_auc":
            held = self._held.values()
            found = area(*rows_by_score(held[:, 0], held[:, 1] > 0.5))
        else:
            found = _ratio(self._loss, self._rows)
        return partial(_of_two, found, self._columns, self._classes)


def _of_two(found: float, columns: TruthColumns, classes: Classes) -> float:
    """Return a measure of two classes; Undefined if the positive one is not known."""
    columns.positive_of(classes.true)
    return found


def _losses(which: str, actual: BoolArray, scores: FloatArray) -> FloatArray:
    if which == "brier":
        return np.asarray((scores - actual) ** 2)
    kept = np.clip(scores, TINY, 1.0 - TINY)
    return np.asarray(-np.log(np.where(actual, kept, 1.0 - kept)))


class Errors:
    """A measure of predicted numbers against true ones."""

    note: Final = ""

    def __init__(self, columns: TruthColumns, which: str) -> None:
        self._columns = columns
        self._which = which
        self._sums: FloatArray = np.zeros(4)
        self._actual = Moments()

    def add(self, cells: Cells) -> None:
        """Add rows; those without a truth or a prediction do not count, and an infinite one is an infinite error."""
        actual, answered = cells.numbers(str(self._columns.label)), cells.numbers(str(self._columns.prediction))
        known = ~np.isnan(actual) & ~np.isnan(answered)
        actual, answered = actual[known], answered[known]
        with np.errstate(over="ignore", invalid="ignore"):
            error = np.where(np.isinf(actual) | np.isinf(answered), np.inf, answered - actual)
            relative = np.where(np.isinf(error), np.inf, np.abs(error) / np.maximum(np.abs(actual), TINY))
            self._sums += (error.sum(), np.abs(error).sum(), (error**2).sum(), relative.sum())
        self._actual.add(actual)

    def value(self) -> Value:
        """Return the measure, NaN where it is not defined; Undefined if a sum with a sign is too large for a float."""
        rows = self._actual.rows
        if not rows:
            return math.nan
        mean, absolute, square, relative = map(float, self._sums / rows)
        if self._which == "r2" and not math.isfinite(square + self._actual.squares):
            raise Undefined(TOO_LARGE)
        if self._which == "bias" and not math.isfinite(mean):
            raise Undefined(TOO_LARGE)
        return {
            "bias": mean,
            "mae": absolute,
            "rmse": math.sqrt(square),
            "mape": relative,
            "r2": 1.0 - _ratio(square * rows, self._actual.squares),
        }[self._which]
