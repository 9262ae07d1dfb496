"""Changes of the correlation between two columns.

Rows are represented by the normal scores of their bins. So a correlation is a rank correlation, extreme values
cannot dominate it, and it costs a matrix product.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr  # not scipy.stats, which takes a second to import

from driftgauge.drift.bins import Bins, BoolArray, CodeArray, FloatArray
from driftgauge.drift.ordered_bins import NormalScores
from driftgauge.drift.tiling import CELLS_AT_ONCE

FEWEST_ROWS: Final = 200
"""Rows that a correlation requires."""
LARGEST: Final = 0.999
"""Limit of a correlation, so that Fisher's scale stays finite for equal columns."""
_ROWS_AT_ONCE: Final = 1_024
"""Rows summed in single precision; their sums are added in double."""
_PRECISION: Final = 1e-4
"""A variance counts as positive above this part of the mean square (rounding: 3e-5)."""
_Single = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Correlations:
    """Correlations of columns and their numbers of rows; shapes [columns, columns]."""

    values: FloatArray
    """NaN where a column has no spread or the pair too few rows."""
    rows: FloatArray
    """Rows in which both have an ordered value."""


@dataclass(frozen=True)
class CorrelationChange:
    """The largest change of a correlation, and each column's largest.

    One look at many pairs, without a false-alarm budget, assuming independent rows.
    """

    pair: tuple[int, int]
    """Indices of the two columns."""
    reference: float
    current: float
    z: float
    """Change on Fisher's scale in its standard errors."""
    p_value: float
    """Probability of such a change in any pair if nothing changed (Bonferroni)."""
    pairs: int
    """Pairs that were compared."""
    rows: int
    """Rows of the window in which both have an ordered value."""
    by_column: FloatArray
    """Largest absolute z of the pairs that each column is in, shape [columns]; NaN without one."""


class RowCorrelations:
    """Correlates the normal scores of rows given as codes; `counts` are the reference's, [columns, K]."""

    def __init__(self, bins: Sequence[Bins], counts: FloatArray, taken: BoolArray) -> None:
        self.columns: Final = np.flatnonzero(taken)
        """Indices of the correlated columns: numbers, whose bins have an order."""
        members = [bins[i] for i in self.columns.tolist()]
        width = counts.shape[1]
        self._scores: _Single = NormalScores(members, width)(counts[self.columns]).astype(np.float32)
        self._offsets = np.arange(len(members)) * width

    def correlations(self, codes: CodeArray) -> Correlations:
        """Correlate rows given as codes of shape [n, all columns]."""
        return self.accumulated([codes])

    def accumulated(self, parts: Iterable[CodeArray]) -> Correlations:
        """Correlate rows given in parts, each of shape [n, all columns]."""
        return reduce(operator.add, (_Sums.of(self._of(codes)) for codes in parts)).correlations()

    def _of(self, codes: CodeArray) -> _Single:
        """Return the scores of rows, shape [n, correlated columns]."""
        scores = np.empty((len(codes), len(self.columns)), dtype=np.float32)
        rows = max(1, CELLS_AT_ONCE // max(1, len(self.columns)))
        for first in range(0, len(codes), rows):
            part = slice(first, first + rows)
            np.take(self._scores, np.take(codes[part], self.columns, axis=1) + self._offsets, out=scores[part])
        return scores


@dataclass(frozen=True)
class _Sums:
    """Sums of each pair (i, j) over rows with both values; shapes [columns, columns]."""

    rows: FloatArray
    first: FloatArray
    """Of i's scores."""
    squares: FloatArray
    """Of i's squared scores."""
    products: FloatArray

    @classmethod
    def of(cls, scores: _Single) -> _Sums:
        """Sum over rows of scores, shape [n, columns], NaN where unknown."""
        columns = scores.shape[1]
        gaps = np.flatnonzero(np.isnan(scores.sum(axis=0)))
        known = ~np.isnan(scores) if gaps.size else None
        if known is not None:
            scores = np.where(known, scores, np.float32(0.0))
        rows = np.full((columns, columns), float(len(scores)))
        first = np.repeat(scores.sum(axis=0, dtype=np.float64)[:, None], columns, axis=1)
        squares = np.repeat(np.einsum("ij,ij->j", scores, scores, dtype=np.float64)[:, None], columns, axis=1)
        if known is not None:
            # Only a column with gaps leaves rows out of the sums of the columns that it is paired with.
            counted = known.astype(np.float32)
            beside = counted if gaps.size == columns else counted[:, gaps]
            rows[:] = known.sum(axis=0)[:, None]
            rows[:, gaps] = _product(counted, beside)
            first[:, gaps] = _product(scores, beside)
            squares[:, gaps] = _product(scores * scores, beside)
        return cls(rows, first, squares, _product(scores, scores))

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(
            self.rows + other.rows,
            self.first + other.first,
            self.squares + other.squares,
            self.products + other.products,
        )

    def correlations(self) -> Correlations:
        """Return the correlations of the pairs' common rows."""
        with np.errstate(invalid="ignore", divide="ignore"):
            variance = self.squares / self.rows - (self.first / self.rows) ** 2
            covariance = self.products / self.rows - self.first * self.first.T / self.rows**2
            spread = variance > 1e-6 + _PRECISION * self.squares / self.rows
            known = spread & spread.T & (self.rows >= FEWEST_ROWS)
            values = np.where(known, covariance / np.sqrt(variance * variance.T), np.nan)
        return Correlations(np.clip(values, -1.0, 1.0), self.rows)


def _product(first: _Single, second: _Single) -> FloatArray:
    """Return the sums of products over rows, shape [columns of the first, columns of the second]."""
    product = np.zeros((first.shape[1], second.shape[1]))
    some: _Single = np.empty(product.shape, dtype=np.float32)
    for start in range(0, len(first), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        np.matmul(first[part].T, second[part], out=some)
        product += some
    return product


@dataclass(frozen=True)
class CorrelationComparison:
    """Compares correlations with the reference's."""

    columns: npt.NDArray[np.int64]
    """Indices of the correlated columns among all."""
    all_columns: int
    reference: Correlations

    @cached_property
    def _fisher(self) -> FloatArray:
        return _fisher(self.reference.values)

    def __call__(self, current: Correlations) -> CorrelationChange | None:
        """Return the largest change, None where no pair can be compared."""
        with np.errstate(invalid="ignore", divide="ignore"):
            error = np.sqrt(1.0 / (current.rows - 3.0) + 1.0 / (self.reference.rows - 3.0))
            z = (_fisher(current.values) - self._fisher) / error
        np.fill_diagonal(z, np.nan)
        size = np.abs(z)
        pairs = int((~np.isnan(size)).sum()) // 2
        if pairs == 0:
            return None
        row, column = np.unravel_index(int(np.nanargmax(size)), size.shape)
        by_column = np.full(self.all_columns, np.nan)
        by_column[self.columns] = np.fmax.reduce(size, axis=1)
        return CorrelationChange(
            pair=(int(self.columns[min(row, column)]), int(self.columns[max(row, column)])),
            reference=float(self.reference.values[row, column]),
            current=float(current.values[row, column]),
            z=float(z[row, column]),
            p_value=float(min(1.0, 2.0 * pairs * ndtr(-size[row, column]))),
            pairs=pairs,
            rows=round(float(current.rows[row, column])),
            by_column=by_column,
        )


def _fisher(correlation: FloatArray) -> FloatArray:
    return np.asarray(np.arctanh(np.clip(correlation, -LARGEST, LARGEST)))
