from __future__ import annotations

import numpy as np
from driftgauge.drift.quality.duplicates import distinct, duplicate_share, row_hashes
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays


@given(arrays.arrays(np.float64, (12, 2), elements=st.sampled_from([0.0, -0.0, 1.0, -1.0, np.nan, np.inf, 1e300])))
def test_rows_are_duplicates_where_all_their_values_are_equal(values: np.ndarray) -> None:
    found = {tuple("missing" if np.isnan(cell) else float(cell) for cell in row) for row in values}
    assert duplicate_share(list(values.T)) == 1.0 - len(found) / 12


def test_the_order_of_values_makes_a_difference() -> None:
    one, other = row_hashes(np.array([[1.0, 2.0], [2.0, 1.0]]).T)
    assert one != other


def test_random_rows_have_no_common_hash() -> None:
    values = np.random.default_rng(0).normal(size=(100_000, 3))
    assert len(np.unique(row_hashes(values.T))) == 100_000


def test_without_rows_there_is_no_share() -> None:
    assert duplicate_share([]) is None
    assert duplicate_share([np.empty(0)]) is None


def test_hashes_that_differ_are_counted() -> None:
    for values in ([], [7], [7, 7], [9, 7, 9, 8, 7]):
        assert distinct(np.array(values, dtype=np.uint64)) == len(set(values))
