from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.state.failpoints import no_failpoint
from driftgauge.state.log import Log, LogReader, OwnCounters
from driftgauge.state.shape import StateShape
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.monitors import START, some_rows
from tests.states import COUNTED, TIMED, assert_same_counters, small_shape

WINDOW = 50
SHAPE = small_shape(WINDOW)
CAPACITY = SHAPE.capacity
UNREAD = SHAPE.unread_rows


class _Stop(Exception):
    pass


class Kept:
    """A log over a buffer, and beside it all rows that were ever appended."""

    def __init__(self, shape: StateShape = SHAPE) -> None:
        self.shape = shape
        self.buffer = bytearray(shape.log.size_bytes)
        self.log = Log(shape, self.buffer)
        self.log.publish()
        self.values = np.empty((0, shape.binner.columns))
        self.arrival = np.empty(0)
        self.at = np.empty(0)

    def append(self, size: int, arrival: float = START, *, seed: int = 0) -> None:
        """Append rows, as many as there are, count them and publish."""
        values = some_rows(size, seed)
        at = arrival - np.random.default_rng(seed).random(size)
        self.note(values, arrival, at)
        for first in range(0, size, 1_000):
            part = slice(first, first + 1_000)
            self.log.append(values[part], np.full(len(values[part]), arrival), at[part])
        with self.log.counters.counting() as counters:
            counters.add(COUNTED.name, size, "b")
        self.log.publish()

    def note(self, values: FloatArray, arrival: float, at: FloatArray) -> None:
        self.values = np.concatenate([self.values, values])
        self.arrival = np.concatenate([self.arrival, np.full(len(values), arrival)])
        self.at = np.concatenate([self.at, at])

    def kill(self, failpoint: Callable[[str], None] = no_failpoint, *, position: int | None = None) -> str:
        """Continue as another owner with a copy of the buffer; return what that found damaged."""
        self.buffer = bytearray(self.buffer)
        self.log = Log(self.shape, self.buffer, failpoint=failpoint)
        return self.log.resume(max(0, self.log.reader.rows - UNREAD) if position is None else position, intact=True)

    def append_batches(self) -> None:
        """Append a few small batches, each counted and published."""
        for seed in range(1, 9):
            self.append(30, START + seed, seed=seed)

    def peer(self) -> LogReader:
        """Return the log as another process sees it, which cannot write."""
        return LogReader(self.shape, memoryview(self.buffer).toreadonly())

    def assert_holds(self, reader: LogReader, begin: int, end: int) -> None:
        """Assert that rows are valid and as they were appended, bit for bit."""
        rows = reader.read(begin, end)
        assert rows.valid.all()
        np.testing.assert_array_equal(rows.values.view(np.uint64), self.values[begin:end].view(np.uint64))
        np.testing.assert_array_equal(rows.arrival, self.arrival[begin:end])
        np.testing.assert_array_equal(rows.at, self.at[begin:end])
        assert (rows.values.shape, rows.valid.shape) == ((end - begin, self.shape.binner.columns), (end - begin,))


batches = st.lists(st.one_of(st.integers(0, 130), st.integers(3_000, 9_000)), min_size=1, max_size=8)


@settings(deadline=None, max_examples=examples(40))
@given(batches)
def test_the_newest_rows_are_held_as_they_were_appended(sizes: list[int]) -> None:
    kept = Kept()
    for seed, size in enumerate(sizes):
        kept.append(size, START + seed, seed=seed)
        rows = len(kept.values)
        for reader in (kept.log.reader, kept.peer()):
            assert reader.rows == kept.log.rows == rows
            kept.assert_holds(reader, max(0, rows - CAPACITY), rows)
            kept.assert_holds(reader, max(0, rows - 3), rows)
        assert sorted(kept.peer().scan().tolist()) == list(range(max(0, rows - CAPACITY), rows))


