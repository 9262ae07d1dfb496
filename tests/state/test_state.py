from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import BoolArray, FloatArray, IntArray
from driftgauge.drift.evidence.budget import Budget
from driftgauge.drift.evidence.detector import Detector, Evidence, Rate
from driftgauge.drift.windows.blocks import step_rows
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.drift.windows.window import time_windows
from driftgauge.metrics.series import LATE, CounterSpec, monitor_series
from driftgauge.state.bucket_ring import NEVER
from driftgauge.state.memory import Settled
from driftgauge.state.points import POINTS
from driftgauge.state.shape import BLOCK_ROWS, SLACK_ROWS, StateShape
from driftgauge.state.state import State
from driftgauge.state.store import Snapshot, Store
from driftgauge.state.versions import Arrays, Damaged
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.monitors import START, evidence_of, in_sample_baseline, small_baseline, some_rows, timed_baseline
from tests.states import (
    COUNTED,
    COUNTING,
    SERIES,
    TIMED,
    Kept,
    Overrunning,
    assert_read_alike,
    assert_same_counters,
    kept_jumps,
    kept_shape,
    kept_sizes,
    kept_spreads,
    seen_by_another,
    small_shape,
    store_of,
    unhurried,
)


def _state(
    window_rows: int,
    series: Sequence[CounterSpec] = (),
    *,
    spans: Sequence[TimeSpan] = (),
    by_event: bool = False,
    detector: Detector | None = None,
) -> Store:
    """Return a state in memory for rows of the small baseline, as its store gives it."""
    shape = small_shape(window_rows, series, spans=spans, by_event=by_event)
    return Store.in_memory(shape, detector or small_baseline().detector())


# ---------------------------------------------------------------- the windows, one writer


class _Everything:
    """The plain oracle: a list of all rows ever sent, nothing forgotten, everything recounted."""

    def __init__(self, binner: Binner) -> None:
        self._binner = binner
        self._values: list[FloatArray] = []
        self._arrival: list[float] = []
        self._event: list[float] = []

    def append(self, values: FloatArray, arrival: float, event: FloatArray) -> None:
        self._values.extend(values)
        self._arrival.extend([arrival] * len(values))
        self._event.extend(event.tolist())

    def assert_tells(self, state: Store, rows: int, *, by_event: bool) -> None:
        """Assert that a state gives the same newest rows, by its clock, and has counted the same."""
        n = min(rows, state.window_rows, len(self._values))
        values = np.array(self._values[len(self._values) - n :]).reshape(n, self._binner.columns)
        times = self._event if by_event else self._arrival
        held = state.snapshot(0.0, rows=rows)
        assert held.observed == state.rows == len(self._values)
        assert held.latest_event == max(self._event, default=-math.inf)
        assert len(held.rows) == n
        np.testing.assert_array_equal(held.rows.values, values)
        np.testing.assert_array_equal(held.rows.codes, self._binner.codes(values))
        np.testing.assert_array_equal(held.rows.at, times[len(times) - n :])

    def assert_counted_by(self, state: Store) -> None:
        everything = np.array(self._values).reshape(-1, self._binner.columns)
        expected = np.zeros((self._binner.columns, self._binner.width), dtype=np.int64)
        for row in self._binner.codes(everything):
            expected[np.arange(self._binner.columns), row] += 1
        np.testing.assert_array_equal(state.bin_rows(), expected)
        assert state.latest_event == max(self._event, default=-math.inf)


batch_sizes = st.one_of(
    st.just(1),
    st.integers(0, 20),
    st.integers(BLOCK_ROWS - 1, BLOCK_ROWS + 1),
    st.integers(BLOCK_ROWS + 1, 3 * BLOCK_ROWS),
    st.integers(SLACK_ROWS, SLACK_ROWS + 4_000),  # more than the ring holds, for the smaller windows
)


