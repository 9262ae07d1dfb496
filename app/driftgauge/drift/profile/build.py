"""Profiles of rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from driftgauge.drift.bins import CodeArray, FloatArray, IntArray
from driftgauge.drift.profile.exact_sums import ExactSums, Sums
from driftgauge.drift.profile.profile import Profile, no_hours
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.columns import NO_CORRELATIONS
from driftgauge.drift.windows.blocks import HOURS, hours_of, rows_by_hour
from driftgauge.errors import ProfileError

_CELLS_AT_ONCE: Final = 131_072
"""Cells that are counted at once, so that what is computed of them stays in the processor's cache."""


class ProfileBuilder:
    """A profile that is being counted: rows are added part by part, in any order."""

    def __init__(self, baseline: Baseline, partition: str, columns: Sequence[str] | None = None) -> None:
        """Count the rows of a partition; `columns` are those of the baseline to count, by default all."""
        self._baseline: Final = baseline
        self._partition: Final = partition
        self.counted: Final = of_columns(baseline, baseline.names if columns is None else columns)
        """The baseline of the counted columns."""
        self._sums_of: Final = ExactSums(self.counted.scales)
        self._rows = 0
        shape = len(self.counted.columns), self.counted.binner.width
        self._counts: IntArray = np.zeros(shape, dtype=np.int64)
        self._sums = Sums.none(shape[0])
        self._lowest, self._highest = np.full(shape[0], np.inf), np.full(shape[0], -np.inf)
        self._hours = no_hours()
        self._times = (math.inf, -math.inf)
        self._in_hour: dict[int, IntArray] = {}

    def add(self, values: FloatArray, at: FloatArray | None = None) -> None:
        """Add rows as a monitor observes them, shape [n, columns]; `at` are their times, shape [n].

        ProfileError without times if the baseline is by hour.
        """
        if self.counted.is_by_hour and (at is None or not np.isfinite(at).all()):
            raise ProfileError("the baseline compares by hour of the day: every row needs a time (--time COLUMN)")
        at_once = max(1, _CELLS_AT_ONCE // max(1, values.shape[1]))
        for first in range(0, len(values), at_once):
            rows = slice(first, first + at_once)
            self._add(values[rows], None if at is None else at[rows])

    def _add(self, values: FloatArray, at: FloatArray | None) -> None:
        codes = self.counted.binner.codes(values)
        if self.counted.is_by_hour and at is not None:
            self._add_by_hour(codes, hours_of(at))
        self._rows += len(values)
        self._counts += self.counted.binner.counts(codes)
        self._sums += self._sums_of(values)
        known = np.isfinite(values) & self.counted.numeric
        values = values + 0.0  # makes one zero of two
        self._lowest = np.minimum(self._lowest, np.where(known, values, np.inf).min(axis=0, initial=np.inf))
        self._highest = np.maximum(self._highest, np.where(known, values, -np.inf).max(axis=0, initial=-np.inf))
        if at is not None and np.isfinite(at).any():
            self._hours += rows_by_hour(at)
            timed = at[np.isfinite(at)]
            self._times = min(self._times[0], float(timed.min())), max(self._times[1], float(timed.max()))

    def _add_by_hour(self, codes: CodeArray, hours: IntArray) -> None:
        by_hour = self.counted.binner.counts_by(codes, hours, HOURS)
        for hour in np.unique(hours).tolist():
            own = by_hour[hour]
            self._in_hour[hour] = self._in_hour[hour] + own if hour in self._in_hour else own

    def profile(self) -> Profile:
        """Return the profile of all rows so far."""
        return Profile(
            baseline_hash=self._baseline.hash,
            columns=self.counted.names,
            rows=self._rows,
            counts=self._counts.copy(),
            sums=self._sums,
            lowest=self._lowest,
            highest=self._highest,
            partitions=(self._partition,),
            hours=self._hours.copy(),
            start=self._times[0],
            end=self._times[1],
            in_hour={hour: self._in_hour[hour] for hour in sorted(self._in_hour)},
        )


def profile_of(
    baseline: Baseline,
    values: FloatArray,
    at: FloatArray | None = None,
    *,
    partition: str,
    columns: Sequence[str] | None = None,
) -> Profile:
    """Return the profile of rows; the arguments are those of `ProfileBuilder` and its `add`."""
    builder = ProfileBuilder(baseline, partition, columns)
    builder.add(values, at)
    return builder.profile()


def of_columns(baseline: Baseline, names: Sequence[str]) -> Baseline:
    """Return a baseline with some of its columns, in its order; it compares no correlations."""
    chosen = tuple(column for column in baseline.columns if column.name in names)
    return replace(baseline, columns=chosen, correlations=NO_CORRELATIONS)
