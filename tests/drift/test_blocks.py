from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.drift.bins import Binner, CodeArray, FloatArray, fit_numeric
from app.drift.blocks import BlockRing, Blocks, block_ends, block_shapes, hours_of, rows_by_hour, step_rows

HOUR = 3_600.0
STEP = step_rows(2)
BINNER = Binner([fit_numeric(np.arange(100.0)), fit_numeric(np.tile([0.0, 1.0], 50))])


def _codes(rows: int, seed: int) -> CodeArray:
    rng = np.random.default_rng(seed)
    return BINNER.codes(np.stack([rng.uniform(-5.0, 105.0, rows), rng.integers(0, 3, rows)], axis=1))


def _naive(codes: CodeArray, at: FloatArray, *, by_hour: bool) -> list[tuple[int, int, int, float]]:
    """Return (first row, behind the last, hour, when) of each block that has ended, going row by row."""
    found, first = [], 0
    hours = hours_of(at)
    for row in range(len(codes)):
        turned = by_hour and row > first and hours[row] != hours[row - 1]
        if turned:
            found.append((first, row, int(hours[row - 1]), float(at[:row].max())))
            first = row
        if (row + 1) % STEP == 0:
            found.append((first, row + 1, int(hours[row]) if by_hour else 0, float(at[: row + 1].max())))
            first = row + 1
    return found


def _assert_blocks(blocks: Blocks, codes: CodeArray, expected: list[tuple[int, int, int, float]]) -> None:
    assert len(blocks) == len(expected)
    for place, (first, end, hour, at) in enumerate(expected):
        np.testing.assert_array_equal(blocks.counts[place], BINNER.counts(codes[first:end]))
        assert (blocks.hours[place], blocks.at[place]) == (hour, at)


batches = st.lists(st.integers(0, 130), min_size=1, max_size=12)


@settings(deadline=None, max_examples=100)
@given(batches, st.booleans(), st.integers(0, 1_000), st.sampled_from([1.0, 40.0, 900.0]))
def test_a_ring_gives_each_block_once_however_rows_come(
    sizes: list[int], by_hour: bool, seed: int, pace: float
) -> None:
    rows = sum(sizes)
    codes = _codes(rows, seed)
    at = 1e6 + np.cumsum(np.random.default_rng(seed).uniform(-0.3, 1.0, rows) * pace)
    ring = BlockRing.in_memory(BINNER, by_hour=by_hour)
    read, first, found = ring.start(), 0, []
    for size in sizes:
        part = slice(first, first + size)
        np.testing.assert_array_equal(ring.add(codes[part], at[part]), BINNER.counts(codes[part]))
        first += size
        blocks, read, skipped = ring.since(read, unended=False).counted()
        found.append(blocks)
        assert skipped == 0
    everything = Blocks(*(np.concatenate([getattr(b, name) for b in found]) for name in ("counts", "hours", "at")))
    expected = _naive(codes, at, by_hour=by_hour)
    # A turn of the hour is seen with the next row.
    _assert_blocks(everything, codes, expected)


@settings(deadline=None, max_examples=60)
@given(batches, st.booleans(), st.integers(0, 1_000))
def test_with_the_rows_behind_the_last_end_every_row_is_read_once(sizes: list[int], by_hour: bool, seed: int) -> None:
    rows = sum(sizes)
    codes, at = _codes(rows, seed), np.linspace(0.0, 3 * HOUR, rows)
    ring = BlockRing.in_memory(BINNER, by_hour=by_hour)
    read, first = ring.start(), 0
    counts = np.zeros((2, BINNER.width), dtype=np.int64)
    for size in sizes:
        ring.add(codes[first : first + size], at[first : first + size])
        first += size
        blocks, read, _ = ring.since(read, unended=True).counted()
        counts += blocks.counts.sum(axis=0)
        np.testing.assert_array_equal(counts, BINNER.counts(codes[:first]))
        assert (blocks.counts >= 0).all()


def _small(by_hour: bool, held: int) -> BlockRing:
    """Return a ring that holds so few blocks."""
    arrays = [
        np.zeros((held, *shape[1:]) if name in ("block_counts", "block_hours", "block_at") else shape, dtype)
        for name, dtype, shape in block_shapes(2, BINNER.width)
    ]
    ring = BlockRing(BINNER, *arrays, by_hour=by_hour)
    ring.clear()
    return ring


def test_a_reader_that_was_overrun_finds_one_large_block_and_loses_nothing() -> None:
    ring, codes = _small(False, 4), _codes(20 * STEP + 7, 0)
    at = np.arange(len(codes), dtype=np.float64)
    ring.add(codes, at)
    blocks, read, skipped = ring.since(ring.start(), unended=False).counted()
    ends = [17 * STEP, 18 * STEP, 19 * STEP, 20 * STEP]
    _assert_blocks(blocks, codes, [(a, b, 0, float(b - 1)) for a, b in zip([0, *ends], ends, strict=False)])
    assert skipped == 0
    assert len(ring.since(read, unended=False).counted()[0]) == 0
    assert ring.since(read, unended=True).counted()[0].rows.tolist() == [7]


def test_where_hours_matter_the_rows_that_were_overrun_are_skipped_and_counted() -> None:
    ring, codes = _small(True, 4), _codes(20 * STEP, 0)
    ring.add(codes, np.repeat(np.arange(20.0) * HOUR, STEP))
    blocks, read, skipped = ring.since(ring.start(), unended=False).counted()
    assert skipped == 17 * STEP
    assert blocks.hours.tolist() == [17, 18, 19]
    assert blocks.rows.tolist() == [STEP] * 3
    ring.add(codes[:STEP], np.full(STEP, 20.0 * HOUR))
    blocks, _, skipped = ring.since(read, unended=False).counted()
    assert (blocks.hours.tolist(), skipped) == ([20], 0)


def test_counts_that_go_round_are_told_apart() -> None:
    ring, codes = _small(False, 4), _codes(2 * STEP, 0)
    ring._total[:] = np.iinfo(np.uint32).max - 10
    ring.add(codes[:STEP], np.zeros(STEP))
    _, read, _ = ring.since(ring.start(), unended=False).counted()
    ring.add(codes[STEP:], np.zeros(STEP))
    np.testing.assert_array_equal(ring.since(read, unended=False).counted()[0].counts[0], BINNER.counts(codes[STEP:]))


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


@pytest.mark.parametrize("columns", [1, 30, 300, 1_000, 5_000])
def test_a_ring_has_a_bounded_size(columns: int) -> None:
    sizes = [np.prod(shape, dtype=np.int64) * np.dtype(dtype).itemsize for _, dtype, shape in block_shapes(columns, 14)]
    assert sum(sizes) <= 20_000_000 + 64 * 4 * columns * 14


def test_rows_by_hour_are_counted_and_times_that_nobody_knows_left_out() -> None:
    found = rows_by_hour(np.array([0.0, 1.0, 2 * HOUR, np.nan]))
    assert found.tolist() == [2, 0, 1, *[0] * 21]
