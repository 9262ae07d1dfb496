"""Where a value counts: bins are decided once, on the reference, and reused live."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import pairwise
from typing import Final, Literal, Protocol

import numpy as np
import numpy.typing as npt

from driftgauge.drift.tiling import Tiling

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
CodeArray = npt.NDArray[np.uint8]

Rule = Literal["interval", "value", "category"]

BINS: Final = 10
MAX_CATEGORIES: Final = 50
MAX_TAIL: Final = 10_000
_CELLS_AT_ONCE: Final = 4_194_304
"""Cells that are counted at once where there are many rows: their places take eight times as many bytes."""

MISSING: Final = "missing"
BELOW: Final = "below"
ABOVE: Final = "above"
OTHER: Final = "other"
UNSEEN: Final = "unseen"
SPECIAL: Final = (BELOW, ABOVE, OTHER, UNSEEN, MISSING)


@dataclass(frozen=True)
class Bins:
    """The bins of one column; a value's code is its bin's place in `names`.

    `interval`: right-closed `(edges[i-1], edges[i]]`, as `searchsorted(edges, x, side="left")`
    counts, between `below` and `above`. `value`: one bin for each of `edges`, ordered, between
    `below` and `above`, and `unseen` for what lies between them. `category`: one bin for each of
    `categories`, then `other` (the known tail, kept as 64-bit hashes) and `unseen`. `missing` is
    always last. With `tail_complete=False` the tail was too long to keep: whatever is not a kept
    category is `other`, and nothing is ever `unseen`.
    """

    rule: Rule
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    tail: frozenset[int] = frozenset()
    tail_complete: bool = True
    near_cut: int = 0
    """Where more categories would be kept than may be, and are about equally frequent: those of which chance
    decided whether they are, their rows in the reference being within two standard deviations of the cut."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The bins' names in the order of their codes, unique within the column."""
        if self.rule == "interval":
            return (BELOW, *_interval_names(self.edges), ABOVE, MISSING)
        if self.rule == "value":
            return (BELOW, *map(number_name, self.edges), ABOVE, UNSEEN, MISSING)
        return (*map(_quoted_if_special, self.categories), OTHER, UNSEEN, MISSING)

    @cached_property
    def special(self) -> dict[str, int]:
        """The codes of the special bins that this column has, by name."""
        return {name: self.names.index(name) for name in SPECIAL if name in self.names}

    @property
    def ordinary(self) -> slice:
        """The codes of the bins that are not special."""
        first = 0 if self.rule == "category" else 1
        size = len(self.edges) - 1 if self.rule == "interval" else len(self.edges) or len(self.categories)
        return slice(first, first + size)

    def encode(self, values: Iterable[str | None]) -> FloatArray:
        """Return the bin codes of categories, NaN for None: what a categorical column's cells hold."""
        code = self.category_code
        return np.fromiter((np.nan if v is None else code(v) for v in values), dtype=np.float64)

    def category_code(self, category: str) -> int:
        """Return the code of the bin that a category counts in."""
        kept = self._codes.get(category)
        if kept is not None:
            return kept
        known = not self.tail_complete or category_hash(category) in self.tail
        return self.special[OTHER] if known else self.special[UNSEEN]

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {category: code for code, category in enumerate(self.categories)}


def fit_numeric(values: FloatArray, bins: int = BINS) -> Bins:
    """Choose the bins of a numeric column from its reference values (shape [m]; NaN is missing).

    At most `2 * bins` distinct finite values get one bin each. Otherwise edges are numpy's linear
    quantiles; a value that holds at least `1 / bins` of the finite rows gets a bin of its own, and
    the quantiles are those of the remaining rows.
    """
    finite = values[np.isfinite(values)] + 0.0  # + 0.0 makes one zero of two
    distinct, counts = np.unique(finite, return_counts=True)
    if distinct.size <= 2 * bins:
        return Bins("value", edges=tuple(distinct.tolist()))
    heavy = distinct[counts * bins >= finite.size]
    rest = np.repeat(distinct, np.where(np.isin(distinct, heavy), 0, counts))
    parts = max(1, bins - heavy.size)
    # Halved, so that the distance between two numbers never overflows.
    inner = 2.0 * np.quantile(rest / 2.0, np.linspace(0.0, 1.0, parts + 1)[1:-1])
    fixed = np.concatenate([[_below(distinct[0]), distinct[-1]], heavy, _below(heavy)])
    edges = _without_empty(np.union1d(fixed, inner), fixed, distinct)
    return Bins("interval", edges=tuple(edges.tolist()))


