from __future__ import annotations

import numpy as np
import pytest
from driftgauge.checks.row_drawer import RowDrawer
from driftgauge.drift.bins import FloatArray

from tests.monitors import small_baseline


def rows(count: int) -> FloatArray:
    """Rows that differ in their first column."""
    columns = len(small_baseline().columns)
    return np.column_stack([np.arange(count, dtype=np.float64), np.zeros((count, columns - 1))])


@pytest.mark.parametrize("parts", [1, 7])
def test_few_rows_are_all_held_in_their_order(parts: int) -> None:
    sample = RowDrawer(small_baseline(), 100)
    for part in np.array_split(rows(50), parts):
        sample.add(part)
    assert sample.values.tolist() == rows(50).tolist()


@pytest.mark.parametrize("parts", [1, 7])
def test_of_many_rows_the_same_ones_are_drawn_each_time(parts: int) -> None:
    drawn = []
    for pieces in (parts, 3):
        sample = RowDrawer(small_baseline(), 40)
        for part in np.array_split(rows(1_000), pieces):
            sample.add(part)
        drawn.append(sample.values[:, 0].tolist())
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 40
    assert 300.0 < np.mean(drawn[0]) < 700.0


def test_without_rows_it_has_the_columns_of_the_baseline() -> None:
    sample = RowDrawer(small_baseline(), 40)
    sample.add(rows(0))
    assert sample.values.shape == (0, len(small_baseline().columns))
