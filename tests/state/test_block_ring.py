from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.windows.blocks import Blocks, CountArray, Head
from driftgauge.state.block_ring import BlockRing, Counted, block_shapes
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.blocks import BINNER, HOUR, STEP, assert_blocks, codes_of, naive_blocks
from tests.effort import examples
from tests.states import empty_ring

START = Head.start(BINNER.columns, BINNER.width)
batches = st.lists(st.integers(0, 130), min_size=1, max_size=12)


@settings(deadline=None, max_examples=examples(100))
@given(batches, st.booleans(), st.integers(0, 1_000), st.sampled_from([1.0, 40.0, 900.0]))
def test_a_ring_gives_each_block_once_however_rows_come(
    sizes: list[int], by_hour: bool, seed: int, pace: float
) -> None:
    rows = sum(sizes)
    codes = codes_of(rows, seed)
    at = 1e6 + np.cumsum(np.random.default_rng(seed).uniform(-0.3, 1.0, rows) * pace)
    ring = empty_ring(BINNER, by_hour=by_hour)
    head = START
    read, first, found = Counted.upto(head), 0, []
    for size in sizes:
        part = slice(first, first + size)
        head, counts = ring.add(head, codes[part], at[part])
        np.testing.assert_array_equal(counts, BINNER.counts(codes[part]))
        first += size
        assert head.rows == first
        np.testing.assert_array_equal(head.total, BINNER.counts(codes[:first]))
        blocks, read, skipped = ring.since(head, read, unended=False).counted()
        found.append(blocks)
        assert skipped == 0
    everything = Blocks(*(np.concatenate([getattr(b, name) for b in found]) for name in ("counts", "hours", "at")))
    expected = naive_blocks(codes, at, by_hour=by_hour)
    # A turn of the hour is seen with the next row.
    assert_blocks(everything, codes, expected)


@settings(deadline=None, max_examples=examples(60))
@given(batches, st.booleans(), st.integers(0, 1_000))
def test_with_the_rows_behind_the_last_end_every_row_is_read_once(sizes: list[int], by_hour: bool, seed: int) -> None:
    rows = sum(sizes)
    codes, at = codes_of(rows, seed), np.linspace(0.0, 3 * HOUR, rows)
    ring = empty_ring(BINNER, by_hour=by_hour)
    head = START
    read, first = Counted.upto(head), 0
    counts = np.zeros((2, BINNER.width), dtype=np.int64)
    for size in sizes:
        head, _ = ring.add(head, codes[first : first + size], at[first : first + size])
        first += size
        blocks, read, _ = ring.since(head, read, unended=True).counted()
        counts += blocks.counts.sum(axis=0)
        np.testing.assert_array_equal(counts, BINNER.counts(codes[:first]))
        assert (blocks.counts >= 0).all()


@dataclass(frozen=True)
class _Arrays:
    """The arrays of a ring that holds so few blocks, all of zeros."""

    reserved: npt.NDArray[np.int64]
    counts: CountArray
    hours: npt.NDArray[np.int64]
    at: FloatArray

    @classmethod
    def of(cls, held: int) -> _Arrays:
        return cls(
            *(
                np.zeros(shape if name == "block_reserved" else (held, *shape[1:]), dtype)
                for name, dtype, shape in block_shapes(2, BINNER.width)
            )
        )

    def ring(self, *, by_hour: bool) -> BlockRing:
        return BlockRing(BINNER, self.reserved, self.counts, self.hours, self.at, by_hour=by_hour)

    def copied(self) -> list[npt.NDArray[np.generic]]:
        return [array.copy() for array in vars(self).values()]


def _small(by_hour: bool, held: int) -> BlockRing:
    """Return a ring that holds so few blocks."""
    return _Arrays.of(held).ring(by_hour=by_hour)


