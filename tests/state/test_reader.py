from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from driftgauge.drift.windows.blocks import Head
from driftgauge.state.shape import BLOCK_ROWS, SLACK_ROWS, Overrun
from driftgauge.state.state import State
from driftgauge.state.store import Snapshot
from driftgauge.state.versions import Damaged
from hypothesis import given
from hypothesis import strategies as st

from tests.monitors import START, some_rows
from tests.states import (
    COUNTED,
    COUNTING,
    Kept,
    Overrunning,
    assert_numbered,
    assert_read_alike,
    assert_same_counters,
    kept_jumps,
    kept_shape,
    kept_sizes,
    kept_spreads,
    numbered,
    numbered_shape,
    seen_by_another,
    store_of,
    unhurried,
)

# ---------------------------------------------------------------- readers against a writer


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Let threads take turns a hundred times as often."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(5e-5)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("hasty_threads")
@pytest.mark.parametrize("window_rows", [20, 4_000])
def test_no_reader_ever_gets_torn_rows(window_rows: int) -> None:
    state = store_of(State(numbered_shape(window_rows)))
    sizes = itertools.cycle([1, 3, BLOCK_ROWS, 40, 3 * SLACK_ROWS, 700, 1, 5_000])
    total = 1_500_000
    written = threading.Event()
    failures: list[BaseException] = []
    reads: list[int] = []

    def guarded(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                work()
            except BaseException as failure:
                failures.append(failure)

        return run

    def write() -> None:
        try:
            begin = 0
            while begin < total and not failures:
                end = begin + next(sizes)
                state.append(numbered(begin, end), 0.0, np.arange(begin, end, dtype=np.float64))
                begin = end
        finally:
            written.set()

    def read() -> None:
        last, count = 0, 0
        while not failures:
            ended = written.is_set()
            at_least = state.rows
            held = state.snapshot(0.0)
            observed = held.observed
            assert observed >= max(at_least, last)
            assert_numbered(held, window_rows)
            counted = state.bin_rows().sum(axis=1)
            assert counted[0] == counted[1]
            assert observed <= counted[0] <= state.rows
            last, count = observed, count + 1
            if ended:
                assert observed == state.rows >= total
                break
        reads.append(count)

    threads = [threading.Thread(target=guarded(work), daemon=True) for work in (read, read, write)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60.0)
    assert not any(thread.is_alive() for thread in threads)
    assert not failures, failures
    assert min(reads) > 1
    np.testing.assert_array_equal(state.bin_rows(), COUNTING.counts(COUNTING.codes(numbered(0, state.rows))))


@pytest.mark.parametrize("rows", [1, SLACK_ROWS, SLACK_ROWS + 1, SLACK_ROWS + BLOCK_ROWS, 10 * SLACK_ROWS])
@pytest.mark.parametrize("overruns", [1, 3, 7])
def test_a_reader_that_was_overrun_reads_anew(rows: int, overruns: int) -> None:
    def strike(state: Overrunning, before: int) -> None:
        if before < overruns:
            state.write(rows)

    state = Overrunning(300, strike)
    state.write(1_000)
    held = store_of(state).snapshot(0.0)
    assert_numbered(held, 300)
    torn = rows > SLACK_ROWS
    assert held.observed == 1_000 + (overruns * rows if torn else 0)
    assert state.copies == (overruns + 1 if torn else 1)


def test_a_window_that_is_not_full_can_be_overrun_too() -> None:
    def strike(state: Overrunning, before: int) -> None:
        if before == 0:
            state.write(300 + SLACK_ROWS - 4)  # one more than there is room for beside the five rows

    state = Overrunning(300, strike)
    state.write(5)
    held = store_of(state).snapshot(0.0)
    assert (held.observed, state.copies) == (301 + SLACK_ROWS, 2)
    assert_numbered(held, 300)


# A window that is not full is overrun by what overwrites its own rows alone.
def test_a_window_that_is_not_full_is_not_overrun_while_there_is_room() -> None:
    def strike(state: Overrunning, before: int) -> None:
        if before == 0:
            state.write(300 + SLACK_ROWS - 5)

    state = Overrunning(300, strike)
    state.write(5)
    held = store_of(state).snapshot(0.0)
    assert (held.observed, state.copies) == (5, 1)
    assert_numbered(held, 300)


def test_writers_are_held_up_once_when_a_reader_is_always_overrun() -> None:
    writers: list[threading.Thread] = []
    waited: list[bool] = []

    def strike(state: Overrunning, before: int) -> None:
        writer = threading.Thread(target=state.write, args=(2 * SLACK_ROWS,), daemon=True)
        writer.start()
        writers.append(writer)
        # Bounded: a writer that is not held up is soon done, one that is stays here until the copy is made.
        writer.join(timeout=10.0 if before < tries else 0.05)
        waited.append(writer.is_alive())

    tries = 8
    state = Overrunning(300, strike)
    state.write(1_000)
    held = store_of(state).snapshot(0.0)
    assert waited == [False] * tries + [True]
    assert held.observed == 1_000 + tries * 2 * SLACK_ROWS
    assert_numbered(held, 300)
    writers[-1].join(timeout=10.0)
    assert state.rows == held.observed + 2 * SLACK_ROWS


# ---------------------------------------------------------------- a state of another process


@unhurried
@given(
    st.lists(st.tuples(kept_sizes, kept_jumps, kept_spreads, st.booleans(), st.booleans()), min_size=1, max_size=7),
    st.booleans(),
    st.booleans(),
)
def test_another_process_reads_what_the_owner_reads_whether_rows_are_binned_or_not(
    steps: list[tuple[int, float, float, bool, bool]], by_event: bool, by_hour: bool
) -> None:
    kept = Kept(kept_shape(by_event=by_event, by_hour=by_hour))
    peer = kept.peer()
    clock, reads = START, [peer.origin()]
    for step, (size, jump, spread, read, digest) in enumerate(steps):
        clock += jump
        kept.append(size, clock, spread, seed=step)
        if digest:
            kept.state.digest()
        if read:
            assert peer.rows == kept.state.rows == len(kept.values)
            seen = peer.take(clock)
            assert len(seen.waiting) == seen.observed - seen.head.rows
            assert peer.is_still(seen, 50)
            owned = kept.state.take(clock)  # which bins what waits, in place: nothing else changes
            assert len(owned.waiting) == 0
            assert peer.is_still(seen, 50)
            assert_read_alike((peer, seen), (kept.state, owned), reads)
            reads.append(peer.unread(seen, reads[-1]).counted()[1])
            kept.state.publish()
            assert_same_counters(peer.counted(), kept.state.counted())


def test_rows_that_came_while_the_head_was_read_make_another_process_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = Kept(kept_shape())
    peer, reads = kept.peer(), 0

    def come(head: Head, step: int) -> None:
        """What happens between the head and the number of rows."""
        nonlocal reads
        reads += 1
        if reads == 1:
            kept.append(2 * BLOCK_ROWS + 1, START)

    monkeypatch.setattr(peer, "_require_sense", come)
    seen = peer.take(START)
    assert reads == 2
    assert seen.observed == len(kept.values) == 2 * BLOCK_ROWS + 1
    assert seen.head.rows + len(seen.waiting) == seen.observed


def test_another_process_cannot_write() -> None:
    kept = Kept(kept_shape())
    kept.append(10, START)
    before = bytes(kept.buffer)
    peer = kept.peer()
    peer.take(START)
    peer.counted()
    other = State(kept.shape, memoryview(kept.buffer).toreadonly())
    with pytest.raises(Damaged, match="overwritten"):  # it has not begun, so what stands there is not its own
        other.append(some_rows(1), START, np.full(1, START))
    with pytest.raises(ValueError, match="read-only"):
        other.begin()
    assert kept.buffer == before


def test_another_process_sees_of_the_counters_what_was_published() -> None:
    kept = Kept(kept_shape())
    kept.append(10, START)
    peer = kept.peer()
    with kept.state.counting() as counters:
        counters.add(COUNTED.name, 5, "b")
    assert peer.counted()[COUNTED.name].tolist() == [[0.0], [10.0]]
    kept.state.publish()
    assert peer.counted()[COUNTED.name].tolist() == [[0.0], [15.0]]


@pytest.mark.usefixtures("hasty_threads")
@pytest.mark.parametrize("window_rows", [20, 4_000])
def test_another_process_takes_torn_rows_for_what_they_are(window_rows: int) -> None:
    shape = numbered_shape(window_rows)
    buffer = bytearray(shape.layout.size_bytes)
    state = State(shape, buffer)
    state.begin()
    sizes = itertools.cycle([1, 3, 40, 700, 1, 1_500])
    written = threading.Event()

    def write() -> None:
        try:
            begin = 0
            while begin < 250_000:
                end = begin + next(sizes)
                state.append(numbered(begin, end), 0.0, np.arange(begin, end, dtype=np.float64))
                state.publish()
                begin = end
                time.sleep(0.0)
        finally:
            written.set()

    wholes: list[int] = []
    failures: list[BaseException] = []

    def read() -> None:
        whole, last = 0, 0
        while True:
            ended = written.is_set()
            try:
                taken = peer.take(0.0)
            except Overrun:  # both readers and the writer take turns here: it happens
                assert not ended
                continue
            held = Snapshot(peer.rows_of(taken, window_rows), taken.observed, taken.latest_event, taken.totals)
            bins = taken.bin_rows
            if peer.is_still(taken, window_rows):
                assert_numbered(held, window_rows)
                np.testing.assert_array_equal(bins.sum(axis=1), [taken.observed] * 2)
                assert taken.observed >= last
                whole, last = whole + 1, taken.observed
            if ended:
                break
        wholes.append(whole)
        assert taken.observed == state.rows >= 250_000

    def guarded() -> None:
        try:
            read()
        except BaseException as failure:
            failures.append(failure)

    peer = seen_by_another(shape, buffer)  # which two threads read, as evaluations and scrapes do
    threads = [threading.Thread(target=work, daemon=True) for work in (write, guarded, guarded)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60.0)
    assert not failures, failures
    assert len(wholes) == 2
    assert min(wholes) > 1
