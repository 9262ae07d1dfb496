"""The rolling reference: which days it is made of, and what it keeps of them."""

from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.bins import BoolArray
from driftgauge.drift.rolling.reference import (
    FEWEST_ROWS,
    DayRows,
    days_before,
    drifted_days,
    rolling_baseline,
    rolling_reference,
)
from driftgauge.drift.verdict.history import STATISTICS, History
from driftgauge.drift.verdict.rule import RANK, Status

from tests.monitors import in_sample_baseline, small_baseline, some_rows

KNOWN = small_baseline()
DAY = 86_400.0
NOW = 20_000 * DAY + 3_600.0


def day_rows(day: int, count: int = 3_000, *, age: float = 40.0) -> DayRows:
    return DayRows(day, KNOWN.binner.codes(some_rows(count, seed=day, age=age)))


def nothing(days: int) -> BoolArray:
    return np.zeros((days, len(KNOWN.columns)), np.bool_)


def history_of(at: list[float], ranks: list[list[int]]) -> History:
    count = len(at)
    return History(
        names=("a", "b"),
        at=np.array(at),
        seconds=np.full(count, 60.0),
        rank=np.zeros(count, np.uint8),
        rows=np.zeros(count),
        score_mean=np.zeros(count),
        ranks=np.array(ranks, np.uint8).reshape(count, 2),
        statistics=np.zeros((count, len(STATISTICS), 2), np.float32),
    )


def test_the_days_end_before_the_last_day() -> None:
    assert list(days_before(NOW, 3)) == [19_996, 19_997, 19_998]
    assert list(days_before(20_000 * DAY - 1.0, 2)) == [19_996, 19_997]


def test_a_column_has_drifted_on_the_days_on_which_its_severity_was_warning() -> None:
    info, warning = RANK[Status.DRIFT_DETECTED, "info"], RANK[Status.WARNING, "warning"]
    history = history_of([5 * DAY, 5 * DAY + 60.0, 6 * DAY, 7 * DAY - 1.0], [[warning, 1], [1, 1], [info, 1], [1, 7]])
    assert drifted_days(history, range(4, 8)).tolist() == [[False, False], [True, False], [False, True], [False, False]]
    assert not drifted_days(history_of([], []), [4]).any()


def test_the_rows_of_all_days_are_counted() -> None:
    days = [day_rows(1), day_rows(2, 1_000)]
    found = rolling_reference(KNOWN, days, nothing(2), (1_000,), NOW)
    codes = np.concatenate([own.codes for own in days])
    for index, bins in enumerate(KNOWN.bins):
        expected = np.bincount(codes[:, index], minlength=KNOWN.binner.width)
        assert found.counts[index].tolist() == expected.tolist()
        assert expected[: len(bins.names)].sum() == 4_000
    assert (found.days == 2).all()
    assert (found.first_day, found.last_day) == (1, 2)


def test_a_day_is_left_out_for_the_columns_that_drifted() -> None:
    days = [day_rows(1), day_rows(2, age=90.0), day_rows(3)]
    left_out = nothing(3)
    left_out[1, 0] = True
    found = rolling_reference(KNOWN, days, left_out, (1_000,), NOW)
    assert found.days.tolist() == [2, 3, 3, 3]
    assert found.rows.tolist() == [6_000, 9_000, 9_000, 9_000]
    without = rolling_reference(KNOWN, [days[0], days[2]], nothing(2), (1_000,), NOW)
    assert found.counts[0].tolist() == without.counts[0].tolist()
    assert found.expected_range[1_000][0] == without.expected_range[1_000][0]
    everything = rolling_reference(KNOWN, days, nothing(3), (1_000,), NOW)
    assert everything.expected_range[1_000][0] > 10.0 * found.expected_range[1_000][0]


def test_the_range_allows_each_day_to_differ_as_the_days_did() -> None:
    days = [day_rows(day, 2_000, age=40.0 + 10.0 * (day % 2)) for day in range(8)]
    found = rolling_reference(KNOWN, days, nothing(8), (1_000,), NOW)
    baseline = rolling_baseline(KNOWN, found)
    unusual = baseline.psi(np.array([KNOWN.binner.counts(days[1].codes[:1_000])])).debiased[0]
    assert found.expected_range[1_000][0] >= unusual[0] > 0.1
    assert baseline.expected_range(1_000).tolist() == found.expected_range[1_000].tolist()


def test_a_column_with_few_rows_keeps_the_counts_of_the_training() -> None:
    left_out = nothing(1)
    left_out[0, 1] = True
    found = rolling_reference(KNOWN, [day_rows(1)], left_out, (1_000,), NOW)
    assert found.is_known.tolist() == [True, False, True, True]
    baseline = rolling_baseline(KNOWN, found)
    assert baseline.columns[1].counts == KNOWN.columns[1].counts
    assert baseline.columns[0].counts != KNOWN.columns[0].counts
    assert baseline.rows == 3_000


@pytest.mark.parametrize("days", [[], [day_rows(1, 0)], [day_rows(1, FEWEST_ROWS - 1)]])
def test_without_enough_rows_nothing_is_known(days: list[DayRows]) -> None:
    found = rolling_reference(KNOWN, days, nothing(len(days)), (1_000,), NOW)
    assert not found.is_known.any()
    assert not found.expected_range


def test_scores_that_the_training_has_in_sample_are_compared_with_the_days() -> None:
    found = rolling_reference(KNOWN, [day_rows(1)], nothing(1), (1_000,), NOW)
    assert not rolling_baseline(in_sample_baseline(), found).in_sample.any()