def test_a_reader_that_was_overrun_finds_one_large_block_and_loses_nothing() -> None:
    ring, codes = _small(False, 4), codes_of(20 * STEP + 7, 0)
    at = np.arange(len(codes), dtype=np.float64)
    head, _ = ring.add(START, codes, at)
    blocks, read, skipped = ring.since(head, Counted.upto(START), unended=False).counted()
    ends = [17 * STEP, 18 * STEP, 19 * STEP, 20 * STEP]
    assert_blocks(blocks, codes, [(a, b, 0, float(b - 1)) for a, b in zip([0, *ends], ends, strict=False)])
    assert skipped == 0
    assert len(ring.since(head, read, unended=False).counted()[0]) == 0
    assert ring.since(head, read, unended=True).counted()[0].rows.tolist() == [7]


def test_where_hours_matter_the_rows_that_were_overrun_are_skipped_and_counted() -> None:
    ring, codes = _small(True, 4), codes_of(20 * STEP, 0)
    head, _ = ring.add(START, codes, np.repeat(np.arange(20.0) * HOUR, STEP))
    blocks, read, skipped = ring.since(head, Counted.upto(START), unended=False).counted()
    assert skipped == 17 * STEP
    assert blocks.hours.tolist() == [17, 18, 19]
    assert blocks.rows.tolist() == [STEP] * 3
    head, _ = ring.add(head, codes[:STEP], np.full(STEP, 20.0 * HOUR))
    blocks, _, skipped = ring.since(head, read, unended=False).counted()
    assert (blocks.hours.tolist(), skipped) == ([20], 0)


def test_counts_that_go_round_are_told_apart() -> None:
    ring, codes = _small(False, 4), codes_of(2 * STEP, 0)
    start = replace(START, total=np.full((2, BINNER.width), np.iinfo(np.uint32).max - 10, dtype=np.int64))
    head, _ = ring.add(start, codes[:STEP], np.zeros(STEP))
    assert head.total.max() > np.iinfo(np.uint32).max
    blocks, read, _ = ring.since(head, Counted.upto(start), unended=False).counted()
    np.testing.assert_array_equal(blocks.counts[0], BINNER.counts(codes[:STEP]))
    head, _ = ring.add(head, codes[STEP:], np.zeros(STEP))
    blocks, _, _ = ring.since(head, read, unended=False).counted()
    np.testing.assert_array_equal(blocks.counts[0], BINNER.counts(codes[STEP:]))


# ---------------------------------------------------------------- rows that are read before they are in the ring


def _assert_same(found: tuple[Blocks, Counted, int], expected: tuple[Blocks, Counted, int]) -> None:
    np.testing.assert_equal(
        [vars(found[0]), vars(found[1]), found[2]], [vars(expected[0]), vars(expected[1]), expected[2]]
    )


@settings(deadline=None, max_examples=examples(150))
@given(
    batches,
    st.one_of(st.integers(0, 260), st.integers(2_000, 2_048)),
    st.booleans(),
    st.booleans(),
    st.sampled_from([1.0, 40.0, 900.0]),
    st.data(),
)
def test_rows_that_wait_are_read_as_if_they_were_in_the_ring(
    sizes: list[int], waiting: int, by_hour: bool, unended: bool, pace: float, data: st.DataObject
) -> None:
    seed = data.draw(st.integers(0, 1_000))
    begun = sum(sizes)
    rows = begun + waiting
    codes = codes_of(rows, seed)
    at = 1e6 + np.cumsum(np.random.default_rng(seed).uniform(-0.3, 1.0, rows) * pace)
    ring = empty_ring(BINNER, by_hour=by_hour)
    reads, first, head = [Counted.upto(START)], 0, START
    for size in sizes:
        head, _ = ring.add(head, codes[first : first + size], at[first : first + size])
        first += size
        reads.append(ring.since(head, reads[-1], unended=data.draw(st.booleans())).counted()[1])
    # Whoever has read some of the waiting rows before, in parts too.
    for end in sorted(data.draw(st.lists(st.integers(begun, rows), max_size=3))):
        part = ring.ahead(head, codes[begun:end], at[begun:end])
        reads.append(ring.since(head, reads[-1], unended=data.draw(st.booleans()), waiting=part).counted()[1])
    waited = ring.ahead(head, codes[begun:], at[begun:])
    early = [ring.since(head, read, unended=unended, waiting=waited) for read in reads]
    after, _ = ring.add(head, codes[begun:], at[begun:])
    for read, unread in zip(reads, early, strict=True):
        late = ring.since(after, read, unended=unended)
        _assert_same(unread.counted(), late.counted())
        assert (unread.ended, unread.overrun, unread.first) == (late.ended, late.overrun, late.first)


