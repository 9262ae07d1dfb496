from __future__ import annotations

import itertools
import math
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from driftgauge.common.private_files import LockTimeout
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.verdict.latches import Latches
from driftgauge.drift.windows.window import time_windows
from driftgauge.metrics.series import DROPPED, LATE
from driftgauge.state.checkpoint import Checkpoint
from driftgauge.state.failpoints import FAILPOINTS
from driftgauge.state.shape import StateShape
from driftgauge.state.slots import Slots
from driftgauge.state.snapshot import StateSnapshot, sum_totals
from driftgauge.state.store import Store
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.monitors import START, in_sample_baseline, small_baseline, some_rows, timed_baseline
from tests.states import (
    COUNTED,
    KEY,
    NUMBERED,
    SERIES,
    SPANS,
    TIMED,
    Killable,
    Recount,
    Sent,
    assert_same_counters,
    assert_same_evidence,
    backward_jumps,
    catch_up,
    counted_total,
    jumps,
    numbered,
    send,
    send_all,
    shape_of,
    sizes,
    small_shape,
    spreads,
    stores,
    straight,
    unhurried,
)

STEP = 50
"""Rows of a block."""
HOUR = 3_600.0

clocks = st.sampled_from(["arrival", "event"])


class _Stop(Exception):
    pass


def _in_memory(
    window_rows: int = 100, *, clock: str = "arrival", baseline: Baseline | None = None
) -> tuple[Store, Recount]:
    """Return a store of one worker in memory, and an oracle for it."""
    shape = shape_of(baseline or small_baseline(), window_rows, clock=clock)
    return Store.in_memory(shape), Recount(shape)


def _times(size: int, clock: float, spread: float, seed: int) -> FloatArray:
    return clock - np.random.default_rng(seed).random(size) * spread


# ---------------------------------------------------------------- windows and totals, one writer


@unhurried
@given(
    st.sampled_from([1, 3, 50, 700, 2_500]),
    clocks,
    st.lists(st.tuples(sizes, jumps, spreads, st.booleans()), max_size=7),
    st.integers(0, 1_000),
)
def test_windows_and_totals_are_a_recount_of_all_rows(
    window_rows: int, clock: str, steps: list[tuple[int, float, float, bool]], seed: int
) -> None:
    store, recount = _in_memory(window_rows, clock=clock)
    now = START
    for step, (size, jump, spread, look) in enumerate([*steps, (3, 0.0, 0.0, True)]):
        now += jump
        values = some_rows(size, seed + step)
        at = _times(size, now, spread if clock == "event" else 0.0, step)
        send_all(store, values, now, at)
        recount.logs[0].append(values, now, at)
        assert (store.rows, store.latest_at) == (recount.rows, recount.latest)
        if look:
            catch_up(store)
            recount.assert_agrees(store, now)
            recount.assert_agrees(store, now + 7.0)
            assert_same_evidence(store.root.progress.evidence, recount.evidence())


@unhurried
@given(
    clocks,
    st.lists(st.tuples(st.integers(0, 900), backward_jumps, spreads, st.booleans()), max_size=9),
    st.integers(0, 1_000),
)
def test_windows_are_a_recount_if_clocks_go_back(
    clock: str, steps: list[tuple[int, float, float, bool]], seed: int
) -> None:
    store, recount = _in_memory(400, clock=clock)
    generator, now = np.random.default_rng(seed), START
    for step, (size, jump, spread, look) in enumerate([*steps, (3, 0.0, 0.0, True)]):
        now += jump
        values = some_rows(size, seed + step)
        at: FloatArray = now + generator.normal(0.0, 1.0, size) * (spread if clock == "event" else 0.0)
        send(store, values, now, at)
        recount.logs[0].append(values, now, at)
        if look:
            catch_up(store)
            recount.assert_agrees(store, now)
            recount.assert_agrees(store, now + 7.0)
            assert_same_evidence(store.root.progress.evidence, recount.evidence())
    assert counted_total(store, LATE.name) == _late(recount)


def _late(recount: Recount) -> int:
    """Count the rows that lay before the longest window as it was when they came."""
    bucket, late, newest = np.floor(recount.at / SPANS[-1].width), 0, -math.inf
    for own in bucket.tolist():
        newest = max(newest, own)
        late += own <= newest - SPANS[-1].buckets
    return late


@pytest.mark.parametrize("window_rows", [1, 5, 100])
def test_windows_are_exact_all_around_the_log(window_rows: int) -> None:
    store, _ = _in_memory(window_rows)
    shape = store.shape
    values = some_rows(shape.capacity + 2_007)
    codes, at = shape.binner.codes(values), START + np.arange(float(len(values)))
    for first in range(0, len(values), 997):
        end = min(first + 997, len(values))
        send(store, values[first:end], START, at[first:end])
        catch_up(store)
        newest = slice(max(0, end - window_rows), end)
        held = store.snapshot(START)
        assert held.observed == end
        np.testing.assert_array_equal(held.rows.values, values[newest])
        np.testing.assert_array_equal(held.rows.codes, codes[newest])
        np.testing.assert_array_equal(held.rows.at, at[newest])


@pytest.mark.parametrize("clock", ["arrival", "event"])
def test_rows_one_by_one_count_like_rows_at_once(clock: str) -> None:
    (single, recount), (together, _) = (_in_memory(400, clock=clock) for _ in range(2))
    values, at = some_rows(1_500), START + np.arange(1_500.0)
    for row in range(len(values)):
        send(single, values[row : row + 1], START, at[row : row + 1])
        if row % 7 == 0:
            catch_up(single)
    send(together, values, START, at)
    recount.logs[0].append(values, START, at)
    for store in (single, together):
        catch_up(store)
        recount.assert_agrees(store, START + 1_500.0)
        assert_same_evidence(store.root.progress.evidence, recount.evidence())


@pytest.mark.parametrize("clock", ["arrival", "event"])
def test_an_empty_store_has_empty_windows(clock: str) -> None:
    store, recount = _in_memory(10, clock=clock)
    assert catch_up(store) == 0
    recount.assert_agrees(store, START)
    held = store.snapshot(START)
    assert held.rows.values.shape == held.rows.codes.shape == (0, 4)
    assert (store.rows, store.latest_at, held.latest_at) == (0, -math.inf, -math.inf)
    assert_same_evidence(store.root.progress.evidence, store.shape.detector.start())
    assert not held.latches.latched.any()
    assert (held.latches.rows, held.latches.clock, store.root.evaluated_at) == (0, -math.inf, -math.inf)
    assert store.is_persistent is False


