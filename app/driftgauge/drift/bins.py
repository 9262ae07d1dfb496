"""Bins of a column: chosen once from the reference, then used for live rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from driftgauge.drift.bin_names import interval_names, number_name, value_names

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
CodeArray = npt.NDArray[np.uint8]

Rule = Literal["interval", "value", "category"]

BINS: Final = 10
MAX_CATEGORIES: Final = 50
MAX_TAIL: Final = 10_000

MISSING: Final = "missing"
BELOW: Final = "below"
ABOVE: Final = "above"
OTHER: Final = "other"
UNSEEN: Final = "unseen"
SPECIAL: Final = (BELOW, ABOVE, OTHER, UNSEEN, MISSING)


@dataclass(frozen=True)
class Bins:
    """The bins of one column; a value's code is the index of its bin in `names`.

    `interval`: right-closed `(edges[i-1], edges[i]]`, as `searchsorted(edges, x, side="left")`
    counts, between `below` and `above`. `value`: one bin for each of `edges`, ordered, between
    `below` and `above`, and `unseen` for what lies between them. `category`: one bin for each of
    `categories`, then `other` (the known tail, kept as 64-bit hashes) and `unseen`. `missing` is
    always last. With `tail_complete=False` the tail was too long to keep: every category that is not
    kept is `other`, and nothing is `unseen`.
    """

    rule: Rule
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    tail: frozenset[int] = frozenset()
    tail_complete: bool = True
    near_cut: int = 0
    """Categories that were kept or dropped by chance: those within two standard deviations of the cut, where more
    than may be kept are about equally frequent."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The bins' names in the order of their codes, unique within the column."""
        if self.rule == "interval":
            return (BELOW, *interval_names(self.edges), ABOVE, MISSING)
        if self.rule == "value":
            return (BELOW, *value_names(self.edges), ABOVE, UNSEEN, MISSING)
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

    @property
    def has_order(self) -> bool:
        """Whether the column has ordinary bins and these have an order."""
        return self.rule != "category" and self.ordinary.start < self.ordinary.stop

    def encode(self, values: Iterable[str | None]) -> FloatArray:
        """Return the bin codes of categories, NaN for None, as cells of a categorical column."""
        code = self.category_code
        return np.fromiter((np.nan if v is None else code(v) for v in values), dtype=np.float64)

    def category_code(self, category: str) -> int:
        """Return the code of a category's bin."""
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
    fixed = fixed_edges(distinct[0], distinct[-1], heavy)
    edges = np.union1d(fixed, inner)
    filled = np.diff(np.searchsorted(distinct, edges, side="right")) > 0
    return Bins("interval", edges=tuple(without_empty(edges, fixed, filled).tolist()))


def fixed_edges(low: float, high: float, heavy: FloatArray) -> FloatArray:
    """Return the edges that no quantile moves: the ends, and those around values with a bin of their own."""
    return np.concatenate([[just_below(low), high], heavy, just_below(heavy)])


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
    near = near_cut([count for count, _ in ranked], len(kept)) if len(kept) == MAX_CATEGORIES else 0
    return Bins("category", categories=tuple(kept), tail=hashes, tail_complete=complete, near_cut=near)


def near_cut(ranked: Sequence[int] | IntArray, kept: int) -> int:
    """Return how many counts are within two standard deviations of the cut after `kept`.

    The result is 0 if frequency decided the cut.
    Counts of equally frequent categories crowd around one number. If most of those within a factor of three
    of the cut lie farther from it, frequency decided.
    """
    if kept == len(ranked):
        return 0
    counts = np.array(ranked, dtype=np.float64)
    cut = (counts[kept - 1] + counts[kept]) / 2.0
    near = int((np.abs(counts - cut) <= 2.0 * cut**0.5).sum())
    alike = int(((counts >= cut / 3.0) & (counts <= cut * 3.0)).sum())
    return near if near > 0.6 * alike else 0


def reference_counts(bins: Bins, counts: IntArray | FloatArray, singletons: int) -> FloatArray:
    """Return the reference's rows in each bin, with the expected rows of `unseen`.

    `counts` has shape [len(bins.names)]. The reference's own `unseen` is empty by construction, so its
    count is the number of categories seen exactly once (the Good-Turing estimate), taken from `other`;
    half a row in a column of two values.
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
    """Return the 64-bit hash of a category of the tail."""
    return int.from_bytes(hashlib.blake2b(category.encode(), digest_size=8).digest(), "big")


def category_name(value: str | float | bool | None) -> str | None:
    """Return the name of a category given as text, number or boolean."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return None if np.isnan(value) else number_name(value)


def _quoted_if_special(category: str) -> str:
    return f'"{category}"' if category in ("", *SPECIAL) or category.startswith('"') else category


def just_below(values: npt.ArrayLike) -> FloatArray:
    """Return the next smaller number of each."""
    with np.errstate(over="ignore"):  # -inf lies below the lowest number
        return np.asarray(np.nextafter(values, -np.inf))


def without_empty(edges: FloatArray, fixed: FloatArray, filled: BoolArray) -> FloatArray:
    """Drop the quantile edges that have no reference value between them and a fixed edge.

    `filled` says of each two neighbours whether there is a reference value above the first, up to the second.
    """
    movable = ~np.isin(edges, fixed)
    drop = np.zeros(edges.size, dtype=bool)
    drop[:-1] |= ~filled & movable[:-1]
    drop[1:] |= ~filled & movable[1:] & ~movable[:-1]
    return edges[~drop]
