"""Rows as numbers that a linear model reads: standardised values, categories, and which values are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.bins import MISSING, FloatArray, IntArray
from driftgauge.drift.reference.baseline import Baseline

CLIP: Final = 5.0
"""Standardised values are clipped here, so that a few extreme ones do not decide."""
MOST_PRODUCTS: Final = 32
"""Encoded numbers up to which their products are features too; with more there would be too many."""
MOST_CATEGORIES: Final = 1_000
"""Numbers for the categories of all columns together: time grows with their square, and memory with them."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """Rows as numbers."""

    values: FloatArray
    """Shape [n, encoded]."""
    owners: IntArray
    """The column that each number is of, shape [encoded]."""


def encoded(baseline: Baseline, codes: IntArray, values: FloatArray, columns: Sequence[int]) -> Encoded:
    """Return rows as numbers; `codes` and `values` have shape [n, columns of the baseline], as a monitor has them.

    A number is its standardised value, 0 where it is missing, and beside it whether it is. A category is one number for
    each of its bins that any of the rows has; of very many, for the most frequent ones of each column.
    """
    most = MOST_CATEGORIES // max(1, sum(not baseline.numeric[index] for index in columns))
    parts: list[FloatArray] = []
    owners: list[int] = []
    for place, index in enumerate(columns):
        own = (
            _numbers(baseline, values, index) if baseline.numeric[index] else _categories(codes[:, index], max(1, most))
        )
        missing = codes[:, index] == baseline.bins[index].special[MISSING]
        if baseline.numeric[index] and missing.any():
            own = np.column_stack([own, missing])
        parts.append(own)
        owners += [place] * own.shape[1]
    return Encoded(np.column_stack(parts), np.array(owners, dtype=np.int64))


def _numbers(baseline: Baseline, values: FloatArray, index: int) -> FloatArray:
    z = baseline.scales.standardised(values[:, [index]], np.array([index]))
    found: FloatArray = np.clip(np.nan_to_num(z), -CLIP, CLIP)
    return found


def _categories(codes: IntArray, most: int) -> FloatArray:
    known, counts = np.unique(codes, return_counts=True)
    known = np.sort(known[np.argsort(-counts, kind="stable")[:most]])
    found: FloatArray = (codes[:, None] == known[None, :]).astype(np.float64)
    return found


class Features:
    """The features of a linear model: the numbers, their squares, and products of two where these are few."""

    def __init__(self, owners: IntArray) -> None:
        width = len(owners)
        pairs = np.triu_indices(width) if width <= MOST_PRODUCTS else (np.arange(width), np.arange(width))
        self._first, self._second = pairs
        self._width = width
        self._owners = np.column_stack([np.append(owners, owners[own]) for own in pairs])

    def __call__(self, values: FloatArray) -> FloatArray:
        """Return the features of rows, shape [n, features]; `values` have shape [n, encoded]."""
        return np.hstack([values, values[:, self._first] * values[:, self._second]])

    def of_column(self, column: int) -> IntArray:
        """Return the positions of the features that a column takes part in."""
        return np.flatnonzero((self._owners == column).any(axis=1))

    def some(self, values: FloatArray, taken: IntArray) -> FloatArray:
        """Return some of the features of rows, by their ascending positions."""
        plain, products = taken[taken < self._width], taken[taken >= self._width] - self._width
        return np.hstack([values[:, plain], values[:, self._first[products]] * values[:, self._second[products]]])
