"""States for tests: of few columns, of rows that say which they are, and over a buffer that outlives its owner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import Bins, FloatArray
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.scales import Scales
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.drift.windows.window import Rows
from driftgauge.metrics.series import LATE, CounterSpec, each
from driftgauge.state.block_ring import BlockRing, Counted, Unread, block_shapes
from driftgauge.state.memory import Memory, MemoryShape
from driftgauge.state.reader import StateReader
from driftgauge.state.shape import BLOCK_ROWS, StateShape, Taken
from driftgauge.state.slot import OwnSlot
from driftgauge.state.state import State
from driftgauge.state.store import Snapshot, Store
from driftgauge.state.versions import Arrays
from hypothesis import settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.monitors import small_baseline, some_rows

COUNTED = CounterSpec("counted_total", "counter", "Counted.", ("kind",), each(["a", "b"]))
TIMED = CounterSpec("timed_seconds", "histogram", "Timed.", ("kind",), each(["a", "b"]), (0.0, 0.5, 1.0, 2.5))
SERIES = (COUNTED, TIMED)

unhurried = settings(deadline=None, max_examples=examples(60))


def small_shape(
    window_rows: int, series: Sequence[CounterSpec] = (), *, spans: Sequence[TimeSpan] = (), by_event: bool = False
) -> StateShape:
    """Return what a state for rows of the small baseline is for."""
    baseline = small_baseline()
    return StateShape(
        baseline.binner, baseline.scales, window_rows, tuple(series), spans=tuple(spans), by_event=by_event
    )


# ---------------------------------------------------------------- rows that say which they are

COUNTING = Binner([Bins("interval", edges=tuple(np.linspace(-1.0, 1_000.0, 11).tolist())), Bins("value", edges=(0.0,))])
UNSCALED = Scales.of(np.zeros(2), np.ones(2), np.zeros(2), np.full(2, 1e7), np.ones(2, dtype=np.bool_))
HOUR = TimeSpan("1h", 3_600)


def numbered_shape(window_rows: int) -> StateShape:
    return StateShape(COUNTING, UNSCALED, window_rows, spans=(HOUR,), by_event=True)


def numbered(begin: int, end: int) -> FloatArray:
    """Return rows that say which they are: scattered over the bins, and the plain number."""
    index = np.arange(begin, end, dtype=np.float64)
    return np.column_stack([index * 37.0 % 1_001.0, index])


def assert_numbered(held: Snapshot, rows: int) -> None:
    """Assert that a copy is consecutive, ends with the last row claimed, is nowhere torn, and that the hour agrees.

    A row's number is the second of its event.
    """
    newest, observed = held.rows, held.observed
    (hour,) = held.totals
    first = max(0, int(hour.start))
    expected = numbered(first, observed)
    assert hour.rows == observed - first
    np.testing.assert_array_equal(hour.counts, COUNTING.counts(COUNTING.codes(expected)))
    np.testing.assert_allclose(hour.sums, [expected.sum(axis=0), (expected**2).sum(axis=0)], rtol=1e-9)
    n = min(rows, observed)
    assert len(newest) == n
    expected = numbered(observed - n, observed)
    np.testing.assert_array_equal(newest.values, expected)
    np.testing.assert_array_equal(newest.codes, COUNTING.codes(expected))
    np.testing.assert_array_equal(newest.at, expected[:, 1])


Strike = Callable[["Overrunning", int], None]


class Overrunning(State):
    """A state on which a writer strikes in the middle of a reader's copy: `strike` is told how many came before."""

    def __init__(self, window_rows: int, strike: Strike) -> None:
        super().__init__(numbered_shape(window_rows))
        self._strike = strike
        self.copies = 0

    def write(self, rows: int) -> None:
        begin = self.rows
        self.append(numbered(begin, begin + rows), 0.0, np.arange(begin, begin + rows, dtype=np.float64))

    def rows_of(self, taken: Taken, rows: int) -> Rows:
        before = self.copies
        self.copies += 1
        self._strike(self, before)
        return super().rows_of(taken, rows)


def store_of(state: State) -> Store:
    """Return a store in memory of a given state of numbered rows, whose evidence is of no matter."""
    reference = numbered(0, 1_000)
    detector = build_baseline({"scattered": reference[:, 0], "number": reference[:, 1]}, created="").detector()
    memory = Memory(MemoryShape(COUNTING.columns, COUNTING.width, detector.bets, slots=1), detector)
    return Store(OwnSlot(0, 0, state, None), memory)


# ---------------------------------------------------------------- a buffer that outlives its owner

NEAR = (TimeSpan("10s", 10), TimeSpan("2m", 120))


def kept_shape(*, by_event: bool = False, by_hour: bool = False) -> StateShape:
    return replace(small_shape(50, (*SERIES, LATE), spans=NEAR, by_event=by_event), by_hour=by_hour)


