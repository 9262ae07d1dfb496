from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.diagnosis.mixture import LiveValues
from driftgauge.drift.diagnosis.transforms import UNITS, Change, Unit, best_hours, best_scaling, best_units, is_of_hours


def quantiles(values: FloatArray) -> FloatArray:
    return np.quantile(values, (np.arange(512) + 0.5) / 512)


def drawn(seed: int) -> FloatArray:
    return np.random.default_rng(seed).gamma(2.0, 300.0, 4_000)


def temperatures(seed: int) -> FloatArray:
    return np.random.default_rng(seed).normal(12.0, 8.0, 4_000)


@pytest.mark.parametrize("unit", [own for own in UNITS if own.offset == 0.0], ids=lambda own: own.words)
def test_each_factor_is_found(unit: Unit) -> None:
    found = best_units(LiveValues(unit(drawn(2)), quantiles(drawn(1))))
    best = min(own.misfit for _, own in found)
    assert any(own == unit and fit.misfit <= best + 0.02 for own, fit in found)


@pytest.mark.parametrize("unit", [own for own in UNITS if "°C to" in own.words], ids=lambda own: own.words)
def test_units_with_an_offset_are_found(unit: Unit) -> None:
    assert best_units(LiveValues(unit(temperatures(2)), quantiles(temperatures(1))))[0][0] == unit


def test_a_unit_and_its_opposite_cancel() -> None:
    values = np.array([1.0, 17.5, 300.0])
    for unit in UNITS:
        assert unit.back(unit(values)) == pytest.approx(values)


def test_a_shift_of_the_mean_is_no_change_of_unit() -> None:
    assert best_units(LiveValues(temperatures(2) + 6.0, quantiles(temperatures(1)))) == []


@pytest.mark.parametrize("factor", [0.8, 1.15, 1.3])
def test_values_that_have_grown_are_no_mixture_of_units(factor: float) -> None:
    assert best_units(LiveValues(factor * drawn(2), quantiles(drawn(1)))) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: (x - drawn(1).mean()) / drawn(1).std(), "standardised"),
        (lambda x: (x - drawn(1).min()) / (drawn(1).max() - drawn(1).min()), "range from 0 to 1"),
        (np.log, "natural logarithms"),
        (np.sqrt, "square roots"),
        (lambda x: -x, "other sign"),
    ],
)
def test_scalings_are_named(change: Change, words: str) -> None:
    own = drawn(1)
    live = LiveValues(change(drawn(2)), quantiles(own))
    found = best_scaling(live, float(own.mean()), float(own.std()), float(own.min()), float(own.max()))
    assert found is not None
    assert words in found[0].words


def hours(seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    return np.floor(np.mod(np.where(rng.random(5_000) < 0.7, rng.normal(9, 2, 5_000), rng.normal(19, 2, 5_000)), 24.0))


@pytest.mark.parametrize("shift", [-7, -1, 2, 12])
def test_hours_of_another_zone_are_found(shift: int) -> None:
    found = best_hours(LiveValues(np.mod(hours(2) + shift, 24.0), quantiles(hours(1))))
    assert found is not None
    assert found[0] == shift


def test_only_columns_of_hours_are_turned() -> None:
    assert is_of_hours(quantiles(hours(1)))
    assert is_of_hours(np.linspace(0.0, 23.9, 200))
    assert not is_of_hours(np.linspace(2.1, 21.9, 200))  # temperatures
    for values in (np.array([]), np.arange(30.0), np.arange(7.0), np.arange(24.0) - 1.0, np.linspace(0.0, 1.0, 50)):
        assert not is_of_hours(values)


@pytest.mark.parametrize(("factor", "reference_rows"), [(25.4, 1e9), (1.609344, 200.0)])
def test_growth_excludes_neither_a_large_factor_nor_one_that_a_small_reference_cannot_tell(
    factor: float, reference_rows: float
) -> None:
    first, second = (np.random.default_rng(seed).lognormal(3.0, 0.5, 4_000) for seed in (1, 2))
    live = LiveValues(1.03 * factor * second, quantiles(first), reference_rows=reference_rows)
    assert factor in [unit.factor for unit, _ in best_units(live)]


@pytest.mark.parametrize("factor", [1.72, 2.35, 0.43])
def test_growth_by_a_factor_near_that_of_a_unit_is_no_change_of_unit(factor: float) -> None:
    first, second = (np.random.default_rng(seed).lognormal(3.0, 0.5, 4_000) for seed in (1, 2))
    assert best_units(LiveValues(factor * second, quantiles(first))) == []
