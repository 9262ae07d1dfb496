from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.drift.bins import FloatArray
from app.drift.window import QUANTILES, Rows, moments

LEVELS = (0.0, 0.05, 1 / 3, 0.5, 0.95, 1.0)
SMALLEST = 5e-324

unhurried = settings(deadline=None, max_examples=80)
columns = st.lists(
    st.one_of(st.floats(), st.sampled_from([math.nan, 1e300, -1e300, SMALLEST, 0.1])), min_size=1, max_size=40
)


def _rows(n: int) -> Rows:
    values = np.arange(2.0 * n).reshape(n, 2)
    return Rows(values=values, codes=(values % 7).astype(np.uint8), at=np.linspace(0.0, 10.0, n))


def _exact(finite: list[float]) -> tuple[float, float]:
    """Return mean and standard deviation, rounded only at the end."""
    numbers = [Fraction(value) for value in finite]
    mean = sum(numbers, Fraction()) / len(numbers)
    largest = max((abs(number) for number in numbers), default=Fraction()) or Fraction(1)
    variance = sum(((number - mean) / largest) ** 2 for number in numbers) / len(numbers)
    return float(mean), math.sqrt(variance) * float(largest)


def _exact_quantile(finite: list[float], level: float) -> float:
    ordered = sorted(map(Fraction, finite))
    place = Fraction(level) * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (ordered[high] - ordered[low]) * (place - low))


@unhurried
@given(columns)
def test_moments_are_exact_for_numbers_of_any_size(column: list[float]) -> None:
    found = moments(np.array(column)[:, None], LEVELS)
    finite = [value for value in column if math.isfinite(value)]
    if not finite:
        assert np.isnan([found.mean, found.std, found.min, found.max]).all()
        assert np.isnan(found.quantiles).all()
        return
    mean, std = _exact(finite)
    slack = 1e-12 * max(map(abs, finite)) + 4 * SMALLEST
    assert abs(found.mean[0] - mean) <= slack
    assert abs(found.std[0] - std) <= slack
    assert (found.min[0], found.max[0]) == (min(finite), max(finite))
    for level, quantile in zip(LEVELS, found.quantiles[:, 0], strict=True):
        assert abs(quantile / 2 - _exact_quantile(finite, level) / 2) <= slack


def test_moments_agree_with_numpy() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal([0.0, 1e6, -3.0], [1.0, 1e-3, 1e4], (2_000, 3))
    values[rng.random(values.shape) < 0.2] = math.nan
    found = moments(values, LEVELS)
    np.testing.assert_allclose(found.mean, np.nanmean(values, axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.std, np.nanstd(values, axis=0), rtol=1e-6)
    np.testing.assert_array_equal(found.min, np.nanmin(values, axis=0))
    np.testing.assert_array_equal(found.max, np.nanmax(values, axis=0))
    np.testing.assert_allclose(found.quantiles, np.nanquantile(values, LEVELS, axis=0), rtol=1e-12)


@unhurried
@given(columns)
def test_quantiles_rise_from_the_least_to_the_largest_value(column: list[float]) -> None:
    found = moments(np.array(column)[:, None], tuple(np.linspace(0.0, 1.0, 64)))
    quantiles = found.quantiles[:, 0]
    if np.isnan(found.mean[0]):
        assert np.isnan(quantiles).all()
        return
    assert (np.diff(quantiles / 2) >= 0).all()
    assert (quantiles[0], quantiles[-1]) == (found.min[0], found.max[0])


@pytest.mark.parametrize("value", [0.1, -0.7, 1e300, SMALLEST, 0.0])
def test_a_constant_has_no_deviation_and_is_each_of_its_quantiles(value: float) -> None:
    found = moments(np.full((37, 1), value), tuple(np.linspace(0.0, 1.0, 512)))
    assert found.mean.tolist() == [value]
    assert found.std.tolist() == [0.0]
    assert set(found.quantiles[:, 0].tolist()) == {value}


def test_infinite_cells_take_no_part() -> None:
    values = np.array([[1.0, math.inf], [math.inf, -math.inf], [3.0, math.nan], [-math.inf, math.inf]])
    found = moments(values)
    assert found.mean[0] == 2.0
    assert (found.min[0], found.max[0]) == (1.0, 3.0)
    assert np.isnan([found.mean[1], found.std[1], found.min[1], found.max[1]]).all()


def test_moments_leave_the_window_as_it_is() -> None:
    values = np.array([[3.0, math.inf], [1.0, math.nan]])
    moments(values)
    np.testing.assert_array_equal(values, [[3.0, math.inf], [1.0, math.nan]])


def test_a_window_without_rows_has_no_moments() -> None:
    found = moments(np.empty((0, 3)))
    assert found.quantiles.shape == (len(QUANTILES), 3)
    for numbers in (found.mean, found.std, found.min, found.max, *found.quantiles):
        assert np.isnan(numbers).all()
        assert numbers.shape == (3,)


def test_no_levels_give_no_quantiles() -> None:
    assert moments(np.ones((5, 2)), ()).quantiles.shape == (0, 2)


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
