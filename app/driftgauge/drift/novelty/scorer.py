"""Scores rows: the Mahalanobis distance of their numbers, and the surprise of their categories.

The score is sqrt(d² + 2 s). d is the Mahalanobis distance of the standardised numbers, clipped ten standard deviations
beyond the reference's range. s sums -log(p / p_max) over the categories, where p is the share of the row's category in
the reference (by Jeffreys, so that no share is 0) and p_max that of the most frequent one. A missing number counts as
the mean and adds its own surprise.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np

from driftgauge.drift.bins import MISSING, FloatArray, IntArray
from driftgauge.drift.novelty.novelty import unpacked
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.drift.scales import Scales

LEAST_VARIANCE: Final = 1e-6
"""Smallest variance along an axis of the standardised numbers: columns may depend on one another exactly."""
_ROWS_AT_ONCE: Final = 2_048
"""Rows that are scored at a time, so that they stay in the cache."""
_HIGHEST: Final = 1e150
"""A score that cannot be computed: numbers near the largest of all."""


class RowScorer:
    """Scores rows by a covariance of their standardised numbers."""

    def __init__(
        self,
        columns: Sequence[ColumnBaseline],
        covariance: Sequence[float],
        names: Collection[str] | None = None,
        *,
        is_left_out: bool = False,
    ) -> None:
        """Score rows of these columns, or only their cells in some; `covariance` is the packed one of the numbers.

        Rows of the reference (`is_left_out`) have the surprise that they would have had outside of it.
        """
        scored = [index for index, column in enumerate(columns) if names is None or column.name in names]
        numeric = [index for index in scored if columns[index].kind == "numeric"]
        others = [index for index in scored if columns[index].kind != "numeric"]
        self._numbers: Final = _selection(numeric)
        self._numeric: Final = len(numeric)
        own = [columns[index] for index in numeric]
        scales = scales_of(own)
        with np.errstate(over="ignore"):
            self._low, self._high = scales.low * scales.std, scales.high * scales.std
        self._mean = scales.mean
        self._axes: FloatArray = _whitening(unpacked(covariance)) / scales.std[:, np.newaxis]
        self._missing = np.array([_missing_surprise(column, int(is_left_out)) for column in own])
        self._categories = _selection(others)
        tables = [surprises(columns[index], int(is_left_out)) for index in others]
        self._width = max(map(len, tables), default=0)
        self._table = np.concatenate([np.pad(own, (0, self._width - len(own))) for own in tables] or [np.empty(0)])
        self._offsets: IntArray = np.arange(len(others), dtype=np.int64) * self._width
        self._gaps = np.array([columns[index].bins.special[MISSING] for index in others], dtype=np.float64)

    def scores(self, cells: FloatArray) -> FloatArray:
        """Return the score of each row, shape [n]; `cells`, shape [n, columns or more], are what a monitor observes."""
        if len(cells) <= _ROWS_AT_ONCE:
            return self._scored(cells)
        parts = range(0, len(cells), _ROWS_AT_ONCE)
        return np.concatenate([self._scored(cells[first : first + _ROWS_AT_ONCE]) for first in parts])

    def _scored(self, cells: FloatArray) -> FloatArray:
        squared = self.distances(cells)
        if self._width:
            squared += 2.0 * self.surprise(cells)
        score: FloatArray = np.sqrt(squared, out=squared)
        return score

    def distances(self, cells: FloatArray) -> FloatArray:
        """Return the squared distances, with the surprise of missing numbers; shape [n]."""
        if not self._numeric:
            return np.zeros(len(cells))
        with np.errstate(all="ignore"):
            off = cells[:, self._numbers] - self._mean
            np.maximum(off, self._low, out=off)
            np.minimum(off, self._high, out=off)
            found = _squares(off @ self._axes)
        total = found.item() if len(found) == 1 else float(found.sum())
        if total - total == 0.0:  # neither NaN nor infinite
            return found
        gaps = np.isnan(found)
        if gaps.any():
            found[gaps] = self._with_gaps(off[gaps])
        known: FloatArray = np.nan_to_num(found, copy=False, nan=_HIGHEST**2, posinf=_HIGHEST**2)
        return known

    def _with_gaps(self, off: FloatArray) -> FloatArray:
        missing = np.isnan(off)
        off[missing] = 0.0
        with np.errstate(all="ignore"):
            found: FloatArray = _squares(off @ self._axes) + 2.0 * (missing @ self._missing)
        return found

    def surprise_of_gaps(self, cells: FloatArray) -> FloatArray:
        """Return the surprise of the missing numbers of each row, shape [n]."""
        found: FloatArray = np.isnan(cells[:, self._numbers]) @ self._missing
        return found

    def surprise(self, cells: FloatArray) -> FloatArray:
        """Return the surprise of the categories of each row, shape [n]."""
        if not self._width:
            return np.zeros(len(cells))
        own = cells[:, self._categories]
        codes: IntArray = np.where(np.isnan(own), self._gaps, own).astype(np.int64) + self._offsets
        found: FloatArray = np.take(self._table, codes).sum(axis=1)
        return found


def scales_of(columns: Sequence[ColumnBaseline]) -> Scales:
    """Return the scales of numeric columns."""
    mean, std, low, high = (
        np.array([getattr(column, name) for column in columns], dtype=np.float64)
        for name in ("mean", "std", "min", "max")
    )
    return Scales.of(mean, std, low, high, np.ones(len(columns), dtype=np.bool_))


def surprises(column: ColumnBaseline, left_out: int = 0) -> FloatArray:
    """Return -log(p / p_max) of each bin of a column, shape [bins]; `left_out` rows are taken from that bin."""
    shares = np.array(column.counts) + 0.5
    own = np.maximum(shares - left_out, 0.5)
    top, others = int(shares.argmax()), np.full(len(shares), shares.max())
    others[top] = np.delete(shares, top).max(initial=0.0)
    found: FloatArray = -np.log(own / np.maximum(own, others))
    return found


def _missing_surprise(column: ColumnBaseline, left_out: int) -> float:
    """Return -log(p / p_max) of a missing number; `left_out` rows are taken from those without one."""
    missing = max(0.0, column.counts[column.bins.special[MISSING]] - left_out)
    return max(0.0, float(np.log((max(0.0, column.rows - left_out - missing) + 0.5) / (missing + 0.5))))


def _whitening(covariance: FloatArray) -> FloatArray:
    """Return axes along which standardised rows have a variance of 1, shape [numeric, numeric]."""
    variances, axes = np.linalg.eigh(covariance)
    found: FloatArray = axes / np.sqrt(np.maximum(variances, LEAST_VARIANCE))
    return found


def _squares(rows: FloatArray) -> FloatArray:
    """Return the sum of squares of each row, shape [n]."""
    if len(rows) == 1:  # a fraction of the time of einsum
        return np.array([rows[0].dot(rows[0])])
    found: FloatArray = np.einsum("ij,ij->i", rows, rows)
    return found


def _selection(indices: Sequence[int]) -> slice | IntArray:
    """Return what selects columns, a slice where they follow one another."""
    if indices and indices[-1] - indices[0] + 1 == len(indices):
        return slice(indices[0], indices[-1] + 1)
    return np.array(indices, dtype=np.int64)
