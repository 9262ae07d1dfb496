"""Dependence between live rows, measured at sixteen scales from the rows' own counts.

Items of 50, 100, 200, … consecutive rows are compared in pairs. Two items of independent rows differ by chance alone,
whatever their size; dependent rows make them differ more, by the autocorrelation time. All arithmetic up to the
squares is exact, so the result does not depend on how many blocks come at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from driftgauge.drift.bins import Bins, FloatArray, IntArray
from driftgauge.drift.evidence.bets import LARGEST_SCORE
from driftgauge.drift.evidence.trimmed import FEWEST_PAIRS, KEPT_PAIRS, ratios
from driftgauge.drift.ordered_bins import NormalScores
from driftgauge.drift.windows.blocks import Blocks

LEVELS: Final = 16
ITEM_ROWS: Final = 50
"""Fewest rows of an item of the first level."""
MARGIN: Final = 1.5
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
    """Rows in each bin of an item that waits for its partner, shape [columns, K]; 0 without one."""
    pairs: int
    """Pairs so far."""
    squares: PairArray
    """The newest pairs in units of 1 / `UNIT`, shape [KEPT_PAIRS, 2, columns]; pair i in place i % KEPT_PAIRS.

    By normal score, then by bins."""
    ratio: FloatArray
    """The largest ratio beyond chance, 0 without one, shape [columns]."""

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
    since: float
    """When the first block of the traffic ended, seconds since 1970, that of earlier baselines included; NaN before."""
    steps: IntArray
    """Autocorrelation times as powers of the square root of 2, shape [columns]."""
    carried: IntArray
    """The steps that were taken over from an earlier baseline, shape [columns]."""
    unfinished: IntArray
    """Rows in each bin of an item that has not enough rows, shape [columns, K]."""
    levels: tuple[Level, ...]

    @property
    def tau(self) -> FloatArray:
        """Autocorrelation times of the live rows, at least 1, shape [columns]."""
        tau: FloatArray = POWERS[self.steps]
        return tau

    def taken_over(self, before: LiveDependence, sources: Sequence[int | None]) -> LiveDependence:
        """Return this start with the autocorrelation times and the beginning of an earlier baseline's traffic.

        `sources` holds for each column its position in the earlier baseline, None for a new column.
        """
        steps = self.steps.copy()
        for column, source in enumerate(sources):
            steps[column] = 0 if source is None else before.steps[source]
        return replace(self, since=before.since, steps=steps, carried=steps)

    def arrays(self) -> Mapping[str, Any]:
        """Return everything as arrays by name; those of all levels are stacked."""
        return {
            "live_rows": np.array([self.rows]),
            "live_since": np.array([self.since]),
            "live_steps": self.steps,
            "live_carried": self.carried,
            "live_unfinished": self.unfinished,
            **{f"live_{name}": np.stack([getattr(level, name) for level in self.levels]) for name in _LEVEL_FIELDS},
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> LiveDependence:
        """Return what `arrays` gave."""
        stacked = [arrays[f"live_{name}"] for name in _LEVEL_FIELDS]
        return cls(
            rows=int(arrays["live_rows"][0]),
            since=float(arrays["live_since"][0]),
            steps=arrays["live_steps"],
            carried=arrays["live_carried"],
            unfinished=arrays["live_unfinished"],
            levels=tuple(
                Level(waiting, int(pairs), squares, ratio)
                for waiting, pairs, squares, ratio in zip(*stacked, strict=True)
            ),
        )


_LEVEL_FIELDS: Final = tuple(field.name for field in fields(Level))


def live_shapes(columns: int, width: int) -> Mapping[str, tuple[str, tuple[int, ...]]]:
    """Return the type and shape of each array of `LiveDependence.arrays`."""
    return {
        "live_rows": ("i8", (1,)),
        "live_since": ("f8", (1,)),
        "live_steps": ("i8", (columns,)),
        "live_carried": ("i8", (columns,)),
        "live_unfinished": ("i8", (columns, width)),
        "live_waiting": ("i8", (LEVELS, columns, width)),
        "live_pairs": ("i8", (LEVELS,)),
        "live_squares": ("i4", (LEVELS, KEPT_PAIRS, 2, columns)),
        "live_ratio": ("f8", (LEVELS, columns)),
    }


@dataclass(frozen=True)
class _Items:
    """Consecutive items of one level."""

    counts: IntArray
    """Rows in each bin, shape [items, columns, K]."""
    ends: IntArray
    """The block with which each ended, shape [items]."""

    def __len__(self) -> int:
        return len(self.ends)


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
        self._shape = counts.shape

    def start(self) -> LiveDependence:
        """Return what is known before the first row: independent rows."""
        columns, width = self._shape
        none = np.zeros(columns, np.int64)
        levels = tuple(Level.start(columns, width) for _ in range(LEVELS))
        return LiveDependence(0, np.nan, none, none, np.zeros((columns, width), np.int64), levels)

    def after(self, before: LiveDependence, blocks: Blocks) -> tuple[LiveDependence, list[Change]]:
        """Return what is known after more blocks, all of them with rows, and how the steps change on the way."""
        if len(blocks) == 0:
            return before, []
        items, unfinished = _joined(before.unfinished, blocks.counts)
        levels, news = list(before.levels), []
        for number, level in enumerate(before.levels):
            if len(items) == 0:
                break
            levels[number], items, found = self._level_after(level, items)
            news += [(end, number, ratio) for end, ratio in found]
        rows = before.rows + np.cumsum(blocks.rows.astype(np.int64))
        changes = _changes(before, sorted(news, key=lambda new: new[:2]), rows)
        return LiveDependence(
            rows=int(rows[-1]),
            since=float(blocks.at[0]) if np.isnan(before.since) else before.since,
            steps=changes[-1][1] if changes else before.steps,
            carried=before.carried,
            unfinished=unfinished,
            levels=tuple(levels),
        ), changes

    def _level_after(self, level: Level, items: _Items) -> tuple[Level, _Items, list[tuple[int, FloatArray]]]:
        """Return a level after more items, the items of the next level, and the ratios by the blocks they came with."""
        counts, ends = items.counts, items.ends
        if level.waiting.any():
            counts, ends = np.concatenate([level.waiting[None], counts]), np.concatenate([[-1], ends])
        paired = len(ends) // 2 * 2
        waiting = np.zeros_like(level.waiting) if paired == len(ends) else counts[-1]
        first, second, ended = counts[:paired:2], counts[1:paired:2], ends[1:paired:2]
        squares, pairs, ratio, found = level.squares.copy(), level.pairs, level.ratio, []
        for end, square in zip(ended.tolist(), self._squares(first, second), strict=True):
            squares[pairs % KEPT_PAIRS] = square
            pairs += 1
            if pairs >= FEWEST_PAIRS and (pairs <= _EACH_PAIR or pairs % 4 == 0):
                ratio = ratios(squares[:pairs], UNIT).max(axis=0)
                found.append((end, ratio))
        return Level(waiting, pairs, squares, ratio), _Items(first + second, ended), found

    def _squares(self, first: IntArray, second: IntArray) -> PairArray:
        """Return the squared differences of pairs over their variances for independent rows, times `UNIT`.

        Shape [pairs, 2, columns]. The variance is that of the reference or of the pair itself, whichever is larger:
        rows that vary more than the reference's are not dependent for that. The sums are exact, because counts are
        whole and scores multiples of a power of 2.
        """
        one, two = first.astype(np.float64), second.astype(np.float64)
        n1, n2 = one[:, :1].sum(axis=2), two[:, :1].sum(axis=2)
        score1, score2 = self._scored(one, self._scores), self._scored(two, self._scores)
        square = self._scored(one + two, self._scores**2)
        same, cross = (_products(one, one), _products(two, two)), _products(one, two)
        differences = np.stack(
            [(score2 / n2 - score1 / n1) ** 2, same[0] / n1**2 + same[1] / n2**2 - 2.0 * cross / (n1 * n2)], axis=1
        )
        n = n1 + n2
        within = np.stack([square / n - ((score1 + score2) / n) ** 2, 1.0 - (sum(same) + 2.0 * cross) / n**2], axis=1)
        variances = np.maximum(within, self._variances) * (1.0 / n1 + 1.0 / n2)[:, None]
        squares = np.divide(differences, variances, out=np.zeros_like(differences), where=variances > _NO_VARIANCE)
        whole: PairArray = np.rint(np.clip(UNIT * squares, 0.0, _LARGEST_SQUARE)).astype(np.int32)
        return whole

    @staticmethod
    def _scored(counts: FloatArray, scores: FloatArray) -> FloatArray:
        scored: FloatArray = np.einsum("pfk,fk->pf", counts, scores)
        return scored


def _products(one: FloatArray, two: FloatArray) -> FloatArray:
    products: FloatArray = np.einsum("pfk,pfk->pf", one, two)
    return products


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
