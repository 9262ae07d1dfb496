"""Dependence between live rows, measured at sixteen scales from the rows' own counts.

Items of 50, 100, 200, … consecutive rows are compared with their neighbours. Two items of independent rows differ by
chance alone, whatever their size; dependent rows make them differ more, by the autocorrelation time. All arithmetic
up to the squares is exact, so the result does not depend on how many blocks come at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from driftgauge.drift.bins import Bins, FloatArray, IntArray
from driftgauge.drift.evidence.bets import LARGEST_SCORE
from driftgauge.drift.evidence.trimmed import FEWEST_PAIRS, KEPT_PAIRS, OVERLAPPING_ITEMS, ratios
from driftgauge.drift.ordered_bins import NormalScores
from driftgauge.drift.windows.blocks import Blocks

LEVELS: Final = 16
ITEM_ROWS: Final = 50
"""Fewest rows of an item of the first level."""
MARGIN: Final = 1.2
"""Tau over the largest ratio, because the ratio is an estimate from few pairs."""
LARGEST_STEP: Final = 40
POWERS: Final[FloatArray] = np.array([2.0 ** (step / 2) for step in range(LARGEST_STEP + 1)])
"""The values of tau that are applied: powers of the square root of 2."""
CARRIED_PERIODS: Final = 64
"""A tau that was taken over holds for at least this many times its rows."""
UNIT: Final = 256
"""Squares are whole numbers of this part, so that their sums are exact in any order."""
_EACH_PAIR: Final = 16
"""Up to this many pairs the ratio is computed after each, later after each fourth."""
_SCORE_GRAIN: Final = 2.0**-10
"""Scores are multiples of this, so that sums of their squares are exact too."""
_NO_VARIANCE: Final = 1e-12
"""Variance of a constant column, but for rounding."""
_LARGEST_SQUARE: Final = 2.0**31 - 1.0

PairArray = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Level:
    """Items of one size; the arrays are never written to."""

    waiting: IntArray
    """Rows in each bin of the last item, shape [columns, K]; 0 once it needs no partner."""
    pairs: int
    """Pairs so far."""
    squares: PairArray
    """The newest pairs in units of 1 / `UNIT`, shape [KEPT_PAIRS, 2, columns]; pair i in place i % KEPT_PAIRS.

    By normal score, then by bins."""
    ratio: FloatArray
    """The largest ratio beyond chance, 0 without one, shape [columns]."""

    @property
    def items(self) -> int:
        """Items so far."""
        early = self.pairs < OVERLAPPING_ITEMS - 1
        compared = self.pairs if early else 2 * (self.pairs + 1) - OVERLAPPING_ITEMS
        return compared + bool(self.waiting.any())

    @classmethod
    def start(cls, columns: int, width: int) -> Level:
        """Return the level before the first row."""
        waiting = np.zeros((columns, width), np.int64)
        return cls(waiting, 0, np.zeros((KEPT_PAIRS, 2, columns), np.int32), np.zeros(columns))


@dataclass(frozen=True)
class LiveDependence:
    """What is known of the dependence between live rows; the arrays are never written to."""

    rows: int
    """Rows in all blocks so far."""
    since: FloatArray
    """When the first block of each column's traffic ended, seconds since 1970, that of earlier baselines included.

    Shape [columns]; NaN before."""
    steps: IntArray
    """Autocorrelation times as powers of the square root of 2, shape [columns]."""
    carried: IntArray
    """The steps that were taken over from an earlier baseline, shape [columns]."""
    unfinished: IntArray
    """Rows in each bin of an item that has not enough rows, shape [columns, K]."""
    levels: tuple[Level, ...]
    """From the smallest items on; empty where a state has them in pages that are not read yet."""

    @property
    def is_measured(self) -> bool:
        """Whether there are enough items to measure anything; blocks of any size are at least one item each."""
        if self.levels:
            return any(level.pairs >= FEWEST_PAIRS for level in self.levels)
        return self.rows >= 2 * FEWEST_PAIRS * ITEM_ROWS

    @property
    def tau(self) -> FloatArray:
        """Autocorrelation times of the live rows, at least 1, shape [columns]."""
        tau: FloatArray = POWERS[self.steps]
        return tau

    def taken_over(self, tau: FloatArray, since: FloatArray) -> LiveDependence:
        """Return this start with the autocorrelation times and the beginnings that earlier rows of columns had.

        Both of shape [columns]; NaN for a column without earlier rows.
        """
        steps = _steps_of(np.nan_to_num(tau, nan=1.0))
        return replace(self, since=since, steps=steps, carried=steps)


@dataclass(frozen=True)
class _Items:
    """Consecutive items of one level."""

    counts: IntArray
    """Rows in each bin, shape [items, columns, K]."""
    ends: IntArray
    """The block with which each ended, shape [items]."""


@dataclass(frozen=True)
class _Pairs:
    """New pairs of consecutive items of one level."""

    first: IntArray
    """Rows in each bin of the earlier items, shape [pairs, columns, K]."""
    second: IntArray
    """Those of the later ones."""
    ends: IntArray
    """The block with which each pair was complete, shape [pairs]."""
    waiting: IntArray
    """The last item, shape [columns, K]; 0 if it needs no partner."""


Change = tuple[int, IntArray]
"""How many of the blocks came before, and the steps from then on."""


class DependenceMeter:
    """Measures the dependence between live rows, in units of the reference's variances."""

    def __init__(self, bins: Sequence[Bins], counts: FloatArray) -> None:
        """Take the variances from `counts`, the reference's rows in each bin, shape [columns, K]."""
        scores = np.nan_to_num(NormalScores(bins, counts.shape[1])(counts))
        self._scores = np.rint(np.clip(scores, -LARGEST_SCORE, LARGEST_SCORE) / _SCORE_GRAIN) * _SCORE_GRAIN
        shares = counts / counts.sum(axis=1, keepdims=True)
        mean = (shares * self._scores).sum(axis=1, keepdims=True)
        by_score = (shares * (self._scores - mean) ** 2).sum(axis=1)
        self._variances = np.stack([by_score, (shares * (1.0 - shares)).sum(axis=1)])
        self._squared_scores = self._scores**2
        self._shape = counts.shape

    def start(self) -> LiveDependence:
        """Return what is known before the first row: independent rows."""
        columns, width = self._shape
        none = np.zeros(columns, np.int64)
        levels = tuple(Level.start(columns, width) for _ in range(LEVELS))
        return LiveDependence(0, np.full(columns, np.nan), none, none, np.zeros((columns, width), np.int64), levels)

    def after(self, before: LiveDependence, blocks: Blocks) -> tuple[LiveDependence, list[Change]]:
        """Return what is known after more blocks, all of them with rows, and how the steps change on the way."""
        if len(blocks) == 0:
            return before, []
        items, unfinished = _joined(before.unfinished, blocks.counts)
        paired = _paired(before.levels, items)
        levels, news = list(before.levels), []
        for number, (pairs, squares) in enumerate(zip(paired, self._squares(paired), strict=True)):
            levels[number], found = _level_after(before.levels[number], pairs, squares)
            news += [(end, number, ratio) for end, ratio in found]
        rows = before.rows + np.cumsum(blocks.rows.astype(np.int64))
        changes = _changes(before, sorted(news, key=lambda new: new[:2]), rows)
        return LiveDependence(
            rows=int(rows[-1]),
            since=np.fmin(before.since, blocks.at[0]),
            steps=changes[-1][1] if changes else before.steps,
            carried=before.carried,
            unfinished=unfinished,
            levels=tuple(levels),
        ), changes

    def _squares(self, paired: Sequence[_Pairs]) -> Sequence[PairArray]:
        """Return the squared differences of each level's pairs over their variances for independent rows.

        In units of 1 / `UNIT`, shape [pairs, 2, columns]. The variance is that of the reference or of the pair
        itself, whichever is larger: rows that vary more than the reference's are not dependent for that. The sums
        are exact, because counts are whole and scores multiples of a power of 2.
        """
        if not paired:
            return []
        items = np.empty((2, sum(len(pairs.ends) for pairs in paired), *self._shape))
        for place, side in enumerate(("first", "second")):
            np.concatenate([getattr(pairs, side) for pairs in paired], out=items[place], casting="unsafe")
        n = items[:, :, 0].sum(axis=2)[:, :, None]
        score = np.einsum("hpfk,fk->hpf", items, self._scores)
        square = np.einsum("hpfk,fk->pf", items, self._squared_scores)
        same, cross = np.einsum("hpfk,hpfk->hpf", items, items), np.einsum("pfk,pfk->pf", *items)
        total = n[0] + n[1]
        differences = np.empty((len(total), 2, items.shape[2]))
        differences[:, 0] = (score[1] / n[1] - score[0] / n[0]) ** 2
        differences[:, 1] = same[0] / n[0] ** 2 + same[1] / n[1] ** 2 - 2.0 * cross / (n[0] * n[1])
        within = np.empty_like(differences)
        within[:, 0] = square / total - ((score[0] + score[1]) / total) ** 2
        within[:, 1] = 1.0 - (same[0] + same[1] + 2.0 * cross) / total**2
        variances = np.maximum(within, self._variances)
        differences *= UNIT / (1.0 / n[0] + 1.0 / n[1])[:, None]
        squares = np.divide(differences, variances, out=np.zeros_like(differences), where=variances > _NO_VARIANCE)
        whole: PairArray = np.rint(np.clip(squares, 0.0, _LARGEST_SQUARE)).astype(np.int32)
        return np.split(whole, np.cumsum([len(pairs.ends) for pairs in paired])[:-1])