def fit_categorical(counts: Sequence[int], categories: Sequence[str], rows: int) -> Bins:
    """Choose the bins of a categorical column from the rows of each category, of `rows` in all.

    A category is kept when its share is at least max(0.1 %, 20 / rows), at most 50 of them; the
    rest, the tail, is merged into `other`.
    """
    ranked = sorted(zip(counts, categories, strict=True), key=lambda pair: (-pair[0], pair[1]))
    least = max(0.001 * rows, 20.0)
    kept = [category for count, category in ranked[:MAX_CATEGORIES] if count >= least]
    tail = [category for _, category in ranked[len(kept) :]]
    complete = len(tail) <= MAX_TAIL
    hashes = frozenset(map(category_hash, tail)) if complete else frozenset()
    near = _near_cut([count for count, _ in ranked], len(kept)) if len(kept) == MAX_CATEGORIES else 0
    return Bins("category", categories=tuple(kept), tail=hashes, tail_complete=complete, near_cut=near)


def _near_cut(ranked: Sequence[int], kept: int) -> int:
    """Return how many counts lie within two standard deviations of the cut after so many, 0 if that is their spread.

    Counts of categories that are equally frequent crowd around one number. Where most of those within a
    factor of three of the cut lie farther from it, it was frequency that decided.
    """
    if kept == len(ranked):
        return 0
    counts = np.array(ranked, dtype=np.float64)
    cut = (counts[kept - 1] + counts[kept]) / 2.0
    near = int((np.abs(counts - cut) <= 2.0 * cut**0.5).sum())
    alike = int(((counts >= cut / 3.0) & (counts <= cut * 3.0)).sum())
    return near if near > 0.6 * alike else 0


def reference_counts(bins: Bins, counts: IntArray, singletons: int) -> FloatArray:
    """Return the reference's rows in each bin, with what `unseen` is expected to hold.

    `counts` has shape [len(bins.names)]. The reference's own `unseen` is empty by construction, so
    its count is the number of categories seen exactly once (Good-Turing's estimate of the mass of
    those never seen), taken from `other`; half a row in a column of two values.
    """
    expected = counts.astype(np.float64)
    unseen = bins.special.get(UNSEEN)
    if unseen is None or not bins.tail_complete:
        return expected
    if bins.ordinary.stop - bins.ordinary.start == 2 and not bins.tail:
        expected[unseen] = 0.5
    else:
        expected[unseen] = singletons
        if OTHER in bins.special:
            expected[bins.special[OTHER]] -= singletons
    return expected


def category_hash(category: str) -> int:
    """Return the 64-bit hash under which a category of the tail is remembered."""
    return int.from_bytes(hashlib.blake2b(category.encode(), digest_size=8).digest(), "big")


