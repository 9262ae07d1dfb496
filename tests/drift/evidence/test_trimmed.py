from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.evidence.trimmed import _TABLE, FEWEST_PAIRS, KEPT_PAIRS, dropped, ratios

from benchmarks.dependence_table import entry

UNIT = 256


@pytest.mark.parametrize("pairs", [4, 5, 6, 15, 16, 31, 32, 64])
def test_the_table_holds_what_a_simulation_gives(pairs: int) -> None:
    mean, limit = _TABLE[pairs - FEWEST_PAIRS]
    found_mean, found_limit = entry(pairs, 100_000, seed=2)
    assert found_mean == pytest.approx(mean, rel=0.01)
    assert found_limit == pytest.approx(limit, rel=0.08)


def test_the_table_has_a_line_for_each_number_of_pairs() -> None:
    assert len(_TABLE) == KEPT_PAIRS - FEWEST_PAIRS + 1
    limits = np.array([limit for _, limit in _TABLE])
    drops = np.array([dropped(pairs) for pairs in range(FEWEST_PAIRS, KEPT_PAIRS + 1)])
    same = np.diff(drops) == 0
    assert (np.diff(limits)[same] < 0.005).all()  # more pairs are more certain, but for the simulation's error
    assert drops.tolist() == [1] * 2 + [2] * 10 + [3] * 16 + [4] * 33


def test_the_largest_squares_are_left_out() -> None:
    """Eight squares of 5, two of which are replaced by huge ones: the mean of the others stays 5."""
    values = np.full((8, 3), 5 * UNIT, np.int32)
    values[[1, 4], 1] = 2**31 - 1
    values[:, 2] = UNIT
    mean, limit = _TABLE[8 - FEWEST_PAIRS]
    assert 5.0 / mean > limit > 1.0 / mean
    np.testing.assert_array_equal(ratios(values, UNIT), [5.0 / mean, 5.0 / mean, 0.0])


def test_sums_of_the_largest_squares_do_not_overflow() -> None:
    values = np.full((64, 1), 2**31 - 1, np.int32)
    assert ratios(values, 1)[0] == pytest.approx((2**31 - 1) / _TABLE[-1][0])
