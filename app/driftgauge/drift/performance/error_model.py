"""A model of a regression's absolute error (DLE): boosted symmetric trees, fitted on held-out rows.

All nodes of a level of a symmetric tree ask the same question, so a row's leaf is a number whose bits are its answers.
That makes the trees quick to evaluate for all rows of a window at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from driftgauge.drift.bins import BoolArray, CodeArray, FloatArray, IntArray
from driftgauge.drift.performance.estimated import FEWEST_HELD_OUT_ROWS, FEWEST_ROWS, Estimates

TREES: Final = 150
"""Fewer predict single rows better, but pull the mean of rows that have drifted to that of the held-out rows."""
DEPTH: Final = 5
RATE: Final = 0.1
"""Part of a tree's correction that is added."""
PENALTY: Final = 10.0
"""Rows without an error of their own that are added to each leaf."""
MOST_COLUMNS: Final = 32
"""Columns of the model: those whose bins differ most in their mean error."""
MOST_ROWS: Final = 30_000
"""Held-out rows that it is fitted on, evenly spread over the table."""
_BINS: Final = 64
"""Values of a column between which a tree can split, the missing one included."""
_DIGITS: Final = 9


@dataclass(frozen=True)
class Tree:
    """One symmetric tree: a row above a level's threshold has the level's bit in the number of its leaf."""

    columns: tuple[int, ...]
    """The column of each level."""
    thresholds: tuple[float, ...]
    """Of each level; -inf asks whether the value is known at all. A missing value is above none."""
    values: tuple[float, ...]
    """What each leaf adds, shape [2 ** levels]."""


@dataclass(frozen=True)
class ErrorModel:
    """The expected absolute error of a row, as a sum over trees."""

    intercept: float
    trees: tuple[Tree, ...] = ()
    categories: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    """The number that stands for each bin code of a categorical column, by column."""

    def __post_init__(self) -> None:
        for tree in self.trees:
            if not 0 < len(tree.columns) == len(tree.thresholds) or len(tree.values) != 1 << len(tree.columns):
                raise ValueError("a tree needs a threshold for each level and a value for each leaf")
            if min(tree.columns) < 0:
                raise ValueError("a tree splits a column that does not exist")

    def errors(self, by_column: FloatArray) -> FloatArray:
        """Return the expected absolute error of rows given by column, shape [columns, n]; the result has shape [n].

        Numbers with NaN for missing, and categories as bin codes, as windows hold them.
        """
        rows = by_column.shape[1]
        numbers: dict[int, FloatArray] = {}
        answers: dict[tuple[int, float], BoolArray] = {}
        total = np.full(rows, self.intercept)
        for tree in self.trees:
            leaf = np.zeros(rows, dtype=np.int64)
            for level, question in enumerate(zip(tree.columns, tree.thresholds, strict=True)):
                if question not in answers:
                    column, threshold = question
                    if column not in numbers:
                        numbers[column] = _numbers(by_column[column], self.categories.get(column))
                    answers[question] = numbers[column] > threshold
                leaf += answers[question].astype(np.int64) << level
            total += np.array(tree.values)[leaf]
        expected: FloatArray = np.maximum(total, 0.0)
        return expected

    def estimate(self, by_column: FloatArray) -> Estimates:
        """Return the estimated mean absolute error of rows given by column; none for too few."""
        if by_column.shape[1] < FEWEST_ROWS:
            return {}
        return {"mae": float(self.errors(by_column).mean())}


def _numbers(values: FloatArray, categories: Sequence[float] | None) -> FloatArray:
    """Return a column as the trees see it: categories as the numbers that stand for them, -inf as a number."""
    if categories is None:
        finite: FloatArray = np.maximum(values, -np.finfo(np.float64).max)
        return finite
    table = np.append(categories, np.nan)
    known = np.isfinite(values)
    place = np.where(known, np.nan_to_num(values), len(categories)).astype(np.int64)
    numbers: FloatArray = table[np.minimum(place, len(categories))]
    return numbers


# ---------------------------------------------------------------- fitting


def fit_error_model(by_column: FloatArray, errors: FloatArray, widths: Mapping[int, int]) -> ErrorModel | None:
    """Fit the absolute errors (shape [n], finite) of held-out rows given by column (shape [columns, n]).

    `widths` are the numbers of bins of the categorical columns, by column. None for fewer than `FEWEST_HELD_OUT_ROWS`
    rows. The same rows give the same model.
    """
    if len(errors) < FEWEST_HELD_OUT_ROWS:
        return None
    if len(errors) > MOST_ROWS:
        spread = np.linspace(0, len(errors) - 1, MOST_ROWS).astype(np.int64)
        by_column, errors = by_column[:, spread], errors[spread]
    categories = {column: _category_numbers(by_column[column], errors, width) for column, width in widths.items()}
    cuts = [_Cuts.of(_numbers(values, categories.get(column))) for column, values in enumerate(by_column)]
    kept = sorted(sorted(range(len(cuts)), key=lambda i: (-cuts[i].told(errors), i))[:MOST_COLUMNS])
    codes = np.stack([cuts[column].codes for column in kept])
    trees = _boosted(codes, errors)
    named = tuple(_named(tree, kept, cuts) for tree in trees)
    used = {column for tree in named for column in tree.columns}
    model = ErrorModel(0.0, named, {column: own for column, own in categories.items() if column in used})
    # With this intercept, the model gives the held-out rows their mean error.
    added = sum((np.array(tree.values)[_leaves(codes, own)] for tree, own in zip(named, trees, strict=True)), start=0.0)
    return ErrorModel(round(float(np.mean(errors - added)), _DIGITS), model.trees, model.categories)