def test_rows_one_by_one_are_held_where_the_ring_begins_again() -> None:
    shape = replace(SHAPE, window_rows=3)
    kept = Kept(shape)
    values = some_rows(shape.capacity + 120)
    kept.note(values, START, np.arange(float(len(values))))
    begun = shape.capacity - 60
    kept.log.append(values[:begun], kept.arrival[:begun], kept.at[:begun])
    for row in range(begun, len(values)):
        kept.log.append(values[row : row + 1], kept.arrival[row : row + 1], kept.at[row : row + 1])
        kept.assert_holds(kept.log.reader, max(0, row - 3), row + 1)
    kept.assert_holds(kept.peer(), len(values) - shape.capacity, len(values))


def test_missing_infinite_and_negative_zero_values_come_back_bit_for_bit() -> None:
    kept = Kept()
    payload = np.array([0x7FF8_0000_0000_1234], dtype=np.uint64).view(np.float64)[0]
    values = np.array([[math.nan, -math.nan, payload, -0.0], [math.inf, -math.inf, 5e-324, 0.0]])
    kept.note(values, START, np.array([-1.0, 0.0]))
    kept.log.append(values, np.full(2, START), np.array([-1.0, 0.0]))
    kept.assert_holds(kept.peer(), 0, 2)


def test_what_was_read_is_a_copy() -> None:
    kept = Kept()
    kept.append(40)
    rows = kept.peer().read(0, 40)
    for array in (rows.values, rows.arrival, rows.at):
        array[:] = 77.0
    kept.assert_holds(kept.peer(), 0, 40)


def test_an_empty_log_has_no_rows() -> None:
    reader = Kept().peer()
    rows = reader.read(0, 0)
    assert (reader.rows, rows.values.shape, len(rows.valid), len(reader.scan())) == (0, (0, 4), 0, 0)
    assert not reader.read(0, 5).valid.any()


def test_the_latest_time_is_that_of_the_rows_held() -> None:
    kept = Kept()
    assert kept.log.latest_at() == -math.inf
    kept.append(30, START + 9.0)
    kept.append(30, START)
    assert kept.log.latest_at() == kept.at.max()
    kept.append(CAPACITY, START - 50.0, seed=3)
    assert kept.log.latest_at() == kept.at[60:].max()


# ---------------------------------------------------------------- records that are not whole


@settings(deadline=None, max_examples=examples(150))
@given(st.integers(0, 10**6), st.integers(1, 255), st.booleans())
def test_no_bit_of_a_record_changes_unnoticed(place: int, bits: int, around: bool) -> None:
    kept = Kept()
    kept.append(CAPACITY + 120 if around else 120)
    end = len(kept.values)
    records = kept.log.reader.records.view(np.uint8)
    place %= 120 * records.shape[1]
    row = end - 120 + place // records.shape[1]
    records[row % CAPACITY, place % records.shape[1]] ^= bits
    rows = kept.peer().read(end - 120, end)
    assert np.flatnonzero(~rows.valid).tolist() == [row - end + 120]
    assert np.isnan(rows.values[~rows.valid]).all()
    assert row not in kept.peer().scan()
    others = rows.valid
    np.testing.assert_array_equal(rows.values[others], kept.values[end - 120 :][others])


def test_a_row_that_was_overwritten_is_not_taken_for_the_one_before() -> None:
    kept = Kept()
    kept.append(CAPACITY)
    kept.append(7, seed=1)
    rows = kept.peer().read(0, 10)
    assert rows.valid.tolist() == [False] * 7 + [True] * 3


def test_rows_that_changed_places_are_not_valid() -> None:
    kept = Kept()
    kept.append(40)
    records = kept.log.reader.records
    records[[11, 12]] = records[[12, 11]]
    assert np.flatnonzero(~kept.peer().read(0, 40).valid).tolist() == [11, 12]


@pytest.mark.parametrize("content", [0x00, 0xFF, 0x07])
def test_places_that_were_overwritten_hold_no_rows(content: int) -> None:
    kept = Kept()
    kept.append(40)
    kept.log.reader.records.view(np.uint8)[:] = content
    assert not kept.peer().read(0, 40).valid.any()
    assert len(kept.peer().scan()) == 0


