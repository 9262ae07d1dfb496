from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.windows.buckets import NEVER
from driftgauge.state.root import FOLDED, MAX_SLOTS, arrays_of, root_from

from tests.states import small_shape


@dataclass(frozen=True)
class _Level:
    sums: FloatArray
    rows: int


@dataclass(frozen=True)
class _Tree:
    at: float
    since: float | None
    inner: _Level
    levels: tuple[_Level, ...]
    whole: bool = True
    positions: dict[int, int] = field(default_factory=dict)


START = _Tree(-math.inf, None, _Level(np.zeros((2, 2)), 0), (_Level(np.zeros(3), 0),))


@pytest.mark.parametrize("since", [None, 7.5])
def test_nested_dataclasses_are_read_as_they_were_written_and_tuples_are_left_out(since: float | None) -> None:
    inner = _Level(np.array([[1.5, np.nan], [-0.0, 1e300]]), 2**60)
    written = _Tree(3.25, since, inner, START.levels, False, {2**61: FOLDED, 5: 2**40})
    arrays = arrays_of(written)
    started = arrays_of(START)
    assert {name: array.shape for name, array in arrays.items()} == {name: own.shape for name, own in started.items()}
    assert arrays["root.positions"].shape == (MAX_SLOTS, 2)
    found = root_from(arrays, START)
    assert (found.at, found.since, found.whole, found.positions) == (3.25, since, False, written.positions)
    assert [type(own) for own in (found.at, found.inner, found.inner.rows)] == [float, _Level, int]
    assert found.inner.rows == 2**60
    np.testing.assert_array_equal(found.inner.sums, inner.sums)
    assert found.levels == ()


def test_each_array_of_a_root_has_a_name_of_its_own() -> None:
    shape = small_shape(10)
    names = [own.name for own in shape.root.fields]
    assert len({*names}) == len(names)
    assert {"root.progress.head.total", "root.table.numbers", "root.carried"} <= {*names}


def test_a_root_without_some_pages_keeps_the_others() -> None:
    start = small_shape(10).start
    start.table.numbers[:] = np.arange(len(start.table.numbers))
    left = start.without(np.array([1, 3])).table.numbers
    assert np.flatnonzero(left == NEVER).tolist() == [1, 3]
    assert (start.table.numbers != NEVER).all()
    assert (start.without(slice(None)).table.numbers == NEVER).all()