def test_a_snapshot_stays_as_it_was() -> None:
    store, _ = _in_memory(100)
    send(store, some_rows(200), START)
    catch_up(store)
    held = store.snapshot(START)
    rows, totals = held.rows, held.totals
    copies = [array.copy() for array in (rows.values, rows.codes, rows.at, totals[0].counts, totals[0].sums)]
    bins = store.root.progress.head.total.copy()
    send_all(store, some_rows(20_000, 1), START + 1.0, np.full(20_000, START + 1.0))
    catch_up(store)
    store.snapshot(START + 1.0)
    for array, copy in zip((rows.values, rows.codes, rows.at, totals[0].counts, totals[0].sums), copies, strict=True):
        np.testing.assert_array_equal(array, copy)
    assert (store.root.progress.head.total > bins).any()


def test_rows_that_do_not_fit_leave_everything_as_it_was() -> None:
    store, recount = _in_memory(10)
    values = some_rows(30)
    send(store, values, START)
    recount.logs[0].append(values, START, np.full(30, START))
    with pytest.raises(ValueError, match="broadcast"):
        send(store, np.zeros((5, 5)), START + 1.0)
    catch_up(store)
    recount.assert_agrees(store, START)
    send(store, values[:3], START)
    recount.logs[0].append(values[:3], START, np.full(3, START))
    catch_up(store)
    recount.assert_agrees(store, START)


# ---------------------------------------------------------------- time windows


def test_late_rows_are_counted_and_stay_in_the_sliding_windows() -> None:
    store, _ = _in_memory(50, clock="event")
    newest = 1_000.0 * HOUR  # a bucket of an hour's window, of 60 seconds, begins here
    oldest = newest - 59 * 60
    for second in (newest, oldest, math.nextafter(oldest, -math.inf), newest - 1e6, newest):
        send(store, some_rows(3), START, np.full(3, second))
        catch_up(store)
    held = store.snapshot(newest)
    assert counted_total(store, LATE.name) == 6.0
    assert [total.rows for total in held.totals] == [6, 6, 9]
    assert len(held.rows) == held.observed == 15


@pytest.mark.parametrize("at_once", [1, 7, 4_000])
def test_rows_in_order_are_never_late_however_far_apart(at_once: int) -> None:
    store, _ = _in_memory(50, clock="event")
    values, at = some_rows(4_000), START + 50.0 * np.arange(4_000.0)  # 72 rows an hour
    for begin in range(0, 4_000, at_once):
        send(store, values[begin : begin + at_once], START, at[begin : begin + at_once])
        if begin % 500 == 0:
            catch_up(store)
    catch_up(store)
    assert store.snapshot(at[-1]).totals[-1].rows in (71, 72)
    assert counted_total(store, LATE.name) == 0


def test_rows_too_old_for_a_shorter_window_only_are_not_late() -> None:
    store, _ = _in_memory(50, clock="event")
    send(store, some_rows(4), START, START - np.array([0.0, 60.0, 3_000.0, 20.0]))
    catch_up(store)
    assert counted_total(store, LATE.name) == 0
    assert [total.rows for total in store.snapshot(START).totals] == [1, 3, 4]


def test_without_time_windows_no_row_is_late() -> None:
    shape = small_shape(50, spans=())
    store, recount = Store.in_memory(shape), Recount(shape)
    for arrival in (START, START - 1e6):
        send(store, some_rows(3), arrival)
        recount.logs[0].append(some_rows(3), arrival, np.full(3, arrival))
        catch_up(store)
        recount.assert_agrees(store, START)
    assert counted_total(store, LATE.name) == 0


def test_time_windows_end_at_the_moment_of_the_snapshot() -> None:
    store, _ = _in_memory(50)
    send(store, some_rows(5), START)
    catch_up(store)
    for later, left in ((0.0, [5, 5, 5]), (60.0, [0, 5, 5]), (1_000.0, [0, 0, 5]), (1e5, [0, 0, 0]), (-50.0, [0] * 3)):
        assert [total.rows for total in store.snapshot(START + later).totals] == left


def test_buckets_of_a_clock_that_was_ahead_are_dropped_and_later_rows_are_counted() -> None:
    store, _ = _in_memory(100)
    ahead = START + 400 * 86_400.0
    send(store, some_rows(70), START)
    catch_up(store, START + 300.0)
    send(store, some_rows(30, 1), ahead)
    catch_up(store, ahead + 300.0)  # while the clock is ahead it is believed
    assert [total.rows for total in store.snapshot(ahead).totals] == [30, 30, 30]
    assert store.notes == []
    late = counted_total(store, LATE.name)
    for step in range(1, 4):
        send(store, some_rows(40, step), START + step)
        catch_up(store, START + step + 300.0)
        assert [total.rows for total in store.snapshot(START + step).totals] == [40 * step] * 3
    assert counted_total(store, LATE.name) == late
    (note,) = store.notes
    assert "clock" in note
    assert store.snapshot(START + 3.0).observed == store.root.progress.head.total[0].sum() == 220


@pytest.mark.parametrize("unread", [0, 20])
def test_after_an_hour_with_a_clock_that_was_ahead_rows_are_counted_in_their_own_time(unread: int) -> None:
    store, _ = _in_memory(100)
    for minute in range(1, 61):
        send(store, some_rows(10, minute), START + 60.0 * minute)
    catch_up(store)
    send(store, some_rows(unread + 1), START + 3_600.0)
    now = START + 3.0
    for step in range(3):
        send(store, some_rows(40, step), now + step)
        with store.evaluating():
            while (pending := store.pending(now + step + 300.0, now + step)) is not None:
                store.commit(pending)
        held = store.snapshot(now + step).totals
        assert [total.rows for total in held[:2]] == [unread + 1 + 40 * (step + 1)] * 2
    assert len([note for note in store.notes if "clock" in note]) == 1


def test_a_root_that_another_thread_reads_meanwhile_is_not_of_a_clock_that_was_ahead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, _ = _in_memory(100)
    send(store, some_rows(70), START)
    read = Checkpoint.read
    monkeypatch.setattr(Checkpoint, "read", lambda self: replace(read(self)))
    catch_up(store, START)
    assert store.notes == []


# ---------------------------------------------------------------- a log that is full


