"""The rolling reference: the rows of the last days, in the bins of the training baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from driftgauge.drift.bins import BoolArray, CodeArray, FloatArray, IntArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.expected_range import expected_range
from driftgauge.drift.verdict.history import SEVERITY_LEVELS, History
from driftgauge.drift.windows.time_spans import DAY_SECONDS

FEWEST_ROWS: Final = 1_000
"""Rows that the reference of a column needs."""
_WARNING: Final = SEVERITY_LEVELS.index("warning")


@dataclass(frozen=True, eq=False)
class DayRows:
    """Rows of one day (UTC) in the order of their time."""

    day: int
    """Days since 1970."""
    codes: CodeArray
    """Bin codes of the training baseline, shape [n, columns]."""


@dataclass(frozen=True, eq=False)
class RollingReference:
    """What is kept of the last days; arrays have shape [columns] unless they say another."""

    counts: IntArray
    """Rows in each bin of the training baseline, shape [columns, K]."""
    days: IntArray
    """Days that are counted."""
    expected_range: Mapping[int, FloatArray]
    """Largest `psi_debiased` of the days' own windows, by window size in rows."""
    first_day: int
    """The first day that any column has, in days since 1970."""
    last_day: int
    built_at: float
    """Seconds since 1970, by the monitor's clock."""

    @property
    def rows(self) -> IntArray:
        """Rows that are counted."""
        rows: IntArray = self.counts.sum(axis=1)
        return rows

    @property
    def is_known(self) -> BoolArray:
        """Whether there are enough rows to compare with."""
        known: BoolArray = self.rows >= FEWEST_ROWS
        return known


def days_before(now: float, days: int) -> range:
    """Return the days that a reference is made of: those that ended a day ago at the latest."""
    last = int(now // DAY_SECONDS) - 2
    return range(last - days + 1, last + 1)


def drifted_days(history: History, days: Sequence[int]) -> BoolArray:
    """Return on which days the verdict on a column was warning or critical, shape [days, columns]."""
    drifted = history.severity >= _WARNING
    day_of = np.floor(history.at / DAY_SECONDS)
    return np.array([drifted[day_of == day].any(axis=0) for day in days]).reshape(len(days), len(history.names))


def rolling_reference(
    known: Baseline, days: Sequence[DayRows], left_out: BoolArray, sizes: Sequence[int], built_at: float
) -> RollingReference:
    """Return the reference of some days, each column without the days that `left_out` (shape [days, columns]) names.

    `sizes` are the windows in rows for which the expected range is measured.
    """
    by_day = np.array([known.binner.counts(own.codes) for own in days], dtype=np.int64)
    shape = (len(known.columns), known.binner.width)
    used = ~left_out & np.array([len(own.codes) > 0 for own in days], dtype=np.bool_).reshape(-1, 1)
    counts = (by_day * used[:, :, None]).sum(axis=0) if len(days) else np.zeros(shape, np.int64)
    numbers = np.array([own.day for own in days], dtype=np.int64)[used.any(axis=1)]
    bare = RollingReference(
        counts=counts,
        days=used.sum(axis=0),
        expected_range={},
        first_day=int(numbers.min()) if numbers.size else 0,
        last_day=int(numbers.max()) if numbers.size else 0,
        built_at=built_at,
    )
    return replace(bare, expected_range=_ranges(known, days, used, sizes, bare))


def _ranges(
    known: Baseline, days: Sequence[DayRows], used: BoolArray, sizes: Sequence[int], reference: RollingReference
) -> dict[int, FloatArray]:
    """Return the expected range by size; columns with the same days are measured together."""
    baseline, found = rolling_baseline(known, reference), {size: np.zeros(len(known.columns)) for size in sizes}
    measured: set[int] = set()
    if not reference.is_known.any():
        return {}
    for mask in np.unique(used[:, reference.is_known], axis=1).T:
        own = np.flatnonzero((used == mask[:, None]).all(axis=0))
        codes = np.concatenate([day.codes for day, taken in zip(days, mask.tolist(), strict=True) if taken])
        ranges = expected_range(known.binner, codes, baseline.psi, sizes)
        measured.update(ranges)
        for size in sizes:
            smaller = [other for other in ranges if other <= size]
            if smaller:
                found[size][own] = ranges[max(smaller)][own]
    return {size: values for size, values in sorted(found.items()) if size in measured}


def with_unknown(reference: RollingReference, watched: Baseline) -> RollingReference:
    """Return the reference with the last columns of what is watched, which it does not have, as unknown ones."""
    rows, width = watched.counts.shape
    own = len(reference.counts)
    if own == rows:
        return reference
    counts = np.zeros((rows, width), np.int64)
    counts[:own, : reference.counts.shape[1]] = reference.counts
    ranges = {size: np.append(values, np.full(rows - own, np.nan)) for size, values in reference.expected_range.items()}
    days = np.append(reference.days, np.zeros(rows - own, np.int64))
    return replace(reference, counts=counts, days=days, expected_range=ranges)


def rolling_baseline(known: Baseline, reference: RollingReference) -> Baseline:
    """Return the baseline that windows are compared with: the rows of the days in the bins of the training baseline.

    Moments, quantiles and correlations stay those of the training. A column without enough rows keeps its reference.
    """
    columns = tuple(
        replace(
            column,
            rows=int(rows),
            counts=tuple(reference.counts[index, : len(column.counts)].astype(np.float64).tolist()),
            expected_range={size: float(values[index]) for size, values in reference.expected_range.items()},
            by_hour={},
            in_sample=False,
        )
        if is_known
        else replace(column, by_hour={})
        for index, (column, rows, is_known) in enumerate(
            zip(known.columns, reference.rows.tolist(), reference.is_known.tolist(), strict=True)
        )
    )
    return replace(known, columns=columns, rows=max(1, int(reference.rows.max())))
