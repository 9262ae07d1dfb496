"""The whole days of a long time window."""

from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.bins import IntArray
from driftgauge.drift.windows.days import Days, days_of
from driftgauge.drift.windows.time_spans import TimeSpan

DAY = 86_400


def _held(span: TimeSpan, now: float) -> tuple[IntArray, IntArray]:
    """Return the buckets that a window holds at a moment, each with as many rows as its number says."""
    newest = int(now // span.width)
    numbers = np.arange(newest - span.buckets + 1, newest + 1)
    return numbers, (numbers % 1_000)[:, None, None].astype(np.int64)


@pytest.mark.parametrize(("text", "days"), [("7d", 6), ("14d", 13), ("21d", 20), ("30d", 29), ("31d", 30)])
def test_a_window_has_all_whole_days_before_the_bucket_that_is_filling(text: str, days: int) -> None:
    span, now = TimeSpan.named(text), 20_000.0 * DAY + 5_000.0
    numbers, counts = _held(span, now)
    found = days_of(span, numbers, counts.astype(np.uint32), now)
    end = now // span.width * span.width
    assert (found.end, len(found.counts)) == (end, days)
    begins = end - DAY * np.arange(days, 0, -1)
    at = numbers * span.width
    rows = [counts[(at >= begin) & (at < begin + DAY)].sum() for begin in begins]
    assert found.rows.tolist() == rows
    assert min(rows) > 0


def test_days_without_rows_are_days_of_no_rows() -> None:
    span, now = TimeSpan.named("7d"), 20_000.0 * DAY
    numbers, counts = _held(span, now)
    held = numbers < numbers[-1] - 100
    found = days_of(span, numbers[held], counts[held].astype(np.uint32), now)
    assert (found.rows > 0).tolist() == [True, True, False, False, False, False]
    none = days_of(span, numbers[:0], counts[:0].astype(np.uint32), now)
    assert none.rows.tolist() == [0] * 6


def test_days_add_up() -> None:
    one, other = (Days(0.0, np.full((6, 2, 3), rows)) for rows in (1, 4))
    assert (one + other).rows.tolist() == [15] * 6