def category_name(value: str | float | bool | None) -> str | None:
    """Return the one name that a category has, whether it came as text, number or boolean."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return None if np.isnan(value) else number_name(value)


def number_name(value: float) -> str:
    """Return the shortest text that reads back as the same number, without a trailing `.0`."""
    return repr(float(value) + 0.0).removesuffix(".0")  # + 0.0 makes one zero of two


def _interval_names(edges: Sequence[float]) -> list[str]:
    names = []
    for i, (low, high) in enumerate(pairwise(edges)):
        if low == _below(high):
            names.append(number_name(high))
        elif i == 0:
            names.append(f"[{number_name(np.nextafter(low, np.inf))}, {number_name(high)}]")
        else:
            names.append(f"({number_name(low)}, {number_name(high)}]")
    return names


def _quoted_if_special(category: str) -> str:
    return f'"{category}"' if category in ("", *SPECIAL) or category.startswith('"') else category


def _below(values: npt.ArrayLike) -> FloatArray:
    with np.errstate(over="ignore"):  # -inf lies below the lowest number
        return np.asarray(np.nextafter(values, -np.inf))


def _without_empty(edges: FloatArray, fixed: FloatArray, distinct: FloatArray) -> FloatArray:
    """Drop the quantile edges that have no reference value between them and a fixed edge."""
    filled = np.diff(np.searchsorted(distinct, edges, side="right")) > 0
    movable = ~np.isin(edges, fixed)
    drop = np.zeros(edges.size, dtype=bool)
    drop[:-1] |= ~filled & movable[:-1]
    drop[1:] |= ~filled & movable[1:] & ~movable[:-1]
    return edges[~drop]


class Binner:
    """Turns rows of values into bin codes, all columns at once."""

    def __init__(self, columns: Sequence[Bins]) -> None:
        self.width: Final = max((len(bins.names) for bins in columns), default=1)
        """The most bins that any column has, K."""
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
        place = codes.astype(np.int64)  # one array for all of it: making others takes longer than adding to them
        place += self._offsets
        place += (group * size)[:, None]
        return np.bincount(place.reshape(-1), minlength=groups * size).reshape(groups, self.columns, self.width)


class _Pairs:
    """Counts two columns at once: half the increments, in a table that is small while bins are few.

    Columns are taken in pairs of neighbours; of an odd number the last has no partner.
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
        place = np.empty(both.size, dtype=np.int64)
        for part, width in self._tiling.stretches(both.size):
            np.add(both[part].reshape(-1, width), self._offsets[:width], out=place[part].reshape(-1, width))
        table = np.bincount(place, minlength=self._pairs * self._width**2)
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
        """Their places among all columns."""

    def codes(self, cells: FloatArray) -> CodeArray:
        """Return the codes of these columns' cells, shape [n, columns of the group] like `cells`."""


class _Intervals:
    """Columns of intervals: a code is how many edges lie below the cell."""

    def __init__(self, columns: Sequence[Bins]) -> None:
        self.columns: Final = _of_rule(columns, "interval")
        members = [columns[i] for i in self.columns.tolist()]
        self._edges = _Edges([bins.edges for bins in members], _missing_codes(members))

    def codes(self, cells: FloatArray) -> CodeArray:
        return self._edges.passed(cells)


class _Values:
    """Columns with a bin for each value: what lies between two of them is `unseen`."""

    def __init__(self, columns: Sequence[Bins]) -> None:
        self.columns: Final = _of_rule(columns, "value")
        members = [columns[i] for i in self.columns.tolist()]
        # The edge before the first value, so that the bins' codes are how many edges lie below.
        edges = [(float(_below(bins.edges[0])), *bins.edges) if bins.edges else () for bins in members]
        self._edges = _Edges(edges, _missing_codes(members))
        most = max((len(bins.names) for bins in members), default=0)
        self._expected = np.full((len(members), most), np.nan)
        self._ordinary = np.zeros((len(members), most), dtype=np.bool_)
        for place, bins in enumerate(members):
            self._expected[place, bins.ordinary] = bins.edges
            self._ordinary[place, bins.ordinary] = True
            self._ordinary[place, : 0 if bins.edges else 1] = True  # of no known value all are unseen
        self._unseen = np.array([bins.special[UNSEEN] for bins in members], dtype=np.uint8)
        self._offsets = np.arange(len(members), dtype=np.int64) * most

    def codes(self, cells: FloatArray) -> CodeArray:
        passed = self._edges.passed(cells)
        place = passed + self._offsets
        unseen = (np.take(self._expected, place) != cells) & np.take(self._ordinary, place)
        np.copyto(passed, self._unseen, where=unseen)
        return passed


class _Categories:
    """Columns of categories, whose cells are codes already."""

    def __init__(self, columns: Sequence[Bins]) -> None:
        self.columns: Final = _of_rule(columns, "category")
        self._missing = _missing_codes([columns[i] for i in self.columns.tolist()])

    def codes(self, cells: FloatArray) -> CodeArray:
        return np.where(np.isnan(cells), self._missing, cells).astype(np.uint8)


class _Edges:
    """Counts the edges below each cell, for columns with edges of their own.

    Columns with fewer edges than others are padded with +inf, which nothing exceeds.
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
        """Return how many of its column's edges lie below each cell, the code of `missing` for NaN."""
        flat = cells.reshape(-1)
        passed = np.zeros(flat.size, dtype=np.uint8)
        for place, width in self._tiling.stretches(flat.size):
            self._count(flat[place].reshape(-1, width), passed[place].reshape(-1, width))
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
