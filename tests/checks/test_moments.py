from __future__ import annotations

import math

import numpy as np
import pytest
from driftgauge.checks.moments import Moments


def moments(*parts: list[float]) -> Moments:
    found = Moments()
    for part in parts:
        found.add(np.array(part, dtype=np.float64))
    return found


def test_moments_are_those_of_all_numbers() -> None:
    values = 1e9 + np.random.default_rng(1).normal(size=3_000)
    found = moments(values[:100].tolist(), [], values[100:].tolist())
    assert (found.rows, found.low, found.high) == (3_000, values.min(), values.max())
    assert [found.mean, found.sum, found.std] == pytest.approx([values.mean(), values.sum(), values.std()], rel=1e-9)
    assert found.squares == pytest.approx(((values - values.mean()) ** 2).sum(), rel=1e-9)


def test_nothing_has_no_spread() -> None:
    found = moments([])
    assert (found.rows, found.sum) == (0, 0.0)
    assert math.isnan(found.std)


@pytest.mark.parametrize("parts", [([1e200], [1.0]), ([1.0, 1e200],), ([1.0], [-1e200, 2.0])])
def test_a_spread_that_exceeds_the_largest_number_is_infinite(parts: tuple[list[float], ...]) -> None:
    found = moments(*parts)
    assert math.isinf(found.std)
    assert found.mean == pytest.approx(sum(map(sum, parts)) / found.rows)


def test_a_mean_that_exceeds_the_largest_number_is_not_finite() -> None:
    found = moments([1.5e308, 1.5e308], [1.0])
    assert not math.isfinite(found.mean)
    assert not math.isfinite(found.std)
    assert (found.low, found.high) == (1.0, 1.5e308)