@pytest.mark.parametrize("window_rows", [1, 700])
def test_a_full_log_takes_no_more_rows_and_overwrites_none_that_is_needed(window_rows: int) -> None:
    store, recount = _in_memory(window_rows)
    unread, log = store.shape.unread_rows, recount.logs[0]
    values = some_rows(3 * unread)
    assert (store.room, store.is_half_full) == (unread, False)
    sent = 0
    for size in (unread // 2, unread // 2 - 1, 40, 40, 1):
        room = store.room
        took = store.append(values[sent : sent + size], *2 * [np.full(size, START + sent)])
        assert took == min(size, room)
        log.append(values[sent : sent + took], START + sent, np.full(took, START + sent))
        sent += took
        assert (store.room, store.is_half_full) == (unread - sent, sent >= unread // 2)
    assert (sent, store.room, store.rows) == (unread, 0, unread)
    for _ in range(2):
        assert store.append(values[:3], *2 * [np.full(3, START + sent)]) == 0
    catch_up(store)
    assert (store.room, store.is_half_full) == (unread, False)
    recount.assert_agrees(store, START + sent)
    took = store.append(values[unread:], *2 * [np.full(2 * unread, START + sent)])
    assert took == unread  # a batch that is larger than the log fills it
    log.append(values[unread : 2 * unread], START + sent, np.full(unread, START + sent))
    held = store.snapshot(START + sent)  # of the rows that were read: none of the newest window was overwritten
    assert held.observed == unread
    np.testing.assert_array_equal(held.rows.values, values[unread - window_rows : unread])
    catch_up(store)
    recount.assert_agrees(store, START + sent)
    assert_same_evidence(store.root.progress.evidence, recount.evidence())


@settings(deadline=None, max_examples=examples(30))
@given(st.lists(st.tuples(st.integers(1, 9_000), st.booleans()), min_size=1, max_size=12), st.integers(0, 99))
def test_no_unread_row_is_ever_overwritten(steps: list[tuple[int, bool]], seed: int) -> None:
    shape = shape_of(NUMBERED, 300, (LATE,), clock="event")
    store, sent, read = Store.in_memory(shape), 0, 0
    for size, look in [*steps, (1, True)]:
        times = np.arange(float(sent), float(sent + size))
        took = store.append(numbered(sent, sent + size), times, times)
        assert took == min(size, shape.unread_rows - (sent - read))
        sent += took
        held = store.snapshot(START)
        np.testing.assert_array_equal(held.rows.values, numbered(max(0, read - 300), read))
        if look:
            catch_up(store)
            read = sent
            held = store.snapshot(START)
            np.testing.assert_array_equal(held.rows.values, numbered(max(0, sent - 300), sent))
            np.testing.assert_array_equal(
                store.root.progress.head.total, shape.binner.counts(shape.binner.codes(numbered(0, sent)))
            )
    assert counted_total(store, LATE.name) == 0


def test_a_round_is_bounded_and_rounds_make_a_catch_up() -> None:
    store, recount = _in_memory(100)
    values = some_rows(store.shape.unread_rows)
    send(store, values, START)
    recount.logs[0].append(values, START, np.full(len(values), START))
    assert catch_up(store) == -(-len(values) // 4_096)
    recount.assert_agrees(store, START)


# ---------------------------------------------------------------- evidence

partitions = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 120), st.sampled_from([4_095, 4_096, 4_097]), st.integers(3_000, 9_000)),
        st.sampled_from([0.0, 1.0, 1_800.0, 20_000.0]),
        st.booleans(),
    ),
    max_size=7,
)


@settings(deadline=None, max_examples=examples(60))
@given(partitions, clocks, st.booleans(), st.integers(0, 1_000))
def test_evidence_is_that_of_whole_blocks_whenever_catch_ups_happen(
    steps: list[tuple[int, float, bool]], clock: str, by_hour: bool, seed: int
) -> None:
    baseline = timed_baseline() if by_hour else small_baseline()
    shape = shape_of(baseline, 500, clock=clock)
    one, other = Store.in_memory(shape), Store.in_memory(shape)
    generator = np.random.default_rng(seed)
    values, at, now = np.empty((0, shape.binner.columns)), np.empty(0), START
    for step, (size, jump, look) in enumerate([*steps, (1, 0.0, True)]):
        now += jump
        rows = _walk(generator, size) if by_hour else some_rows(size, seed + step, age=42.0)
        times = np.linspace(now - jump, now, size) if clock == "event" else np.full(size, now)
        values, at = np.concatenate([values, rows]), np.concatenate([at, times])
        for store in (one, other):
            send_all(store, rows, now, times)
        if look:
            catch_up(one)
            assert_same_evidence(one.root.progress.evidence, straight(shape.detector, shape.binner, values, at))
    catch_up(other)
    assert_same_evidence(other.root.progress.evidence, one.root.progress.evidence)
    np.testing.assert_array_equal(one.root.progress.head.total, shape.binner.counts(shape.binner.codes(values)))


def _walk(generator: np.random.Generator, size: int) -> FloatArray:
    """Return rows for the baseline that is by hour."""
    return np.column_stack([generator.normal(0.3, 1.2, (size, 2)), generator.integers(0, 3, size)])


@pytest.mark.parametrize("at_once", [1, 7, 400, 3_000])
def test_by_hour_every_row_is_weighed_however_often_hours_turn(at_once: int) -> None:
    """Rows of two sources an hour apart: each of them ends a block."""
    shape = shape_of(timed_baseline(), 500, clock="event")
    store, values = Store.in_memory(shape), _walk(np.random.default_rng(5), 3_000)
    at = START + np.arange(3_000.0) + np.tile([0.0, HOUR], 1_500)
    for first in range(0, 3_000, at_once):
        send(store, values[first : first + at_once], START, at[first : first + at_once])
        if at_once > 1 or first % 100 == 0:
            catch_up(store)
    catch_up(store)
    expected = straight(shape.detector, shape.binner, values, at)
    assert expected.values[0] > 10.0
    assert_same_evidence(store.root.progress.evidence, expected)


def test_looking_again_weighs_nothing() -> None:
    store, _ = _in_memory()
    send(store, some_rows(520, age=43.0), START)
    catch_up(store)
    before = store.root.progress.evidence
    assert before.wealth.any()
    for _ in range(3):
        assert catch_up(store) == 0
        assert_same_evidence(store.root.progress.evidence, before)
    send(store, some_rows(STEP - 20 - 1), START)  # not a whole block with the 20 that wait
    catch_up(store)
    assert_same_evidence(store.root.progress.evidence, before)
    send(store, some_rows(1), START)
    catch_up(store)
    assert (store.root.progress.evidence.wealth != before.wealth).any()


def test_evidence_of_a_column_that_is_not_watched_stays_unknown() -> None:
    store, _ = _in_memory(baseline=in_sample_baseline())
    for _ in range(2):
        assert np.isnan(store.root.progress.evidence.values).tolist() == [False, False, False, True]
        send(store, some_rows(100), START)
        catch_up(store)


def test_evidence_is_read_only() -> None:
    with stores(2, small_shape(100)) as (one, other):
        send(one, some_rows(200), START)
        catch_up(one)
        found = other.root.progress.evidence
        for array in (found.wealth, found.values, found.raised, found.since, found.cleared):
            with pytest.raises(ValueError, match="read-only"):
                array[:] = 1


