from __future__ import annotations

import itertools
import math
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.drift.bins import Binner, Bins, BoolArray, FloatArray, IntArray
from app.drift.blocks import step_rows
from app.drift.buckets import TimeSpan
from app.drift.evidence import Budget, Detector, Evidence, Rate
from app.drift.samples import Scales
from app.drift.window import Rows, time_windows
from app.metrics import LATE, Stored, each, monitor_series
from app.state import BLOCK_ROWS, SLACK_ROWS, Settled, Snapshot, State, state_layout
from tests.monitors import START, evidence_of, in_sample_baseline, small_baseline, some_rows, timed_baseline

COUNTED = Stored("counted_total", "counter", "Counted.", ("kind",), each(["a", "b"]))
TIMED = Stored("timed_seconds", "histogram", "Timed.", ("kind",), each(["a", "b"]), (0.0, 0.5, 1.0, 2.5))
SERIES = (COUNTED, TIMED)
ALIGNMENT = 64

unhurried = settings(deadline=None, max_examples=60)


def _state(
    window_rows: int,
    series: Sequence[Stored] = (),
    *,
    spans: Sequence[TimeSpan] = (),
    by_event: bool = False,
    detector: Detector | None = None,
) -> State:
    """Return a state for rows of the small baseline."""
    baseline = small_baseline()
    return State(
        baseline.binner, baseline.scales, window_rows, series, spans=spans, by_event=by_event, detector=detector
    )


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

    def assert_tells(self, state: State, rows: int, *, by_event: bool) -> None:
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

    def assert_counted_by(self, state: State) -> None:
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
    def strike(state: State, before: int) -> None:
        assert isinstance(state, _Overrunning)
        state.write(rows)

    state = _Overrunning(300, strike)
    state.write(250)
    held = state.snapshot(0.0)
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
    won = np.random.default_rng(1).random(detector.bets) * 1e9
    kept = replace(evidence_of(baseline, since), won=won, threshold=1.25e8, rate=rate)
    state.append(some_rows(120), START, np.full(120, START))
    _, counted, lost = state.unweighed()
    assert lost == 0
    state.weigh(kept, counted)
    for _ in range(2):
        found = state.evidence()
        _assert_same_evidence(found, kept)
        for array in (found.won, found.values, found.raised, found.since):
            array[:] = 1  # what it gives away is a copy
    assert state.unweighed()[0].rows.sum() == 0
    np.testing.assert_array_equal(won, kept.won)


def test_evidence_of_a_column_that_is_not_watched_stays_unknown() -> None:
    detector = in_sample_baseline().detector()
    state = _state(10, detector=detector)
    assert np.isnan(state.evidence().values).tolist() == [False, False, False, True]
    _assert_same_evidence(state.evidence(), detector.start())


def test_a_state_without_a_detector_holds_no_evidence() -> None:
    with pytest.raises(ValueError, match="without a detector"):
        _state(10).evidence()


def test_what_effects_have_reached_comes_back_as_it_was_kept() -> None:
    state = _state(10, detector=small_baseline().detector())
    reached = np.random.default_rng(2).random((2, 4)) < 0.5
    state.settle(Settled(reached, 12_500, START + 0.125))
    for _ in range(2):
        found = state.settled()
        np.testing.assert_array_equal(found.reached, reached)
        assert (found.rows, found.clock) == (12_500, START + 0.125)
        found.reached[:] = True  # what it gives away is a copy
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
    state = State(baseline.binner, baseline.scales, 500, (), by_event=by_event, detector=detector)
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


# ---------------------------------------------------------------- readers against a writer

COUNTING = Binner([Bins("interval", edges=tuple(np.linspace(-1.0, 1_000.0, 11).tolist())), Bins("value", edges=(0.0,))])
UNSCALED = Scales.of(np.zeros(2), np.ones(2), np.zeros(2), np.full(2, 1e7), np.ones(2, dtype=np.bool_))
HOUR = TimeSpan("1h", 3_600)


def _numbered(begin: int, end: int) -> FloatArray:
    """Return rows that say which they are: scattered over the bins, and the plain number."""
    index = np.arange(begin, end, dtype=np.float64)
    return np.column_stack([index * 37.0 % 1_001.0, index])


def _assert_numbered(held: Snapshot, rows: int) -> None:
    """Assert that a copy is consecutive, ends with the last row claimed, is nowhere torn, and that the hour agrees.

    A row's number is the second of its event.
    """
    newest, observed = held.rows, held.observed
    (hour,) = held.totals
    first = max(0, int(hour.start))
    expected = _numbered(first, observed)
    assert hour.rows == observed - first
    np.testing.assert_array_equal(hour.counts, COUNTING.counts(COUNTING.codes(expected)))
    np.testing.assert_allclose(hour.sums, [expected.sum(axis=0), (expected**2).sum(axis=0)], rtol=1e-9)
    n = min(rows, observed)
    assert len(newest) == n
    expected = _numbered(observed - n, observed)
    np.testing.assert_array_equal(newest.values, expected)
    np.testing.assert_array_equal(newest.codes, COUNTING.codes(expected))
    np.testing.assert_array_equal(newest.at, expected[:, 1])


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
    state = State(COUNTING, UNSCALED, window_rows, (), spans=[HOUR], by_event=True)
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
                state.append(_numbered(begin, end), 0.0, np.arange(begin, end, dtype=np.float64))
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
            _assert_numbered(held, window_rows)
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
    np.testing.assert_array_equal(state.bin_rows(), COUNTING.counts(COUNTING.codes(_numbered(0, state.rows))))


