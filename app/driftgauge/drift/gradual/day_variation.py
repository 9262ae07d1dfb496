"""The normal variation between days, measured on neighbouring days.

Rows of one day depend on each other, so the variation of a window of days follows from days and not from rows. A
drift of weeks hardly shows between neighbours. From three weeks on, a linear trend and the weekly pattern are
subtracted first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.windows.days import Days

FEWEST_DAYS: Final = 6
"""Whole days that are needed; a window of seven days has six, and the day that is still filling."""
FEWEST_DAY_ROWS: Final = 50
"""Days with fewer rows are left out."""
SCALES: Final = (1, 2, 4)
"""Days of the items that are compared with their neighbours: days may depend on each other too."""
FEWEST_PAIRS: Final = 5
WEEK: Final = 7
FEWEST_ADJUSTED: Final = 3 * WEEK
"""Days from which a weekly pattern and a straight trend are taken out."""


@dataclass(frozen=True, eq=False)
class DayVariation:
    """The variation between days."""

    psi: FloatArray
    """PSI by which one day differs from the mean of many, beyond the noise of its rows, shape [columns].

    NaN with too few days."""
    days: int
    """Days with enough rows."""
    degrees: float
    """Degrees of freedom of the estimate: pairs of days, fewer if some days have most of the rows."""


@dataclass(frozen=True, eq=False)
class _Items:
    """Consecutive items of one or several days."""

    rows: FloatArray
    """Shape [items]."""
    shares: FloatArray
    """Share of the rows in each bin, shape [items, columns, K]."""

    @property
    def weights(self) -> FloatArray:
        """The rows that make the noise of each pair of neighbours, shape [pairs]."""
        weights: FloatArray = 1.0 / (1.0 / self.rows[1:] + 1.0 / self.rows[:-1])
        return weights

    def joined(self, scale: int) -> _Items:
        """Return items of `scale` of these, the oldest ones that are left over left out."""
        items = len(self.rows) // scale
        first = len(self.rows) - items * scale
        rows = self.rows[first:].reshape(items, scale)
        parts = self.shares[first:].reshape(items, scale, *self.shares.shape[1:])
        total = rows.sum(axis=1)
        return _Items(total, np.einsum("is,isfk->ifk", rows / total[:, None], parts))


def day_variation(days: Days) -> DayVariation:
    """Measure the variation between days."""
    kept = _measured(days.rows)
    counts = days.counts[kept].astype(np.float64)
    if len(kept) < FEWEST_DAYS:
        return DayVariation(np.full(days.counts.shape[1], np.nan), len(kept), 0.0)
    rows = counts[:, 0].sum(axis=1)
    pooled = counts.sum(axis=0)
    bins = (pooled > 0).sum(axis=1)
    mean = (pooled + 0.5) / (pooled.sum(axis=1) + 0.5 * bins)[:, None]
    shares, taken = _adjusted(counts / rows[:, None, None], kept)
    items = _Items(rows, shares)
    found = np.zeros(len(mean))
    for scale in SCALES:
        if len(kept) // scale > FEWEST_PAIRS:
            found = np.maximum(found, scale * _between(items.joined(scale), mean, bins, 1.0 - taken / len(kept)))
    weights = items.weights
    return DayVariation(found, len(kept), float(weights.sum() ** 2 / (weights**2).sum()) - taken)


def window_variation(days: Days, rows: int, variation: DayVariation) -> FloatArray:
    """Return the PSI by which a window of these days differs from the mean of many, shape [columns].

    The more days a window has, and the more evenly its rows are spread over them, the less it varies. `rows` are
    those of the whole window: the ones outside its whole days count as another day, where it varies more with them.
    """
    whole = days.rows / max(1, days.rows.sum())
    found: FloatArray = variation.psi * max((whole**2).sum(), (day_shares(days, rows) ** 2).sum())
    return found


def day_shares(days: Days, rows: int) -> FloatArray:
    """Return the share of a window's rows in each whole day, and in what is left of it, shape [days + 1]."""
    shares: FloatArray = np.append(days.rows, rows - days.rows.sum()) / max(1, rows)
    return shares


def _measured(rows: IntArray) -> IntArray:
    """Return the days on which the variation is measured, by their places.

    A day beside one without rows may hold a part of its hours, so it is left out while enough others remain.
    """
    enough, none = rows >= FEWEST_DAY_ROWS, rows == 0
    beside = np.append(False, none[:-1]) | np.append(none[1:], False)
    inner = np.flatnonzero(enough & ~beside)
    return inner if len(inner) >= FEWEST_DAYS else np.flatnonzero(enough)


def _adjusted(shares: FloatArray, positions: IntArray) -> tuple[FloatArray, int]:
    """Return shares of days without weekly pattern and straight trend, and how many numbers describe these.

    `positions` tell where the days stand, so that those of one weekday are known. With fewer than three weeks the
    shares stay as they are.
    """
    if len(positions) < FEWEST_ADJUSTED:
        return shares, 0
    weekdays = (positions[:, None] % WEEK == np.arange(WEEK)).astype(np.float64)
    known = np.column_stack([weekdays[:, weekdays.any(axis=0)], positions - positions.mean()])
    basis = np.linalg.qr(known)[0]
    flat = shares.reshape(len(shares), -1)
    return (flat - basis @ (basis.T @ flat)).reshape(shares.shape), basis.shape[1]


def _between(items: _Items, mean: FloatArray, bins: IntArray, kept: float) -> FloatArray:
    """Return half the PSI between neighbours beyond the noise of their rows, at least 0, shape [columns].

    `mean` are the shares of all days, shape [columns, K], `bins` the number of those that are used, shape [columns],
    and `kept` is the part of the variation that the adjustment leaves.
    """
    weights = items.weights
    squares = np.einsum("pfk,fk->pf", np.diff(items.shares, axis=0) ** 2, 1.0 / mean) / kept
    noise = np.outer(1.0 / weights, bins - 1.0)
    beyond = np.einsum("p,pf->f", weights, squares - noise) / weights.sum()
    between: FloatArray = np.maximum(0.0, beyond / 2.0)
    return between