@pytest.mark.parametrize("rows", [-1, 39, 40 + UNREAD + 1, 2**62, 2**63 - 1, -(2**63)])
def test_a_number_of_rows_that_cannot_be_right_is_not_believed(rows: int) -> None:
    kept = Kept()
    kept.append(40)
    assert (kept.peer().rows_after(40), kept.peer().rows_after(0)) == (40, 40)
    kept.log.reader.committed[0] = rows
    assert kept.peer().rows_after(40) == 40


def test_a_number_of_rows_far_behind_a_read_position_is_believed_if_its_last_row_is_there() -> None:
    kept = Kept()
    kept.append(3 * UNREAD)
    assert kept.peer().rows_after(10) == 3 * UNREAD  # the position is of a checkpoint that was restored
    kept.log.reader.committed[0] += 1
    assert kept.peer().rows_after(10) == 10


@pytest.mark.parametrize("rows", [-1, 0, 39, 2**62])
def test_the_writer_repairs_the_number_of_rows_and_its_counters(rows: int) -> None:
    kept = Kept()
    kept.append(40)
    for step in range(2):
        arrays = kept.shape.log.arrays(kept.buffer)
        arrays["committed"][0] = rows
        arrays["counters_copies"][:] = 7
        if step:
            kept.append(3, seed=1)
        else:
            kept.log.publish()
        assert kept.peer().rows == kept.log.rows
        assert kept.peer().counted()[COUNTED.name].tolist() == [[0.0], [float(kept.log.rows)]]
    kept.assert_holds(kept.peer(), 0, 43)


# ---------------------------------------------------------------- a log that is resumed


@settings(deadline=None, max_examples=examples(40))
@given(st.lists(st.tuples(st.one_of(st.integers(0, 130), st.integers(3_000, 4_000)), st.integers(0, 2)), max_size=6))
def test_a_resumed_log_continues_as_if_nothing_had_happened(steps: list[tuple[int, int]]) -> None:
    kept = Kept()
    for seed, (size, kills) in enumerate([*steps, (3, 2)]):
        kept.append(size, START + seed, seed=seed)
        for _ in range(kills):
            assert kept.kill() == ""
            assert kept.log.rows - kept.log.counters.rows[0] == 0
    rows = len(kept.values)
    assert kept.log.rows == kept.log.counters.rows[0] == rows
    kept.assert_holds(kept.peer(), max(0, rows - CAPACITY), rows)
    assert kept.log.counters.copied()[COUNTED.name].tolist() == [[0.0], [float(rows)]]


def test_rows_that_were_appended_and_never_counted_are_known() -> None:
    kept = Kept()
    kept.append(30)
    kept.log.append(some_rows(7), np.full(7, START), np.full(7, START))
    with kept.log.counters.counting() as counters:
        counters.add(COUNTED.name, 7, "b")  # never published
    assert kept.kill() == ""
    assert (kept.log.rows, kept.log.counters.rows[0]) == (37, 30)
    assert kept.log.counters.copied()[COUNTED.name].tolist() == [[0.0], [30.0]]


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize(
    "point",
    ["append.written", "append.committed", "counters.copied", "counters.checked", "counters.published"],
)
@pytest.mark.parametrize("begun", [0, 40, CAPACITY - 20])
def test_wherever_a_writer_is_killed_its_successor_has_all_rows_that_were_committed(
    point: str, nth: int, begun: int
) -> None:
    passed = 0

    def failpoint(reached: str) -> None:
        nonlocal passed
        passed += reached == point
        if passed == nth:
            raise _Stop

    kept = Kept()
    kept.append(begun)
    assert kept.kill(failpoint) == ""
    with pytest.raises(_Stop):
        kept.append_batches()
    committed, counted = kept.peer().rows, kept.peer().counted()[COUNTED.name]
    assert begun <= committed <= len(kept.values)
    assert kept.kill() == ""
    rows = kept.log.rows
    assert committed <= rows <= len(kept.values)  # rows that were written and not committed may be there too
    kept.assert_holds(kept.peer(), max(0, rows - WINDOW), rows)
    np.testing.assert_array_equal(kept.log.counters.copied()[COUNTED.name], counted)
    assert kept.log.counters.rows[0] <= rows
    kept.values, kept.arrival, kept.at = kept.values[:rows], kept.arrival[:rows], kept.at[:rows]
    kept.append(2_100, START + 10.0, seed=10)
    kept.assert_holds(kept.peer(), max(0, rows - WINDOW), rows + 2_100)


