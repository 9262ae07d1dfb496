"""Bets against the reference: their factors average at most 1 without drift.

A bet gives each bin of a column a factor. The product over rows shrinks without drift, and grows where the
bins fill as the bet predicts. The reference is a sample, so every factor is divided by the upper confidence
bound of its mean: sampling error alone makes no bet grow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import betaincinv

from driftgauge.drift.bins import Bins, BoolArray, FloatArray, IntArray
from driftgauge.drift.ordered_bins import NormalScores

LOCATION: Final = (-1.0, -0.5, -0.25, -0.1, 0.1, 0.25, 0.5, 1.0)
"""Tilts by the standardised normal score, for a shift of the mean."""
SCALE: Final = (-0.3, -0.1, 0.1, 0.3)
"""Tilts by its standardised square, for a change of the spread."""
TILTS: Final = len(LOCATION) + len(SCALE)
UP: Final = (0.02, 0.1)
"""Parts of the stake on a bin that fills."""
DOWN: Final = 0.5
"""Factor of a row in a bin that the bet expects to empty."""
BOUND_ERRORS: Final = 3.0
"""Standard errors between the mean of a tilt and its upper bound (99.87 %)."""
BOUND_LEVEL: Final = 1e-4
"""Probability that the true share of a bin lies beyond its bound, on either side (Clopper and Pearson)."""
IDLE: Final = 0.99
"""Factor of a bet in an hour of the day in which the reference lacks it."""
LEAST_SHARE: Final = 0.01
"""A bin whose share surely exceeds this has a bet that it empties."""
LARGEST_SCORE: Final = 8.0
"""Limit of standardised scores, so that no factor overflows."""
GRAIN: Final = 2.0**-32
"""Logarithms of factors are multiples of this, so that sums are exact in any order: the same rows give the same
evidence to the last bit."""
_ORDERED_WEIGHTS: Final = (0.4, 0.1, 0.4, 0.1)
"""Of location, scale, up and down."""
_UNORDERED_WEIGHTS: Final = (0.0, 0.0, 0.8, 0.2)


@dataclass(frozen=True)
class Bets:
    """Bets on all columns: `TILTS` for each column, then those on single bins."""

    tilts: FloatArray
    """Logarithms of the factors of each bin, shape [columns, K, TILTS]; 0 where a column has no such tilt."""
    index: IntArray
    """The bin of each single bet, as an index into [columns * K]; shape [singles]."""
    inside: FloatArray
    """Logarithm of the factor of a row in that bin, less that of any other row, shape [singles]."""
    outside: FloatArray
    """Logarithm of the factor of any other row, shape [singles]."""

    def log_factors(self, counts: FloatArray) -> FloatArray:
        """Return the logarithm of each bet's factor over whole blocks, shape [blocks, bets].

        `counts` are the rows in each bin, shape [blocks, columns, K]; every column counts all rows.
        """
        blocks, columns, width = counts.shape
        split = columns * TILTS
        factors = np.empty((blocks, split + len(self.index)))
        by_column = np.matmul(counts.transpose(1, 0, 2), self.tilts)
        factors[:, :split].reshape(blocks, columns, TILTS)[:] = by_column.transpose(1, 0, 2)
        singles = np.take(counts.reshape(blocks, columns * width), self.index, axis=1)
        singles *= self.inside
        singles += counts[:, 0].sum(axis=1)[:, None] * self.outside
        factors[:, split:] = singles
        return factors


class BetDesign:
    """Designs the same bets against several references: the whole one, and each hour's."""

    def __init__(
        self,
        bins: Sequence[Bins],
        counts: FloatArray,
        tau: FloatArray,
        watched: BoolArray,
        tolerance: FloatArray,
    ) -> None:
        """Choose the bets from the whole reference.

        `counts` (shape [columns, K]) are the reference's rows in each bin, `tau` (shape [columns]) the
        autocorrelation times. Shifts below `tolerance` (shape [columns]), in standard deviations of a tilt or
        relative to a share, win nothing. Only `watched` columns (shape [columns]) have bets.
        """
        self._counts = counts
        self._tau = tau
        self._tolerance = tolerance
        self._bins = bins
        self._owned = np.arange(counts.shape[1]) < np.array([len(own.names) for own in bins])[:, None]
        self._every = np.arange(len(bins))
        factors = self._factors(counts, tau, self._every)
        self._single: BoolArray = factors.single_exists & watched[:, None, None]
        """Which bins have bets, shape [columns, up and down, K]."""
        self._tilted: BoolArray = factors.tilt_exists & watched[:, None]
        """Which tilts a column has, shape [columns, TILTS]."""
        ordered = np.array([own.rule != "category" for own in bins])
        shares = np.where(ordered[:, None], _ORDERED_WEIGHTS, _UNORDERED_WEIGHTS)
        self.weights: Final = _weights(shares, self._tilted, self._single)
        """Weight of each bet, 0 for a tilt that its column lacks; those of a column add up to 1. Shape [bets]."""
        self.singles: Final[IntArray] = self._single.sum(axis=(1, 2))
        """Number of bets on single bins, shape [columns]."""
        self.owners: Final = np.concatenate([np.repeat(self._every, TILTS), np.repeat(self._every, self.singles)])
        """The column of each bet, shape [bets]."""
        self.bets: Final = self._bets(factors, tau, self._every)
        """Against the whole reference."""

    def against(self, counts: FloatArray) -> Bets:
        """Return the same bets against another reference, `counts` of shape [columns, K].

        Bets that it lacks have the factor `IDLE` for every row: with a factor of 1, rows alone would add up to
        evidence.
        """
        return self._bets(self._factors(counts, self._tau, self._every), self._tau, self._every)

    def reweighed(self, bets: Bets, tau: FloatArray, columns: IntArray) -> Bets:
        """Return bets against the whole reference in which some columns have other autocorrelation times.

        `tau` (shape [columns]) are those of all columns, `columns` ascend. Bets that the fewer effective rows no
        longer allow are idle.
        """
        part = self._bets(self._factors(self._counts[columns], tau[columns], columns), tau[columns], columns)
        tilts, inside, outside = bets.tilts.copy(), bets.inside.copy(), bets.outside.copy()
        tilts[columns] = part.tilts
        singles = np.isin(self.owners[len(self._every) * TILTS :], columns)
        inside[singles], outside[singles] = part.inside, part.outside
        return Bets(tilts, bets.index, inside, outside)

    def _bets(self, factors: _Factors, tau: FloatArray, columns: IntArray) -> Bets:
        """Return the bets of some columns, with factors and `tau` of these columns."""
        tilted, single = self._tilted[columns], self._single[columns]
        width = single.shape[2]
        index = np.broadcast_to((columns[:, None] * width + np.arange(width))[:, None], single.shape)
        by = tau[:, None, None]
        idle_tilts = (tilted & ~factors.tilt_exists)[:, None, :] & self._owned[columns][:, :, None]
        outside = np.where(factors.single_exists, factors.outside, np.log(IDLE))
        inside = np.where(factors.single_exists, factors.inside, np.log(IDLE))
        return Bets(
            tilts=_grained(np.where(idle_tilts, np.log(IDLE), factors.tilts) / by),
            index=index[single],
            inside=_grained(((inside - outside) / by)[single]),
            outside=_grained((outside / by)[single]),
        )

    def _factors(self, counts: FloatArray, tau: FloatArray, columns: IntArray) -> _Factors:
        """Return the factors of some columns against `counts` and `tau` of these columns."""
        rows, owned = counts / tau[:, None], self._owned[columns]
        tolerance = self._tolerance[columns][:, None]
        inside, outside, single_exists = _singles(rows, owned, tolerance)
        scores = NormalScores([self._bins[column] for column in columns.tolist()], counts.shape[1])
        tilts, tilt_exists = _tilts(rows, owned, scores, tolerance)
        return _Factors(tilts, tilt_exists, inside, outside, single_exists)


