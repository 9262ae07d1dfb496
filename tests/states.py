"""States for tests: shapes of few columns, and a recount of all rows that were ever sent to the logs of a state."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from driftgauge.common.layout import Arrays
from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import BoolArray, CodeArray, FloatArray, IntArray
from driftgauge.drift.evidence.detector import Detector, Evidence
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.windows.blocks import Blocks, block_ends, hours_of, step_rows
from driftgauge.drift.windows.time_spans import TimeSpan, Totals
from driftgauge.metrics.series import LATE, CounterSpec, each
from driftgauge.state.failpoints import no_failpoint
from driftgauge.state.files import StateKey
from driftgauge.state.shape import StateShape
from driftgauge.state.slots import Slots
from driftgauge.state.snapshot import sum_totals
from driftgauge.state.store import Store
from hypothesis import settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.monitors import small_baseline

COUNTED: Final = CounterSpec("counted_total", "counter", "Counted.", ("kind",), each(["a", "b"]))
TIMED: Final = CounterSpec("timed_seconds", "histogram", "Timed.", ("kind",), each(["a", "b"]), (0.0, 0.5, 1.0, 2.5))
SERIES: Final = (COUNTED, TIMED, LATE)
SPANS: Final = (TimeSpan("10s", 10), TimeSpan("2m", 120), TimeSpan("1h", 3_600))
_MOST_ROUNDS: Final = 100

unhurried = settings(deadline=None, max_examples=examples(40))


def shape_of(
    baseline: Baseline,
    window_rows: int,
    series: Sequence[CounterSpec] = SERIES,
    *,
    spans: Sequence[TimeSpan] = SPANS,
    clock: str = "arrival",
) -> StateShape:
    """Return the shape of a state for rows of a baseline."""
    return StateShape(
        baseline.binner, baseline.scales, baseline.detector(), window_rows, tuple(series), tuple(spans), clock
    )


def small_shape(
    window_rows: int,
    series: Sequence[CounterSpec] = SERIES,
    *,
    spans: Sequence[TimeSpan] = SPANS,
    clock: str = "arrival",
) -> StateShape:
    """Return the shape of a state for rows of the small baseline."""
    return shape_of(small_baseline(), window_rows, series, spans=spans, clock=clock)


# ---------------------------------------------------------------- folders

KEY: Final = StateKey("churn", "1", small_baseline().hash)


@contextmanager
def stores(count: int, shape: StateShape) -> Iterator[list[Store]]:
    """Give stores of one folder, each with a slot of its own, as if each were in a worker of its own."""
    with TemporaryDirectory() as folder:
        opened = [Store.open(Slots(Path(folder), KEY, shape)) for _ in range(count)]
        yield opened
        for store in opened:
            store.leave()


class Killable:
    """A folder with one worker after another, each of which is killed."""

    def __init__(self, path: Path, shape: StateShape) -> None:
        self._path = path
        self._shape = shape
        self._copies = 0
        self.store = self._opened(no_failpoint)

    @property
    def folder(self) -> Path:
        """The folder that the worker uses now."""
        return self._path / str(self._copies)

    def _opened(self, failpoint: Callable[[str], None]) -> Store:
        return Store.open(Slots(self.folder, KEY, self._shape, failpoint=failpoint))

    def kill(self, failpoint: Callable[[str], None] = no_failpoint) -> Store:
        """Continue as another worker with a copy of the files as they are at this moment."""
        before = self.folder
        self._copies += 1
        shutil.copytree(before, self.folder)
        self.store = self._opened(failpoint)
        return self.store


# ---------------------------------------------------------------- what a worker does


def send(store: Store, values: FloatArray, arrival: FloatArray | float, at: FloatArray | None = None) -> None:
    """Append rows that must have room; they are of their arrival unless their times are given."""
    arrivals = np.broadcast_to(arrival, len(values))
    assert store.append(values, arrivals, arrivals if at is None else at) == len(values)


def send_all(store: Store, values: FloatArray, arrival: float, at: FloatArray, limit: float = math.inf) -> None:
    """Append rows, and catch up whenever the log is full."""
    first, arrivals = 0, np.full(len(values), arrival)
    while first < len(values):
        first += store.append(values[first:], arrivals[first:], at[first:])
        if first < len(values):
            catch_up(store, limit)


def catch_up(store: Store, limit: float = math.inf) -> int:
    """Move all rows of the logs into the checkpoint; return the number of rounds."""
    with store.evaluating():
        for rounds in range(_MOST_ROUNDS):
            pending = store.pending(limit, limit)
            if pending is None:
                return rounds
            store.commit(pending)
    raise AssertionError("catch-ups do not come to an end")


def counted_total(store: Store, name: str) -> float:
    """Return a counter's sum over all workers and labels."""
    return float(sum_totals(store.counted())[name].sum())