@unhurried
@given(
    st.sampled_from([1, 3, 50, 700, 2_500]),
    st.booleans(),
    st.lists(st.tuples(batch_sizes, st.sampled_from(["window", "bins", "nothing"])), max_size=8),
    st.integers(0, 1_000),
)
def test_windows_and_bin_counts_are_exact_at_any_moment(
    window_rows: int, by_event: bool, steps: list[tuple[int, str]], seed: int
) -> None:
    binner = small_baseline().binner
    state = _state(window_rows, by_event=by_event)
    everything = _Everything(binner)
    generator = np.random.default_rng(seed)
    for step, (size, read) in enumerate(steps):
        values = some_rows(size, seed + step)
        event = 1_000.0 + generator.normal(step, 5.0, size)
        state.append(values, 1_000.0 + step, event)
        everything.append(values, 1_000.0 + step, event)
        if read == "window":
            for rows in (1, window_rows // 2, window_rows, window_rows + 1_000):
                everything.assert_tells(state, rows, by_event=by_event)
        elif read == "bins":
            everything.assert_counted_by(state)
    everything.assert_tells(state, window_rows, by_event=by_event)
    everything.assert_counted_by(state)


@pytest.mark.long
@pytest.mark.parametrize("window_rows", [1, 5, 100])
def test_windows_are_exact_row_by_row_around_the_ring(window_rows: int) -> None:
    binner = small_baseline().binner
    state = _state(window_rows)
    rows = 2 * (window_rows + SLACK_ROWS) + 7
    values = some_rows(rows)
    codes = binner.codes(values)
    for i in range(rows):
        state.append(values[i : i + 1], float(i), np.array([2.0 * i]))
        held = state.snapshot(0.0)
        newest = held.rows
        assert held.observed == i + 1
        np.testing.assert_array_equal(newest.values, values[max(0, i + 1 - window_rows) : i + 1])
        np.testing.assert_array_equal(newest.codes, codes[max(0, i + 1 - window_rows) : i + 1])
        np.testing.assert_array_equal(newest.at, np.arange(max(0, i + 1 - window_rows), i + 1))
    np.testing.assert_array_equal(state.bin_rows(), binner.counts(codes))


@pytest.mark.parametrize("by_event", [False, True])
def test_rows_one_by_one_count_like_rows_at_once(by_event: bool) -> None:
    single, together = (_state(400, spans=SPANS, by_event=by_event) for _ in range(2))
    values = some_rows(1_500)
    for i in range(len(values)):
        single.append(values[i : i + 1], 1.0, np.array([float(i)]))
    together.append(values, 1.0, np.arange(1_500.0))
    one, all_ = single.snapshot(2.0), together.snapshot(2.0)
    np.testing.assert_array_equal(one.rows.values, all_.rows.values)
    np.testing.assert_array_equal(one.rows.codes, all_.rows.codes)
    np.testing.assert_array_equal(one.rows.at, all_.rows.at)
    for counted, at_once in zip(one.totals, all_.totals, strict=True):
        assert (counted.rows, counted.start) == (at_once.rows, at_once.start)
        np.testing.assert_array_equal(counted.counts, at_once.counts)
        np.testing.assert_allclose(counted.sums, at_once.sums, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(single.bin_rows(), together.bin_rows())


@pytest.mark.parametrize("by_event", [False, True])
def test_an_empty_state_has_empty_windows(by_event: bool) -> None:
    binner = small_baseline().binner
    state = _state(10, spans=SPANS, by_event=by_event)
    held = state.snapshot(1_000.0)
    assert (len(held.rows), held.observed, state.rows) == (0, 0, 0)
    assert held.latest_event == state.latest_event == -math.inf
    assert held.rows.values.shape == held.rows.codes.shape == (0, binner.columns)
    assert [(total.span, total.rows) for total in held.totals] == [(span, 0) for span in SPANS]
    assert not any(total.counts.any() or total.sums.any() for total in held.totals)
    assert not state.bin_rows().any()


def test_what_a_state_gives_away_is_a_copy() -> None:
    state = _state(10, spans=SPANS)
    values = some_rows(10)
    state.append(values, 1.0, np.full(10, 1.0))
    held, again = state.snapshot(1.0), state.snapshot(1.0)
    bin_rows = state.bin_rows()
    totals = [array for total in held.totals for array in (total.counts, total.sums)]
    for given_away in (held.rows.values, held.rows.codes, held.rows.at, bin_rows, *totals):
        given_away[:] = 77
    np.testing.assert_array_equal(state.snapshot(1.0).rows.values, values)
    for before, now in zip(again.totals, state.snapshot(1.0).totals, strict=True):
        np.testing.assert_array_equal(now.counts, before.counts)
        np.testing.assert_array_equal(now.sums, before.sums)
    assert state.bin_rows().sum() == values.size


def test_rows_that_do_not_fit_leave_the_window_as_it_was() -> None:
    binner = small_baseline().binner
    state = _state(10)
    values = some_rows(30)
    state.append(values, 1.0, np.full(30, 1.0))
    with pytest.raises(ValueError, match="broadcast"):
        state.append(np.zeros((5, binner.columns + 1)), 2.0, np.full(5, 2.0))
    held = state.snapshot(1.0)
    assert held.observed == 30
    np.testing.assert_array_equal(held.rows.values, values[-10:])
    state.append(values[:3], 3.0, np.full(3, 3.0))
    np.testing.assert_array_equal(state.snapshot(1.0).rows.values, np.concatenate([values[-7:], values[:3]]))
    np.testing.assert_array_equal(
        state.bin_rows(), binner.counts(binner.codes(values)) + binner.counts(binner.codes(values[:3]))
    )


# ---------------------------------------------------------------- windows of time, one writer

SPANS = (TimeSpan("10s", 10), TimeSpan("2m", 120), TimeSpan("1h", 3_600))


class _Clocked:
    """The plain oracle of time windows: every row ever sent with its time, recounted when asked."""

    def __init__(self) -> None:
        baseline = small_baseline()
        self._binner = baseline.binner
        self._scales = baseline.scales
        self._values = np.empty((0, baseline.binner.columns))
        self.at = np.empty(0)

    @property
    def late(self) -> int:
        """Rows that lay before the longest window as it was when they came."""
        bucket, late, newest = self._bucket(self.at, SPANS[-1]), 0, -math.inf
        for own in bucket.tolist():
            newest = max(newest, own)
            late += own <= newest - SPANS[-1].buckets
        return late

    def append(self, values: FloatArray, at: FloatArray) -> None:
        self._values = np.concatenate([self._values, values])
        self.at = np.concatenate([self.at, at])

    @staticmethod
    def _bucket(at: FloatArray, span: TimeSpan) -> FloatArray:
        return np.floor(at / span.width)

    def _newest(self, at: FloatArray, span: TimeSpan) -> float:
        return float(self._bucket(at, span).max()) if at.size else -math.inf

    def _counts(self, chosen: BoolArray) -> IntArray:
        counts = np.zeros((self._binner.columns, self._binner.width), dtype=np.int64)
        for row in self._binner.codes(self._values[chosen]):
            counts[np.arange(self._binner.columns), row] += 1
        return counts

    def _sums(self, chosen: BoolArray) -> FloatArray:
        z = np.nan_to_num(self._scales.standardised(self._values[chosen]))
        return np.stack([z.sum(axis=0), (z * z).sum(axis=0)])

    def assert_tells(self, held: Snapshot, now: float) -> None:
        """Assert that time windows at `now` hold the rows of their buckets.

        Where time went back, the buckets that a later time has left behind may be there still, or not.
        """
        for total, span in zip(held.totals, SPANS, strict=True):
            assert total.span == span
            bucket, current = self._bucket(self.at, span), math.floor(now / span.width)
            assert total.start == (current - span.buckets + 1) * span.width
            inside = (bucket > current - span.buckets) & (bucket <= current)
            certain = inside & (bucket > self._newest(self.at, span) - span.buckets)
            assert (self._counts(certain) <= total.counts).all()
            assert (total.counts <= self._counts(inside)).all()
            assert total.rows == total.counts[0].sum() == total.counts[-1].sum()
            if current >= self._newest(self.at, span):
                assert certain.sum() == inside.sum() == total.rows
                np.testing.assert_allclose(total.sums, self._sums(inside), rtol=1e-9, atol=1e-6)


jumps = st.sampled_from([0.0, 0.3, 1.0, 3.7, 15.0, 59.9, 119.0, 2_000.0, 3_600.0, 1e6, -0.7, -8.0, -100.0, -5_000.0])
moves = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 9), st.integers(100, 900), st.just(2 * BLOCK_ROWS + 3)),
        jumps,
        st.sampled_from([0.0, 1.0, 200.0, 5_000.0]),
        st.booleans(),
    ),
    max_size=10,
)


