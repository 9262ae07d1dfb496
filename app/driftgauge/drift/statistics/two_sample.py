"""Two-sample statistics of raw rows against the reference, for all numeric columns at once.

The reference is represented by a sample of equally weighted values, its 512 quantiles.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from driftgauge.drift.bins import BoolArray, FloatArray, IntArray
from driftgauge.drift.scales import Scales

LEVELS: Final = (0.05, 0.5, 0.95)
_CELLS_AT_ONCE: Final = 131_072
PointShares = tuple[FloatArray, FloatArray]
"""A window's shares below the points of the reference, and up to them, shapes [columns, Q]."""


@dataclass(frozen=True)
class ReferenceSample:
    """The reference as a sample, shapes [columns, Q]; columns with fewer values repeat their last one."""

    points: FloatArray
    """Quantiles at the middles of Q equal shares, ascending; NaN in a column without finite values."""
    sizes: IntArray
    """Number of points of each column, at most Q; shape [columns]."""
    below: FloatArray
    """Share of the non-missing values that are -inf, and +inf, shape [columns]."""
    above: FloatArray
    numeric: BoolArray
    """Which columns hold numbers, shape [columns]."""

    @classmethod
    def of(
        cls, quantiles: Sequence[Sequence[float]], below: FloatArray, above: FloatArray, numeric: BoolArray
    ) -> ReferenceSample:
        """Return the sample of columns with these quantiles."""
        most = max((len(own) for own in quantiles), default=0) or 1
        points = np.full((len(quantiles), most), np.nan)
        for row, own in enumerate(quantiles):
            if own:
                points[row, : len(own)] = own
                points[row, len(own) :] = own[-1]
        return cls(points, np.array([len(own) for own in quantiles], dtype=np.int64), below, above, numeric)

    def levels(self) -> tuple[FloatArray, FloatArray]:
        """Return the share of the reference below each point, and up to and with it, shapes [columns, Q]."""
        index = np.arange(self.points.shape[1])
        starts = np.ones(self.points.shape, dtype=np.bool_)
        starts[:, 1:] = self.points[:, 1:] != self.points[:, :-1]
        ends = np.roll(starts, -1, axis=1)
        ends[:, -1] = True
        first = np.maximum.accumulate(np.where(starts, index, 0), axis=1)
        last = np.minimum.accumulate(np.where(ends, index, len(index))[:, ::-1], axis=1)[:, ::-1]
        return self._share(first), self._share(last + 1)

    def boundaries(self) -> FloatArray:
        """Return the boundaries of the equal shares, shape [columns, Q + 1]."""
        return self._share(np.arange(self.points.shape[1] + 1)[None, :])

    def _share(self, rank: IntArray) -> FloatArray:
        finite = 1.0 - self.below - self.above
        part = np.minimum(rank, self.sizes[:, None]) / np.maximum(self.sizes, 1)[:, None]
        share: FloatArray = self.below[:, None] + finite[:, None] * part
        return share


@dataclass(frozen=True)
class SampleStatistics:
    """Statistics of a window's raw rows, shapes [columns]; NaN where unknown."""

    rows: IntArray
    """Rows with a value, for `ks_statistic` and `wasserstein_ratio`."""
    finite_rows: IntArray
    """Rows with a finite value, for moments and quantiles."""
    mean: FloatArray
    std: FloatArray
    """Population standard deviation (divided by n)."""
    min: FloatArray
    max: FloatArray
    quantiles: FloatArray
    """At `LEVELS`, shape [levels, columns]; numpy's linear interpolation."""
    mean_shift: FloatArray
    """Mean minus the reference's, in the reference's standard deviations."""
    ks_statistic: FloatArray
    """Largest distance of the two cumulative distributions, over non-missing values."""
    wasserstein_ratio: FloatArray
    """Area between the two cumulative distributions of the clipped values, in the reference's sd."""

    @classmethod
    def unknown(cls, columns: int, levels: int = len(LEVELS)) -> SampleStatistics:
        """Return the statistics of no rows."""

        def nothing() -> FloatArray:
            return np.full(columns, np.nan)

        none = np.zeros(columns, dtype=np.int64)
        return cls(
            rows=none,
            finite_rows=none.copy(),
            mean=nothing(),
            std=nothing(),
            min=nothing(),
            max=nothing(),
            quantiles=np.full((levels, columns), np.nan),
            mean_shift=nothing(),
            ks_statistic=nothing(),
            wasserstein_ratio=nothing(),
        )