def test_latches_come_back_as_they_were_kept() -> None:
    with stores(2, small_shape(100)) as (one, other):
        latched = np.random.default_rng(2).random((2, 4)) < 0.5
        with one.evaluating():
            one.keep(Latches(latched, 12_500, START + 0.125), START + 3.0)
        for store in (one, other):
            found = store.root.latches
            np.testing.assert_array_equal(found.latched, latched)
            assert (found.rows, found.clock, store.root.evaluated_at) == (12_500, START + 0.125, START + 3.0)
        send(one, some_rows(120), START)
        with other.evaluating():
            while (pending := other.pending(math.inf, math.inf)) is not None:
                other.commit(pending, Latches(~latched, 120, START))
        assert other.root.latches.rows == one.root.latches.rows == 120
        np.testing.assert_array_equal(one.root.latches.latched, ~latched)
        assert one.root.evaluated_at == START + 3.0


# ---------------------------------------------------------------- one moment


@pytest.mark.parametrize("rows", [1, 100, 7_000])
def test_a_snapshot_is_of_one_moment(rows: int) -> None:
    shape = shape_of(NUMBERED, 300, (LATE,), clock="event")
    store = Store.in_memory(shape)
    send(store, numbered(0, 250), START, np.arange(250.0))
    catch_up(store)
    send(store, numbered(250, 250 + rows), START, np.arange(250.0, 250.0 + rows))  # no catch-up has read them
    held = store.snapshot(249.0)
    assert held.observed == len(held.rows) == held.totals[-1].rows == 250
    assert held.latest_at == held.rows.at[-1] == 249.0
    np.testing.assert_array_equal(held.totals[-1].counts, shape.binner.counts(held.rows.codes))
    (*_, window) = time_windows(held.totals, held.rows, held.latest_at)
    assert window.sample is not None
    np.testing.assert_array_equal(window.sample.values, held.rows.values)


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Let threads take turns a hundred times as often."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(5e-5)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("hasty_threads")
@pytest.mark.parametrize("window_rows", [20, 4_000])
@pytest.mark.parametrize("in_files", [False, True])
def test_readers_beside_a_writer_see_complete_rows_only(window_rows: int, in_files: bool, tmp_path: Path) -> None:
    shape = shape_of(NUMBERED, window_rows, (LATE,), clock="event")
    writer = Store.open(Slots(tmp_path, KEY, shape)) if in_files else Store.in_memory(shape)
    reader = Store.open(Slots(tmp_path, KEY, shape)) if in_files else writer
    total, batches = 400_000, itertools.cycle([1, 3, 4_096, 40, 12_000, 700, 1, 5_000])
    written, reads = threading.Event(), 0
    failures: list[BaseException] = []

    def write() -> None:
        try:
            begin = 0
            while begin < total and not failures:
                size = next(batches)
                times = np.arange(float(begin), float(begin + size))
                begin += writer.append(numbered(begin, begin + size), times, times)
                writer.publish()
        except BaseException as failure:
            failures.append(failure)
        finally:
            written.set()

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    last = 0
    while True:
        ended, at_least = written.is_set(), reader.rows
        catch_up(reader)
        with reader.evaluating():
            held = reader.snapshot(reader.root.progress.head.total[0].sum() - 1.0)
            bins = reader.root.progress.head.total
        assert held.observed >= max(at_least, last)
        _assert_numbered(held, shape)
        np.testing.assert_array_equal(bins, shape.binner.counts(shape.binner.codes(numbered(0, held.observed))))
        last, reads = held.observed, reads + 1
        if ended:
            break
    thread.join(timeout=60.0)
    assert not failures, failures
    assert last == writer.rows >= total
    assert reads > 1
    expected = straight(shape.detector, shape.binner, numbered(0, last), np.arange(float(last)))
    assert_same_evidence(reader.root.progress.evidence, expected)


def _assert_numbered(held: StateSnapshot, shape: StateShape) -> None:
    """Assert that a snapshot is consecutive, ends with the last row observed, and that the hour agrees.

    A row's number is its time.
    """
    observed, rows = held.observed, min(held.observed, shape.window_rows)
    expected = numbered(observed - rows, observed)
    np.testing.assert_array_equal(held.rows.values, expected)
    np.testing.assert_array_equal(held.rows.codes, shape.binner.codes(expected))
    np.testing.assert_array_equal(held.rows.at, expected[:, 1])
    hour = held.totals[-1]
    inside = numbered(max(0, int(hour.start)), observed)
    assert hour.rows == len(inside)
    np.testing.assert_array_equal(hour.counts, shape.binner.counts(shape.binner.codes(inside)))


# ---------------------------------------------------------------- several logs

batches = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.one_of(st.integers(1, 30), st.sampled_from([49, 50, 51, 400, 4_096, 6_000])),
        st.sampled_from([0.0, 0.25, 1.0, 7.0, 100.0, 4_000.0]),
        st.none() | st.integers(0, 2),
    ),
    max_size=10,
)


@unhurried
@given(batches, st.sampled_from([1, 40, 700]), st.integers(0, 1_000))
def test_every_worker_tells_what_all_have_sent(
    steps: list[tuple[int, int, float, int | None]], window_rows: int, seed: int
) -> None:
    shape = small_shape(window_rows)
    recount, now = Recount(shape, 3), START
    with stores(3, shape) as workers:
        for step, (whose, size, jump, who) in enumerate([*steps, (0, 1, 0.0, 2)]):
            now += jump
            values = some_rows(size, seed + step)
            send_all(workers[whose], values, now, np.full(size, now))
            recount.logs[whose].append(values, now, np.full(size, now))
            with workers[whose].counting() as counters:
                counters.add(COUNTED.name, size, "a")
            workers[whose].publish()
            if who is not None:
                catch_up(workers[who])
                for worker in workers:
                    with worker.evaluating():
                        recount.assert_agrees(worker, now)
                        recount.assert_agrees(worker, now + 5.0)
                    assert worker.rows == recount.rows
                    assert counted_total(worker, COUNTED.name) == recount.rows
                    assert_same_evidence(worker.root.progress.evidence, workers[0].root.progress.evidence)
                    assert [slot.number for slot in worker.counted()][:3] == [0, 1, 2]
                    assert worker.workers == 3


