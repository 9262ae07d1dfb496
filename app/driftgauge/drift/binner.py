"""Bin codes of rows, and the rows in each bin, for all columns at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Final, Protocol

import numpy as np

from driftgauge.drift.bins import MISSING, UNSEEN, Bins, CodeArray, FloatArray, IntArray, Rule, just_below
from driftgauge.drift.tiling import Tiling

_CELLS_AT_ONCE: Final = 4_194_304
"""Limit of cells that are counted at once: their indices take eight times as many bytes."""


class Binner:
    """Computes bin codes and counts, for all columns at once."""

    def __init__(self, columns: Sequence[Bins]) -> None:
        self.width: Final = max((len(bins.names) for bins in columns), default=1)
        """K, the largest number of bins of a column."""
        self.columns: Final = len(columns)
        self._offsets = np.arange(self.columns, dtype=np.int64) * self.width
        self._pairs = _Pairs(self.columns, self.width) if self.columns > 1 and self.width <= _Pairs.MOST_BINS else None
        groups = (_Intervals(columns), _Values(columns), _Categories(columns))
        self._groups: tuple[_Group, ...] = tuple(group for group in groups if group.columns.size)

    def codes(self, values: FloatArray) -> CodeArray:
        """Return the bin code of each cell; `values` and the result have shape [n, columns]."""
        if len(self._groups) == 1:
            return self._groups[0].codes(np.ascontiguousarray(values))
        codes = np.empty(values.shape, dtype=np.uint8)
        for group in self._groups:
            codes[:, group.columns] = group.codes(np.take(values, group.columns, axis=1))
        return codes

    def counts(self, codes: CodeArray) -> IntArray:
        """Return the rows in each bin, shape [columns, width], of codes of shape [n, columns]."""
        return self._pairs.counts(codes) if self._pairs else self.counts_by(codes, np.zeros(len(codes), np.int64), 1)[0]

    def counts_by(self, codes: CodeArray, group: IntArray, groups: int) -> IntArray:
        """Return the rows in each bin by group, shape [groups, columns, width]; `group` has shape [n]."""
        at_once = max(1, _CELLS_AT_ONCE // max(1, self.columns))
        if len(codes) > at_once:
            lots = (slice(first, first + at_once) for first in range(0, len(codes), at_once))
            return reduce(np.add, (self.counts_by(codes[lot], group[lot], groups) for lot in lots))
        size = self.columns * self.width
        index = codes.astype(np.int64)  # one array for all of it: making others takes longer than adding to them
        index += self._offsets
        index += (group * size)[:, None]
        return np.bincount(index.reshape(-1), minlength=groups * size).reshape(groups, self.columns, self.width)


class _Pairs:
    """Counts columns in pairs: half the increments, in a table that is small while bins are few.

    The last of an odd number of columns has no partner.
    """

    MOST_BINS: Final = 16

    def __init__(self, columns: int, width: int) -> None:
        self._columns = columns
        self._width = width
        self._pairs = columns // 2
        self._tiling = Tiling(self._pairs)
        self._offsets: IntArray = self._tiling.repeated(np.arange(self._pairs, dtype=np.int64) * width * width)

    def counts(self, codes: CodeArray) -> IntArray:
        """Return the rows in each bin, shape [columns, width], of codes of shape [n, columns]."""
        first, second = codes[:, 0 : 2 * self._pairs : 2], codes[:, 1 : 2 * self._pairs : 2]
        both = (first * np.uint8(self._width) + second).reshape(-1)  # below 256
        index = np.empty(both.size, dtype=np.int64)
        for part, width in self._tiling.stretches(both.size):
            np.add(both[part].reshape(-1, width), self._offsets[:width], out=index[part].reshape(-1, width))
        table = np.bincount(index, minlength=self._pairs * self._width**2)
        table = table.reshape(self._pairs, self._width, self._width)
        counts = np.empty((self._columns, self._width), dtype=np.int64)
        counts[0 : 2 * self._pairs : 2] = table.sum(axis=2)
        counts[1 : 2 * self._pairs : 2] = table.sum(axis=1)
        if self._columns % 2:
            counts[-1] = np.bincount(codes[:, -1], minlength=self._width)
        return counts


class _Group(Protocol):
    """The columns of one rule."""

    @property
    def columns(self) -> IntArray:
        """Their indices among all columns."""

    def codes(self, cells: FloatArray) -> CodeArray:
        """Return the codes of these columns' cells, shape [n, columns of the group] like `cells`."""


