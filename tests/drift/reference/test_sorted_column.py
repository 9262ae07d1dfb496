"""A column that is sorted in place has the baseline of any other."""

from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import column_content
from driftgauge.drift.reference.sorted_column import column_of
from hypothesis import given
from hypothesis import strategies as st

from tests.drift.reference.test_counted import CREATED, numbers

cells = st.one_of(numbers, st.sampled_from([np.nan, np.inf, -np.inf, -0.0]))


@pytest.mark.filterwarnings("ignore:overflow encountered")
@given(st.lists(cells, min_size=1, max_size=200), st.integers(1, 40))
def test_a_column_is_that_of_a_table_in_memory_to_the_last_bit(values: list[float], times: int) -> None:
    data = np.array(values * times)
    expected = build_baseline({"x": data.copy()}, created=CREATED).columns[0]
    found, is_integral = column_of("x", data)
    assert column_content(found) == column_content(expected)
    finite = data[np.isfinite(data)]
    assert is_integral == (finite.size > 0 and bool((finite == np.floor(finite)).all()))