@unhurried
@given(moves, st.booleans(), st.integers(0, 1_000))
def test_time_windows_are_a_plain_recount_whatever_time_does(
    steps: list[tuple[int, float, float, bool]], by_event: bool, seed: int
) -> None:
    state = _state(100, monitor_series(), spans=SPANS, by_event=by_event)
    clocked = _Clocked()
    generator = np.random.default_rng(seed)
    clock = START
    for step, (size, jump, spread, read) in enumerate(steps):
        clock += jump
        values = some_rows(size, seed + step)
        event = clock + generator.normal(0.0, 1.0, size) * spread
        state.append(values, clock, event)
        clocked.append(values, event if by_event else np.full(size, clock))
        if read:
            for now in (clock, clock + 7.0):
                now_told = clocked.at.max() if by_event and clocked.at.size else now
                clocked.assert_tells(state.snapshot(now), now_told)
    now = clocked.at.max() if by_event and clocked.at.size else clock
    clocked.assert_tells(state.snapshot(clock), now)
    assert state.counters.copy()[LATE.name].tolist() == [[clocked.late]]


def test_rows_too_old_for_the_longest_time_window_are_counted_and_stay_in_the_count_windows() -> None:
    state = _state(50, monitor_series(), spans=SPANS, by_event=True)
    newest = 1_000.0 * 3_600  # where a bucket of an hour's window, of 60 seconds, begins
    oldest = newest - 59 * 60
    for second in (newest, oldest, math.nextafter(oldest, -math.inf), newest - 1e6, newest):
        state.append(some_rows(3), START, np.full(3, second))
        state.snapshot(START)
    held = state.snapshot(START)
    assert state.counters.copy()[LATE.name].tolist() == [[6.0]]
    assert [total.rows for total in held.totals] == [6, 6, 9]
    assert len(held.rows) == held.observed == 15


@pytest.mark.parametrize("at_once", [1, 7, 4_000])
def test_rows_in_order_are_never_late_however_far_apart(at_once: int) -> None:
    state = _state(50, monitor_series(), spans=SPANS, by_event=True)
    values, event = some_rows(4_000), START + 50.0 * np.arange(4_000.0)  # 72 rows an hour
    for begin in range(0, 4_000, at_once):
        state.append(values[begin : begin + at_once], START, event[begin : begin + at_once])
    assert state.snapshot(START).totals[-1].rows in (71, 72)
    assert state.counters.copy()[LATE.name].sum() == 0


def test_rows_that_are_too_old_for_a_shorter_window_alone_are_not_late() -> None:
    state = _state(50, monitor_series(), spans=SPANS, by_event=True)
    state.append(some_rows(4), START, START - np.array([0.0, 60.0, 3_000.0, 20.0]))
    held = state.snapshot(START)
    assert state.counters.copy()[LATE.name].sum() == 0
    assert [total.rows for total in held.totals] == [1, 3, 4]


