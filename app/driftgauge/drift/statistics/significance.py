"""P-values with the nominal false-positive rate: do two sets of counts have the same distribution?

Bins with enough rows make a chi-squared test of two samples. Rare ones (a missing value, a new category) make an exact
test of their own, because chi-squared is inaccurate for small counts.
Pearson's chi-squared test of two samples, Fisher's exact test with Lancaster's mid-p, Tippett's smallest p-value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import chdtrc, gammaln

from driftgauge.drift.bins import ABOVE, BELOW, OTHER, SPECIAL, Bins, BoolArray, FloatArray, IntArray

FEWEST_ROWS: Final = 100
"""Rows from which the false-positive rate has been verified."""
EXPECTED: Final = 5.0
"""Expected rows on the smaller side from which a bin is not merged."""
MOST_NEAR_CUT: Final = 1.0
"""Limit of categories that were kept or merged by chance, times the window's part of all rows: from 2 on the test
rejects too often."""
FISHER_BELOW: Final = 500.0
"""Two bins are compared exactly below this number of expected rows; above, chi-squared agrees."""
_SDS: Final = 12.0
_SUPPORT: Final = 2 * int(_SDS * FISHER_BELOW**0.5) + 3


@dataclass(frozen=True)
class Significance:
    """Results for each column, shapes [..., columns]; NaN where there is nothing to test."""

    p_value: FloatArray
    """Probability of counts that differ at least as much if nothing changed and rows are independent."""
    chi_squared: FloatArray
    """Pearson's statistic of two samples over the bins with enough rows."""
    degrees: FloatArray
    """Its degrees of freedom: the number of those bins minus one."""


class SignificanceTest:
    """Tests counts against those of the reference, shape [columns, K]."""

    def __init__(self, bins: Sequence[Bins], reference: FloatArray) -> None:
        self._reference = reference
        self._special, self._ends, self._other = (np.zeros(reference.shape, dtype=np.bool_) for _ in range(3))
        for row, own in enumerate(bins):
            self._ends[row, _open_ends(own)] = True
            self._other[row, [own.special[OTHER]] if OTHER in own.special else []] = True
            self._special[row, [own.special[name] for name in SPECIAL if name in own.special]] = True
        self._ends &= reference == 0  # a reference with infinite values does hold rows there
        self._near_cut = np.array([own.near_cut for own in bins], dtype=np.float64)
        self._unordered = np.array([own.rule == "category" for own in bins], dtype=np.bool_)

    def __call__(self, current: FloatArray) -> Significance:
        """Test counts of shape [..., columns, K]."""
        lead = current.shape[:-1]
        width = current.shape[-1]
        windows = int(np.prod(lead[:-1], dtype=np.int64))
        tables = _Tables(
            current.reshape(-1, width),
            np.tile(self._reference, (windows, 1)),
            np.tile(self._special, (windows, 1)),
            np.tile(self._ends, (windows, 1)),
            np.tile(self._other, (windows, 1)),
            np.tile(self._unordered, windows),
        )
        p, statistic, degrees = tables.test()
        # The same counts chose which categories are kept: of many near the cut those kept have too many rows in the
        # reference, by chance, and a window that is large enough shows it.
        m = self._reference.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            chosen = np.tile(self._near_cut, windows) * tables.n / (tables.n + np.tile(m, windows))
        unknown = (tables.n < FEWEST_ROWS) | (chosen > MOST_NEAR_CUT)
        return Significance(*(np.where(unknown, np.nan, x).reshape(lead) for x in (p, statistic, degrees)))


def _open_ends(bins: Bins) -> list[int]:
    """Return the codes beyond the range of intervals, but not beyond a single value that ends it."""
    if bins.rule != "interval":
        return []
    ends = ((BELOW, bins.edges[0], bins.edges[1]), (ABOVE, bins.edges[-2], bins.edges[-1]))
    return [bins.special[end] for end, low, high in ends if math.nextafter(low, math.inf) < high]