def _paired(levels: Sequence[Level], items: _Items) -> list[_Pairs]:
    """Return the pairs that new items of the first level complete in each level, as far as any item gets.

    Pairs of early items overlap, so that a level tells something after five rather than eight of them.
    """
    paired: list[_Pairs] = []
    counts, ends = items.counts, items.ends
    for level in levels:
        if len(ends) == 0:
            break
        number = level.items + np.arange(len(ends))
        if level.waiting.any():
            counts, ends = np.concatenate([level.waiting[None], counts]), np.concatenate([[-1], ends])
            number = np.concatenate([number[:1] - 1, number])
        lasts = number[-1] % 2 == 0 or number[-1] < OVERLAPPING_ITEMS - 1
        waiting = counts[-1] if lasts else np.zeros_like(level.waiting)
        odd = slice(1 + int(number[0]) % 2, None, 2)
        second = odd if number[0] >= OVERLAPPING_ITEMS - 1 else _compared(number)
        paired.append(_Pairs(_before(counts, second), counts[second], ends[second], waiting))
        counts, ends = _before(counts, odd) + counts[odd], ends[odd]
    return paired


def _compared(number: IntArray) -> IntArray:
    """Return the places of items with these numbers that are compared with the one before."""
    second = np.flatnonzero((number % 2 == 1) | (number < OVERLAPPING_ITEMS))
    return second[second > 0]