def _category_numbers(codes: FloatArray, errors: FloatArray, width: int) -> tuple[float, ...]:
    """Return the mean error of the rows of each bin code, shape [width], drawn to that of all rows."""
    known = np.isfinite(codes)
    own = codes[known].astype(np.int64)
    rows = np.bincount(own, minlength=width)
    sums = np.bincount(own, weights=errors[known], minlength=width)
    means = (sums + PENALTY * errors.mean()) / (rows + PENALTY)
    return tuple(np.round(means, _DIGITS).tolist())


@dataclass(frozen=True)
class _Cuts:
    """Where trees may split a column, and its rows between the cuts."""

    thresholds: FloatArray
    """The value above which rows have a code of at least the place, from 1 on; -inf first. Shape [codes - 1]."""
    codes: CodeArray
    """0 for a missing value, shape [n]."""

    @classmethod
    def of(cls, values: FloatArray) -> _Cuts:
        """Choose the cuts of a column at quantiles of its values."""
        known = values[~np.isnan(values)]
        levels = np.linspace(0.0, 1.0, _BINS)[1:-1]
        edges = np.unique(np.quantile(known, levels, method="inverted_cdf")) if len(known) else np.empty(0)
        thresholds = np.concatenate([[-np.inf], edges])
        codes = np.where(np.isnan(values), 0, np.searchsorted(edges, values, side="left") + 1)
        return cls(thresholds, codes.astype(np.uint8))

    def told(self, errors: FloatArray) -> float:
        """Return how far the mean errors of the codes differ."""
        rows = np.bincount(self.codes)
        sums = np.bincount(self.codes, weights=errors - errors.mean())
        return float((sums**2 / np.maximum(rows, 1)).sum()) / max(1, int((rows > 0).sum()) - 1)


@dataclass(frozen=True)
class _CodeTree:
    """A tree on codes: bit `level` of a leaf is set where the code of its column is at least its cut."""

    columns: tuple[int, ...]
    cuts: tuple[int, ...]
    values: FloatArray


def _leaves(codes: CodeArray, tree: _CodeTree) -> IntArray:
    leaf = np.zeros(codes.shape[1], dtype=np.int64)
    for level, (column, cut) in enumerate(zip(tree.columns, tree.cuts, strict=True)):
        leaf += (codes[column] >= cut).astype(np.int64) << level
    return leaf


def _boosted(codes: CodeArray, errors: FloatArray) -> list[_CodeTree]:
    """Return the trees, each fitted to what those before it leave."""
    rest = errors - errors.mean()
    trees: list[_CodeTree] = []
    while len(trees) < TREES and (tree := _grown(codes, rest)) is not None:
        trees.append(tree)
        rest = rest - tree.values[_leaves(codes, tree)]
    return trees


def _grown(codes: CodeArray, rest: FloatArray) -> _CodeTree | None:
    """Return the tree that each level's best question gives; None if no question helps."""
    leaf = np.zeros(len(rest), dtype=np.int64)
    questions: list[tuple[int, int]] = []
    for level in range(DEPTH):
        question = _best_question(codes, rest, leaf, 1 << level)
        if question is None:
            break
        questions.append(question)
        leaf += (codes[question[0]] >= question[1]).astype(np.int64) << level
    if not questions:
        return None
    size = 1 << len(questions)
    rows, sums = np.bincount(leaf, minlength=size), np.bincount(leaf, weights=rest, minlength=size)
    values: FloatArray = np.round(RATE * sums / (rows + PENALTY), _DIGITS).astype(np.float64)
    return _CodeTree(tuple(column for column, _ in questions), tuple(cut for _, cut in questions), values)


def _best_question(codes: CodeArray, rest: FloatArray, leaf: IntArray, leaves: int) -> tuple[int, int] | None:
    """Return the column and cut that explain most of the rest when they split all leaves; None if none does."""
    size = leaves * _BINS
    before, best, found = -np.inf, 1e-12, None
    for column, own in enumerate(codes):
        place = leaf * _BINS + own
        rows = np.bincount(place, minlength=size).reshape(leaves, _BINS).cumsum(axis=1)
        sums = np.bincount(place, weights=rest, minlength=size).reshape(leaves, _BINS).cumsum(axis=1)
        if column == 0:
            before = float((sums[:, -1] ** 2 / (rows[:, -1] + PENALTY)).sum())
        below, above = sums[:, :-1], sums[:, -1:] - sums[:, :-1]
        explained = below**2 / (rows[:, :-1] + PENALTY) + above**2 / (rows[:, -1:] - rows[:, :-1] + PENALTY)
        gains = explained.sum(axis=0) - before
        cut = int(np.argmax(gains))
        if gains[cut] > best:
            best, found = float(gains[cut]), (column, cut + 1)
    return found


def _named(tree: _CodeTree, kept: Sequence[int], cuts: Sequence[_Cuts]) -> Tree:
    """Return a tree with the columns of the table and thresholds of values."""
    columns = tuple(kept[column] for column in tree.columns)
    thresholds = [float(cuts[column].thresholds[cut - 1]) for column, cut in zip(columns, tree.cuts, strict=True)]
    return Tree(columns, tuple(thresholds), tuple(tree.values.tolist()))
