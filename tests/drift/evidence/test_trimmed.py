from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.evidence.trimmed import _TABLE, FEWEST_PAIRS, KEPT_PAIRS, dropped, ratios

from benchmarks.dependence_table import entries

UNIT = 256


def test_the_table_holds_what_a_simulation_gives() -> None:
    found = entries([5, 6, 15, 16, 31, 32, 64], 100_000, seed=2)
    for pairs, (found_mean, found_limit) in found.items():
        mean, limit = _TABLE[pairs - FEWEST_PAIRS]
        assert found_mean == pytest.approx(mean, rel=0.01)
        assert found_limit == pytest.approx(limit, rel=0.08)


def test_overlapping_pairs_leave_the_mean_and_widen_the_limit() -> None:
    """Against squares of independent normals: the limit of 64 pairs, of which 15 overlap, is near theirs."""
    rng = np.random.default_rng(3)
    for pairs, wider in ((10, 1.1), (64, 1.0)):
        squares = np.sort(rng.standard_normal((50_000, pairs)) ** 2, axis=1)[:, : pairs - dropped(pairs)].mean(axis=1)
        mean, limit = _TABLE[pairs - FEWEST_PAIRS]
        assert squares.mean() == pytest.approx(mean, rel=0.05)
        assert wider - 0.03 < limit / (np.quantile(squares, 0.999) / squares.mean()) < wider + 0.2


def test_the_table_has_a_line_for_each_number_of_pairs() -> None:
    assert len(_TABLE) == KEPT_PAIRS - FEWEST_PAIRS + 1
    limits = np.array([limit for _, limit in _TABLE])
    drops = np.array([dropped(pairs) for pairs in range(FEWEST_PAIRS, KEPT_PAIRS + 1)])
    same = np.diff(drops) == 0
    assert (np.diff(limits)[same] < 0.005).all()  # more pairs are more certain, but for the simulation's error
    assert drops.tolist() == [2] * 11 + [3] * 16 + [4] * 33


def test_the_largest_squares_are_left_out() -> None:
    """Eight squares of 5, two of which are replaced by huge ones: the mean of the others stays 5."""
    values = np.full((8, 3), 5 * UNIT, np.int32)
    values[[1, 4], 1] = 2**31 - 1
    values[:, 2] = UNIT
    mean, limit = _TABLE[8 - FEWEST_PAIRS]
    assert 5.0 / mean > limit > 1.0 / mean
    np.testing.assert_allclose(ratios(values, UNIT), [5.0 / mean, 5.0 / mean, 0.0], rtol=1e-12)


def test_sums_of_the_largest_squares_do_not_overflow() -> None:
    values = np.full((64, 1), 2**31 - 1, np.int32)
    assert ratios(values, 1)[0] == pytest.approx((2**31 - 1) / _TABLE[-1][0])
