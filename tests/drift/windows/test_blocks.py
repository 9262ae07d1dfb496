from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.windows.blocks import Blocks, Head, block_ends, cut_blocks, end_at, rows_by_hour, step_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.blocks import BINNER, HOUR, STEP, assert_blocks, codes_of, naive_blocks
from tests.effort import examples

START = Head.start(BINNER.columns, BINNER.width)


@settings(deadline=None, max_examples=examples(100))
@given(
    st.lists(st.integers(0, 130), min_size=1, max_size=12),
    st.booleans(),
    st.integers(0, 1_000),
    st.sampled_from([1.0, 40.0, 900.0]),
)
def test_rows_are_cut_into_the_same_blocks_however_they_come(
    sizes: list[int], by_hour: bool, seed: int, pace: float
) -> None:
    rows = sum(sizes)
    codes = codes_of(rows, seed)
    at = 1e6 + np.cumsum(np.random.default_rng(seed).uniform(-0.3, 1.0, rows) * pace)
    head, before, first = START, START.total.astype(np.uint32), 0
    found: list[Blocks] = []
    for size in sizes:
        ends, head = cut_blocks(BINNER, head, codes[first : first + size], at[first : first + size], by_hour=by_hour)
        first += size
        assert (head.rows, head.ended) == (first, sum(len(blocks) for blocks in found) + len(ends))
        np.testing.assert_array_equal(head.total, BINNER.counts(codes[:first]))
        found.append(ends.blocks(before))
        before = ends.upto[-1] if len(ends) else before
    everything = Blocks(*(np.concatenate([getattr(b, name) for b in found]) for name in ("counts", "hours", "at")))
    assert_blocks(everything, codes, naive_blocks(codes, at, by_hour=by_hour))


def test_the_rows_behind_the_last_block_can_be_a_block_too() -> None:
    codes, at = codes_of(STEP + 7, 0), np.arange(STEP + 7.0)
    ends, head = cut_blocks(BINNER, START, codes, at, by_hour=False)
    assert_blocks(end_at(head).blocks(ends.upto[-1]), codes, [(STEP, STEP + 7, 0, STEP + 6.0)])


def test_cutting_rows_changes_nothing_in_the_head() -> None:
    _, head = cut_blocks(BINNER, START, codes_of(70, 0), np.zeros(70), by_hour=False)
    total = head.total.copy()
    cut_blocks(BINNER, head, codes_of(70, 1), np.zeros(70), by_hour=False)
    np.testing.assert_array_equal(head.total, total)


def test_no_block_is_of_two_hours() -> None:
    ends, hours = block_ends(0, 120, 50, np.repeat([7, 8], 60))
    assert ends.tolist() == [50, 60, 100]
    assert hours.tolist() == [7, 7, 8]


def test_blocks_end_at_the_same_rows_wherever_counting_begins() -> None:
    assert block_ends(30, 100, 50)[0].tolist() == [20, 70]
    assert block_ends(50, 49, 50)[0].tolist() == []


@pytest.mark.parametrize(("columns", "rows"), [(1, 50), (100, 50), (101, 250), (1_000, 250)])
def test_a_block_is_larger_where_columns_are_many(columns: int, rows: int) -> None:
    assert step_rows(columns) == rows


def test_rows_by_hour_are_counted_and_unknown_times_left_out() -> None:
    found = rows_by_hour(np.array([0.0, 1.0, 2 * HOUR, np.nan]))
    assert found.tolist() == [2, 0, 1, *[0] * 21]
