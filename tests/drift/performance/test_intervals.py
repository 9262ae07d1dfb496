"""Intervals of rates and means."""

from __future__ import annotations

import math

import numpy as np
import pytest
from driftgauge.drift.performance.intervals import Estimate, mean_of, wilson
from scipy import stats


@pytest.mark.parametrize(("successes", "trials"), [(0, 7), (3, 7), (7, 7), (480, 500), (1, 1)])
def test_a_rate_has_wilsons_interval(successes: int, trials: int) -> None:
    expected = stats.binomtest(successes, trials).proportion_ci(method="wilson")
    found = wilson(successes, trials)
    assert (found.lower, found.upper) == pytest.approx((expected.low, expected.high))


def test_a_mean_has_students_interval() -> None:
    values = np.random.default_rng(0).gamma(2.0, size=37)
    found = mean_of(values.sum(), (values**2).sum(), len(values))
    low, high = stats.t.interval(0.95, 36, loc=values.mean(), scale=stats.sem(values))
    assert (found.value, found.lower, found.upper) == pytest.approx((values.mean(), low, high))


def test_nothing_is_known_of_no_rows_and_no_interval_of_one() -> None:
    assert not wilson(0, 0).is_known
    assert not mean_of(0.0, 0.0, 0).is_known
    assert mean_of(2.0, 4.0, 1).value == 2.0
    assert math.isnan(mean_of(2.0, 4.0, 1).upper)


def test_bounds_stay_in_the_range_of_the_number() -> None:
    assert Estimate(0.5, -0.1, 1.2).clipped(0.0, 1.0) == Estimate(0.5, 0.0, 1.0)


def test_unknown_bounds_stay_unknown() -> None:
    found = Estimate(0.5).clipped(0.0, 1.0)
    assert math.isnan(found.lower)
    assert math.isnan(found.upper)
