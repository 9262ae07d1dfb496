from __future__ import annotations

import math

import numpy as np
from driftgauge.drift.scales import CLIP_SDS, Scales

NUMBERS, CONSTANT, LETTERS = range(3)
SCALES = Scales.of(
    mean=np.array([3.0, 7.0, math.nan]),
    std=np.array([2.0, 0.0, math.nan]),
    low=np.array([-1.0, 7.0, math.nan]),
    high=np.array([9.0, 7.0, math.nan]),
    numeric=np.array([True, True, False]),
)


def test_numbers_are_standardised_and_clipped_beyond_the_range() -> None:
    z = SCALES.standardised(np.array([[3.0], [6.0], [-math.inf], [1e300], [math.nan]]), np.array([NUMBERS]))[:, 0]
    np.testing.assert_array_equal(z, [0.0, 1.5, -2.0 - CLIP_SDS, 3.0 + CLIP_SDS, math.nan])


def test_a_constant_has_no_spread_and_a_unit_of_one() -> None:
    assert SCALES.spread.tolist() == [True, False, False]
    z = SCALES.standardised(np.array([[6.0], [1e9]]), np.array([CONSTANT]))[:, 0]
    assert z.tolist() == [-1.0, CLIP_SDS]


def test_categories_add_nothing_to_a_sum() -> None:
    assert SCALES.standardised(np.array([[0.0], [4.0]]), np.array([LETTERS])).tolist() == [[0.0], [0.0]]


def test_ordered_columns_are_standardised_alike() -> None:
    values = np.array([[-50.0, 3.0, math.nan], [6.0, 7.0, 8.0]])
    both = np.array([NUMBERS, CONSTANT])
    np.testing.assert_array_equal(SCALES.ordered(values.copy(), both), SCALES.standardised(values.T, both).T)