@dataclass(frozen=True)
class _Tables:
    """Tables of two samples, one a row: counts of shape [tables, K]."""

    current: FloatArray
    reference: FloatArray
    special: BoolArray
    ends: BoolArray
    """The bins beyond a range of intervals, which the reference leaves empty by construction."""
    other: BoolArray
    unordered: BoolArray
    """Shape [tables]."""

    @property
    def n(self) -> FloatArray:
        """The window's rows, shape [tables]."""
        total: FloatArray = self.current.sum(axis=1)
        return total

    def test(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the p-value, chi-squared and its degrees of freedom, shapes [tables]."""
        n, m = self.n, self.reference.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            expected = (self.current + self.reference) * (np.minimum(n, m) / (n + m))[:, None]
        pooled = self.special & ~self.ends & ~(expected >= EXPECTED)
        taken = ~pooled & ~self.ends
        common = self._merged(np.where(taken, expected, 0.0), taken)
        c, r = (np.where(pooled, counts, 0.0).sum(axis=1) for counts in (self.current, self.reference))
        p = _combined(common.p_value(), _rare(c, r, n, m), _beyond(self.current, self.ends, n, m))
        empty = (n == 0) | (m == 0)
        return np.where(empty, np.nan, p), common.chi_squared, np.where(common.groups > 1, common.groups - 1.0, np.nan)

    def _merged(self, expected: FloatArray, taken: BoolArray) -> _Merged:
        """Merge neighbours until each group has enough expected rows; categories by size, smallest first."""
        index = np.arange(expected.shape[1], dtype=np.float64)
        key = np.where(self.unordered[:, None], expected, index)
        # Special bins come last: they have rows enough, or are not taken.
        order = np.argsort(np.where(self.special, np.inf, key), axis=1, kind="stable")
        row = np.arange(len(order))[:, None]
        tail = self.other & np.roll(taken, -1, axis=1)
        c, r, e = (_as_one(np.where(taken, x, 0.0), tail)[row, order] for x in (self.current, self.reference, expected))
        return _merge(c, r, e)


def _as_one(counts: FloatArray, tail: BoolArray) -> FloatArray:
    """Return counts with `other` moved into the next bin, `unseen`, where `tail` is true.

    The expectation of `unseen` is an estimate, which varies more than a count. Where it has enough rows, it and
    `other` are one bin.
    """
    moved = np.where(tail, counts, 0.0)
    return np.asarray(counts - moved + np.roll(moved, 1, axis=1))


@dataclass(frozen=True)
class _Merged:
    """Tables after merging, shapes [tables]."""

    groups: IntArray
    chi_squared: FloatArray
    n: FloatArray
    m: FloatArray
    last_current: FloatArray
    """Rows of the last group on either side; with two groups they and the totals define the table."""
    last_reference: FloatArray

    def p_value(self) -> FloatArray:
        """Return the p-value, NaN with one group: exact with two that are small, else chi-squared's."""
        p = np.where(self.groups > 1, chdtrc(np.maximum(self.groups - 1, 1), self.chi_squared), np.nan)
        two = np.flatnonzero(self.groups == 2)
        if two.size:
            p[two] = _fisher(self.last_current[two], self.last_reference[two], self.n[two], self.m[two], p[two])
        return p


def _merge(current: FloatArray, reference: FloatArray, expected: FloatArray) -> _Merged:
    """Close a group of bins in order when it has enough rows; the rest joins the last group."""
    n, m = current.sum(axis=1), reference.sum(axis=1)
    tables = len(n)
    groups = np.zeros(tables, dtype=np.int64)
    statistic = np.zeros(tables)
    c, r, e, last_c, last_r = (np.zeros(tables) for _ in range(5))
    for k in range(current.shape[1]):
        c += current[:, k]
        r += reference[:, k]
        e += expected[:, k]
        closed = e >= EXPECTED
        statistic += np.where(closed, _pearson(last_c, last_r, n, m), 0.0)
        last_c, last_r = np.where(closed, c, last_c), np.where(closed, r, last_r)
        groups += closed
        c, r, e = (np.where(closed, 0.0, x) for x in (c, r, e))
    # What is left joins the last group. With one alone the largest bin is compared with all others, exactly.
    row, largest = np.arange(tables), expected.argmax(axis=1)
    top_c, top_r = current[row, largest], reference[row, largest]
    two = (groups == 1) & (top_c + top_r < n + m)
    last_c, last_r = np.where(two, top_c, last_c + c), np.where(two, top_r, last_r + r)
    statistic = np.where(two, _pearson(n - top_c, m - top_r, n, m), statistic) + _pearson(last_c, last_r, n, m)
    groups += two
    return _Merged(groups, np.where(groups > 1, statistic, np.nan), n, m, last_c, last_r)


def _pearson(c: FloatArray, r: FloatArray, n: FloatArray, m: FloatArray) -> FloatArray:
    """Return a group's summand of Pearson's statistic of two samples of n and m rows."""
    with np.errstate(invalid="ignore", divide="ignore"):
        part = (c * np.sqrt(m / n) - r * np.sqrt(n / m)) ** 2 / (c + r)
    return np.nan_to_num(part, posinf=0.0)


# ---------------------------------------------------------------- exact tests


def _fisher(c: FloatArray, r: FloatArray, n: FloatArray, m: FloatArray, otherwise: FloatArray) -> FloatArray:
    """Return Fisher's two-sided mid-p-value of c of n against r of m, or `otherwise` for large tables."""
    drawn = c + np.round(r)
    whole = n + np.round(m)
    rest = whole - drawn
    least = np.minimum(n, np.round(m)) * np.minimum(drawn, rest) / whole
    small = np.flatnonzero(least < FISHER_BELOW)
    if small.size == 0:
        return otherwise
    support, chance = _hypergeometric(drawn[small], n[small], np.round(m)[small])
    at = c[small][:, None] - support[:, :1]
    inside = (at[:, 0] >= 0) & (at[:, 0] < support.shape[1])
    own = np.take_along_axis(chance, np.clip(at, 0, support.shape[1] - 1).astype(np.int64), axis=1)
    less, as_likely = chance < own * (1.0 - 1e-7), np.abs(chance - own) <= own * 1e-7
    # The middle of the possible p-values: counting all that is as likely would reject too seldom.
    exact = np.where(less, chance, 0.0).sum(axis=1) + 0.5 * np.where(as_likely, chance, 0.0).sum(axis=1)
    p = otherwise.copy()
    p[small] = np.where(inside, np.minimum(exact, 1.0), otherwise[small])
    return p


@dataclass(frozen=True)
class _Exact:
    """An exact upper test of rare rows."""

    p_value: FloatArray
    """Shape [tables]; 1 where there are no such rows."""
    family: IntArray
    """The row of `attainable` of each table, shape [tables]."""
    attainable: FloatArray
    """All p-values that the test can give, ascending, shape [families, support]; 0 for none."""

    def level(self, p: FloatArray, *, below: bool = False) -> FloatArray:
        """Return the probability of a p-value of at most p (or below p): the largest attainable one."""
        limit = p * ((1.0 - 1e-9) if below else (1.0 + 1e-9))
        reached = np.zeros(len(p))
        order = np.argsort(self.family, kind="stable")
        ends = np.searchsorted(self.family[order], np.arange(len(self.attainable) + 1))
        for levels, first, last in zip(self.attainable, ends[:-1].tolist(), ends[1:].tolist(), strict=True):
            own = order[first:last]
            index = np.searchsorted(levels, limit[own], side="right")
            reached[own] = np.where(index > 0, levels[index - 1], 0.0)
        return reached if below else np.where(p >= 1.0, 1.0, reached)


def _families(*keys: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the distinct rows of `keys`, shape [families, keys], and the family of each table.

    Columns of one window have the same number of rows, so there are far fewer families than tables.
    """
    distinct, family = np.unique(np.column_stack(keys), axis=0, return_inverse=True)
    return distinct, np.asarray(family.reshape(-1), dtype=np.int64)


def _rare(c: FloatArray, r: FloatArray, n: FloatArray, m: FloatArray) -> _Exact:
    """Test rows in rare special bins, c against r, given their sum."""
    r = np.ceil(r)
    n, m = np.maximum(n, 1.0), np.maximum(np.round(m), 1.0)
    # What is expected by construction is in no bin of the reference's rows: it comes on top of them.
    distinct, family = _families(c + r, n, np.maximum(m, r))
    support, chance = _hypergeometric(*distinct.T)
    tail = np.minimum(np.cumsum(chance[:, ::-1], axis=1)[:, ::-1], 1.0)
    at = c - support[family, 0]
    own = tail[family, np.clip(at, 0, support.shape[1] - 1).astype(np.int64)]
    p = np.where(at >= support.shape[1], 0.0, own)
    none = c + r == 0
    return _Exact(np.where(none, 1.0, p), family, np.where(distinct[:, :1] > 0, tail[:, ::-1], 0.0))


def _beyond(current: FloatArray, ends: BoolArray, n: FloatArray, m: FloatArray) -> _Exact:
    """Test rows beyond the reference's range, which holds all its rows by construction.

    If nothing changed, all orders of the n + m rows are equally likely. The probability that c or more of the n
    lie above the m is that of the c topmost being of the n; beyond either end of the m, that of at most one of
    c + 1 randomly drawn rows being of the m.
    """
    n, m = np.maximum(n, 1.0), np.maximum(np.round(m), 1.0)
    c = np.where(ends, current, 0.0).sum(axis=1)
    open_ends: FloatArray = ends.sum(axis=1, dtype=np.float64)
    distinct, family = _families(n, m, open_ends)
    counts = np.arange(float(_SUPPORT), 0.0, -1.0)[None, :]
    attainable = _outside(counts, *(key[:, None] for key in distinct.T))
    attainable = np.where(distinct[:, 2:] > 0, attainable, 0.0)
    return _Exact(_outside(c, n, m, open_ends), family, attainable)


def _outside(c: FloatArray, n: FloatArray, m: FloatArray, ends: FloatArray) -> FloatArray:
    """Return the probability of c or more of n rows beyond the range of m rows.

    The range has one end or two, by `ends`.
    """
    possible = c <= n
    k = np.where(possible, c, 0.0)
    one_end = np.exp(_log_choose(n, k) - _log_choose(n + m, k))
    further = np.minimum(k + 1.0, n)
    log_all = _log_choose(n + m, k + 1.0)
    none = np.where(k + 1.0 <= n, np.exp(_log_choose(n, further) - log_all), 0.0)
    either = none + np.exp(_log_choose(n, k) + np.log(m) - log_all)
    chance = np.where(possible, np.where(ends > 1, either, one_end), 0.0)
    return np.asarray(np.where(c == 0, 1.0, np.minimum(chance, 1.0)))


def _combined(common: FloatArray, *exact: _Exact) -> FloatArray:
    """Return the probability that the smallest of independent p-values is as small as observed.

    An exact test has few possible p-values; the probability of one is the largest attainable that is not above it.
    Where it is the smallest, many tables share it. The common test breaks such ties, because the test would
    otherwise reject too rarely.
    """
    known = ~np.isnan(common)
    smallest = np.fmin.reduce([common, *(test.p_value for test in exact)])
    # The logarithms of the chances of nothing as small, and of nothing smaller. Without two groups to compare
    # there is no common test, and none that could have been as small.
    with np.errstate(divide="ignore", invalid="ignore"):
        none, none_smaller = np.zeros((2, len(common)))
        for test in exact:
            tied = known & (common > smallest) & (test.p_value <= smallest * (1.0 + 1e-9))
            level = test.level(smallest)
            none += np.log1p(-level)
            none_smaller += np.log1p(-np.where(tied, test.level(smallest, below=True), level))
        tie = np.nan_to_num(-np.exp(none_smaller) * np.expm1(none - none_smaller))
        larger = none_smaller + np.where(known, np.log1p(-smallest), 0.0)
    told_apart = np.where(known, tie * (common - smallest), 0.0)
    return np.asarray(np.clip(told_apart - np.expm1(larger), 0.0, 1.0) + 0.0)  # + 0.0 makes one zero of two


def _hypergeometric(drawn: FloatArray, n: FloatArray, m: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the hypergeometric distribution of each table: values and probabilities, [tables, support].

    The support is 12 standard deviations wide on either side; probabilities beyond are below 1e-30.
    """
    whole = n + m
    mean = drawn * n / whole
    sd = np.sqrt(mean * (m / whole) * np.maximum(whole - drawn, 0.0) / np.maximum(whole - 1.0, 1.0))
    lowest = np.maximum(0.0, drawn - m)
    start = np.maximum(lowest, np.floor(mean - _SDS * np.maximum(sd, 2.0)))
    steps = int(min(_SUPPORT, np.ceil(2 * _SDS * np.maximum(sd, 2.0)).max() + 2))
    support: FloatArray = start[:, None] + np.arange(float(steps))
    possible = support <= np.minimum(drawn, n)[:, None]
    k = np.where(possible, support, start[:, None])
    n, m, drawn = n[:, None], m[:, None], drawn[:, None]
    log_chance = _log_choose(n, k) + _log_choose(m, drawn - k) - _log_choose(n + m, drawn)
    return support, np.where(possible, np.exp(log_chance), 0.0)


def _log_choose(n: FloatArray, k: FloatArray) -> FloatArray:
    return np.asarray(gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0))
