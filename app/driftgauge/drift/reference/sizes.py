"""What the reference says of the statistics that a verdict may rest on, beside PSI."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

import numpy as np

from driftgauge.drift.bins import MISSING, BoolArray, FloatArray
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.drift.scales import Scales
from driftgauge.drift.statistics.noise import wasserstein_unit


class SizeReference:
    """Which columns can have a statistic, its noise, and its expected range in the reference."""

    def __init__(self, columns: Sequence[ColumnBaseline], scales: Scales) -> None:
        self._columns = columns
        self._scales = scales
        self.value_rows: Final[FloatArray] = np.array(
            [max(0.0, c.rows - c.counts[c.bins.special[MISSING]]) for c in columns]
        )
        """The reference's rows with a value, shape [columns]."""

    def can_have(self, statistic: str) -> BoolArray:
        """Return which columns can be judged by a statistic, shape [columns].

        Kolmogorov-Smirnov needs numbers, and Wasserstein more than one of them.
        """
        if statistic == "ks":
            return np.array([len(column.quantiles) > 0 for column in self._columns], dtype=np.bool_)
        if statistic == "wasserstein":
            return self._scales.spread & self.can_have("ks")
        return np.ones(len(self._columns), dtype=np.bool_)

    @cached_property
    def wasserstein_unit(self) -> FloatArray:
        """The noise of Wasserstein in one row, shape [columns]; NaN where the column cannot have it."""
        found = np.full(len(self._columns), np.nan)
        for index in np.flatnonzero(self.can_have("wasserstein")).tolist():
            own = self._columns[index]
            z = (np.array([own.min, *own.quantiles, own.max]) - self._scales.mean[index]) / self._scales.std[index]
            rows = np.array([sum(own.counts[own.bins.ordinary])])
            found[index] = wasserstein_unit(z[None, 1:-1], np.array([len(z) - 2]), z[None, [0, -1]], rows)[0]
        return found

    def expected_range(self, statistic: str, rows: int) -> FloatArray:
        """Return a statistic's expected range in windows of `rows` rows, shape [columns]; 0 where unknown.

        As for PSI, it is that of the largest measured size not above `rows`, or of the smallest.
        """
        return np.array([of_size(column.expected_sizes.get(statistic, {}), rows) for column in self._columns])

    def lacks_range(self, statistic: str) -> BoolArray:
        """Return which columns know the expected range of PSI and not that of a statistic, shape [columns]."""
        return np.array(
            [bool(column.expected_range) and statistic not in column.expected_sizes for column in self._columns]
        )


def of_size(known: Mapping[int, float], rows: int) -> float:
    """Return the value of the largest known size not above `rows`, or of the smallest; 0 without any."""
    sizes = sorted(known)
    return known[sizes[max(0, bisect_right(sizes, rows) - 1)]] if sizes else 0.0


def larger_range(own: Mapping[int, float], its: Mapping[int, float]) -> dict[int, float]:
    """Return the larger of two expected ranges at each size that one of them knows."""
    return {size: max(of_size(own, size), of_size(its, size)) for size in sorted({*own, *its})}


def larger_ranges(own: ColumnBaseline, its: ColumnBaseline) -> dict[str, dict[int, float]]:
    """Return the larger expected ranges of two references of a column, by statistic and size."""
    first, other = own.expected_sizes, its.expected_sizes
    return {name: larger_range(first.get(name, {}), other.get(name, {})) for name in sorted({*first, *other})}
