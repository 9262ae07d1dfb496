from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.pairing import HEADS, Pairs, Ratio


def test_a_ratio_is_the_median_of_the_pairs_and_not_of_the_sides() -> None:
    assert Ratio.of([1.0, 10.0, 100.0], [2.0, 30.0, 100.0]).median == pytest.approx(2.0)


@pytest.mark.parametrize("pairs", [6, 7, 15, 20, 40, 101])
def test_the_interval_is_the_narrowest_of_order_statistics_that_covers_95_percent(pairs: int) -> None:
    ratios = np.arange(1.0, pairs + 1.0)
    interval = Ratio.of([1.0] * pairs, np.random.default_rng(pairs).permutation(ratios).tolist()).interval
    assert interval is not None
    low, high = interval
    assert low + high == pairs + 1

    def coverage(rank: float) -> float:
        return float(1.0 - 2.0 * binom.cdf(rank - 1, pairs, 0.5))

    assert coverage(low) >= 0.95 > coverage(low + 1)


def test_few_pairs_have_no_interval() -> None:
    assert Ratio.of([1.0] * 5, [2.0] * 5).cells() == ("2.000", "–")


def test_a_row_has_medians_the_ratio_and_its_interval() -> None:
    pairs = Pairs("CPU, ms", 1)
    for before in (1.0, 2.0, 3.0, 4.0, 5.0, 1_600.0):
        pairs.add(before, 1.5 * before)
    assert pairs.row() == ["CPU, ms", "3.5", "5.2", "1.500", "1.500–1.500", "6"]
    assert len(pairs.row()) == len(HEADS)


def test_what_one_version_alone_has_is_not_compared() -> None:
    pairs = Pairs("checkpoint, KiB", 0, after=[10.0, 30.0, 20.0])
    assert pairs.row() == ["checkpoint, KiB", "–", "20", "–", "–", "3"]
