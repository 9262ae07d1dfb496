from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.evidence.progress import Progress, rows_at_once
from driftgauge.drift.reference.baseline import Baseline
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.monitors import START, small_baseline, some_rows, timed_baseline
from tests.states import assert_same_evidence, straight

HOUR = 3_600.0


def _rows(baseline: Baseline, size: int, seed: int) -> FloatArray:
    """Return rows that drift a little."""
    if not baseline.is_by_hour:
        return some_rows(size, seed, age=42.0)
    generator = np.random.default_rng(seed)
    return np.column_stack([generator.normal(0.3, 1.2, (size, 2)), generator.integers(0, 3, size)])


@settings(deadline=None, max_examples=examples(60))
@given(
    st.lists(st.one_of(st.integers(0, 130), st.integers(400, 3_000)), max_size=8),
    st.booleans(),
    st.sampled_from([0.5, 40.0, 900.0]),
    st.integers(0, 1_000),
)
def test_progress_is_that_of_whole_blocks_however_rows_come(
    sizes: list[int], by_hour: bool, pace: float, seed: int
) -> None:
    baseline = timed_baseline() if by_hour else small_baseline()
    binner, detector = baseline.binner, baseline.detector()
    rows = sum(sizes)
    values = _rows(baseline, rows, seed)
    at = START + np.cumsum(np.random.default_rng(seed).uniform(-0.3, 1.0, rows) * pace)
    codes = binner.codes(values)
    progress, first = Progress.start(binner, detector), 0
    for size in sizes:
        part = slice(first, first + size)
        before, total = progress, progress.head.total.copy()
        progress = progress.after(binner, detector, codes[part], at[part])
        np.testing.assert_array_equal(before.head.total, total)  # nothing is written to
        first += size
        assert progress.head.rows == first
        assert progress.head.at == at[:first].max(initial=-math.inf)
        np.testing.assert_array_equal(progress.head.total, binner.counts(codes[:first]))
        assert_same_evidence(progress.evidence, straight(detector, binner, values[:first], at[:first]))


def test_rows_after_the_last_block_are_counted_and_not_weighed() -> None:
    baseline = small_baseline()
    binner, detector = baseline.binner, baseline.detector()
    codes = binner.codes(some_rows(149, age=60.0))
    progress = Progress.start(binner, detector).after(binner, detector, codes, np.full(149, START))
    np.testing.assert_array_equal(progress.weighed, binner.counts(codes[:100]))
    np.testing.assert_array_equal(progress.head.total, binner.counts(codes))


@pytest.mark.parametrize("limit", [START - 10.0, START, START + 10.0])
def test_after_a_clock_was_ahead_no_time_is_later_than_the_limit(limit: float) -> None:
    baseline = small_baseline()
    binner, detector = baseline.binner, baseline.detector()
    codes = binner.codes(some_rows(200, age=60.0))
    progress = Progress.start(binner, detector).after(binner, detector, codes, np.full(200, START))
    rate = replace(progress.evidence.rate, rows=7.0, seconds=9.0, since=START, until=START)
    cleared = np.array([math.nan, START, START, math.nan])
    progress = replace(progress, evidence=replace(progress.evidence, cleared=cleared, rate=rate))
    found, latest = progress.up_to(limit), min(limit, START)
    assert found.head.at == latest
    assert found.evidence.since[0] == latest
    np.testing.assert_array_equal(found.evidence.cleared, np.minimum(cleared, limit))
    assert found.evidence.rate == replace(rate, since=latest, until=latest)
    assert found.evidence.live is not None
    assert (found.evidence.live.since == latest).all()
    live, since = progress.evidence.live, progress.evidence.since
    assert_same_evidence(replace(found.evidence, since=since, cleared=cleared, rate=rate, live=live), progress.evidence)
    np.testing.assert_array_equal(found.head.total, progress.head.total)


def test_before_the_first_row_there_is_no_time_to_limit() -> None:
    baseline = small_baseline()
    progress = Progress.start(baseline.binner, baseline.detector())
    found = progress.up_to(START)
    assert (found.head.at, found.evidence.rate.since) == (-math.inf, None)
    assert_same_evidence(found.evidence, replace(progress.evidence, rate=found.evidence.rate))


def test_by_hour_fewer_rows_are_added_at_once_where_columns_and_bins_are_many() -> None:
    usual = small_baseline()
    assert rows_at_once(usual.binner, usual.detector()) == 4_096
    by_hour = timed_baseline()
    at_once = rows_at_once(by_hour.binner, by_hour.detector())
    assert 50 <= at_once <= 4_096
    assert at_once * by_hour.binner.columns * by_hour.binner.width <= 4_194_304