class _Intervals:
    """Columns of intervals: a code is the number of edges below the cell."""

    def __init__(self, columns: Sequence[Bins]) -> None:
        self.columns: Final = _of_rule(columns, "interval")
        members = [columns[i] for i in self.columns.tolist()]
        self._edges = _Edges([bins.edges for bins in members], _missing_codes(members))

    def codes(self, cells: FloatArray) -> CodeArray:
        return self._edges.passed(cells)


class _Values:
    """Columns with a bin for each value; values between two of them are `unseen`."""

    def __init__(self, columns: Sequence[Bins]) -> None:
        self.columns: Final = _of_rule(columns, "value")
        members = [columns[i] for i in self.columns.tolist()]
        # The edge before the first value, so that the bins' codes are how many edges lie below.
        edges = [(float(just_below(bins.edges[0])), *bins.edges) if bins.edges else () for bins in members]
        self._edges = _Edges(edges, _missing_codes(members))
        most = max((len(bins.names) for bins in members), default=0)
        self._expected = np.full((len(members), most), np.nan)
        self._ordinary = np.zeros((len(members), most), dtype=np.bool_)
        for index, bins in enumerate(members):
            self._expected[index, bins.ordinary] = bins.edges
            self._ordinary[index, bins.ordinary] = True
            self._ordinary[index, : 0 if bins.edges else 1] = True  # of no known value all are unseen
        self._unseen = np.array([bins.special[UNSEEN] for bins in members], dtype=np.uint8)
        self._offsets = np.arange(len(members), dtype=np.int64) * most

    def codes(self, cells: FloatArray) -> CodeArray:
        passed = self._edges.passed(cells)
        index = passed + self._offsets
        unseen = (np.take(self._expected, index) != cells) & np.take(self._ordinary, index)
        np.copyto(passed, self._unseen, where=unseen)
        return passed


class _Categories:
    """Columns of categories, whose cells are already codes."""

    def __init__(self, columns: Sequence[Bins]) -> None:
        self.columns: Final = _of_rule(columns, "category")
        self._missing = _missing_codes([columns[i] for i in self.columns.tolist()])

    def codes(self, cells: FloatArray) -> CodeArray:
        return np.where(np.isnan(cells), self._missing, cells).astype(np.uint8)


class _Edges:
    """Counts the edges below each cell, for columns with edges of their own.

    Columns with fewer edges are padded with +inf.
    """

    def __init__(self, edges: Sequence[Sequence[float]], missing: CodeArray) -> None:
        most = max((len(own) for own in edges), default=0)
        padded = np.full((most, len(edges)), np.inf)
        for column, own in enumerate(edges):
            padded[: len(own), column] = own
        self._tiling = Tiling(len(edges))
        self._edges: FloatArray = self._tiling.repeated(padded)
        self._missing: CodeArray = self._tiling.repeated(missing)

    def passed(self, cells: FloatArray) -> CodeArray:
        """Return the number of its column's edges below each cell, the code of `missing` for NaN."""
        flat = cells.reshape(-1)
        passed = np.zeros(flat.size, dtype=np.uint8)
        for stretch, width in self._tiling.stretches(flat.size):
            self._count(flat[stretch].reshape(-1, width), passed[stretch].reshape(-1, width))
        return passed.reshape(cells.shape)

    def _count(self, cells: FloatArray, passed: CodeArray) -> None:
        width = cells.shape[1]
        greater = np.empty(cells.shape, dtype=np.bool_)
        as_number = greater.view(np.uint8)  # adding booleans would convert them first
        for edge in self._edges[:, :width]:
            np.greater(cells, edge, out=greater)
            np.add(passed, as_number, out=passed)
        np.isnan(cells, out=greater)
        if greater.any():
            np.copyto(passed, self._missing[:width], where=greater)


def _of_rule(columns: Sequence[Bins], rule: Rule) -> IntArray:
    return np.array([i for i, bins in enumerate(columns) if bins.rule == rule], dtype=np.int64)


def _missing_codes(columns: Sequence[Bins]) -> CodeArray:
    return np.array([bins.special[MISSING] for bins in columns], dtype=np.uint8)
