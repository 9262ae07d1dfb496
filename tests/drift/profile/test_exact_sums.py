from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.profile.exact_sums import BITS, ExactSums, Sums
from driftgauge.drift.scales import Scales
from driftgauge.drift.statistics.two_sample import describe
from hypothesis import given
from hypothesis import strategies as st


def scales_of(*columns: FloatArray) -> Scales:
    """Return the scales of a reference with these columns."""
    found = [describe(own) for own in columns]
    numbers = [(own.mean, own.std, own.min, own.max) for own in found]
    mean, std, low, high = (np.array(own) for own in zip(*numbers, strict=True))
    return Scales.of(mean, std, low, high, np.ones(len(columns), dtype=np.bool_))


def test_sums_give_the_mean_and_the_spread_of_standardised_values() -> None:
    random = np.random.default_rng(1)
    reference = random.normal(40.0, 3.0, 5_000), random.lognormal(0.0, 2.0, 5_000)
    sums = ExactSums(scales_of(*reference))
    rows = np.column_stack([random.normal(41.0, 3.0, 2_000), random.permutation(reference[1])[:2_000] * 1.1])
    z = (rows - [own.mean() for own in reference]) / [own.std() for own in reference]
    found = sums.floats(sums(rows))
    np.testing.assert_allclose(found[0] / 2_000, z.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found[1] / 2_000, (z**2).mean(axis=0), rtol=1e-8)


@given(st.lists(st.floats(width=64), min_size=1, max_size=60), st.data())
def test_any_order_and_grouping_gives_the_same_sums(numbers: list[float], data: st.DataObject) -> None:
    sums = ExactSums(scales_of(np.array([-1.0, 0.5, 3.0])))
    mixed = data.draw(st.permutations(numbers))
    cut = data.draw(st.integers(0, len(mixed)))
    first, second = (sums(np.array(part, dtype=np.float64)[:, None]) for part in (mixed[:cut], mixed[cut:]))
    assert first + second == sums(np.array(numbers)[:, None])


def test_the_summand_is_the_one_that_is_documented() -> None:
    scales = scales_of(np.array([0.0, 2.0]))
    sums = ExactSums(scales)
    (exponent,) = sums.exponents.tolist()
    assert 2.0 ** (exponent - 1) <= float(scales.high[0]) < 2.0**exponent
    z = (3.1 - 1.0) / 1.0
    found = sums(np.array([[3.1]]))
    assert found.values[0] == math.floor(Fraction(z) / 2**exponent * 2**BITS + Fraction(1, 2))


def test_missing_values_count_as_nothing_and_infinite_ones_are_clipped() -> None:
    scales = scales_of(np.array([0.0, 2.0]))
    sums = ExactSums(scales)
    assert sums(np.array([[np.nan]])) == Sums.none(1)
    assert sums.floats(sums(np.array([[np.inf]])))[0, 0] == scales.high[0]
    assert sums.floats(sums(np.array([[-np.inf], [np.inf]])))[0, 0] == scales.low[0] + scales.high[0]


def test_extreme_references_neither_overflow_nor_lose_their_rows() -> None:
    random = np.random.default_rng(2)
    heavy = np.append(random.normal(size=100_000), 1e9)
    sums = ExactSums(scales_of(heavy, np.array([5e-324, 0.0]), np.array([-1e308, 1e308])))
    rows = np.array([[1e9, 5e-324, 1e308]] * 3_000)
    found = sums.floats(sums(rows))
    z = (1e9 - heavy.mean()) / heavy.std()
    np.testing.assert_allclose(found[:, 0] / 3_000, [z, z * z], rtol=1e-9)
    assert np.isfinite(found[0]).all()


def test_many_rows_at_the_bound_are_summed_without_overflow() -> None:
    sums = ExactSums(scales_of(np.array([0.0, 2.0])))
    found = sums(np.full((100_000, 1), 1e300))
    one = sums(np.full((1, 1), 1e300))
    assert found == Sums((one.values[0] * 100_000,), (one.squares[0] * 100_000,))