@pytest.mark.parametrize("by_hour", [False, True])
@pytest.mark.parametrize("unended", [False, True])
def test_rows_that_wait_change_nothing_in_the_ring(by_hour: bool, unended: bool) -> None:
    arrays, codes, at = _Arrays.of(8), codes_of(1_000, 3), np.linspace(0.0, 5 * HOUR, 1_000)
    ring = arrays.ring(by_hour=by_hour)
    head, _ = ring.add(START, codes[:320], at[:320])
    before, total = arrays.copied(), head.total.copy()
    ring.since(head, Counted.upto(START), unended=unended, waiting=ring.ahead(head, codes[320:], at[320:]))
    np.testing.assert_equal(arrays.copied(), before)
    np.testing.assert_array_equal(head.total, total)


def test_a_reader_that_was_overrun_reads_the_rows_that_wait_too() -> None:
    ring, codes = _small(False, 4), codes_of(20 * STEP + 7, 0)
    at = np.arange(len(codes), dtype=np.float64)
    head, _ = ring.add(START, codes[: 15 * STEP], at[: 15 * STEP])
    waiting = ring.ahead(head, codes[15 * STEP :], at[15 * STEP :])
    blocks, read, skipped = ring.since(head, Counted.upto(START), unended=True, waiting=waiting).counted()
    ends = [12 * STEP, 13 * STEP, 14 * STEP, 15 * STEP, *range(16 * STEP, 21 * STEP, STEP), len(codes)]
    assert_blocks(blocks, codes, [(a, b, 0, float(b - 1)) for a, b in zip([0, *ends], ends, strict=False)])
    assert skipped == 0
    np.testing.assert_array_equal(read.counts, BINNER.counts(codes))


# ---------------------------------------------------------------- rows that are added again