# ---------------------------------------------------------------- the recount


@dataclass
class Sent:
    """All rows that one log was ever given."""

    values: FloatArray
    arrival: FloatArray = field(default_factory=lambda: np.empty(0))
    at: FloatArray = field(default_factory=lambda: np.empty(0))

    def append(self, values: FloatArray, arrival: FloatArray | float, at: FloatArray) -> None:
        """Note rows as `Store.append` gets them."""
        self.values = np.concatenate([self.values, values])
        self.arrival = np.concatenate([self.arrival, np.broadcast_to(arrival, len(values))])
        self.at = np.concatenate([self.at, at])

    @property
    def order(self) -> FloatArray:
        """By when each row had arrived: a clock may go back, but a row stays behind the one before it."""
        ordered: FloatArray = np.maximum.accumulate(self.arrival)
        return ordered


class Recount:
    """The oracle: all rows ever sent to the logs of a state, recounted row by row."""

    def __init__(self, shape: StateShape, logs: int = 1) -> None:
        self._shape = shape
        self.logs: list[Sent] = [Sent(np.empty((0, shape.binner.columns))) for _ in range(logs)]

    @property
    def rows(self) -> int:
        """Rows that were sent."""
        return sum(len(log.at) for log in self.logs)

    @property
    def values(self) -> FloatArray:
        """All rows, one log after another."""
        return np.concatenate([np.empty((0, self._shape.binner.columns)), *(log.values for log in self.logs)])

    @property
    def at(self) -> FloatArray:
        """Their times, one log after another."""
        return np.concatenate([np.empty(0), *(log.at for log in self.logs)])

    @property
    def codes(self) -> CodeArray:
        """Their bins, one log after another."""
        return self._shape.binner.codes(self.values)

    @property
    def latest(self) -> float:
        """The latest time, -inf without rows."""
        return float(self.at.max(initial=-math.inf))

    def counts(self, chosen: BoolArray | None = None) -> IntArray:
        """Count some rows, by default all."""
        codes = self.codes if chosen is None else self.codes[chosen]
        return np.stack([np.bincount(column, minlength=self._shape.binner.width) for column in codes.T])

    def newest(self, rows: int) -> IntArray:
        """Return which rows are the newest, in the order of their arrival; at the same moment by log."""
        order = np.argsort(np.concatenate([log.order for log in self.logs]), kind="stable")
        found: IntArray = order[max(0, len(order) - rows) :]
        return found

    def clock(self, now: float) -> float:
        """Return what time it is by the clock of the shape."""
        return self.latest if self._shape.clock == "event" and self.rows else now

    def assert_agrees(self, store: Store, now: float) -> None:
        """Assert that a snapshot holds all rows that were sent, and nothing else."""
        held = store.snapshot(self.clock(now))
        newest = self.newest(self._shape.window_rows)
        assert held.observed == self.rows
        assert held.latest_at == self.latest
        np.testing.assert_array_equal(held.rows.at, self.at[newest])
        np.testing.assert_array_equal(held.rows.values, self.values[newest])
        np.testing.assert_array_equal(held.rows.codes, self.codes[newest])
        np.testing.assert_array_equal(store.root.progress.head.total, self.counts())
        assert [total.span for total in held.totals] == list(self._shape.spans)
        for total in held.totals:
            self.assert_total(total, self.clock(now))

    def assert_total(self, total: Totals, now: float) -> None:
        """Assert that a time window that ends at `now` holds the rows of its buckets.

        If clocks went back, buckets that are older than the window of the latest row may be gone.
        """
        span = total.span
        bucket, current = np.floor(self.at / span.width), math.floor(now / span.width)
        assert total.start == (current - span.buckets + 1) * span.width
        inside = (bucket > current - span.buckets) & (bucket <= current)
        certain = inside & (bucket > bucket.max(initial=-math.inf) - span.buckets)
        if certain.sum() < inside.sum():
            assert (self.counts(certain) <= total.counts).all()
            assert (total.counts <= self.counts(inside)).all()
            return
        assert total.rows == inside.sum()
        np.testing.assert_array_equal(total.counts, self.counts(inside))
        expected = np.bincount(hours_of(self.at[inside]), minlength=24)
        np.testing.assert_array_equal(total.hours, expected)
        z = np.nan_to_num(self._shape.scales.standardised(self.values[inside]))
        np.testing.assert_allclose(total.sums, [z.sum(axis=0), (z * z).sum(axis=0)], rtol=1e-9, atol=1e-6)

    def evidence(self) -> Evidence:
        """Return a detector's evidence from the whole blocks of the only log, in one call."""
        (log,) = self.logs
        return straight(self._shape.detector, self._shape.binner, log.values, log.at)