def test_a_state_without_time_windows_loses_no_row_to_them() -> None:
    state = _state(50, monitor_series())
    for arrival in (START, START - 1e6):
        state.append(some_rows(3), arrival, np.full(3, arrival))
    assert state.snapshot(START).totals == ()
    assert state.counters.copy()[LATE.name].sum() == 0


@pytest.mark.parametrize("by_event", [False, True])
def test_time_windows_end_with_the_latest_event_by_that_clock_and_else_now(by_event: bool) -> None:
    state = _state(50, spans=SPANS, by_event=by_event)
    state.append(some_rows(5), START, np.full(5, START - 1e6))
    for later, left in ((0.0, [5, 5, 5]), (60.0, [0, 5, 5]), (1_000.0, [0, 0, 5]), (1e5, [0, 0, 0])):
        held = state.snapshot(START + later)
        assert [total.rows for total in held.totals] == ([5, 5, 5] if by_event else left)


@pytest.mark.parametrize("rows", [1, 100, SLACK_ROWS])
def test_a_snapshot_is_of_one_moment(rows: int) -> None:
    def strike(state: Overrunning, before: int) -> None:
        state.write(rows)

    state = Overrunning(300, strike)
    state.write(250)
    held = store_of(state).snapshot(0.0)
    assert state.rows == 250 + rows
    assert held.observed == len(held.rows) == held.totals[0].rows == 250
    assert held.latest_event == held.rows.at[-1] == 249.0
    np.testing.assert_array_equal(held.totals[0].counts, COUNTING.counts(held.rows.codes))
    (window,) = time_windows(held.totals, held.rows, held.latest_event)
    assert window.sample is not None
    np.testing.assert_array_equal(window.sample.values, held.rows.values)


# ---------------------------------------------------------------- evidence, and the rows it has weighed


def _assert_same_evidence(found: Evidence, expected: Evidence) -> None:
    np.testing.assert_equal(vars(found), vars(expected))


def test_a_state_begins_without_evidence_and_with_nothing_reached() -> None:
    detector = small_baseline().detector()
    state = _state(10, detector=detector)
    _assert_same_evidence(state.evidence(), detector.start())
    settled = state.settled()
    assert (settled.reached.tolist(), settled.rows, settled.clock) == ([[False] * 4] * 2, 0, -math.inf)


@pytest.mark.parametrize("rate", [Rate(), Rate(12.5, 3_600.25, START, START + 5_000.5)])
@pytest.mark.parametrize("since", [{}, {"age": START}, {"flag": START + 0.25, "prediction": 0.0}])
def test_evidence_comes_back_as_it_was_kept(since: dict[str, float], rate: Rate) -> None:
    baseline = small_baseline()
    detector = baseline.detector(Budget(false_alarm_rows=3e7))
    state = _state(10, detector=detector)
    wealth = np.random.default_rng(1).random(detector.bets) * 1e9
    kept = replace(evidence_of(baseline, since), wealth=wealth, threshold=1.25e8, rate=rate)
    state.append(some_rows(120), START, np.full(120, START))
    _, counted, lost = state.unweighed()
    assert lost == 0
    state.weigh(kept, counted)
    for _ in range(2):
        found = state.evidence()
        _assert_same_evidence(found, kept)
        for array in (found.wealth, found.values, found.raised, found.since):
            with pytest.raises(ValueError, match="read-only"):
                array[:] = 1  # nobody changes what is remembered
    assert state.unweighed()[0].rows.sum() == 0
    np.testing.assert_array_equal(wealth, kept.wealth)


def test_evidence_of_a_column_that_is_not_watched_stays_unknown() -> None:
    detector = in_sample_baseline().detector()
    state = _state(10, detector=detector)
    assert np.isnan(state.evidence().values).tolist() == [False, False, False, True]
    _assert_same_evidence(state.evidence(), detector.start())


def test_what_effects_have_reached_comes_back_as_it_was_kept() -> None:
    state = _state(10, detector=small_baseline().detector())
    reached = np.random.default_rng(2).random((2, 4)) < 0.5
    state.settle(Settled(reached, 12_500, START + 0.125))
    for _ in range(2):
        found = state.settled()
        np.testing.assert_array_equal(found.reached, reached)
        assert (found.rows, found.clock) == (12_500, START + 0.125)
        with pytest.raises(ValueError, match="read-only"):
            found.reached[:] = True
    assert not reached.all()


weighings = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 120), st.just(BLOCK_ROWS), st.integers(5_000, 20_000)),
        st.sampled_from([0.0, 1.0, 1_800.0, 20_000.0]),
        st.booleans(),
    ),
    max_size=8,
)


