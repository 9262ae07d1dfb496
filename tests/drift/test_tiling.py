from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.tiling import CELLS_AT_ONCE, TILE_CELLS, Tiling
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("columns", [1, 2, 3, 7, 30, 100, 1_000, 1_024, 1_025, 5_000, 40_000])
@pytest.mark.parametrize("rows", [0, 1, 2, 33, 34, 35, 1_023, 1_024, 1_025, 3_000])
def test_a_sum_by_stretches_is_that_of_the_rows(columns: int, rows: int) -> None:
    rows = min(rows, 2_000_000 // columns)
    cells, addend = np.arange(rows * columns).reshape(rows, columns), np.arange(columns) * 1_000_003
    tiling = Tiling(columns)
    repeated = tiling.repeated(addend)
    found = np.full(cells.size, -1)
    for place, width in tiling.stretches(cells.size):
        np.add(cells.reshape(-1)[place].reshape(-1, width), repeated[:width], out=found[place].reshape(-1, width))
    np.testing.assert_array_equal(found.reshape(rows, columns), cells + addend)


@given(st.integers(1, 5_000), st.integers(0, 200))
def test_stretches_lie_one_behind_the_other_and_hold_whole_rows(columns: int, rows: int) -> None:
    reached = 0
    for place, width in Tiling(columns).stretches(rows * columns):
        size = place.stop - place.start
        assert place.start == reached
        assert size > 0
        assert size % width == place.start % columns == width % columns == 0
        assert size <= max(CELLS_AT_ONCE, columns)
        assert width <= max(TILE_CELLS, columns)
        reached = place.stop
    assert reached == rows * columns


@pytest.mark.parametrize("columns", [1, 3, 2_000])
def test_numbers_are_repeated_along_their_last_axis(columns: int) -> None:
    numbers = np.arange(2.0 * columns).reshape(2, columns)
    repeated = Tiling(columns).repeated(numbers)
    times = max(1, TILE_CELLS // columns)
    np.testing.assert_array_equal(repeated, np.tile(numbers, (1, times)))
    flags = Tiling(columns).repeated(np.zeros(columns, dtype=np.uint8))
    assert flags.dtype == np.uint8
    assert flags.shape == (times * columns,)


def test_no_columns_have_no_stretches() -> None:
    assert [*Tiling(0).stretches(0)] == []
    assert Tiling(0).repeated(np.empty(0)).shape == (0,)
