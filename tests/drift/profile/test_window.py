from __future__ import annotations

import numpy as np
from driftgauge.drift.profile.build import of_columns, profile_of
from driftgauge.drift.profile.profile import merge_profiles
from driftgauge.drift.profile.window import blocks_of, window_of
from driftgauge.drift.statistics.two_sample import SampleStatistics
from driftgauge.drift.verdict.comparison import compare
from driftgauge.drift.verdict.policy import Policy

from tests.drift.profile.test_profile import BASELINE, BY_HOUR, rows_of


def test_the_window_has_the_counts_and_moments_of_the_rows() -> None:
    rows, at = rows_of(3_000), np.arange(3_000.0)
    window = window_of(profile_of(BASELINE, rows, at, partition="a"), BASELINE, "table")
    assert (window.name, window.rows, window.start, window.end) == ("table", 3_000, 0.0, 2_999.0)
    assert window.counts.tolist() == BASELINE.binner.counts(BASELINE.binner.codes(rows)).tolist()
    (report,) = compare(BASELINE, [window], Policy(windows=(3_000,), time_windows=()))
    ages = rows[:, 0][~np.isnan(rows[:, 0])]
    found: SampleStatistics = report.sample
    np.testing.assert_allclose(
        [found.mean[0], found.std[0], found.rows[0]], [ages.mean(), ages.std(), len(ages)], rtol=1e-9
    )


def test_the_ends_are_the_smallest_and_the_largest_finite_values() -> None:
    rows = rows_of(300)
    rows[:3, 0] = [np.inf, -np.inf, np.nan]
    parts = [profile_of(BASELINE, rows[first::2], partition=str(first)) for first in (0, 1)]
    window = window_of(merge_profiles(parts), BASELINE, "table")
    (report,) = compare(BASELINE, [window], Policy(windows=(300,), time_windows=()))
    ages = rows[np.isfinite(rows[:, 0]), 0]
    np.testing.assert_array_equal(report.sample.min, [ages.min(), np.nan])
    np.testing.assert_array_equal(report.sample.max, [ages.max(), np.nan])


def test_the_ends_of_a_column_without_a_finite_value_are_unknown() -> None:
    rows = np.full((250, len(BASELINE.columns)), np.nan)
    rows[:9, 0] = np.inf
    (report,) = compare(BASELINE, [window_of(profile_of(BASELINE, rows, partition="a"), BASELINE, "t")], Policy())
    assert np.isnan(report.sample.min).all()
    assert np.isnan(report.sample.max).all()


def test_columns_can_be_left_out_of_the_comparison() -> None:
    fewer = of_columns(BASELINE, ["age"])
    profile = profile_of(BASELINE, rows_of(100), partition="a")
    alone = profile_of(BASELINE, rows_of(100)[:, :1], partition="a", columns=["age"])
    assert window_of(profile, fewer, "t").counts.tolist() == window_of(alone, fewer, "t").counts.tolist()
    assert blocks_of(profile, fewer, 5.0).counts.tolist() == blocks_of(alone, fewer, 5.0).counts.tolist()


def test_without_times_all_rows_are_one_block() -> None:
    profile = profile_of(BASELINE, rows_of(100), partition="a")
    window, blocks = window_of(profile, BASELINE, "t"), blocks_of(profile, BASELINE, 5.0)
    assert (window.start, window.end, window.hours) == (None, None, None)
    assert (len(blocks), blocks.at.tolist(), blocks.rows.tolist()) == (1, [5.0], [100.0])


def test_against_a_baseline_by_hour_each_hour_of_the_day_is_a_block() -> None:
    at = np.repeat([3_600.0 * 5, 3_600.0 * 29, 3_600.0], 20)
    profile = profile_of(BY_HOUR, rows_of(60)[:, :1], at, partition="a")
    blocks = blocks_of(profile, BY_HOUR, 5.0)
    assert (blocks.hours.tolist(), blocks.rows.tolist()) == ([1, 5], [20.0, 40.0])


def test_no_rows_are_no_blocks_by_hour() -> None:
    profile = profile_of(BY_HOUR, np.empty((0, 1)), np.empty(0), partition="a")
    assert len(blocks_of(profile, BY_HOUR, 5.0)) == 0