@unhurried
@given(weighings, st.booleans(), st.booleans(), st.integers(0, 1_000))
def test_every_row_is_weighed_once(
    steps: list[tuple[int, float, bool]], by_event: bool, by_hour: bool, seed: int
) -> None:
    baseline = timed_baseline()
    detector = replace(baseline, columns=tuple(replace(c, by_hour={}) for c in baseline.columns)).detector()
    detector = baseline.detector() if by_hour else detector
    shape = StateShape(baseline.binner, baseline.scales, 500, by_event=by_event, by_hour=by_hour)
    state = Store.in_memory(shape, detector)
    generator = np.random.default_rng(seed)
    weighed = np.zeros((baseline.binner.columns, baseline.binner.width), dtype=np.int64)
    clock, sent, last = START, 0, False
    for size, jump, read in [*steps, (1, 0.0, True)]:
        clock += jump
        values = np.column_stack([generator.normal(size=(size, 2)), generator.integers(0, 3, size)])
        state.append(values, clock, np.full(size, clock))
        sent += size
        if read:
            blocks, counted, lost = state.unweighed()
            assert lost == 0
            rows = blocks.rows
            assert (rows[:-1] <= step_rows(3)).all()
            if not by_hour:
                assert rows.max(initial=0) <= step_rows(3)
            weighed += blocks.counts.sum(axis=0)
            state.weigh(detector.advance(state.evidence(), blocks), counted)
            last = by_event
    waiting = sent - int(weighed[0].sum())
    assert 0 <= waiting < (step_rows(3) if last else 1)  # by the clock of events only whole blocks are weighed
    assert (state.bin_rows() - weighed).sum(axis=1).tolist() == [waiting] * 3
    assert ((state.bin_rows() - weighed) >= 0).all()


@pytest.mark.parametrize(("end", "rows"), [(0, 5), (1, 5), (700, 300), (900, 1_000), (901, 1), (1_000, 1_000)])
def test_codes_up_to_a_row_are_those_of_the_rows_before(end: int, rows: int) -> None:
    state = _state(400, by_event=True)
    values = some_rows(1_000)
    for first in range(0, 1_000, 130):
        part = values[first : first + 130]
        state.append(part, START, np.arange(first, first + len(part), dtype=np.float64))
    found = state.codes_until(end, rows)
    expected = slice(max(0, end - rows), end)
    np.testing.assert_array_equal(found.codes, small_baseline().binner.codes(values)[expected])
    np.testing.assert_array_equal(found.at, np.arange(1_000.0)[expected])
    assert found.values.shape == (len(found.codes), 0)


def test_codes_of_rows_that_were_overwritten_are_left_out() -> None:
    state = _state(400, by_event=True)
    rows = 2 * state.state.shape.capacity
    values, at = some_rows(rows), np.arange(rows, dtype=np.float64)
    state.append(values, START, at)
    oldest = rows - state.state.shape.capacity
    assert state.oldest == oldest
    for end, first in ((rows, rows - 900), (oldest + 10, oldest), (oldest, oldest), (oldest - 1, oldest - 1)):
        found = state.codes_until(end, 900)
        np.testing.assert_array_equal(found.at, at[first:end])
        np.testing.assert_array_equal(found.codes, small_baseline().binner.codes(values[first:end]))


# ---------------------------------------------------------------- a step that fails


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("point", [point for point in POINTS if point.startswith("digest") and "finished" not in point])
def test_rows_of_a_step_that_failed_are_counted_once_when_it_is_done_again(point: str, late: bool) -> None:
    fails = False

    def reach(passed: str) -> None:
        if fails and passed == point:
            raise MemoryError

    kept = Kept(kept_shape(by_event=True))
    kept.state = State(kept.shape, kept.buffer, reach=reach)
    kept.state.resume()
    for step in range(3):
        kept.append(40, START + 5.0 * step, seed=step)
        kept.state.digest()
    kept.append(40, START - 10_000.0 if late else START + 12.0, seed=9)
    fails = True
    for _ in range(2):
        with pytest.raises(MemoryError):
            kept.state.digest()
    fails = False
    whole = kept.uninterrupted(160)
    assert_read_alike((kept.state, kept.state.take(START)), (whole, whole.take(START)), [whole.origin()])
    assert kept.state.counters.copy()[LATE.name].tolist() == [[40.0 if late else 0.0]]


# ---------------------------------------------------------------- counters


def test_a_state_counts_for_several_threads_without_losing_any() -> None:
    state = _state(10, SERIES)

    def count() -> None:
        for _ in range(2_000):
            with state.counting() as counters:
                counters.add(COUNTED.name, 1, "a")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert state.counters.copy()[COUNTED.name][0, 0] == 8_000.0


# ---------------------------------------------------------------- a state that is resumed


@unhurried
@given(
    st.lists(
        st.tuples(kept_sizes, kept_jumps, kept_spreads, st.sampled_from(["nothing", "read", "killed", "killed twice"])),
        max_size=7,
    ),
    st.booleans(),
    st.booleans(),
)
def test_a_state_that_is_resumed_goes_on_as_if_nothing_had_happened(
    steps: list[tuple[int, float, float, str]], by_event: bool, by_hour: bool
) -> None:
    shape = kept_shape(by_event=by_event, by_hour=by_hour)
    kept, whole = Kept(shape), Kept(shape)
    clock, reads = START, [whole.state.origin()]
    for step, (size, jump, spread, what) in enumerate([*steps, (3, 0.0, 0.0, "killed twice")]):
        clock += jump
        kept.append(size, clock, spread, seed=step)
        whole.append(size, clock, spread, seed=step)
        if what == "read":
            assert_read_alike((kept.state, kept.state.take(clock)), (whole.state, whole.state.take(clock)), reads)
            reads.append(whole.state.unread(whole.state.take(), reads[-1]).counted()[1])
        for _ in range(2 if what == "killed twice" else int(what == "killed")):
            assert kept.kill() == 0
            kept.state.publish()
    assert_read_alike((kept.state, kept.state.take(clock)), (whole.state, whole.state.take(clock)), reads)
    assert_same_counters(kept.state.counted(), whole.state.counted())
    assert kept.state.counted()["rows"].tolist() == [len(whole.values)]