class _Overrunning(State):
    """A state on which a writer strikes in the middle of a reader's copy: `strike` is told how many came before."""

    def __init__(self, window_rows: int, strike: Callable[[State, int], None]) -> None:
        super().__init__(COUNTING, UNSCALED, window_rows, (), spans=[HOUR], by_event=True)
        self._strike = strike
        self.copies = 0

    def write(self, rows: int) -> None:
        begin = self.rows
        self.append(_numbered(begin, begin + rows), 0.0, np.arange(begin, begin + rows, dtype=np.float64))

    def _copy(self, taken: Snapshot, rows: int | None) -> Rows:
        before = self.copies
        self.copies += 1
        self._strike(self, before)
        return super()._copy(taken, rows)


@pytest.mark.parametrize("rows", [1, SLACK_ROWS, SLACK_ROWS + 1, SLACK_ROWS + BLOCK_ROWS, 10 * SLACK_ROWS])
@pytest.mark.parametrize("overruns", [1, 3, 7])
def test_a_reader_that_was_overrun_reads_anew(rows: int, overruns: int) -> None:
    def strike(state: State, before: int) -> None:
        if before < overruns:
            assert isinstance(state, _Overrunning)
            state.write(rows)

    state = _Overrunning(300, strike)
    state.write(1_000)
    held = state.snapshot(0.0)
    _assert_numbered(held, 300)
    torn = rows > SLACK_ROWS
    assert held.observed == 1_000 + (overruns * rows if torn else 0)
    assert state.copies == (overruns + 1 if torn else 1)


def test_a_window_that_is_not_full_can_be_overrun_too() -> None:
    def strike(state: State, before: int) -> None:
        if before == 0:
            assert isinstance(state, _Overrunning)
            state.write(300 + SLACK_ROWS - 4)  # one more than there is room for beside the five rows

    state = _Overrunning(300, strike)
    state.write(5)
    held = state.snapshot(0.0)
    assert (held.observed, state.copies) == (301 + SLACK_ROWS, 2)
    _assert_numbered(held, 300)


def test_writers_are_held_up_once_when_a_reader_is_always_overrun() -> None:
    writers: list[threading.Thread] = []
    waited: list[bool] = []

    def strike(state: State, before: int) -> None:
        assert isinstance(state, _Overrunning)
        writer = threading.Thread(target=state.write, args=(2 * SLACK_ROWS,), daemon=True)
        writer.start()
        writers.append(writer)
        # Bounded: a writer that is not held up is soon done, one that is stays here until the copy is made.
        writer.join(timeout=10.0 if before < tries else 0.05)
        waited.append(writer.is_alive())

    tries = 8
    state = _Overrunning(300, strike)
    state.write(1_000)
    held = state.snapshot(0.0)
    assert waited == [False] * tries + [True]
    assert held.observed == 1_000 + tries * 2 * SLACK_ROWS
    _assert_numbered(held, 300)
    writers[-1].join(timeout=10.0)
    assert state.rows == held.observed + 2 * SLACK_ROWS


# ---------------------------------------------------------------- the layout


def test_the_layout_of_a_state_holds_the_largest_window_and_slack() -> None:
    spans = [TimeSpan("10s", 10), TimeSpan("24h", 86_400)]
    layout = state_layout(columns=4, bins=13, window_rows=1_000, series=SERIES, spans=spans, bets=77)
    shapes = {field.name: field.shape for field in layout.fields}
    capacity = 1_000 + SLACK_ROWS
    assert shapes == {
        "header": (8,),
        "bin_rows": (4, 13),
        "values": (capacity, 4),
        "codes": (capacity, 4),
        "arrival": (capacity,),
        "event": (capacity,),
        "bucket_10s": (10,),
        "counts_10s": (10, 4, 13),
        "sums_10s": (10, 2, 4),
        "bucket_24h": (96,),
        "counts_24h": (96, 4, 13),
        "sums_24h": (96, 2, 4),
        "block_header": (4,),
        "block_counts": (4_096, 4, 13),
        "block_hours": (4_096,),
        "block_at": (4_096,),
        "block_total": (4, 13),
        "weighed_header": (6,),
        "weighed_counts": (4, 13),
        "won": (77,),
        "evidence": (4,),
        "raised_since": (4,),
        "cleared_at": (4,),
        "settled_header": (2,),
        "reached": (2, 4),
        COUNTED.name: (2, 1),
        TIMED.name: (2, len(TIMED.buckets) + 2),
    }
    binner = small_baseline().binner
    expected = state_layout(4, binner.width, 10, SERIES, spans)
    assert _state(10, SERIES, spans=spans).layout.size_bytes == expected.size_bytes
    assert state_layout(4, binner.width, 10, SERIES).size_bytes < expected.size_bytes
    detector = small_baseline().detector()
    expected = state_layout(4, binner.width, 10, SERIES, spans, detector.bets)
    assert _state(10, SERIES, spans=spans, detector=detector).layout.size_bytes == expected.size_bytes


@pytest.mark.parametrize(
    ("columns", "bins", "blocks"), [(30, 23, 4_096), (100, 23, 1_823), (1_000, 60, 69), (9_000, 60, 64)]
)
def test_the_more_counts_a_block_has_the_fewer_blocks_are_held(columns: int, bins: int, blocks: int) -> None:
    shapes = {field.name: field.shape for field in state_layout(columns, bins, 10, ()).fields}
    assert shapes["block_counts"] == (blocks, columns, bins)
    assert shapes["block_hours"] == shapes["block_at"] == (blocks,)


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