def test_what_could_be_resumed_once_can_be_resumed_again() -> None:
    kept = Kept()
    kept.append(CAPACITY - 10)

    def failpoint(reached: str) -> None:
        if reached == "append.written":
            raise _Stop

    kept.kill(failpoint)
    with pytest.raises(_Stop):
        kept.log.append(some_rows(40), np.full(40, START), np.full(40, START))
    for _ in range(3):
        assert kept.kill() == ""
        rows = kept.log.rows
        kept.log.publish()
        assert kept.kill() == ""
        assert kept.log.rows == rows


def test_counters_that_are_damaged_are_noted_and_begin_at_0() -> None:
    kept = Kept()
    kept.append(30)
    arrays = kept.shape.log.arrays(kept.buffer)
    arrays["counters_copies"][:] = 7
    assert "counters" in kept.kill()
    assert not kept.log.counters.copied()[COUNTED.name].any()
    assert kept.log.counters.rows[0] == kept.log.rows == 30  # no row is said to be uncounted


def test_an_older_copy_of_the_counters_will_do() -> None:
    kept = Kept()
    kept.append(30)
    kept.append(10, seed=1)
    arrays = kept.shape.log.arrays(kept.buffer)
    arrays["counters_copies"][int(arrays["counters_sequence"][0]) % 2] = 7
    assert kept.kill() == ""
    assert kept.log.counters.copied()[COUNTED.name].tolist() == [[0.0], [30.0]]
    assert (kept.log.rows, kept.log.counters.rows[0]) == (40, 30)


@settings(deadline=None, max_examples=examples(60))
@given(st.integers(60, 300), st.lists(st.integers(0, 10_000), max_size=30), st.booleans(), st.booleans())
def test_of_a_damaged_log_the_whole_rows_are_kept(
    rows: int, places: list[int], is_miscounted: bool, around: bool
) -> None:
    kept = Kept()
    kept.append(CAPACITY + rows if around else rows)
    end = len(kept.values)
    damaged = {end - 60 + place % 60 for place in places} - {end - 1}
    for row in damaged:
        kept.log.reader.records[row % CAPACITY, 3] ^= np.uint64(1 << (row % 64))
    if is_miscounted:
        kept.log.reader.committed[0] = 2**50
    said = kept.kill(position=end - 20)
    assert kept.log.rows == end
    found = kept.peer().read(end - WINDOW, end)
    expected = [row not in damaged for row in range(end - WINDOW, end)]
    assert found.valid.tolist() == expected
    np.testing.assert_array_equal(found.values[found.valid], kept.values[end - WINDOW :][expected])
    assert bool(said) == (not all(expected))


def test_a_closed_log_writes_its_counters_no_more() -> None:
    kept = Kept()
    kept.append(10)
    kept.log.close()
    before = bytes(kept.buffer)
    with kept.log.counters.counting() as counters:
        counters.add(COUNTED.name, 5, "b")
    kept.log.publish()
    assert kept.buffer == before


