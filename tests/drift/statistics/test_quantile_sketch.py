"""Ranks that a sketch gives lie within its bound, whatever the values, their order and the grouping."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.statistics.quantile_sketch import QuantileSketch
from hypothesis import given
from hypothesis import strategies as st

values = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-3, 3).map(float))
parts_of = st.lists(st.lists(values, min_size=1, max_size=60), min_size=1, max_size=12)


def assert_within_bound(sketch: QuantileSketch, cells: FloatArray) -> None:
    """Compare each rank with the ranks that its value has among all."""
    ordered = np.sort(cells)
    ranks = np.arange(ordered.size)
    found = sketch.values_at(ranks)
    first, last = (np.searchsorted(ordered, found, side=side) for side in ("left", "right"))
    assert (last > first).all()  # each is one of the values
    assert (first <= ranks + sketch.rank_error).all()
    assert (last - 1 >= ranks - sketch.rank_error).all()
    assert (found[0], found[-1]) == (ordered[0], ordered[-1])
    assert sum(len(own) << level for level, own in enumerate(sketch.levels)) == sketch.size == cells.size


@given(parts_of, st.integers(2, 12), st.randoms(use_true_random=False))
def test_a_value_has_its_rank_within_the_bound_in_any_grouping(
    parts: list[list[float]], capacity: int, random: np.random.Generator
) -> None:
    sketches = [QuantileSketch(capacity=capacity).updated(np.array(part)) for part in parts]
    cells = np.concatenate([np.array(part) for part in parts]) + 0.0
    while len(sketches) > 1:
        random.shuffle(sketches)
        sketches.append(sketches.pop().merged(sketches.pop()))
    assert_within_bound(sketches[0], cells)


@given(parts_of, st.integers(2, 12))
def test_a_stream_in_parts_has_its_ranks_within_the_bound(parts: list[list[float]], capacity: int) -> None:
    sketch = QuantileSketch(capacity=capacity)
    for part in parts:
        sketch = sketch.updated(np.array(part))
    assert_within_bound(sketch, np.concatenate([np.array(part) for part in parts]) + 0.0)


@pytest.mark.parametrize("order", ["ascending", "descending", "by chance"])
def test_many_rows_take_little_memory_and_the_bound_is_small(order: str) -> None:
    cells = np.random.default_rng(3).permutation(1_000_000).astype(np.float64)
    if order != "by chance":
        cells = np.sort(cells)[:: 1 if order == "ascending" else -1]
    parts = np.split(cells, 100)
    sketch = reduce(QuantileSketch.merged, (QuantileSketch(capacity=1_024).updated(part) for part in parts))
    assert sketch.rank_error < 0.006 * cells.size
    assert all(own.size <= 1_024 for own in sketch.levels)
    assert_within_bound(sketch, cells)


def test_what_is_not_finite_is_left_out() -> None:
    sketch = QuantileSketch().updated(np.array([np.nan, -np.inf, -0.0, np.inf]))
    assert (sketch.size, sketch.low, str(sketch.high), sketch.rank_error) == (1, 0.0, "0.0", 0)
    empty = sketch.updated(np.array([np.nan]))
    assert empty.size == 1
