"""The baseline of a column from what a database counts: no row of it is needed.

The numbers are those of `reference.build` on the rows: bins, counts and quantiles to the last bit where the order
statistics are exact, the mean and the standard deviation up to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from driftgauge.drift.bins import (
    ABOVE,
    BELOW,
    BINS,
    MAX_CATEGORIES,
    MAX_TAIL,
    MISSING,
    OTHER,
    UNSEEN,
    Bins,
    FloatArray,
    IntArray,
    fit_categorical,
    fixed_edges,
    near_cut,
    reference_counts,
    without_empty,
)
from driftgauge.drift.reference.build import QUANTILES, reference_quantiles
from driftgauge.drift.reference.columns import ColumnBaseline

MOST_VALUES: Final = 2 * BINS
"""Most distinct values that have bins of their own."""
LEAST_KEPT: Final = (0.001, 20.0)
"""A category is kept from this share of the rows, and from this number of rows."""


@dataclass(frozen=True)
class Unordinary:
    """A column's rows without a finite value."""

    missing: int
    lowest: int = 0
    """Rows of -inf."""
    highest: int = 0
    """Rows of +inf."""


@dataclass(frozen=True)
class OrderStatistics:
    """Some of a column's finite values by their rank from 0 in ascending order; both ascending, shape [ranks]."""

    ranks: IntArray
    values: FloatArray
    size: int
    """Number of finite values."""

    def at(self, ranks: IntArray) -> FloatArray:
        """Return the values of ranks, each of which must be known."""
        places = np.searchsorted(self.ranks, ranks)
        return self.values[places]

    def interpolated(self, positions: FloatArray, unit: float = 1.0) -> FloatArray:
        """Return the values at positions between ranks as numpy's quantiles are, computed in `unit`."""
        low, high, part = _neighbours(positions, self.size)
        below, above = self.at(low) / unit, self.at(high) / unit
        step = above - below
        found: FloatArray = unit * np.where(part >= 0.5, above - step * (1.0 - part), below + step * part)
        return found

    def repeated(self) -> FloatArray:
        """Return the values at more than one rank: only these may hold a large share of the rows."""
        again = self.values[1:][self.values[1:] == self.values[:-1]]
        return np.unique(again)


@dataclass(frozen=True)
class ValueCounts:
    """All finite values of a column, ascending, and the rows of each; shapes [values]."""

    values: FloatArray
    counts: IntArray

    @classmethod
    def of(cls, values: FloatArray, counts: IntArray) -> ValueCounts:
        """Return the counts of values in any order; equal ones, such as -0.0 and 0.0, are added."""
        distinct, places = np.unique(values + 0.0, return_inverse=True)
        found = np.zeros(len(distinct), dtype=np.int64)
        np.add.at(found, places, counts)
        return cls(distinct, found)

    @property
    def size(self) -> int:
        """Number of finite values."""
        return int(self.counts.sum())

    def without(self, values: FloatArray) -> ValueCounts:
        """Return the counts of all other values."""
        kept = ~np.isin(self.values, values)
        return ValueCounts(self.values[kept], self.counts[kept])

    def order_statistics(self, ranks: IntArray) -> OrderStatistics:
        """Return the values at ranks."""
        places = np.searchsorted(np.cumsum(self.counts), ranks, side="right")
        return OrderStatistics(ranks, self.values[places], self.size)

    def up_to(self, edges: FloatArray) -> IntArray:
        """Return the rows with a value up to and with each edge."""
        ends = np.append(0, np.cumsum(self.counts))
        found: IntArray = ends[np.searchsorted(self.values, edges, side="right")]
        return found

    def moments(self) -> tuple[float, float]:
        """Return the mean and the population standard deviation."""
        scale = max(float(np.abs(self.values).max()), np.finfo(np.float64).tiny)
        scaled, size = self.values / scale, self.size
        mean = math.fsum(scaled * self.counts) / size
        square = math.fsum((scaled - mean) ** 2 * self.counts) / size
        return scale * mean, scale * math.sqrt(square)