def test_counters_are_copied_for_a_reader_and_not_with_each_publication(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept()
    kept.log.counters.counters.add(COUNTED.name, 3, "b")
    copy = kept.log.published()
    kept.log.counters.counters.add(COUNTED.name, 1, "b")
    assert copy[COUNTED.name].sum() == kept.peer().counted()[COUNTED.name].sum() == 3.0
    monkeypatch.setattr(type(kept.shape.counted), "arrays", lambda *_: pytest.fail("a request copies all counters"))
    kept.log.publish()
    monkeypatch.undo()
    assert kept.peer().counted()[COUNTED.name].sum() == 4.0


def test_the_number_of_rows_does_not_go_back_if_one_thread_appends_while_another_publishes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: list[threading.Thread] = []

    class Interrupting:
        """Let another thread append rows in the middle of a publication."""

        def __setitem__(self, place: int, rows: int) -> None:
            append = threading.Thread(target=log.append, args=(some_rows(5), np.zeros(5), np.zeros(5)), daemon=True)
            threads.append(append)
            append.start()
            append.join(0.05)  # it may have to wait for the end of the publication

    log = Log(SHAPE)
    monkeypatch.setattr(log.counters, "rows", Interrupting())
    for _ in range(3):
        log.publish()
        threads[-1].join(20.0)
        assert log.reader.rows == log.rows
    assert log.rows == 15


# ---------------------------------------------------------------- what another process sees


def test_another_process_sees_the_counters_that_were_published_and_cannot_write() -> None:
    kept = Kept()
    kept.append(10)
    peer, before = kept.peer(), bytes(kept.buffer)
    with kept.log.counters.counting() as counters:
        counters.add(COUNTED.name, 5, "b")
        counters.observe(TIMED.name, [0.4, 9.0], "a")
    assert peer.counted()[COUNTED.name].tolist() == [[0.0], [10.0]]
    assert kept.buffer == before
    kept.log.publish()
    found = peer.counted()
    assert found[COUNTED.name].tolist() == [[0.0], [15.0]]
    assert found[TIMED.name].tolist() == [[0.0, 1.0, 0.0, 0.0, 1.0, 9.4], [0.0] * 6]
    other = Log(kept.shape, memoryview(kept.buffer).toreadonly())
    with pytest.raises(ValueError, match="read-only"):
        other.append(some_rows(1), np.array([START]), np.array([START]))


@pytest.mark.parametrize("window_rows", [1, 1_000, 10_000])
def test_the_size_of_a_log_is_fixed(window_rows: int) -> None:
    shape = small_shape(window_rows)
    kept = Kept(shape)
    size = len(kept.buffer)
    kept.append(2 * shape.capacity)
    assert len(kept.buffer) == size
    assert shape.log.size_bytes < 8 * shape.record_words * shape.capacity + 100_000


# ---------------------------------------------------------------- counters


def test_counters_begin_at_0() -> None:
    own = OwnCounters(SHAPE)
    assert own.rows[0] == 0
    assert {name for name, array in own.copied().items() if array.any()} == set()
    assert own.copied().keys() == {field.name for field in SHAPE.counted.fields}


def test_several_threads_count_without_losing_any() -> None:
    own = OwnCounters(SHAPE)

    def count() -> None:
        for _ in range(2_000):
            with own.counting() as counters:
                counters.add(COUNTED.name, 1, "a")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert own.copied()[COUNTED.name][0, 0] == 8_000.0


def test_a_copy_stays_as_it_was() -> None:
    own = OwnCounters(SHAPE)
    own.rows[0] = 5
    before = own.copied()
    own.rows[0] = 7
    with own.counting() as counters:
        counters.add(COUNTED.name, 1, "b")
        counters.observe(TIMED.name, [0.7], "a")
    assert before["rows"].tolist() == [5]
    assert not (before[COUNTED.name].any())
    assert not (before[TIMED.name].any())
    assert own.copied()["rows"].tolist() == own.rows.tolist() == [7]


def test_the_words_are_all_of_the_counters() -> None:
    own, other = OwnCounters(SHAPE), OwnCounters(SHAPE)
    with own.counting() as counters:
        counters.add(COUNTED.name, 3, "b")
    own.process[:] = np.arange(len(own.process))
    own.rows[0] = 9
    other.words[:] = own.words
    assert_same_counters(other.copied(), own.copied())
    assert (other.rows[0], other.process.tolist()) == (9, own.process.tolist())


def test_a_single_row_is_written_as_a_batch_of_one_is() -> None:
    one, many = Kept(), Kept()
    rows = some_rows(CAPACITY + 3)
    for index, row in enumerate(rows):
        one.log.append_row(row, START + index, START - index)
        many.log.append(row[None], np.array([START + index]), np.array([START - index]))
        if index % UNREAD == 0:
            assert bytes(one.buffer) == bytes(many.buffer)
    assert (one.log.rows, bytes(one.buffer)) == (many.log.rows, bytes(many.buffer))