@unhurried
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 60), backward_jumps, st.booleans()), min_size=1, max_size=10)
)
def test_if_clocks_go_back_a_window_still_holds_the_newest_rows_of_each_log(
    steps: list[tuple[int, int, float, bool]],
) -> None:
    shape, now, sent = shape_of(NUMBERED, 70, (LATE,)), START, [0, 0, 0]
    with stores(3, shape) as workers:
        for whose, size, jump, look in [*steps, (0, 1, 0.0, True)]:
            now += jump
            first = 1_000_000 * whose + sent[whose]
            send(workers[whose], numbered(first, first + size), now)
            sent[whose] += size
            if look:
                catch_up(workers[whose])
                found = [worker.snapshot(now).rows.values[:, 1].astype(np.int64) for worker in workers]
                np.testing.assert_array_equal(found[0], found[1])
                np.testing.assert_array_equal(found[0], found[2])
                assert len(found[0]) == min(70, sum(sent))
                for log in range(3):  # the newest ones, in their own order
                    own = found[0][found[0] // 1_000_000 == log] % 1_000_000
                    np.testing.assert_array_equal(own, np.arange(sent[log] - len(own), sent[log]))


def test_rows_of_several_logs_are_weighed_in_the_order_of_their_arrival() -> None:
    shape = small_shape(700)
    values, at = some_rows(3_000, age=43.0), START + np.arange(3_000.0)
    with stores(3, shape) as workers:
        for row in range(0, 3_000, 10):
            own = slice(row, row + 10)
            send(workers[row // 10 % 3], values[own], at[own], at[own])
        catch_up(workers[1])
        expected = straight(shape.detector, shape.binner, values, at)
        for worker in workers:
            assert_same_evidence(worker.root.progress.evidence, expected)
            np.testing.assert_array_equal(worker.snapshot(at[-1]).rows.values, values[-700:])


def test_rows_that_come_at_the_same_moment_are_in_one_order_for_all() -> None:
    with stores(2, small_shape(40)) as workers:
        for number, worker in enumerate(workers):
            send(worker, some_rows(30, number), START)
        catch_up(workers[1])
        one, other = (worker.snapshot(START).rows.values for worker in workers)
        np.testing.assert_array_equal(one, other)


def test_a_store_in_memory_is_as_good_as_one_in_files() -> None:
    shape = small_shape(700)
    in_memory = Store.in_memory(shape)
    values, at = some_rows(5_000, age=43.0), START + np.arange(5_000.0) / 10.0
    with stores(1, shape) as (in_files,):
        for store in (in_memory, in_files):
            send(store, values, at, at)
            catch_up(store)
        one, other = (store.snapshot(START + 500.0) for store in (in_memory, in_files))
        for name in ("values", "codes", "at"):
            np.testing.assert_array_equal(getattr(one.rows, name), getattr(other.rows, name))
        assert_same_evidence(in_memory.root.progress.evidence, in_files.root.progress.evidence)
        np.testing.assert_array_equal(in_memory.root.progress.head.total, in_files.root.progress.head.total)
        assert (in_memory.is_persistent, in_files.is_persistent) == (False, True)


def test_codes_that_are_kept_are_those_of_the_rows() -> None:
    shape = small_shape(700)
    with stores(2, shape) as (one, other):
        recount, workers = Recount(shape, 2), [one, other]
        for step in range(12):
            values = some_rows(200 + 31 * step, step)
            send(workers[step % 2], values, START + step)
            recount.logs[step % 2].append(values, START + step, np.full(len(values), START + step))
            catch_up(one)
            recount.assert_agrees(one, START + step)  # which keeps codes from one snapshot to the next
        recount.assert_agrees(other, START + 11.0)  # which has read nothing before
        with other.evaluating():
            other.keep(other.root.latches, START)
        recount.assert_agrees(one, START + 11.0)


# ---------------------------------------------------------------- one evaluation at a time


def test_one_evaluation_waits_for_another_and_gives_up_in_the_end() -> None:
    with stores(2, small_shape(10)) as (one, other):
        with one.evaluating(), pytest.raises(LockTimeout, match="another process"), other.evaluating(0.01):
            pass
        with other.evaluating():
            pass


def test_an_evaluation_that_waited_while_the_worker_left_leaves_everything_as_it_is(tmp_path: Path) -> None:
    store = Store.open(Slots(tmp_path, KEY, small_shape(10)))
    store.leave()
    with pytest.raises(LockTimeout, match="has stopped"), store.evaluating():
        pass
    with pytest.raises(RuntimeError, match="closed"):
        send(store, some_rows(1), START)


# ---------------------------------------------------------------- counters


def test_counters_are_known_to_others_once_they_are_published() -> None:
    with stores(2, small_shape(10)) as (one, other):
        with one.counting() as counters:
            counters.add(COUNTED.name, 5, "b")
            counters.observe(TIMED.name, [0.4], "a")
        assert counted_total(other, COUNTED.name) == 0
        one.process[:] = 3.0
        one.publish()
        found = {slot.number: slot for slot in other.counted()}
        assert found[0].counted[COUNTED.name].tolist() == [[0.0], [5.0]]
        assert (found[0].is_running, found[1].is_running) == (True, True)
        assert (found[0].counted["process"] == 3.0).all()
        assert found[1].counted[COUNTED.name].sum() == 0
        assert_same_counters(sum_totals(other.counted()), sum_totals(one.counted()))


def test_what_a_worker_counts_while_it_reads_the_others_is_not_told_before_it_is_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with stores(2, small_shape(10)) as (one, other):
        count(one, 1)
        read_others = one._others

        def counting() -> Any:
            count(one, 2)  # as a thread that answers a request does
            return read_others()

        monkeypatch.setattr(one, "_others", counting)
        assert sum_totals(one.counted())[COUNTED.name].tolist() == [[0.0], [1.0]]
        assert counted_total(other, COUNTED.name) == 1  # that of a successor too, should this worker be killed
        one.publish()
        assert counted_total(other, COUNTED.name) == 3


def count(store: Store, times: int) -> None:
    with store.counting() as counters:
        counters.add(COUNTED.name, times, "b")


def test_counters_of_this_worker_are_known_without_reading_files() -> None:
    with stores(2, small_shape(10)) as (one, other):
        with other.counting() as counters:
            counters.add(COUNTED.name, 2, "a")
        other.publish()
        assert counted_total(one, COUNTED.name) == 2
        with one.counting() as counters:
            counters.add(COUNTED.name, 5, "b")
        with other.counting() as counters:
            counters.add(COUNTED.name, 40, "a")
        other.publish()
        known = sum_totals(one.own_and_known())
        assert known[COUNTED.name].tolist() == [[2.0], [5.0]]


# ---------------------------------------------------------------- restarts

lives = st.lists(
    st.tuples(sizes, jumps, spreads, st.sampled_from(["nothing", "read", "killed", "read and killed", "killed twice"])),
    max_size=6,
)


@settings(deadline=None, max_examples=examples(30))
@given(lives, clocks)
def test_a_worker_that_replaces_a_killed_one_continues_as_if_nothing_had_happened(
    steps: list[tuple[int, float, float, str]], clock: str
) -> None:
    with TemporaryDirectory() as folder:
        _live_and_die(Path(folder), steps, small_shape(50, clock=clock))


def _live_and_die(folder: Path, steps: list[tuple[int, float, float, str]], shape: StateShape) -> None:
    killable, whole = Killable(folder, shape), Store.in_memory(shape)
    recount, now, clock = Recount(shape), START, shape.clock
    for step, (size, jump, spread, what) in enumerate([*steps, (3, 0.0, 0.0, "killed twice")]):
        now += jump
        values, at = some_rows(size, step), _times(size, now, spread if clock == "event" else 0.0, step)
        recount.logs[0].append(values, now, at)
        for store in (killable.store, whole):
            send_all(store, values, now, at)
            with store.counting() as counters:
                counters.add(COUNTED.name, size, "b")
                counters.observe(TIMED.name, at - now, "a")
            store.publish()
        if "read" in what:
            catch_up(killable.store)
            recount.assert_agrees(killable.store, now)
        for _ in range(2 if "twice" in what else int("killed" in what)):
            assert killable.kill().uncounted == 0
            assert killable.store.recoveries == []
            assert killable.store.latest_at == recount.latest
        assert killable.store.rows == recount.rows
    for store in (killable.store, whole):
        catch_up(store)
        recount.assert_agrees(store, now)
        assert_same_evidence(store.root.progress.evidence, recount.evidence())
    for name in (COUNTED.name, TIMED.name, LATE.name):
        assert counted_total(killable.store, name) == pytest.approx(counted_total(whole, name))


def test_rows_that_were_appended_and_not_counted_are_known(tmp_path: Path) -> None:
    killable = Killable(tmp_path, small_shape(50))
    send(killable.store, some_rows(30), START)
    killable.store.publish()
    send(killable.store, some_rows(7), START)
    with killable.store.counting() as counters:
        counters.add(COUNTED.name, 7, "b")  # never published
    assert killable.kill().uncounted == 7
    assert killable.store.counters.copy()[COUNTED.name].sum() == 0
    assert killable.store.rows == 37
    killable.store.publish()
    assert killable.kill().uncounted == 0


def _each_point(path: Path, clock: str, look: Callable[[str, Store, Recount, int], None]) -> set[str]:
    """Let a worker live; at each failpoint `look` gets a successor on a copy of its files.

    Also the recount of all rows sent, and how many of them were surely appended. Returns the failpoints.
    """
    shape = small_shape(50, clock=clock)
    killable, recount, surely = Killable(path / "life", shape), Recount(shape), 0
    passed: list[str] = []

    def failpoint(point: str) -> None:
        passed.append(point)
        copy = Path(shutil.copytree(killable.folder, path / str(len(passed))))
        successor = Store.open(Slots(copy, KEY, shape))
        look(point, successor, recount, surely)
        successor.leave()
        shutil.rmtree(copy)

    store = killable.kill(failpoint)
    for step, size in enumerate([1, 700, 40, 4_300, 3, 60]):
        now = START + 47.0 * step
        values, at = some_rows(size, step), _times(size, now, 20.0 if clock == "event" else 0.0, step)
        recount.logs[0].append(values, now, at)
        send(store, values, now, at)
        surely = recount.rows
        with store.counting() as counters:
            counters.add(COUNTED.name, size, "b")
        store.publish()
        if step % 2:
            catch_up(store)
    return {*passed}


@pytest.mark.parametrize("clock", ["arrival", pytest.param("event", marks=pytest.mark.long)])
def test_wherever_a_worker_is_killed_its_successor_has_each_row_once(clock: str, tmp_path: Path) -> None:
    def look(point: str, successor: Store, sent: Recount, surely: int) -> None:
        rows, counted = successor.rows, int(counted_total(successor, COUNTED.name))
        assert surely <= rows <= sent.rows, point
        assert successor.uncounted == rows - counted, point
        assert successor.recoveries == [], point
        log, recount = sent.logs[0], Recount(successor.shape)
        recount.logs[0].append(log.values[:rows], log.arrival[:rows], log.at[:rows])
        for more in (0, 120):
            now = float(log.arrival.max()) + more
            values, at = some_rows(more, 77), np.full(more, now)
            send(successor, values, now, at)
            recount.logs[0].append(values, now, at)
            catch_up(successor)
            recount.assert_agrees(successor, now)
            assert_same_evidence(successor.root.progress.evidence, recount.evidence())

    assert _each_point(tmp_path, clock, look) == {
        point for point in FAILPOINTS if not point.startswith(("fold.", "history."))
    }


@pytest.mark.parametrize("count", [1, 2])
def test_wherever_a_fold_is_stopped_each_row_counts_once(count: int, tmp_path: Path) -> None:
    shape = small_shape(100)
    passed: list[str] = []
    is_folding = False

    def failpoint(point: str) -> None:
        if is_folding:
            passed.append(point)
            copy = Path(shutil.copytree(tmp_path / "life", tmp_path / str(len(passed))))
            successors = [Store.open(Slots(copy, KEY, shape)) for _ in range(count)]
            for successor in (*successors, *successors):
                catch_up(successor)
                assert successor.rows == successor.snapshot(START).observed == 130, point
                assert counted_total(successor, COUNTED.name) == 130, point
                assert successor.root.progress.head.total[0].sum() == 130, point
                assert successor.notes == [], point
                with successor.evaluating():
                    successor.fold(math.inf)

    one = Store.open(Slots(tmp_path / "life", KEY, shape, failpoint=failpoint))
    other = Store.open(Slots(tmp_path / "life", KEY, shape))
    for worker, size in ((one, 80), (other, 50)):
        send(worker, some_rows(size), START)
        with worker.counting() as counters:
            counters.add(COUNTED.name, size, "a")
        worker.publish()
    other.leave()
    catch_up(one)
    is_folding = True
    with one.evaluating():
        one.fold(math.inf)
    root = ["checkpoint.copied", "checkpoint.checked", "checkpoint.published"]
    assert passed == [*root, "fold.committed", "fold.deleted"]


@pytest.mark.parametrize("point", ["catch_up.binned", "checkpoint.page", "checkpoint.copied", "checkpoint.checked"])
@pytest.mark.parametrize("how", ["killed", "failed"])
@pytest.mark.parametrize("late", [False, True])
def test_rows_of_a_catch_up_that_was_never_finished_count_once(
    point: str, how: str, late: bool, tmp_path: Path
) -> None:
    fails = False

    def failpoint(passed: str) -> None:
        if fails and passed == point:
            raise MemoryError

    shape = small_shape(100, clock="event")
    killable, recount = Killable(tmp_path, shape), Recount(shape)
    store = killable.kill(failpoint)
    for step in range(4):
        at = np.full(70, START + 5.0 * step)
        if late and step == 3:
            at[:60] -= 10_000.0
        recount.logs[0].append(some_rows(70, step), START, at)
        send(store, some_rows(70, step), START, at)
        if step < 3:
            catch_up(store)
    before, fails = store.root.progress.evidence, True
    for _ in range(2):
        with pytest.raises(MemoryError):
            catch_up(store)
        assert_same_evidence(store.root.progress.evidence, before)
        assert store.root.progress.head.total[0].sum() == store.snapshot(START).observed == 210
    fails = False
    if how == "killed":
        store = killable.kill()
    catch_up(store)
    recount.assert_agrees(store, START)
    assert_same_evidence(store.root.progress.evidence, recount.evidence())
    assert counted_total(store, LATE.name) == (60 if late else 0)


def test_a_damaged_checkpoint_is_restored_and_each_row_counts_once(tmp_path: Path) -> None:
    shape = small_shape(100)
    store, recount = Store.open(Slots(tmp_path, KEY, shape)), Recount(shape)
    for step in range(5):
        values = some_rows(170, step, age=43.0)
        send(store, values, START + step)
        recount.logs[0].append(values, START + step, np.full(170, START + step))
        if step != 3:
            catch_up(store)
        if step in (1, 3):
            _overwrite(tmp_path / "checkpoint.state", sequence=True)
    (note,) = store.notes  # of both times
    assert "checkpoint" in note
    recount.assert_agrees(store, START + 4)
    assert_same_evidence(store.root.progress.evidence, recount.evidence())
    assert store.lost is None or not store.lost


def _overwrite(path: Path, *, sequence: bool) -> None:
    """Overwrite a checkpoint's root, or only its sequence number, in place."""
    with path.open("r+b") as file:
        file.seek(4_096)
        file.write(b"\x07" * (64 if sequence else path.stat().st_size - 4_096))


@pytest.mark.parametrize("rounds", [1, 3])
def test_of_a_checkpoint_that_is_restored_as_it_was_long_ago_each_row_counts_once_or_is_counted_as_dropped(
    rounds: int, tmp_path: Path
) -> None:
    shape = small_shape(100, (*SERIES, DROPPED))
    one, other = (Store.open(Slots(tmp_path, KEY, shape)) for _ in range(2))
    recount = Recount(shape)
    for step in range(rounds + 1):
        values = some_rows(shape.unread_rows - 7 if step else 70, step)
        send(one, values, START + step)
        recount.logs[0].append(values, START + step, np.full(len(values), START + step))
        catch_up(one)
        if step == 0:
            assert other.root.progress.head.total[0].sum() == 70  # the root that it reads last
    _overwrite(tmp_path / "checkpoint.state", sequence=False)
    for worker in (other, one):
        catch_up(worker)
        held = worker.snapshot(START + rounds)
        assert held.observed == recount.rows
        np.testing.assert_array_equal(held.rows.values, recount.values[-100:])
        whole = recount.values[recount.rows - shape.capacity :] if rounds > 1 else recount.values[70:]
        expected = np.concatenate([recount.values[:70], whole])
        np.testing.assert_array_equal(
            worker.root.progress.head.total, shape.binner.counts(shape.binner.codes(expected))
        )
        assert counted_total(worker, DROPPED.name) == recount.rows - len(expected)
    assert any("restored as it was read last" in note for note in other.notes)


def test_if_the_checkpoint_was_damaged_before_the_start_the_rows_of_the_largest_window_are_observed_again(
    tmp_path: Path,
) -> None:
    shape = small_shape(100)
    store = Store.open(Slots(tmp_path, KEY, shape))
    values = some_rows(700, age=43.0)
    send(store, values, START)
    with store.counting() as counters:
        counters.add(COUNTED.name, 700, "a")
    catch_up(store)
    store.leave()
    _overwrite(tmp_path / "checkpoint.state", sequence=False)
    again = Store.open(Slots(tmp_path, KEY, shape))
    catch_up(again)
    held = again.snapshot(START)
    np.testing.assert_array_equal(held.rows.values, values[-100:])
    newest = values[-100:]
    np.testing.assert_array_equal(again.root.progress.head.total, shape.binner.counts(shape.binner.codes(newest)))
    assert [total.rows for total in held.totals] == [100, 100, 100]
    assert (held.observed, again.rows, counted_total(again, COUNTED.name)) == (700, 700, 700)
    assert len(again.notes) == 1
    assert_same_evidence(
        again.root.progress.evidence, straight(shape.detector, shape.binner, newest, np.full(100, START))
    )


@pytest.mark.parametrize("in_files", [False, True])
def test_a_full_log_whose_rows_are_all_damaged_is_read_to_its_end(in_files: bool, tmp_path: Path) -> None:
    shape = small_shape(100, (*SERIES, DROPPED))
    store = Store.open(Slots(tmp_path, KEY, shape)) if in_files else Store.in_memory(shape)
    for step in range(3):
        assert store.room == shape.unread_rows
        send(store, some_rows(shape.unread_rows, step), START + step)
        if step == 1:
            store._log.reader.records[:] = 0
        catch_up(store)
    assert store.rows == store.snapshot(START + 2).observed == 3 * shape.unread_rows
    assert counted_total(store, DROPPED.name) == shape.unread_rows
    np.testing.assert_array_equal(store.snapshot(START + 2).rows.values, some_rows(shape.unread_rows, 2)[-100:])
    assert store.notes


@pytest.mark.parametrize("deleted", ["folder", "0.log", "1.log", "checkpoint.state", "nothing"])
def test_workers_whose_files_are_deleted_count_their_rows_once(deleted: str, tmp_path: Path) -> None:
    folder, shape = tmp_path / "1", small_shape(700)
    workers = [Store.open(Slots(folder, KEY, shape)) for _ in range(2)]
    for seed, worker in enumerate(workers):
        send(worker, some_rows(500, seed), START)
        with worker.counting() as counters:
            counters.add(COUNTED.name, 500, "a")
        worker.publish()
        catch_up(worker)
    assert [counted_total(worker, COUNTED.name) for worker in workers] == [1_000, 1_000]
    if deleted == "folder":
        shutil.rmtree(folder)
    elif deleted != "nothing":
        (folder / deleted).unlink()
    for step in range(3):
        for worker in workers:
            catch_up(worker)
            assert counted_total(worker, COUNTED.name) >= 1_000
            send(worker, some_rows(STEP, 7 + step), START + 3.0)
            catch_up(worker)
    in_memory = {"folder": {0, 1}, "checkpoint.state": {0, 1}, "0.log": {0}, "1.log": {1}, "nothing": set()}[deleted]
    for number, worker in enumerate(workers):
        assert worker.is_persistent is (number not in in_memory)
        assert bool(worker.lost) is (number in in_memory)
        assert worker.root.progress.evidence.wealth.any()
    if deleted == "nothing":
        assert workers[0].rows == 1_300


def test_unread_rows_of_a_log_that_is_lost_are_counted_as_dropped(tmp_path: Path) -> None:
    store = Store.open(Slots(tmp_path, KEY, small_shape(700, (*SERIES, DROPPED))))
    send(store, some_rows(500), START)
    catch_up(store)
    send(store, some_rows(30, 1), START)
    (tmp_path / "0.log").unlink()
    assert not store.is_persistent
    send(store, some_rows(20, 2), START)
    catch_up(store)
    assert store.rows == store.snapshot(START).observed == 550
    assert counted_total(store, DROPPED.name) == 30
    assert store.root.progress.head.rows == 520


def test_threads_that_find_the_files_lost_at_once_leave_them_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(Slots(tmp_path, KEY, small_shape(700)))
    shared = store._checkpoint
    (tmp_path / "checkpoint.state").unlink()
    without_pages, left = Checkpoint.without_pages, []
    other = threading.Thread(target=lambda: left.append(store.is_persistent))

    def interrupted(checkpoint: Checkpoint) -> Checkpoint:
        if other.ident is None:
            other.start()
            other.join(0.2)
        left.append(store._checkpoint is shared)
        return without_pages(checkpoint)

    monkeypatch.setattr(Checkpoint, "without_pages", interrupted)
    assert not store.is_persistent
    other.join()
    assert left == [True, False]


# ---------------------------------------------------------------- workers that come and go

comings = st.lists(
    st.tuples(
        st.sampled_from(["send", "send", "send", "catch up", "leave", "come", "fold"]),
        st.integers(0, 2),
        st.sampled_from([1, 30, 51, 400, 4_097]),
    ),
    min_size=3,
    max_size=20,
)


class _Crew:
    """Workers of one folder that come and go, and a recount of their rows."""

    def __init__(self, folder: Path, shape: StateShape) -> None:
        self.folder, self.shape = folder, shape
        self.workers: dict[int, Store] = {}
        self.recount = Recount(shape, 0)
        self.logs: dict[int, Sent] = {}
        """The logs that are not folded, by slot."""
        self.now = START
        self.come()

    def come(self) -> None:
        """Start a worker, in the first free slot."""
        if len(self.workers) < 3:
            worker = Store.open(Slots(self.folder, KEY, self.shape))
            assert worker.number == min(set(range(4)) - self.workers.keys())
            assert worker.recoveries == []
            self.workers[worker.number] = worker
            if worker.number not in self.logs:
                self.logs[worker.number] = Sent(np.empty((0, self.shape.binner.columns)))
                self.recount.logs.append(self.logs[worker.number])

    def send(self, number: int, size: int) -> None:
        """Append rows, count them and publish."""
        worker, values = self.workers[number], some_rows(size, self.recount.rows)
        self.now += 1.0
        send_all(worker, values, self.now, np.full(size, self.now))
        with worker.counting() as counters:
            counters.add(COUNTED.name, size, "a")
        worker.publish()
        self.logs[number].append(values, self.now, np.full(size, self.now))

    def leave(self, number: int) -> None:
        """End a worker in good order, unless it is the last one."""
        if len(self.workers) > 1:
            self.workers.pop(number).leave()

    def fold(self, number: int) -> None:
        """Let a worker fold all logs that no worker holds."""
        catch_up(self.workers[number])
        with self.workers[number].evaluating():
            self.workers[number].fold(math.inf)
        for gone in [slot for slot, log in self.logs.items() if slot not in self.workers and len(log.at)]:
            del self.logs[gone]
            assert not (self.folder / f"{gone}.log").exists()

    def check(self) -> None:
        """Assert that all workers agree with the recount."""
        catch_up(next(iter(self.workers.values())))
        windows = Recount(self.shape, 0)
        windows.logs = [log for _, log in sorted(self.logs.items())]
        for worker in self.workers.values():
            with worker.evaluating():
                held = worker.snapshot(self.now)
            newest = windows.newest(self.shape.window_rows) if windows.logs else np.empty(0, np.int64)
            np.testing.assert_array_equal(held.rows.values, windows.values[newest])
            assert worker.rows == held.observed == self.recount.rows
            np.testing.assert_array_equal(worker.root.progress.head.total, self.recount.counts())
            for total in held.totals:
                self.recount.assert_total(total, self.now)
            assert counted_total(worker, COUNTED.name) == self.recount.rows
            assert worker.workers == len(self.workers)
            assert worker.notes == []


@unhurried
@given(comings)
def test_each_row_counts_once_whichever_workers_come_go_and_are_folded(steps: list[tuple[str, int, int]]) -> None:
    with TemporaryDirectory() as folder:
        crew = _Crew(Path(folder), small_shape(150))
        for what, who, size in steps:
            number = sorted(crew.workers)[who % len(crew.workers)]
            if what == "send":
                crew.send(number, size)
            elif what == "catch up":
                catch_up(crew.workers[number])
            elif what == "leave":
                crew.leave(number)
            elif what == "come":
                crew.come()
            else:
                crew.fold(number)
            crew.check()
        for worker in crew.workers.values():
            worker.leave()


def test_a_log_is_folded_only_once_it_is_left_read_to_its_end_and_old(tmp_path: Path) -> None:
    shape = small_shape(100)
    one, other = (Store.open(Slots(tmp_path, KEY, shape)) for _ in range(2))
    file = tmp_path / "1.log"

    def folds(oldest: float) -> bool:
        with one.evaluating():
            one.fold(oldest)
        return not file.exists()

    send(other, some_rows(30), START)
    catch_up(one)
    assert not folds(math.inf)  # a worker holds it
    send(other, some_rows(5), START + 1.0)
    other.leave()
    assert not folds(math.inf)  # rows are unread
    catch_up(one)
    assert not folds(START + 1.0)  # the newest row is not older
    before = one.snapshot(START + 1.0)
    assert folds(math.nextafter(START + 1.0, math.inf))
    after = one.snapshot(START + 1.0)
    assert (len(before.rows), len(after.rows), after.observed, one.rows) == (35, 0, 35, 35)
    assert [total.rows for total in after.totals] == [35, 35, 35]
    assert_same_evidence(after.evidence, before.evidence)


# ---------------------------------------------------------------- bounds


def test_nothing_grows_with_rows(tmp_path: Path) -> None:
    shape = small_shape(100)
    store = Store.open(Slots(tmp_path, KEY, shape))
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    held = []
    for step in range(6):
        send_all(store, some_rows(20_000, step), START + 60.0 * step, np.full(20_000, START + 60.0 * step))
        catch_up(store)
        snapshot = store.snapshot(START + 60.0 * step)
        held.append((len(snapshot.rows), snapshot.rows.values.nbytes))
    assert {path.name: path.stat().st_size for path in tmp_path.iterdir()} == sizes
    assert len({*held}) == 1
    assert sizes["0.log"] == 4_096 + shape.log.size_bytes
    assert sizes["checkpoint.state"] == 4_096 + shape.checkpoint.size_bytes
    store.leave()
    assert os.listdir(tmp_path)