def test_rows_that_were_appended_and_never_counted_are_said() -> None:
    kept = Kept(kept_shape())
    kept.append(30, START)
    kept.state.append(some_rows(7), START, np.full(7, START))
    with kept.state.counting() as counters:
        counters.add(COUNTED.name, 7, "b")  # never published
    assert kept.kill() == 7
    assert kept.state.counters.copy()[COUNTED.name].tolist() == [[0.0], [30.0]]
    assert kept.state.rows == 37
    kept.state.publish()
    assert kept.kill() == 0


def _at_each_point(by_event: bool, look: Callable[[Kept, str, bytearray], None]) -> None:
    """Let a state go all around its ring; `look` is given a copy of its buffer at each point that it passes."""
    kept = Kept(kept_shape(by_event=by_event))
    passed = set()

    def reach(point: str) -> None:
        passed.add(point)
        look(kept, point, bytearray(kept.buffer))

    kept.state = State(kept.shape, kept.buffer, reach=reach)
    kept.state.resume()
    for step, size in enumerate([1, 700, 1_400, 40, 2_048, 3, 4_200, 5, 2_000, 60]):
        kept.append(size, START + 7.0 * step, 9.0, seed=step)
        if step % 4 == 3:
            kept.state.digest()
    assert passed == set(POINTS)


@pytest.mark.parametrize("by_event", [False, True])
def test_wherever_a_writer_is_killed_the_next_one_goes_on_with_all_rows_that_were_committed(by_event: bool) -> None:
    def look(kept: Kept, point: str, buffer: bytearray) -> None:
        before = seen_by_another(kept.shape, buffer)
        rows, counted = before.rows, before.counted()
        state, whole = State(kept.shape, buffer), kept.uninterrupted(rows)
        assert state.resume() == rows - int(counted["rows"][0]), point
        clock = float(kept.arrival[:rows].max(initial=START))
        assert_read_alike((state, state.take(clock)), (whole, whole.take(clock)))
        np.testing.assert_array_equal(state.counters.copy()[COUNTED.name], counted[COUNTED.name])
        for own in (state, whole):
            own.append(some_rows(2_100, 77), clock + 1.0, np.full(2_100, clock + 1.0))
        assert_read_alike((state, state.take(clock + 1.0)), (whole, whole.take(clock + 1.0)))

    _at_each_point(by_event, look)


# Rows that were reserved and never committed have overwritten the oldest ones of the ring. The first resume
# leaves these out, but sets `reserved` back, so that the next one takes them for rows that are held: Damaged.
@pytest.mark.long
@pytest.mark.parametrize("by_event", [False, True])
def test_what_could_be_resumed_once_can_be_resumed_again(by_event: bool) -> None:
    def look(kept: Kept, point: str, buffer: bytearray) -> None:
        first = State(kept.shape, buffer)
        first.resume()
        for waiting in range(3):  # fewer rows than there may have been that were never committed
            again = State(kept.shape, bytearray(buffer))
            again.resume()
            assert_read_alike((again, again.take(START)), (first, first.take(START)))
            first.append(some_rows(waiting), START, np.full(waiting, START))

    _at_each_point(by_event, look)


# ---------------------------------------------------------------- what is damaged

Damage = Callable[[Arrays], None]


def _flipped(name: str, place: int = 0, byte: int = 0, bits: int = 0x55) -> Damage:
    """Return what changes some bits of a number of an array, all its numbers taken in a row."""

    def damage(arrays: Arrays) -> None:
        arrays[name].reshape(-1)[place : place + 1].view(np.uint8)[byte] ^= bits

    return damage


def _flipped_in_bucket(name: str, place: int, byte: int = 0) -> Damage:
    """Return what changes a count of the last bucket of a window that holds any."""

    def damage(arrays: Arrays) -> None:
        counts = arrays[f"counts_{name}"]
        held = int(np.flatnonzero(arrays[f"bucket_{name}"].reshape(-1) != NEVER)[-1])
        _flipped(f"counts_{name}", held * counts[0, 0].size + place, byte)(arrays)

    return damage


def _added(name: str, amounts: Sequence[int]) -> Damage:
    """Return what makes the numbers of an array larger."""

    def damage(arrays: Arrays) -> None:
        arrays[name] += np.array(amounts, dtype=arrays[name].dtype)

    return damage


def _zeroed(name: str, *places: int) -> Damage:
    """Return what leaves zeros in the two copies of something, or in the older one (0) or the newer one (1) alone."""

    def damage(arrays: Arrays) -> None:
        for place in places:
            arrays[f"{name}_copies"][(int(arrays[f"{name}_sequence"][0]) + 1 + place) % 2] = 0

    return damage


def _exchanged(arrays: Arrays) -> None:
    arrays["values"][[100, 101]] = arrays["values"][[101, 100]]


