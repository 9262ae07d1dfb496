from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.predictions.packing import pack, unpack
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays


@given(arrays.arrays(np.float64, arrays.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=5)))
def test_values_are_read_back_to_the_last_bit(values: FloatArray) -> None:
    read = unpack(pack(values), *values.shape)
    assert np.array_equal(read, values, equal_nan=True)


@given(st.lists(st.floats(width=32), min_size=1, max_size=20))
def test_values_of_single_precision_take_four_bytes(values: list[float]) -> None:
    assert len(pack(np.array([values]))) == 4 * len(values)


@pytest.mark.parametrize("value", [0.1, 1e300, 16_777_217.0, 1e-310])
def test_one_value_of_double_precision_makes_all_of_them_take_eight(value: float) -> None:
    assert len(pack(np.array([[value, 1.0, 2.0]]))) == 24


def test_a_blob_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"reshape|multiple"):
        unpack(b"\0" * 13, 2, 3)