class SampleComparison:
    """Compares raw rows with a reference's sample."""

    def __init__(self, reference: ReferenceSample, scales: Scales, levels: Sequence[float] = LEVELS) -> None:
        self._reference = reference
        self._scales = scales
        self._levels = tuple(levels)
        self._lower, self._upper = reference.levels()
        # The shares of the finite values, between those of what lies beyond the range on either side.
        inner = reference.boundaries()
        ends = np.zeros(len(inner)), np.ones(len(inner))
        self._boundaries = np.column_stack([ends[0], inner, ends[1]])
        z = scales.standardised(reference.points.T).T
        self._z = np.column_stack([scales.low, z, scales.high])

    def __call__(self, by_column: FloatArray) -> SampleStatistics:
        """Compare rows, given as columns, shape [columns, n]; the cells of categories are ignored."""
        found = SampleStatistics.unknown(len(self._lower), len(self._levels))
        for columns in self._lots(np.flatnonzero(self._reference.numeric), by_column.shape[1]):
            self._compare(by_column, columns, found)
        return found

    def distances(self, by_column: FloatArray, ks: BoolArray, wasserstein: BoolArray) -> SampleStatistics:
        """Compare rows by each distance in the columns that ask for it (shape [columns]); the rest stays unknown."""
        found = SampleStatistics.unknown(len(self._lower), len(self._levels))
        for wanted, measure in ((ks, self._measure_ks), (wasserstein, self._measure_wasserstein)):
            for columns in self._lots(np.flatnonzero(self._reference.numeric & wanted), by_column.shape[1]):
                ordered = Ordered.of(by_column[columns])
                found.rows[columns] = ordered.known
                measure(ordered, columns, self._shares(ordered, columns), found)
        return found

    def of_sums(self, rows: IntArray, sums: FloatArray) -> SampleStatistics:
        """Return the statistics that sums allow, for rows no longer in memory; the others are NaN.

        `rows` (shape [columns]) have a value; `sums` (shape [2, columns]) are those of the standardised
        clipped values and of their squares. NaN where the reference has no spread.
        """
        numeric, spread = self._reference.numeric, self._scales.spread
        unit = np.where(spread, self._scales.std, np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            shift = np.where(numeric & (rows > 0), sums[0] / rows, np.nan)
            variance = np.maximum(sums[1] / rows - shift**2, 0.0)
        with np.errstate(over="ignore", invalid="ignore"):
            unknown = SampleStatistics.unknown(len(rows), len(self._levels))
            return replace(
                unknown,
                rows=np.where(numeric, rows, 0),
                finite_rows=np.where(numeric, rows, 0),
                mean=np.where(spread, self._scales.mean + shift * unit, np.nan),
                std=np.where(spread, np.sqrt(variance) * unit, np.nan),
                mean_shift=np.where(spread, shift, np.nan),
            )

    @staticmethod
    def _lots(numeric: IntArray, rows: int) -> Iterator[IntArray]:
        """Yield numeric columns in lots that fit in the processor's cache."""
        size = max(1, _CELLS_AT_ONCE // max(1, rows))
        for first in range(0, len(numeric), size) if rows else ():
            yield numeric[first : first + size]

    def _compare(self, by_column: FloatArray, columns: IntArray, found: SampleStatistics) -> None:
        ordered = Ordered.of(by_column[columns])
        found.rows[columns], found.finite_rows[columns] = ordered.known, ordered.finite
        mean, std = ordered.mean_and_std()
        found.mean[columns], found.std[columns] = mean, std
        found.min[columns], found.max[columns] = ordered.ends()
        found.quantiles[:, columns] = ordered.quantiles(self._levels)
        with np.errstate(over="ignore", invalid="ignore"):
            shift = (mean - self._scales.mean[columns]) / self._scales.std[columns]
        found.mean_shift[columns] = np.where(self._scales.spread[columns], shift, np.nan)
        shares = self._shares(ordered, columns)
        self._measure_ks(ordered, columns, shares, found)
        self._measure_wasserstein(ordered, columns, shares, found)

    def _measure_ks(self, ordered: Ordered, columns: IntArray, shares: PointShares, found: SampleStatistics) -> None:
        below, up_to = shares
        distance = np.maximum(np.abs(below - self._lower[columns]), np.abs(up_to - self._upper[columns]))
        found.ks_statistic[columns] = np.maximum(distance.max(axis=1), self._distance_at_ends(ordered, columns))

    def _measure_wasserstein(
        self, ordered: Ordered, columns: IntArray, shares: PointShares, found: SampleStatistics
    ) -> None:
        area = self._wasserstein(ordered, columns, shares[1])
        found.wasserstein_ratio[columns] = np.where(self._scales.spread[columns], area, np.nan)

    def _shares(self, ordered: Ordered, columns: IntArray) -> PointShares:
        """Return the window's share below each point of the reference, and up to it, shapes [columns, Q].

        Between two points the reference's distribution is level and the window's rises, so their
        distance is largest at one of the points, on one of its sides: there KS is exact.
        """
        points = self._reference.points[columns]
        below, up_to = np.empty(points.shape), np.empty(points.shape)
        # A search for each column: numpy has none along an axis, and one over pairs (column, value) is slower.
        for row, (known, own) in enumerate(zip(ordered.known.tolist(), points, strict=True)):
            sample = ordered.values[row, :known]
            up_to[row] = below[row] = found = sample.searchsorted(own, side="right")
            if known and (sample[found - 1] == own).any():  # else none of the points is a value of the window
                below[row] = sample.searchsorted(own, side="left")
        known_rows = ordered.known[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            nothing = np.isnan(points) | (known_rows == 0)
            return np.where(nothing, np.nan, below / known_rows), np.where(nothing, np.nan, up_to / known_rows)

    def _distance_at_ends(self, ordered: Ordered, columns: IntArray) -> FloatArray:
        """Return the larger distance of the shares at -inf and at +inf."""
        reference = self._reference
        with np.errstate(invalid="ignore", divide="ignore"):
            below = ordered.first / ordered.known
            above = (ordered.known - ordered.first - ordered.finite) / ordered.known
        return np.maximum(np.abs(below - reference.below[columns]), np.abs(above - reference.above[columns]))

    def _wasserstein(self, ordered: Ordered, columns: IntArray, up_to: FloatArray) -> FloatArray:
        """Return the area between the quantile functions of the clipped standardised values.

        Over the share that a point q of the reference stands for, the window's quantile function
        crosses q once, where the window's share up to q ends: the area is that of both sides.
        """
        integral = _Integral(self._scales.ordered(ordered.values, columns), ordered.known)
        edges, q = self._boundaries[columns], self._z[columns]
        first, last = edges[:, :-1], edges[:, 1:]
        crossing = np.column_stack([first[:, 0], np.fmax(up_to, 0.0), last[:, -1]])  # fmax: 0 where not known
        crossing = np.minimum(np.maximum(crossing, first), last)
        at_edges, at_crossing = integral(edges), integral(crossing)
        under = q * (crossing - first) - (at_crossing - at_edges[:, :-1])
        over = (at_edges[:, 1:] - at_crossing) - q * (last - crossing)
        area: FloatArray = (under + over).sum(axis=1)
        return np.maximum(area, 0.0)  # rounding


@dataclass(frozen=True)
class Ordered:
    """Columns of values in ascending order, NaN last; shape [columns, n]."""

    values: FloatArray
    known: IntArray
    """Values that are not NaN, shape [columns]."""
    first: IntArray
    """Index of the first finite one, shape [columns]."""
    finite: IntArray
    """Finite values, shape [columns]."""

    @classmethod
    def of(cls, ordered: FloatArray) -> Ordered:
        """Sort columns of shape [columns, n] in place; n is at least 1."""
        ordered.sort(axis=1)
        columns, rows = ordered.shape
        known = np.full(columns, rows)
        incomplete = np.isnan(ordered[:, -1])
        known[incomplete] -= np.isnan(ordered[incomplete]).sum(axis=1)
        first, infinite = np.zeros_like(known), np.zeros_like(known)
        endless = np.isinf(ordered[:, 0]) | np.isinf(ordered[np.arange(columns), np.maximum(known - 1, 0)])
        first[endless] = (ordered[endless] == -np.inf).sum(axis=1)
        infinite[endless] = np.isinf(ordered[endless]).sum(axis=1)
        return cls(ordered, known, first, known - infinite)

    def mean_and_std(self) -> tuple[FloatArray, FloatArray]:
        """Return the mean and the population standard deviation of the finite values, NaN without any."""
        low, high = self.ends()
        # Scaled by the largest magnitude, so that neither the sum nor the squares overflow.
        scale = np.maximum(np.fmax(np.abs(low), np.abs(high)), np.finfo(np.float64).tiny)
        scaled = self.values / scale[:, None]
        partial = self.finite < self.values.shape[1]
        scaled[partial] = np.where(np.isfinite(scaled[partial]), scaled[partial], 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(self.finite == 0, np.nan, scaled.sum(axis=1) / self.finite)
            scaled -= np.nan_to_num(mean)[:, None]
            scaled[partial] = np.where(np.isfinite(self.values[partial]), scaled[partial], 0.0)
            std = np.sqrt(np.einsum("ij,ij->i", scaled, scaled) / self.finite)
        return mean * scale, std * scale

    def ends(self) -> tuple[FloatArray, FloatArray]:
        """Return the smallest and the largest finite value, NaN without any."""
        row = np.arange(len(self.first))
        return self._at(row, self.first), self._at(row, self.first + self.finite - 1)

    def _at(self, row: IntArray, index: IntArray) -> FloatArray:
        bounded = np.clip(index, 0, self.values.shape[1] - 1)
        return np.where(self.finite == 0, np.nan, self.values[row, bounded])

    def quantiles(self, levels: Sequence[float]) -> FloatArray:
        """Return quantiles of the finite values by linear interpolation, shape [levels, columns]."""
        position = np.asarray(levels)[:, None] * np.maximum(self.finite - 1, 0)
        low = np.floor(position).astype(np.int64)
        row = np.arange(len(self.first))
        below = self._at(row, self.first + low)
        above = self._at(row, self.first + np.minimum(low + 1, np.maximum(self.finite - 1, 0)))
        part = position - low
        # Clipped, so that rounding never leaves the two neighbours: a tied value is its own quantile.
        return np.asarray(np.clip(below * (1.0 - part) + above * part, below, above))


@dataclass(frozen=True)
class Moments:
    """Moments of finite values; NaN without any."""

    mean: float
    std: float
    min: float
    max: float


def describe(values: FloatArray) -> Moments:
    """Return the moments of the finite values, shape [n]."""
    if len(values) == 0:
        return Moments(*[float("nan")] * 4)
    ordered = Ordered.of(values[None, :].copy())
    return Moments(*(float(moment[0]) for moment in (*ordered.mean_and_std(), *ordered.ends())))


class _Integral:
    """The integral of a sample's quantile function from 0, for several columns at once."""

    def __init__(self, ordered: FloatArray, known: IntArray) -> None:
        self._values = ordered
        self._known = np.maximum(known, 1)[:, None]
        self._sums = np.empty((ordered.shape[0], ordered.shape[1] + 1))
        self._sums[:, 0] = 0.0
        np.cumsum(ordered, axis=1, out=self._sums[:, 1:])

    def __call__(self, level: FloatArray) -> FloatArray:
        """Return the integral up to each level, shape [columns, levels]."""
        rank = level * self._known
        whole = np.minimum(rank.astype(np.int64), self._known - 1)
        rank -= whole
        index = whole + np.arange(len(self._values))[:, None] * self._values.shape[1]
        integral: FloatArray = np.take(self._values, index)
        integral *= rank
        index += np.arange(len(self._values))[:, None]  # sums have one more a column, the 0 before the first
        integral += np.take(self._sums, index)
        integral /= self._known
        return integral