DAMAGES: dict[str, tuple[Damage, str]] = {
    "a value": (_flipped("values", 4_001), "rows do not fit their checksums"),
    "the sign of a value": (_flipped("values", 8, 7, 0x80), "rows do not fit their checksums"),
    "an arrival": (_flipped("arrival", 17), "rows do not fit their checksums"),
    "an event": (_flipped("event", 3_000, 6), "rows do not fit their checksums"),
    "the number of a row": (_flipped("numbers", 5), "rows do not fit their checksums"),
    "the checksum of a row": (_flipped("row_checks", 2_222, 3), "rows do not fit their checksums"),
    "two rows that changed places": (_exchanged, "rows do not fit their checksums"),
    "a count in a bucket": (_flipped_in_bucket("10s", 2), "counts contradict one another"),
    "a count in a longer bucket": (_flipped_in_bucket("2m", 0, 2), "counts contradict one another"),
    "a count in a block": (_flipped("block_counts", 300, 1), "counts contradict one another"),
    "more committed than reserved": (_added("header", (-1, 0, 0)), "numbers of rows contradict"),
    "too many reserved": (_added("header", (BLOCK_ROWS + 1, 0, 0)), "numbers of rows contradict"),
    "fewer committed than binned": (_added("header", (-100, -100, 0)), "numbers of rows contradict"),
    "a first row before the first": (_added("header", (0, 0, -1)), "numbers of rows contradict"),
    "a first row that is yet to come": (_added("header", (0, 0, 1 << 40)), "numbers of rows contradict"),
    "too many that wait": (_added("header", (5_000, 5_000, 0)), "too many"),
    "the newer digest": (_zeroed("digest", 1), "newest copy"),
    "both digests": (_zeroed("digest", 0, 1), "no copy of the digest fits"),
    "the number of the digest": (_added("digest_sequence", (1_000,)), "no copy of the digest fits"),
    "the checksums of the digests": (_added("digest_checks", (1, 1)), "no copy of the digest fits"),
    "both copies of the counters": (_zeroed("counters", 0, 1), "no copy of the counters fits"),
    "the number of the counters": (_added("counters_sequence", (-1_000,)), "no copy of the counters fits"),
}


def _around_the_ring() -> Kept:
    """Return a state that has overwritten its first rows, of which thirty wait to be binned."""
    kept = Kept(kept_shape())
    for step in range(3):
        kept.append(2_000, START + 40.0 * step, seed=step)
    kept.state.digest()
    kept.append(30, START + 130.0, seed=3)
    return kept


@pytest.mark.parametrize("name", DAMAGES)
def test_a_state_that_contradicts_itself_is_not_resumed(name: str) -> None:
    damage, told = DAMAGES[name]
    kept = _around_the_ring()
    assert kept.kill() == 0
    kept = _around_the_ring()
    damage(kept.arrays)
    with pytest.raises(Damaged, match=told):
        kept.kill()


@settings(deadline=None, max_examples=examples(60))
@given(
    st.sampled_from(["values", "arrival", "event", "numbers", "row_checks"]),
    st.integers(0, 10**6),
    st.integers(0, 7),
    st.integers(1, 255),
)
def test_no_bit_of_a_binned_row_changes_unseen(name: str, place: int, byte: int, bits: int) -> None:
    kept = _around_the_ring()
    size = kept.arrays[name].size
    width = size // kept.shape.capacity
    waiting = {row % kept.shape.capacity for row in range(6_000, 6_030)}
    if place % size // width not in waiting:
        _flipped(name, place % size, byte, bits)(kept.arrays)
        with pytest.raises(Damaged, match="rows do not fit their checksums"):
            kept.kill()


def test_an_older_copy_of_the_counters_will_do() -> None:
    kept = _around_the_ring()
    _zeroed("counters", 1)(kept.arrays)
    assert kept.kill() == 30
    assert kept.state.counters.copy()[COUNTED.name].tolist() == [[0.0], [6_000.0]]
    assert kept.state.rows == 6_030


