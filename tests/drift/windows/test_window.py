from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import Bins, FloatArray
from driftgauge.drift.windows.time_spans import TimeSpan, Totals
from driftgauge.drift.windows.window import Rows, sliding_windows, time_windows


def _rows(n: int) -> Rows:
    values = np.arange(2.0 * n).reshape(n, 2)
    return Rows(values=values, codes=(values % 7).astype(np.uint8), at=np.linspace(0.0, 10.0, n))


@pytest.mark.parametrize("wanted", [1, 3, 10, 11, 1_000])
def test_newest_rows_are_the_last_ones(wanted: int) -> None:
    rows = _rows(10)
    newest = rows.newest(wanted)
    held = min(wanted, 10)
    assert len(newest) == held
    for part, whole in ((newest.values, rows.values), (newest.codes, rows.codes), (newest.at, rows.at)):
        np.testing.assert_array_equal(part, list(whole)[10 - held :])


def test_newest_copies_nothing() -> None:
    rows = _rows(10)
    newest = rows.newest(4)
    pairs: list[tuple[FloatArray, FloatArray]] = [(newest.values, rows.values), (newest.at, rows.at)]
    assert all(np.shares_memory(part, whole) for part, whole in pairs)


def test_no_rows_have_no_newest() -> None:
    assert len(_rows(0).newest(5)) == 0


@pytest.mark.parametrize("start", [-1.0, 0.0, 3.0, 10.0, 10.1])
def test_rows_since_a_time_are_those_that_are_not_older(start: float) -> None:
    rows = _rows(11)
    fresh = rows.since(start)
    kept = rows.at >= start
    for part, whole in ((fresh.values, rows.values), (fresh.codes, rows.codes), (fresh.at, rows.at)):
        np.testing.assert_array_equal(part, whole[kept])
        assert not len(part) or np.shares_memory(part, whole)  # they are the newest: nothing is copied


def test_rows_since_a_time_may_lie_among_older_ones() -> None:
    rows = Rows(_rows(5).values, _rows(5).codes, np.array([5.0, 1.0, 7.0, 0.0, 5.0]))
    fresh = rows.since(5.0)
    assert fresh.at.tolist() == [5.0, 7.0, 5.0]
    np.testing.assert_array_equal(fresh.values, rows.values[[0, 2, 4]])
    np.testing.assert_array_equal(fresh.codes, rows.codes[[0, 2, 4]])
    assert len(rows.since(7.1)) == len(_rows(0).since(0.0)) == 0


def test_rows_are_the_same_only_where_they_are_the_same_stretch_of_the_same_rows() -> None:
    rows = _rows(10)
    assert rows.newest(4).same_as(rows.newest(4))
    assert rows.newest(4).same_as(rows.since(rows.at[6]))
    assert rows.same_as(rows.newest(1_000))
    assert not rows.newest(4).same_as(rows.newest(5))
    assert not rows.newest(4).same_as(_rows(10).newest(4))
    first_half = Rows(rows.values[:5], rows.codes[:5], rows.at[:5])
    assert not first_half.same_as(rows.newest(5))


def test_a_count_window_knows_the_hours_of_its_rows() -> None:
    binner = Binner([Bins("interval", edges=(0.0, 1.0)), Bins("interval", edges=(0.0, 1.0))])
    at = np.array([3_600.0, 7_199.9, 7_200.0, 86_399.0, 86_400.0, 90_000.0, -1.0])
    rows = Rows(np.zeros((7, 2)), np.zeros((7, 2), dtype=np.uint8), at)
    hours = [1, 1, 2, 23, 0, 1, 23]
    for size, oldest in ((7, -np.inf), (4, -np.inf), (7, 7_200.0), (7, 1e9)):
        (window,) = sliding_windows(rows, [size], oldest, binner)
        own = [hour for hour, second in list(zip(hours, at.tolist(), strict=True))[-size:] if second >= oldest]
        assert window.hours is not None
        assert window.hours.tolist() == [own.count(hour) for hour in range(24)]
        assert window.hours.sum() == window.rows


def test_a_time_window_knows_the_hours_of_its_buckets() -> None:
    hours = np.arange(24)
    total = Totals(TimeSpan("1h", 3_600), 0.0, 276, np.zeros((2, 3), dtype=np.int64), np.zeros((2, 2)), hours)
    (window,) = time_windows([total], _rows(0), 50.0)
    assert window.hours is hours
