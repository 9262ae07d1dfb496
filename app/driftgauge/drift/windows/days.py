"""Days: the rows of a long time window in parts of 24 hours, from which the variation between days is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from driftgauge.drift.bins import IntArray

if TYPE_CHECKING:
    from driftgauge.drift.windows.blocks import CountArray
    from driftgauge.drift.windows.time_spans import TimeSpan

_SECONDS: Final = 86_400


@dataclass(frozen=True, eq=False, repr=False)
class Days:
    """Rows by day; a day is 24 hours that end with a bucket, whatever the date."""

    end: float
    """The end of the newest day, seconds since 1970: the beginning of the bucket that is still filling."""
    counts: IntArray
    """Rows in each bin, shape [days, columns, K], the newest day last."""

    def __repr__(self) -> str:
        return f"<Days: {len(self.counts)} until {self.end:.0f}>"

    @property
    def rows(self) -> IntArray:
        """Rows of each day, shape [days]."""
        rows: IntArray = self.counts[:, 0].sum(axis=1)
        return rows

    def __add__(self, other: Days) -> Days:
        """Return the rows of both, for the same days."""
        return Days(self.end, self.counts + other.counts)


def days_of(span: TimeSpan, numbers: IntArray, counts: CountArray, now: float) -> Days:
    """Return the whole days of a window at a moment.

    `numbers` are those of its buckets, shape [buckets], with `counts` of shape [buckets, columns, K].
    """
    newest, each = math.floor(now / span.width), _SECONDS // span.width
    days = (span.buckets - 1) // each
    age = (newest - 1 - numbers) // each
    by_day = np.zeros((days, *counts.shape[1:]), np.int64)
    for day in np.unique(age[(age >= 0) & (age < days)]).tolist():
        by_day[days - 1 - day] = counts[age == day].sum(axis=0, dtype=np.int64)
    return Days(float(newest * span.width), by_day)