@settings(deadline=None, max_examples=examples(100))
@given(batches, st.integers(0, 700), st.booleans(), st.sampled_from([4, 64]), st.integers(0, 1_000))
def test_rows_that_are_added_again_from_the_same_head_write_the_same(
    sizes: list[int], again: int, by_hour: bool, held: int, seed: int
) -> None:
    begun = sum(sizes)
    codes = codes_of(begun + again, seed)
    at = np.cumsum(np.random.default_rng(seed).uniform(-0.3, 1.0, len(codes)) * 40.0)
    arrays = _Arrays.of(held)
    ring, first = arrays.ring(by_hour=by_hour), 0
    head = START
    for size in sizes:
        head, _ = ring.add(head, codes[first : first + size], at[first : first + size])
        first += size
    kept = replace(head, total=head.total.copy())
    after, counts = ring.add(head, codes[begun:], at[begun:])
    written = arrays.copied()
    np.testing.assert_equal(vars(head), vars(kept))  # a head is not changed by what comes after it
    # Stopped after a part, which another way of taking rows together would have left.
    ring.add(head, codes[begun : begun + again // 2], at[begun : begun + again // 2])
    repeated, counts_again = ring.add(head, codes[begun:], at[begun:])
    np.testing.assert_equal(arrays.copied(), written)
    np.testing.assert_equal(vars(repeated), vars(after))
    np.testing.assert_array_equal(counts_again, counts)


# ---------------------------------------------------------------- what is still there, and whole


def test_a_block_is_held_until_it_is_about_to_be_overwritten() -> None:
    arrays, codes = _Arrays.of(4), codes_of(6 * STEP, 0)
    ring = arrays.ring(by_hour=False)
    head = START
    for ended in range(7):
        assert [ring.holds(block) for block in range(ended)] == [block >= ended - 4 for block in range(ended)]
        if ended < 6:
            head, _ = ring.add(head, codes[:STEP], np.zeros(STEP))
    arrays.reserved[0] = 8  # somebody is writing two more
    assert [ring.holds(block) for block in range(8)] == [False] * 4 + [True] * 4
    # A reader is told of no block that is being overwritten: the first that it finds stands for those before.
    blocks, _, skipped = ring.since(head, Counted.upto(START), unended=False).counted()
    assert (blocks.rows.tolist(), skipped) == ([5 * STEP, STEP], 0)


@pytest.mark.parametrize("by_hour", [False, True])
@pytest.mark.parametrize("read", [0, 3])
def test_there_is_room_for_so_many_rows_that_no_unread_block_is_overrun(by_hour: bool, read: int) -> None:
    # Time goes so that each row is of another hour: as many blocks as there can be.
    at = np.arange(5_000.0) * (HOUR if by_hour else 1.0)
    codes = codes_of(len(at), 0)
    for already in (4, 7) if by_hour else (3 * STEP, 5 * STEP + 49):
        ring = _small(by_hour, 64)
        head, _ = ring.add(START, codes[:already], at[:already])
        assert head.ended >= read
        room = ring.room(head, read)
        assert room > 0
        ring.add(head, codes[already : already + room], at[already : already + room])
        assert ring.holds(read)


@settings(deadline=None, max_examples=examples(60))
@given(batches, st.booleans(), st.sampled_from([4, 64]), st.integers(1, 2**32 - 1), st.data())
def test_a_ring_is_sound_until_one_count_is_another(
    sizes: list[int], by_hour: bool, held: int, other: int, data: st.DataObject
) -> None:
    arrays = _Arrays.of(held)
    ring = arrays.ring(by_hour=by_hour)
    head: Head = START
    for place, size in enumerate(sizes):
        head, _ = ring.add(head, codes_of(size, place), np.linspace(place, place + 0.9, size) * HOUR)
        assert ring.is_sound(head)
    if head.ended:
        block = data.draw(st.integers(max(0, head.ended - held), head.ended - 1)) % held
        column, place = data.draw(st.integers(0, 1)), data.draw(st.integers(0, BINNER.width - 1))
        arrays.counts[block, column, place] ^= np.uint32(other)
        assert not ring.is_sound(head)
        arrays.counts[block, column, place] ^= np.uint32(other)
        assert ring.is_sound(head)


def test_what_is_half_written_behind_the_head_is_not_asked_to_be_sound() -> None:
    arrays, codes = _Arrays.of(4), codes_of(8 * STEP, 0)
    ring = arrays.ring(by_hour=False)
    head, _ = ring.add(START, codes[: 6 * STEP], np.zeros(6 * STEP))
    ring.add(head, codes[6 * STEP :], np.zeros(2 * STEP))  # of a step that is never finished
    arrays.counts[6 % 4, 0, 0] += 1
    assert ring.is_sound(head)
    arrays.counts[5 % 4, 0, 0] += 1
    assert not ring.is_sound(head)


@pytest.mark.parametrize("columns", [1, 30, 300, 1_000, 5_000])
def test_a_ring_has_a_bounded_size(columns: int) -> None:
    sizes = [np.prod(shape, dtype=np.int64) * np.dtype(dtype).itemsize for _, dtype, shape in block_shapes(columns, 14)]
    assert sum(sizes) <= 20_000_000 + 64 * 4 * columns * 14