def reference_ranks(size: int) -> IntArray:
    """Return the ranks that the bins and quantiles of a column of `size` finite values rest on."""
    if size <= QUANTILES:
        return np.arange(size)
    return np.union1d(_ranks_of(_reference_positions(size), size), inner_ranks(size, BINS))


def inner_ranks(size: int, parts: int) -> IntArray:
    """Return the ranks that the edges between `parts` equal shares rest on, and both ends."""
    return np.union1d(_ranks_of(_inner_positions(size, parts), size), [0, size - 1] if size else [])


def ranks_among_all(ranks: IntArray, begins: IntArray, ends: IntArray) -> IntArray:
    """Return ranks among all values, given those among the values outside of some stretches."""
    found = ranks.copy()
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        found[found >= begin] += end - begin
    return found


def heavy_values(candidates: FloatArray, counts: Sequence[int], size: int) -> FloatArray:
    """Return the values, ascending, that have a bin of their own: each holds a tenth of the finite values."""
    return np.array(
        [v for v, count in zip(candidates.tolist(), counts, strict=True) if count * BINS >= size], dtype=np.float64
    )


@dataclass(frozen=True)
class Edges:
    """The edges of a column's intervals before the empty ones are dropped."""

    all: FloatArray
    fixed: FloatArray

    @classmethod
    def of(cls, low: float, high: float, heavy: FloatArray, rest: OrderStatistics) -> Edges:
        """Return the edges of a column; `rest` are the order statistics without the heavy values."""
        fixed = fixed_edges(low, high, heavy)
        parts = max(1, BINS - heavy.size)
        # Halved, as for rows, so that the distance between two numbers never overflows.
        halved = OrderStatistics(rest.ranks, rest.values / 2.0, rest.size)
        inner = 2.0 * halved.interpolated(_inner_positions(rest.size, parts)) if rest.size else np.empty(0)
        return cls(np.union1d(fixed, inner), fixed)


def interval_bins(edges: Edges, up_to: IntArray, size: int) -> tuple[Bins, IntArray]:
    """Return bins of intervals and the rows in each that is not special, shape [intervals].

    `up_to` are the finite rows up to each edge, shape [edges]; `size` are all finite rows.
    """
    kept = without_empty(edges.all, edges.fixed, np.diff(up_to) > 0)
    inside = np.diff(up_to[np.searchsorted(edges.all, kept)])
    assert int(inside.sum()) == size  # noqa: S101  # the outer edges are the ends of the values
    return Bins("interval", edges=tuple(kept.tolist())), inside


def value_bins(found: ValueCounts) -> tuple[Bins, IntArray]:
    """Return bins of single values and the rows in each, shape [values]."""
    return Bins("value", edges=tuple(found.values.tolist())), found.counts


def numeric_column(
    name: str,
    rows: int,
    bins: Bins,
    inside: IntArray,
    unordinary: Unordinary,
    moments: tuple[float, float],
    statistics: OrderStatistics,
) -> ColumnBaseline:
    """Return the baseline of a numeric column from its counts."""
    counts = bin_counts(bins, inside, unordinary)
    singletons = int((inside == 1).sum()) if bins.rule == "value" else 0
    known = statistics.size > 0
    return ColumnBaseline(
        name=name,
        kind="numeric",
        rows=rows,
        bins=bins,
        counts=tuple(reference_counts(bins, counts, singletons).tolist()),
        mean=moments[0] if known else math.nan,
        std=moments[1] if known else math.nan,
        min=float(statistics.at(np.array([0]))[0]) if known else math.nan,
        max=float(statistics.at(np.array([statistics.size - 1]))[0]) if known else math.nan,
        quantiles=tuple(_quantiles(statistics).tolist()),
    )