def seen_by_another(shape: StateShape, buffer: bytearray) -> StateReader:
    """Return a state as another process sees it, which cannot write."""
    return StateReader(shape, memoryview(buffer).toreadonly())


class Kept:
    """A state over a buffer, and beside it all rows that were ever sent to it."""

    def __init__(self, shape: StateShape) -> None:
        self.shape = shape
        self.buffer = bytearray(shape.layout.size_bytes)
        self.state = State(shape, self.buffer)
        self.state.begin()
        self.values = np.empty((0, shape.binner.columns))
        self.arrival = np.empty(0)
        self.event = np.empty(0)

    @property
    def arrays(self) -> Arrays:
        """What lies in the buffer."""
        return self.shape.layout.arrays(self.buffer)

    def append(self, size: int, clock: float, spread: float = 0.0, *, seed: int = 0) -> None:
        """Send rows that arrive at a moment, of events up to so many seconds before; count them, and publish."""
        values, event = some_rows(size, seed), clock - np.random.default_rng(seed).random(size) * spread
        self.values = np.concatenate([self.values, values])
        self.arrival = np.concatenate([self.arrival, np.full(size, clock)])
        self.event = np.concatenate([self.event, event])
        self.state.append(values, clock, event)
        with self.state.counting() as counters:
            counters.add(COUNTED.name, size, "b")
            counters.observe(TIMED.name, event - clock, "a")
        self.state.process[:] = seed
        self.state.publish()

    def kill(self) -> int:
        """Go on as another owner, with a copy of the buffer; returns the rows that it says were not counted."""
        self.buffer = bytearray(self.buffer)
        self.state = State(self.shape, self.buffer)
        return self.state.resume()

    def peer(self) -> StateReader:
        """Return the state as another process sees it."""
        return seen_by_another(self.shape, self.buffer)

    def uninterrupted(self, rows: int) -> State:
        """Return a state in memory that was sent the first `rows` rows and never stopped."""
        state = State(self.shape)
        state.append(self.values[:rows], self.arrival[:rows], self.event[:rows])
        return state


def _assert_same_blocks(found: Unread, expected: Unread) -> None:
    (blocks, after, lost), (other, then, missed) = found.counted(), expected.counted()
    np.testing.assert_equal([vars(blocks), vars(after), lost], [vars(other), vars(then), missed])


def assert_read_alike(
    found: tuple[StateReader, Taken], expected: tuple[StateReader, Taken], reads: Sequence[Counted] = ()
) -> None:
    """Assert that two states tell the same of what was taken of each, also of blocks to whom has read so far."""
    (state, own), (model, other) = found, expected
    assert (own.observed, own.latest_event) == (other.observed, other.latest_event)
    for one, total in zip(own.totals, other.totals, strict=True):
        assert (one.span, one.start, one.rows) == (total.span, total.start, total.rows)
        np.testing.assert_array_equal(one.counts, total.counts)
        np.testing.assert_array_equal(one.hours, total.hours)
        np.testing.assert_allclose(one.sums, total.sums, rtol=1e-9, atol=1e-6)
    for rows in (0, 1, state.window_rows // 2, state.window_rows, state.window_rows + 1_000):
        assert state.held(own, rows) == model.held(other, rows)
        np.testing.assert_equal(vars(state.rows_of(own, rows)), vars(model.rows_of(other, rows)))
        np.testing.assert_array_equal(state.arrivals(own, rows), model.arrivals(other, rows))
    np.testing.assert_array_equal(own.bin_rows, other.bin_rows)
    for read in (state.origin(), *reads):
        unread = state.unread(own, read)
        assert state.has_blocks(unread)
        _assert_same_blocks(unread, model.unread(other, read))


def assert_same_counters(found: Arrays, expected: Arrays) -> None:
    assert found.keys() == expected.keys()
    for name, numbers in expected.items():
        np.testing.assert_allclose(found[name], numbers, rtol=1e-12, err_msg=name)  # of a sum, the last digits


kept_sizes = st.one_of(st.integers(0, 120), st.integers(BLOCK_ROWS - 1, BLOCK_ROWS + 1), st.integers(4_000, 9_000))
kept_jumps = st.sampled_from([0.0, 0.4, 3.0, 50.0, 1_900.0])
kept_spreads = st.sampled_from([0.0, 1.0, 200.0])


def empty_ring(binner: Binner, *, by_hour: bool) -> BlockRing:
    """Return an empty ring of blocks with arrays of its own."""
    shapes = block_shapes(binner.columns, binner.width)
    return BlockRing(binner, *(np.zeros(shape, dtype) for _, dtype, shape in shapes), by_hour=by_hour)
