"""The variation between days, against days whose variation is known."""

from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.gradual.day_variation import (
    FEWEST_DAYS,
    DayVariation,
    day_shares,
    day_variation,
    window_variation,
)
from driftgauge.drift.windows.days import Days
from scipy.stats import norm

EDGES = norm.ppf(np.linspace(0.0, 1.0, 11))
COLUMNS = 40
ROWS = 4_000


def _days(means: FloatArray, rows: int = ROWS, seed: int = 0) -> Days:
    """Return days of normal rows around means, shape [days, columns], in ten bins."""
    rng = np.random.default_rng(seed)
    chances = np.diff(norm.cdf(EDGES[None, None] - means[:, :, None]), axis=2)
    return Days(0.0, rng.multinomial(rows, chances))


def _found(means: FloatArray, **given: int) -> DayVariation:
    return day_variation(_days(means, **given))


def _each(days: int, seed: int = 1) -> FloatArray:
    return np.random.default_rng(seed).normal(size=(days, COLUMNS))


@pytest.mark.parametrize("days", [6, 13, 20, 29])
def test_days_of_independent_rows_have_hardly_any_variation(days: int) -> None:
    found = _found(np.zeros((days, COLUMNS)))
    noise = 9 / ROWS
    assert (found.psi >= 0.0).all()
    assert found.psi.mean() < 0.7 * noise


@pytest.mark.parametrize("days", [13, 20, 29])
def test_the_variation_is_the_square_of_the_standard_deviation_of_the_means(days: int) -> None:
    found = _found(0.1 * _each(days))
    # The largest of the scales is taken, which is more than the value in the mean.
    assert 0.008 <= found.psi.mean() <= 0.017
    assert found.days == days


def test_dependent_days_vary_more() -> None:
    steps = 0.1 * _each(29)
    means = np.empty_like(steps)
    means[0] = steps[0] / np.sqrt(0.75)
    for day in range(1, 29):
        means[day] = 0.5 * means[day - 1] + steps[day]
    independent = _found(steps / np.sqrt(0.75)).psi.mean()
    assert _found(means).psi.mean() > 0.9 * independent


def test_what_weekdays_do_by_themselves_is_no_variation_from_three_weeks_on() -> None:
    weekend = 0.5 * (np.arange(29) % 7 >= 5)[:, None] * np.ones(COLUMNS)
    assert _found(weekend).psi.mean() < 0.002
    assert _found(weekend[:20]).psi.mean() > 0.02


def test_a_gradual_drift_is_no_variation() -> None:
    rising = 0.02 * np.arange(29)[:, None] * np.ones(COLUMNS)
    assert _found(rising).psi.mean() < 0.002


def test_a_single_strange_day_is_variation() -> None:
    means = np.zeros((29, COLUMNS))
    means[20] = 2.0
    assert _found(means).psi.min() > 0.05


def test_too_few_days_tell_nothing() -> None:
    found = _found(np.zeros((FEWEST_DAYS - 1, COLUMNS)))
    assert np.isnan(found.psi).all()
    assert (found.days, found.degrees) == (FEWEST_DAYS - 1, 0.0)


def test_days_with_few_rows_are_left_out() -> None:
    days = _days(np.zeros((12, COLUMNS)))
    days.counts[2] = 0
    days.counts[2, :, 0] = 49
    assert day_variation(days).days == 11


@pytest.mark.parametrize(("empty", "measured"), [([0], 27), ([0, 1, 2], 25), ([12], 26), ([10, 11, 12, 28], 22)])
def test_days_beside_an_empty_one_may_be_parts_of_days_and_are_left_out(empty: list[int], measured: int) -> None:
    means = np.zeros((29, COLUMNS))
    beside = np.setdiff1d([day + step for day in empty for step in (-1, 1)], [*empty, -1, 29])
    means[beside] = 1.0  # some hours of a day that has a cycle
    days = _days(means)
    days.counts[empty] = 0
    found = day_variation(days)
    assert found.days == measured
    assert found.psi.mean() < 0.002


@pytest.mark.parametrize("empty", [slice(1, None, 2), slice(0, 23)])
def test_days_beside_an_empty_one_are_measured_if_there_are_hardly_others(empty: slice) -> None:
    days = _days(np.zeros((29, COLUMNS)))
    days.counts[empty] = 0
    assert day_variation(days).days == (days.rows > 0).sum() >= FEWEST_DAYS


def test_degrees_of_freedom_are_the_pairs_without_what_is_taken_out() -> None:
    assert _found(np.zeros((13, COLUMNS))).degrees == pytest.approx(12.0)
    assert _found(np.zeros((29, COLUMNS))).degrees == pytest.approx(28.0 - 8.0)


def test_a_window_varies_less_the_more_days_share_its_rows() -> None:
    variation = DayVariation(np.array([0.1]), 10, 9.0)
    even, one = np.full((10, 1, 1), 100), np.full((10, 1, 1), 1)
    one[0] = 10_000
    assert window_variation(Days(0.0, even), 1_000, variation) == pytest.approx([0.01])
    assert window_variation(Days(0.0, one), 10_009, variation) == pytest.approx([0.1], rel=0.01)


def test_rows_outside_the_whole_days_count_as_a_day_where_that_is_more() -> None:
    variation, days = DayVariation(np.array([0.1]), 10, 9.0), Days(0.0, np.full((10, 1, 1), 100))
    assert window_variation(days, 1_050, variation) == pytest.approx([0.01])
    assert window_variation(days, 3_000, variation) == pytest.approx([0.1 * (4 / 9 + 10 / 900)])
    assert window_variation(Days(0.0, np.zeros((10, 1, 1), np.int64)), 500, variation) == pytest.approx([0.1])
    assert day_shares(days, 2_000).tolist() == [0.05] * 10 + [0.5]
    assert day_shares(Days(0.0, np.zeros((2, 1, 1), np.int64)), 0).tolist() == [0.0, 0.0, 0.0]