def _grained(logs: FloatArray) -> FloatArray:
    """Return logarithms rounded down to multiples of `GRAIN`."""
    grained: FloatArray = np.ascontiguousarray(np.floor(logs / GRAIN) * GRAIN)
    return grained


@dataclass(frozen=True)
class _Factors:
    """Logarithms of factors against one reference, not yet divided by tau."""

    tilts: FloatArray
    tilt_exists: BoolArray
    inside: FloatArray
    outside: FloatArray
    single_exists: BoolArray


def _tilts(
    rows: FloatArray, owned: BoolArray, scores: NormalScores, tolerance: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """Return the tilts' logarithms, shape [columns, K, TILTS], and which exist, shape [columns, TILTS].

    `tolerance` has shape [columns, 1].
    """
    total = rows.sum(axis=1, keepdims=True)
    shares = np.where(owned, rows + 0.5, 0.0) / (total + 0.5 * owned.sum(axis=1, keepdims=True))
    score = np.where(scores.ordered, scores(shares), 0.0)
    taken = scores.ordered & (rows > 0.0)
    location, has_location = _standardised(score, shares, taken)
    scale, has_scale = _standardised(location**2, shares, taken)
    has_scale &= has_location
    exponent = np.concatenate([location[:, :, None] * np.array(LOCATION), scale[:, :, None] * np.array(SCALE)], axis=2)
    factor = np.exp(exponent)
    mean = np.einsum("fk,fkj->fj", shares, factor)
    spread = np.sqrt(np.maximum(np.einsum("fk,fkj->fj", shares, factor**2) - mean**2, 0.0))
    bound = mean + (BOUND_ERRORS / np.sqrt(np.maximum(total, 1.0)) + tolerance) * spread
    exists = np.repeat(np.stack([has_location, has_scale], axis=1), [len(LOCATION), len(SCALE)], axis=1)
    logs = np.where(exists[:, None, :] & owned[:, :, None], exponent - np.log(bound)[:, None, :], 0.0)
    return logs, exists


def _singles(rows: FloatArray, owned: BoolArray, tolerance: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return the logarithms of the factors inside and outside of each bin, and which bets exist.

    `tolerance` has shape [columns, 1], the results [columns, up and down, K]; 0 where there is none. `up` gives a row
    in the bin (1 - e) + e / upper and any other 1 - e; `down` gives 1/2, and 1 + lower / 2 / (1 - lower).
    """
    upper, lower = _share_bounds(rows)
    upper, lower = upper * (1.0 + tolerance), lower * (1.0 - tolerance)
    fills, empties = owned & (upper < 1.0), owned & (lower > LEAST_SHARE)
    with np.errstate(divide="ignore"):
        up_inside = [np.where(fills, np.log1p(part * (1.0 / upper - 1.0)), 0.0) for part in UP]
    up_outside = [np.where(fills, np.log1p(-part), 0.0) for part in UP]
    down_inside = np.where(empties, np.log(DOWN), 0.0)
    down_outside = np.where(empties, np.log1p((1.0 - DOWN) * lower / (1.0 - lower)), 0.0)
    return (
        np.stack([*up_inside, down_inside], axis=1),
        np.stack([*up_outside, down_outside], axis=1),
        np.stack([fills] * len(UP) + [empties], axis=1),
    )


def _share_bounds(rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return upper and lower bounds of the true shares behind rows in bins, shapes [columns, K]."""
    others = np.maximum(rows.sum(axis=1, keepdims=True) - rows, 0.0)
    upper = np.ones(rows.shape)
    partly = others > 0.0
    upper[partly] = betaincinv(rows[partly] + 1.0, others[partly], 1.0 - BOUND_LEVEL)
    lower = np.zeros(rows.shape)
    some = rows > 0.0
    lower[some] = betaincinv(rows[some], others[some] + 1.0, BOUND_LEVEL)
    return upper, np.minimum(lower, 1.0 - 1e-12)


def _standardised(score: FloatArray, shares: FloatArray, taken: BoolArray) -> tuple[FloatArray, BoolArray]:
    """Return scores less their mean in standard deviations, shape [columns, K], and which columns have a spread.

    A spread must be among the `taken` bins (shape [columns, K]): those of values that the reference has.
    """
    mean = (shares * score).sum(axis=1, keepdims=True)
    spread = np.sqrt((shares * (score - mean) ** 2).sum(axis=1, keepdims=True))
    low = np.where(taken, score, np.inf).min(axis=1)
    high = np.where(taken, score, -np.inf).max(axis=1)
    exists: BoolArray = high - low > 1e-9
    with np.errstate(divide="ignore", invalid="ignore"):
        standard = np.where(exists[:, None], (score - mean) / spread, 0.0)
    return np.clip(standard, -LARGEST_SCORE, LARGEST_SCORE), exists


def _weights(shares: FloatArray, tilted: BoolArray, single: BoolArray) -> FloatArray:
    """Return the weight of each bet, shape [bets]; `shares` are those of the kinds, shape [columns, 4]."""
    location, scale = tilted[:, : len(LOCATION)], tilted[:, len(LOCATION) :]
    ups, downs = single[:, : len(UP)], single[:, len(UP) :]
    kinds = [location[:, None, :], scale[:, None, :], ups, downs]
    sizes = np.stack([kind.sum(axis=(1, 2)) for kind in kinds], axis=1)
    present = np.where(sizes > 0, shares, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.nan_to_num(present / present.sum(axis=1, keepdims=True) / sizes)
    tilts = np.concatenate([location * each[:, :1], scale * each[:, 1:2]], axis=1)
    singles = np.concatenate([ups * each[:, 2, None, None], downs * each[:, 3, None, None]], axis=1)
    return np.concatenate([tilts.ravel(), singles[single]])