@unhurried
@given(
    st.lists(st.tuples(st.one_of(st.integers(1, 200), st.integers(1_500, 6_000)), kept_jumps), min_size=1, max_size=4),
    st.integers(0, 300),
    st.lists(st.integers(0, 10_000), max_size=40),
    st.sampled_from([(), (0,), (1,), (0, 1)]),
    st.sampled_from([(), (0,), (1,), (0, 1)]),
    st.booleans(),
    st.integers(0, 1_000),
)
def test_what_is_saved_of_a_damaged_state_are_its_whole_rows_and_counters(
    steps: list[tuple[int, float]],
    waiting: int,
    places: list[int],
    digests: tuple[int, ...],
    counters: tuple[int, ...],
    by_hour: bool,
    seed: int,
) -> None:
    kept = Kept(kept_shape(by_hour=by_hour))
    clock = START
    for step, (size, jump) in enumerate(steps):
        clock += jump
        kept.append(size, clock, seed=step)
    kept.state.digest()
    kept.append(waiting, clock, seed=len(steps))
    committed, arrays, rng = kept.state.rows, kept.arrays, np.random.default_rng(seed)
    sequence = int(arrays["digest_sequence"][0])
    newer, older = (
        int(kept.shape.digested.arrays(arrays["digest_copies"][number % 2])["head"][0])
        for number in (sequence, sequence - 1)
    )
    assert (newer, committed) == (len(kept.values) - waiting, len(kept.values))

    candidates = np.arange(max(0, committed - kept.shape.capacity), newer)
    damaged = {int(candidates[place % len(candidates)]) for place in places}
    for row in damaged:
        cell = row % kept.shape.capacity * kept.shape.binner.columns + int(rng.integers(kept.shape.binner.columns))
        _flipped("values", cell, int(rng.integers(8)), int(rng.integers(1, 256)))(arrays)
    _zeroed("digest", *digests)(arrays)
    _zeroed("counters", *counters)(arrays)

    whole = np.array([row for row in candidates if row not in damaged], dtype=np.int64)
    known = newer if 1 not in digests else (older if 0 not in digests else 0)
    saved = kept.peer().save()
    np.testing.assert_array_equal(saved.values, kept.values[whole])
    np.testing.assert_array_equal(saved.arrival, kept.arrival[whole])
    np.testing.assert_array_equal(saved.event, kept.event[whole])
    assert saved.rows == max(int(whole.max(initial=-1)) + 1, known)
    assert (saved.base is None) == (len(digests) == 2)
    assert (saved.counted is None) == (len(counters) == 2)

    buffer = bytearray(kept.shape.layout.size_bytes)
    anew = State(kept.shape, buffer)
    anew.begin(saved)
    taken = anew.take(clock)
    binner = kept.shape.binner
    ever = kept.values[: known if len(digests) < 2 else 0], kept.values[whole[whole >= known]]
    expected = sum((binner.counts(binner.codes(values)) for values in ever), start=np.zeros_like(taken.head.total))
    np.testing.assert_array_equal(taken.bin_rows, expected)
    assert (anew.rows, taken.observed, taken.observed - taken.first) == (saved.rows, saved.rows, len(whole))
    model = State(kept.shape)
    model.append(kept.values[whole], kept.arrival[whole], kept.event[whole])
    other = model.take(clock)
    np.testing.assert_equal(vars(anew.rows_of(taken, 50)), vars(model.rows_of(other, 50)))
    for one, total in zip(taken.totals, other.totals, strict=True):
        assert (one.rows, one.start) == (total.rows, total.start)
        np.testing.assert_array_equal(one.counts, total.counts)
        np.testing.assert_allclose(one.sums, total.sums, rtol=1e-9, atol=1e-6)

    counted, (zeros, children) = anew.counted(), (np.zeros(2), np.array([0, committed]))
    children = children if 1 not in counters else children - [0, waiting]
    children = children if len(counters) < 2 else zeros
    np.testing.assert_array_equal(counted[COUNTED.name][:, 0], children)
    np.testing.assert_array_equal(counted[TIMED.name][:, :-1].sum(axis=1), children[::-1])
    assert (counted["process"] == len(steps) - (1 in counters)).all() or len(counters) == 2
    assert counted["rows"].tolist() == [saved.rows]

    # What was saved has been weighed before; what comes then is weighed, and the state can be resumed.
    assert anew.unread(taken, anew.origin()).counted()[0].rows.sum() == 0
    more = some_rows(700, 99)
    anew.append(more, clock, np.full(700, clock))
    anew.publish()
    anew = State(kept.shape, bytearray(buffer))
    assert anew.resume() == 0
    blocks, _, lost = anew.unread(anew.take(), anew.origin()).counted()
    np.testing.assert_array_equal(blocks.counts.sum(axis=0), binner.counts(binner.codes(more)))
    assert lost == 0


# What is saved is binned anew; rows that were late were counted before.
def test_rows_that_were_late_are_not_counted_again_when_they_are_saved() -> None:
    kept = Kept(kept_shape(by_event=True))
    kept.append(40, START)
    kept.append(5, START - 1_000.0)
    kept.state.digest()
    kept.state.publish()
    assert kept.state.counted()[LATE.name].tolist() == [[5.0]]
    anew = State(kept.shape, bytearray(kept.shape.layout.size_bytes))
    anew.begin(kept.peer().save())
    assert anew.rows == 45
    assert anew.counted()[LATE.name].tolist() == [[5.0]]


# A place of zeros holds no row, whatever the checksum of zeros is.
@pytest.mark.parametrize("digests", [(), (0, 1)])
def test_of_a_state_without_rows_none_are_saved(digests: tuple[int, ...]) -> None:
    kept = Kept(kept_shape())
    _zeroed("digest", *digests)(kept.arrays)
    saved = kept.peer().save()
    assert (len(saved.values), saved.rows) == (0, 0)


# The same where the rows that were saved do not begin at the first place of the ring.
def test_what_was_saved_can_be_saved_again() -> None:
    kept = Kept(kept_shape())
    kept.append(100, START)
    kept.state.digest()
    arrays = kept.arrays
    arrays["values"][:60] = 3.0
    buffer = bytearray(kept.shape.layout.size_bytes)
    State(kept.shape, buffer).begin(kept.peer().save())
    saved = seen_by_another(kept.shape, buffer).save()
    np.testing.assert_array_equal(saved.values, kept.values[60:])
    assert saved.rows == 100