def straight(detector: Detector, binner: Binner, values: FloatArray, at: FloatArray) -> Evidence:
    """Return the evidence of rows in whole blocks, all weighed in one call."""
    hours = hours_of(at) if detector.by_hour else None
    ends, in_hour = block_ends(0, len(at), step_rows(binner.columns), hours)
    if ends.size == 0:
        return detector.start()
    codes = binner.codes(values[: ends[-1]])
    group = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    clock = np.maximum.accumulate(at)[ends - 1]
    return detector.advance(detector.start(), Blocks(binner.counts_by(codes, group, len(ends)), in_hour, clock))


def assert_same_evidence(found: Evidence, expected: Evidence) -> None:
    """Assert that evidence is the same bit for bit, with the levels of live dependence where both have read them."""
    one, two = asdict(found), asdict(expected)
    if found.live and expected.live and not (found.live.levels and expected.live.levels):
        del one["live"]["levels"], two["live"]["levels"]
    np.testing.assert_equal(one, two)


def assert_same_counters(found: Arrays, expected: Arrays) -> None:
    """Assert that counters are the same, but for the last digits of sums."""
    assert found.keys() == expected.keys()
    for name, numbers in expected.items():
        np.testing.assert_allclose(found[name], numbers, rtol=1e-12, err_msg=name)


# ---------------------------------------------------------------- rows that say which they are

NUMBERED = build_baseline(
    {"scattered": np.arange(1_001.0), "number": np.linspace(0.0, 1e7, 1_001)}, created="2026-01-01T00:00:00Z"
)


def numbered(begin: int, end: int) -> FloatArray:
    """Return rows that say which they are: scattered over the bins, and the plain number."""
    index = np.arange(begin, end, dtype=np.float64)
    return np.column_stack([index * 37.0 % 1_001.0, index])


# ---------------------------------------------------------------- strategies

sizes = st.one_of(
    st.integers(0, 120), st.sampled_from([49, 50, 51, 400, 4_095, 4_096, 4_097]), st.integers(4_000, 9_000)
)
jumps = st.sampled_from([0.0, 0.4, 3.0, 15.0, 50.0, 119.0, 1_900.0, 3_600.0, 1e6])
backward_jumps = st.sampled_from([0.0, 0.3, 1.0, 3.7, 59.9, 2_000.0, -0.7, -8.0, -100.0, -5_000.0])
spreads = st.sampled_from([0.0, 1.0, 200.0, 5_000.0])
