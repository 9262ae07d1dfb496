"""Expected ranges of the statistics beside PSI, measured as that of PSI is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from driftgauge.drift.bins import CodeArray, FloatArray, IntArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.expected_range import expected_range
from driftgauge.drift.statistics.measures import OF_BINS
from driftgauge.drift.statistics.noise import ks_noise, wasserstein_noise, without_noise
from driftgauge.drift.statistics.psi import Psi


def expected_sizes(
    baseline: Baseline,
    statistics: Sequence[str],
    cells: Sequence[FloatArray],
    codes: CodeArray,
    sizes: Sequence[int],
    quantile: float,
    *,
    hours: IntArray | None = None,
) -> list[dict[str, dict[int, float]]]:
    """Return for each column the expected range of each statistic that it can have, by window size in rows.

    `cells` are the columns' values and `codes` their bins (shape [m, columns]), in order of time. The other arguments
    are those of `expected_range`.
    """
    found: list[dict[str, dict[int, float]]] = [{} for _ in baseline.columns]
    for statistic in statistics:
        if statistic in OF_BINS:
            measure = _OfBins(baseline, statistic)
            ranges = expected_range(baseline.binner, codes, measure, sizes, quantile, hours=hours)
            for index, own in enumerate(found):
                own[statistic] = {size: float(values[index]) for size, values in ranges.items()}
        else:
            for index in np.flatnonzero(baseline.sizing.can_have(statistic)).tolist():
                points = _Points.of(baseline, index, cells[index])
                ranges = expected_range(points, points.codes, points.measure(statistic), sizes, quantile)
                found[index][statistic] = {size: float(values[0]) for size, values in ranges.items()}
    return found


@dataclass(frozen=True)
class _OfBins:
    """A statistic of the shares of bins, in the place of PSI."""

    baseline: Baseline
    statistic: str

    def __call__(self, counts: IntArray, hours: IntArray | None = None) -> Psi:
        psi = self.baseline.psi(counts, hours)
        reference = self.baseline.expected(hours)
        *_, debiased = OF_BINS[self.statistic].measured(counts.astype(np.float64), reference, psi.noise)
        return replace(psi, debiased=debiased)


@dataclass(frozen=True)
class _Points:
    """A column of numbers in cells: below, at and between the quantiles that are kept of it, and missing."""

    codes: IntArray
    """Shape [m, 1]."""
    points: FloatArray
    """The quantiles, each once, standardised; shape [U]."""
    ends: tuple[float, float]
    """The smallest and the largest value, standardised."""
    unit: float
    """The noise of Wasserstein in one row."""
    columns: int = 1

    @classmethod
    def of(cls, baseline: Baseline, index: int, values: FloatArray) -> _Points:
        column, scales = baseline.columns[index], baseline.scales
        points = np.unique(np.array(column.quantiles, dtype=np.float64))
        codes = np.searchsorted(points, values, side="left") + np.searchsorted(points, values, side="right")
        codes[np.isnan(values)] = 2 * len(points) + 1
        z = (np.array([column.min, *points, column.max]) - scales.mean[index]) / scales.std[index]
        return cls(codes[:, None], z[1:-1], (float(z[0]), float(z[-1])), float(baseline.sizing.wasserstein_unit[index]))

    @property
    def width(self) -> int:
        return 2 * len(self.points) + 2

    def measure(self, statistic: str) -> Callable[..., Psi]:
        """Return the statistic of windows, in the place of PSI; counts have shape [windows, 1, cells]."""
        whole = np.bincount(self.codes[:, 0], minlength=self.width)[None, None]
        m = whole[..., :-1].sum(axis=-1).astype(np.float64)
        reference = self._shares(whole)

        def measured(counts: IntArray) -> Psi:
            n = counts[..., :-1].sum(axis=-1).astype(np.float64)
            below, up_to = (np.abs(own - its) for own, its in zip(self._shares(counts), reference, strict=True))
            if statistic == "ks":
                value, noise = np.maximum(below, up_to).max(axis=-1), ks_noise(n, m)
            else:
                value, noise = self._area(below, up_to), wasserstein_noise(np.array(self.unit), n, m)
            debiased = without_noise(value, noise, is_distance=True)
            return Psi(value, noise, debiased, np.full(n.shape, len(self.points)))

        return measured

    def _shares(self, counts: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return the share of the values below each point, and up to and with it."""
        sums = np.cumsum(counts[..., :-1], axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = sums / sums[..., -1:]
        return shares[..., 0:-1:2], shares[..., 1::2]

    def _area(self, below: FloatArray, up_to: FloatArray) -> FloatArray:
        """Return the area between the curves, of which the distances at both sides of each point are known."""
        first, last = self.ends
        between = ((up_to[..., :-1] + below[..., 1:]) / 2.0) @ np.diff(self.points)
        ends = below[..., 0] * (self.points[0] - first) + up_to[..., -1] * (last - self.points[-1])
        area: FloatArray = between + ends / 2.0
        return area