def _before(counts: IntArray, places: slice | IntArray) -> IntArray:
    """Return the items before those at some places."""
    if not isinstance(places, slice):
        return counts[places - 1]
    return counts[places.start - 1 : len(counts) - 1 : 2]


def _level_after(level: Level, pairs: _Pairs, squares: PairArray) -> tuple[Level, list[tuple[int, FloatArray]]]:
    """Return a level after more pairs, and new ratios with the blocks they came with."""
    kept, number, ratio, found = level.squares, level.pairs, level.ratio, []
    if len(squares):
        kept = kept.copy()
    for end, square in zip(pairs.ends.tolist(), squares, strict=True):
        kept[number % KEPT_PAIRS] = square
        number += 1
        if number >= FEWEST_PAIRS and (number <= _EACH_PAIR or number % 4 == 0):
            ratio = ratios(kept[:number], UNIT).max(axis=0)
            found.append((end, ratio))
    return Level(pairs.waiting, number, kept, ratio), found


def _joined(unfinished: IntArray, counts: IntArray) -> tuple[_Items, IntArray]:
    """Join blocks until they hold `ITEM_ROWS`; return the items and what is left, shape [columns, K]."""
    held, ends = int(unfinished[0].sum()), []
    for block, rows in enumerate(counts[:, 0].sum(axis=1).tolist()):
        held += rows
        if held >= ITEM_ROWS:
            held = 0
            ends.append(block)
    if not ends:
        return _Items(counts[:0], np.empty(0, np.int64)), unfinished + counts.sum(axis=0)
    last = ends[-1] + 1
    if len(ends) == last and not unfinished.any():
        return _Items(counts[:last], np.array(ends)), counts[last:].sum(axis=0)
    starts = [0, *(end + 1 for end in ends[:-1])]
    items = np.add.reduceat(counts[:last], starts, axis=0)
    items[0] += unfinished
    return _Items(items, np.array(ends)), counts[last:].sum(axis=0)


def _changes(before: LiveDependence, news: Sequence[tuple[int, int, FloatArray]], rows: IntArray) -> list[Change]:
    """Return how the steps change with new ratios of levels, in the order of the blocks they came with.

    `rows` are those of all blocks up to each, shape [blocks].
    """
    known, steps = np.stack([level.ratio for level in before.levels]), before.steps
    changes: list[Change] = []
    for place, (end, level, ratio) in enumerate(news):
        known[level] = ratio
        if place + 1 < len(news) and news[place + 1][0] == end:
            continue
        held = np.where(rows[end] < CARRIED_PERIODS * POWERS[before.carried], before.carried, 0)
        needed = np.maximum(held, _steps_of(MARGIN * known.max(axis=0)))
        after = np.where((needed > steps) | (needed < steps - 1), needed, steps)
        if (after != steps).any():
            steps = after
            changes.append((end + 1, steps))
    return changes


def _steps_of(tau: FloatArray) -> IntArray:
    """Return autocorrelation times rounded up to powers of the square root of 2, shape as given."""
    return np.minimum(np.searchsorted(POWERS, tau), LARGEST_STEP)
