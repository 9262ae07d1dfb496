"""Windows: the newest rows, or the rows of a span of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import CodeArray, FloatArray, IntArray
from driftgauge.drift.tiling import transposed
from driftgauge.drift.windows.blocks import rows_by_hour
from driftgauge.drift.windows.days import Days
from driftgauge.drift.windows.time_spans import Totals


@dataclass(frozen=True)
class Rows:
    """Consecutive rows in order of arrival, the newest last.

    `values` (numbers, and the bin codes of categories) and `codes` have shape [n, columns]; `at`,
    shape [n], is each row's time in seconds since 1970, by the monitor's clock.
    """

    values: FloatArray
    codes: CodeArray
    at: FloatArray
    whole: Rows | None = None
    """The rows of which these are the newest."""

    @cached_property
    def by_column(self) -> FloatArray:
        """The values with the columns first, shape [columns, n]; computed once for all parts of a whole."""
        if self.whole is None:
            return transposed(self.values)
        columns: FloatArray = self.whole.by_column[:, len(self.whole) - len(self) :]
        return columns

    def __len__(self) -> int:
        return len(self.at)

    def newest(self, rows: int) -> Rows:
        """Return the newest `rows` rows, or all where there are fewer, without copying."""
        return self._from(max(0, len(self) - rows))

    def since(self, start: float) -> Rows:
        """Return the rows that are not older than `start`, without copying where they are the newest ones."""
        fresh = self.at >= start
        first = int(np.argmax(fresh)) if fresh.any() else len(self)
        if fresh[first:].all():
            return self._from(first)
        return Rows(self.values[fresh], self.codes[fresh], self.at[fresh])

    def _from(self, first: int) -> Rows:
        if first == 0:
            return self
        return Rows(self.values[first:], self.codes[first:], self.at[first:], self.whole or self)

    def same_as(self, other: Rows) -> bool:
        """Return whether both are the same rows, without comparing them."""
        return len(self) == len(other) and self.is_tail_of(other)

    def is_tail_of(self, other: Rows) -> bool:
        """Return whether these are the newest of other rows, without comparing them."""
        return len(self) <= len(other) and (self.whole or self) is (other.whole or other)


@dataclass(frozen=True)
class Window:
    """The contents of one window, to compare with the baseline."""

    name: str
    """As the metrics' `window` label: `1000`, `1h`."""
    rows: int
    start: float | None
    """Start and end, seconds since 1970; None for a sliding window without rows."""
    end: float | None
    counts: IntArray
    """Rows in each bin, shape [columns, K]."""
    sample: Rows | None = None
    """The rows themselves, if all are in memory."""
    sums: FloatArray | None = None
    """Sums of the standardised values and of their squares, shape [2, columns]."""
    ends: FloatArray | None = None
    """The smallest and the largest finite values, shape [2, columns]; NaN where a column has none."""
    capacity: int | None = None
    """Rows of a full sliding window; verdicts rest on sliding windows alone."""
    seconds: int | None = None
    """Length of a time window."""
    expired: int = 0
    """Rows that a sliding window leaves out because they are too old."""
    slides: bool = False
    """Whether these are the newest rows of a stream, rather than all rows of a table."""
    hours: IntArray | None = None
    """Rows in each hour of the day (UTC), shape [24]; None where unknown."""
    days: Days | None = None
    """The whole days of a time window that is judged."""


def sliding_windows(rows: Rows, sizes: Sequence[int], oldest: float, binner: Binner) -> list[Window]:
    """Return the sliding windows of rows that are not older than `oldest`, one for each size."""
    windows = []
    for size in sizes:
        newest = rows.newest(size)
        fresh = newest.since(oldest)
        windows.append(
            Window(
                name=str(size),
                rows=len(fresh),
                start=float(fresh.at.min()) if len(fresh) else None,
                end=float(fresh.at.max()) if len(fresh) else None,
                counts=binner.counts(fresh.codes),
                sample=fresh,
                capacity=size,
                expired=len(newest) - len(fresh),
                slides=True,
                hours=rows_by_hour(fresh.at),
            )
        )
    return windows


def time_windows(totals: Sequence[Totals], rows: Rows, now: float) -> list[Window]:
    """Return the time windows, with their rows if all of these are among `rows`."""
    windows = []
    for total in totals:
        held = rows.since(total.start)
        windows.append(
            Window(
                name=total.span.name,
                rows=total.rows,
                start=total.start,
                end=now,
                counts=total.counts,
                sample=held if len(held) == total.rows else None,
                sums=total.sums,
                seconds=total.span.seconds,
                hours=total.hours,
                days=total.days,
            )
        )
    return windows