def bin_counts(bins: Bins, inside: IntArray, unordinary: Unordinary) -> IntArray:
    """Return the rows in each bin, special ones included, shape [len(bins.names)]."""
    counts = np.zeros(len(bins.names), dtype=np.int64)
    counts[bins.ordinary] = inside
    # Without a known value nothing lies below or above one.
    below, above = (BELOW, ABOVE) if bins.edges else (UNSEEN, UNSEEN)
    counts[bins.special[below]] += unordinary.lowest
    counts[bins.special[above]] += unordinary.highest
    counts[bins.special[MISSING]] = unordinary.missing
    return counts


def _quantiles(statistics: OrderStatistics) -> FloatArray:
    if statistics.size <= QUANTILES:
        return reference_quantiles(statistics.at(np.arange(statistics.size)))
    ends = statistics.at(np.array([0, statistics.size - 1]))
    with np.errstate(over="ignore"):
        unit = 2.0 if np.isinf(ends[1] - ends[0]) else 1.0
    return statistics.interpolated(_reference_positions(statistics.size), unit)


# ---------------------------------------------------------------- categories


@dataclass(frozen=True)
class CategoryCounts:
    """The rows of a column's categories; of very many categories only the frequent ones by name."""

    counts: Sequence[int]
    names: Sequence[str]
    missing: int
    more: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Rows of each category that is not named; none of them is frequent enough to be kept."""


def category_column(name: str, rows: int, found: CategoryCounts) -> ColumnBaseline:
    """Return the baseline of a column of categories from its counts."""
    bins = fit_categorical(found.counts, found.names, rows)
    if found.more.size:
        kept = len(bins.categories)
        ranked = np.sort(np.append(found.more, found.counts))[::-1]
        near = near_cut(ranked, kept) if kept == MAX_CATEGORIES else 0
        bins = Bins("category", categories=bins.categories, tail_complete=False, near_cut=near)
    own = dict(zip(found.names, found.counts, strict=True))
    counts = np.zeros(len(bins.names), dtype=np.int64)
    counts[bins.ordinary] = [own[category] for category in bins.categories]
    counts[bins.special[MISSING]] = found.missing
    counts[bins.special[OTHER]] = rows - int(counts.sum())
    singletons = sum(count == 1 for count in found.counts) + int((found.more == 1).sum())
    return ColumnBaseline(
        name=name,
        kind="categorical",
        rows=rows,
        bins=bins,
        counts=tuple(reference_counts(bins, counts, singletons).tolist()),
    )


def least_kept(rows: int) -> float:
    """Return the rows from which a category may be kept."""
    share, least = LEAST_KEPT
    return max(share * rows, least)


def is_tail_incomplete(categories: int) -> bool:
    """Return whether the tail of so many categories cannot be kept, whichever are kept."""
    return categories > MAX_TAIL + MAX_CATEGORIES


# ---------------------------------------------------------------- positions, as numpy computes them


def _reference_positions(size: int) -> FloatArray:
    levels = (np.arange(QUANTILES) + 0.5) / QUANTILES
    return size * levels + (0.5 + levels * 0.0) - 1.0


def _inner_positions(size: int, parts: int) -> FloatArray:
    return (size - 1) * np.linspace(0.0, 1.0, parts + 1)[1:-1]


def _neighbours(positions: FloatArray, size: int) -> tuple[IntArray, IntArray, FloatArray]:
    """Return the ranks on both sides of each position, and the part of the way between them."""
    low = np.floor(positions)
    part = positions - low
    return (
        np.clip(low, 0, size - 1).astype(np.int64),
        np.clip(low + 1.0, 0, size - 1).astype(np.int64),
        part,
    )


def _ranks_of(positions: FloatArray, size: int) -> IntArray:
    if size == 0:
        return np.empty(0, dtype=np.int64)
    low, high, _ = _neighbours(positions, size)
    return np.union1d(low, high)
