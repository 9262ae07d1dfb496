from __future__ import annotations

import itertools
import math
import sys
import threading
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.drift.bins import Binner, Bins, FloatArray
from app.drift.window import Rows
from app.metrics import Stored, each, monitor_series
from app.state import BLOCK_ROWS, SLACK_ROWS, Counters, Field, Layout, State, counter_fields, state_layout
from tests.monitors import small_baseline, some_rows

COUNTED = Stored("counted_total", "counter", "Counted.", ("kind",), each(["a", "b"]))
TIMED = Stored("timed_seconds", "histogram", "Timed.", ("kind",), each(["a", "b"]), (0.0, 0.5, 1.0, 2.5))
SERIES = (COUNTED, TIMED)
ALIGNMENT = 64

unhurried = settings(deadline=None, max_examples=60)


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

    def assert_tells(self, state: State, rows: int) -> None:
        """Assert that a state gives the same newest rows, by both clocks, and has counted the same."""
        n = min(rows, state.window_rows, len(self._values))
        values = np.array(self._values[len(self._values) - n :]).reshape(n, self._binner.columns)
        for by_event, times in ((False, self._arrival), (True, self._event)):
            newest, observed = state.newest(rows, by_event=by_event)
            assert observed == state.rows == len(self._values)
            assert len(newest) == n
            np.testing.assert_array_equal(newest.values, values)
            np.testing.assert_array_equal(newest.codes, self._binner.codes(values))
            np.testing.assert_array_equal(newest.at, times[len(times) - n :])

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
    st.lists(st.tuples(batch_sizes, st.sampled_from(["window", "bins", "nothing"])), max_size=8),
    st.integers(0, 1_000),
)
def test_windows_and_bin_counts_are_exact_at_any_moment(
    window_rows: int, steps: list[tuple[int, str]], seed: int
) -> None:
    binner = small_baseline().binner
    state = State(binner, window_rows, ())
    everything = _Everything(binner)
    generator = np.random.default_rng(seed)
    for step, (size, read) in enumerate(steps):
        values = some_rows(size, seed + step)
        event = 1_000.0 + generator.normal(step, 5.0, size)
        state.append(values, 1_000.0 + step, event)
        everything.append(values, 1_000.0 + step, event)
        if read == "window":
            for rows in (1, window_rows // 2, window_rows, window_rows + 1_000):
                everything.assert_tells(state, rows)
        elif read == "bins":
            everything.assert_counted_by(state)
    everything.assert_tells(state, window_rows)
    everything.assert_counted_by(state)


@pytest.mark.parametrize("window_rows", [1, 5, 100])
def test_windows_are_exact_row_by_row_around_the_ring(window_rows: int) -> None:
    binner = small_baseline().binner
    state = State(binner, window_rows, ())
    rows = 2 * (window_rows + SLACK_ROWS) + 7
    values = some_rows(rows)
    codes = binner.codes(values)
    for i in range(rows):
        state.append(values[i : i + 1], float(i), np.array([2.0 * i]))
        newest, observed = state.newest(window_rows)
        assert observed == i + 1
        np.testing.assert_array_equal(newest.values, values[max(0, i + 1 - window_rows) : i + 1])
        np.testing.assert_array_equal(newest.codes, codes[max(0, i + 1 - window_rows) : i + 1])
        np.testing.assert_array_equal(newest.at, np.arange(max(0, i + 1 - window_rows), i + 1))
    np.testing.assert_array_equal(state.bin_rows(), binner.counts(codes))


def test_rows_one_by_one_count_like_rows_at_once() -> None:
    binner = small_baseline().binner
    single, together = State(binner, 400, ()), State(binner, 400, ())
    values = some_rows(1_500)
    for i in range(len(values)):
        single.append(values[i : i + 1], 1.0, np.array([float(i)]))
    together.append(values, 1.0, np.arange(1_500.0))
    for by_event in (False, True):
        one, all_ = single.newest(400, by_event=by_event)[0], together.newest(400, by_event=by_event)[0]
        np.testing.assert_array_equal(one.values, all_.values)
        np.testing.assert_array_equal(one.codes, all_.codes)
        np.testing.assert_array_equal(one.at, all_.at)
    np.testing.assert_array_equal(single.bin_rows(), together.bin_rows())


def test_an_empty_state_has_an_empty_window() -> None:
    binner = small_baseline().binner
    state = State(binner, 10, ())
    newest, observed = state.newest(10)
    assert (len(newest), observed, state.rows, state.latest_event) == (0, 0, 0, -math.inf)
    assert newest.values.shape == newest.codes.shape == (0, binner.columns)
    assert not state.bin_rows().any()


def test_what_a_state_gives_away_is_a_copy() -> None:
    state = State(small_baseline().binner, 10, ())
    values = some_rows(10)
    state.append(values, 1.0, np.full(10, 1.0))
    newest, _ = state.newest(10)
    bin_rows = state.bin_rows()
    for given_away in (newest.values, newest.codes, newest.at, bin_rows):
        given_away[:] = 77
    np.testing.assert_array_equal(state.newest(10)[0].values, values)
    assert state.bin_rows().sum() == values.size


def test_rows_that_do_not_fit_leave_the_window_as_it_was() -> None:
    binner = small_baseline().binner
    state = State(binner, 10, ())
    values = some_rows(30)
    state.append(values, 1.0, np.full(30, 1.0))
    with pytest.raises(ValueError, match="broadcast"):
        state.append(np.zeros((5, binner.columns + 1)), 2.0, np.full(5, 2.0))
    newest, observed = state.newest(10)
    assert observed == 30
    np.testing.assert_array_equal(newest.values, values[-10:])
    state.append(values[:3], 3.0, np.full(3, 3.0))
    np.testing.assert_array_equal(state.newest(10)[0].values, np.concatenate([values[-7:], values[:3]]))
    np.testing.assert_array_equal(
        state.bin_rows(), binner.counts(binner.codes(values)) + binner.counts(binner.codes(values[:3]))
    )


# ---------------------------------------------------------------- readers against a writer

COUNTING = Binner([Bins("interval", edges=tuple(np.linspace(-1.0, 1_000.0, 11).tolist())), Bins("value", edges=(0.0,))])


def _numbered(begin: int, end: int) -> FloatArray:
    """Return rows that say which they are: scattered over the bins, and the plain number."""
    index = np.arange(begin, end, dtype=np.float64)
    return np.column_stack([index * 37.0 % 1_001.0, index])


def _assert_numbered(newest: Rows, observed: int, rows: int) -> None:
    """Assert that a copy is consecutive, ends with the last row claimed, and is nowhere torn."""
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
    state = State(COUNTING, window_rows, ())
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
            newest, observed = state.newest(window_rows, by_event=True)
            assert observed >= max(at_least, last)
            _assert_numbered(newest, observed, window_rows)
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
        super().__init__(COUNTING, window_rows, ())
        self._strike = strike
        self.copies = 0

    def write(self, rows: int) -> None:
        begin = self.rows
        self.append(_numbered(begin, begin + rows), 0.0, np.arange(begin, begin + rows, dtype=np.float64))

    def _copy(self, begin: int, end: int, by_event: bool) -> Rows:
        before = self.copies
        self.copies += 1
        self._strike(self, before)
        return super()._copy(begin, end, by_event)


@pytest.mark.parametrize("rows", [1, SLACK_ROWS, SLACK_ROWS + 1, SLACK_ROWS + BLOCK_ROWS, 10 * SLACK_ROWS])
@pytest.mark.parametrize("overruns", [1, 3, 7])
def test_a_reader_that_was_overrun_reads_anew(rows: int, overruns: int) -> None:
    def strike(state: State, before: int) -> None:
        if before < overruns:
            assert isinstance(state, _Overrunning)
            state.write(rows)

    state = _Overrunning(300, strike)
    state.write(1_000)
    newest, observed = state.newest(300, by_event=True)
    _assert_numbered(newest, observed, 300)
    torn = rows > SLACK_ROWS
    assert observed == 1_000 + (overruns * rows if torn else 0)
    assert state.copies == (overruns + 1 if torn else 1)


def test_a_window_that_is_not_full_can_be_overrun_too() -> None:
    def strike(state: State, before: int) -> None:
        if before == 0:
            assert isinstance(state, _Overrunning)
            state.write(300 + SLACK_ROWS - 4)  # one more than there is room for beside the five rows

    state = _Overrunning(300, strike)
    state.write(5)
    newest, observed = state.newest(300, by_event=True)
    assert (observed, state.copies) == (301 + SLACK_ROWS, 2)
    _assert_numbered(newest, observed, 300)


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
    newest, observed = state.newest(300, by_event=True)
    assert waited == [False] * tries + [True]
    assert observed == 1_000 + tries * 2 * SLACK_ROWS
    _assert_numbered(newest, observed, 300)
    writers[-1].join(timeout=10.0)
    assert state.rows == observed + 2 * SLACK_ROWS


# ---------------------------------------------------------------- the layout

fields = st.lists(
    st.tuples(st.sampled_from(["f8", "i8", "u1", "f4"]), st.lists(st.integers(1, 40), min_size=1, max_size=3)),
    min_size=1,
    max_size=8,
).map(lambda found: [Field(f"field{i}", dtype, tuple(shape)) for i, (dtype, shape) in enumerate(found)])


@unhurried
@given(fields)
def test_fields_do_not_overlap_and_start_on_cache_lines(fields: list[Field]) -> None:
    layout = Layout(fields)
    ends = 0
    for field in fields:
        offset = layout.offsets[field.name]
        assert offset % ALIGNMENT == 0
        assert ends <= offset < ends + ALIGNMENT
        assert field.size_bytes == np.zeros(field.shape, field.dtype).nbytes
        ends = offset + field.size_bytes
    assert ends <= layout.size_bytes < ends + ALIGNMENT


@unhurried
@given(fields, st.integers(0, 1_000))
def test_arrays_keep_their_own_content_and_share_the_buffer(fields: list[Field], seed: int) -> None:
    layout = Layout(fields)
    buffer = bytearray(layout.size_bytes)
    arrays, again = layout.arrays(buffer), layout.arrays(memoryview(buffer))
    generator = np.random.default_rng(seed)
    written: dict[str, npt.NDArray[np.int64]] = {}
    for field in fields:
        written[field.name] = generator.integers(0, 200, field.shape)
        arrays[field.name][:] = written[field.name]
    for field in fields:
        assert (arrays[field.name].shape, arrays[field.name].dtype) == (field.shape, np.dtype(field.dtype))
        np.testing.assert_array_equal(arrays[field.name], written[field.name])
        np.testing.assert_array_equal(again[field.name], written[field.name])


def test_a_buffer_that_is_too_small_is_refused() -> None:
    layout = Layout([Field("a", "f8", (10,)), Field("b", "f8", (10,))])
    with pytest.raises(ValueError, match="buffer"):
        layout.arrays(bytearray(layout.size_bytes - ALIGNMENT))


def test_the_layout_of_a_state_holds_the_largest_window_and_slack() -> None:
    layout = state_layout(columns=4, bins=13, window_rows=1_000, series=SERIES)
    shapes = {field.name: field.shape for field in layout.fields}
    capacity = 1_000 + SLACK_ROWS
    assert shapes == {
        "header": (8,),
        "bin_rows": (4, 13),
        "values": (capacity, 4),
        "codes": (capacity, 4),
        "arrival": (capacity,),
        "event": (capacity,),
        COUNTED.name: (2, 1),
        TIMED.name: (2, len(TIMED.buckets) + 2),
    }
    binner = small_baseline().binner
    assert State(binner, 10, SERIES).layout.size_bytes == state_layout(4, binner.width, 10, SERIES).size_bytes


def test_every_series_of_a_monitor_has_its_place() -> None:
    series = monitor_series()
    found = counter_fields(series)
    assert [field.name for field in found] == [spec.name for spec in series]
    assert [field.shape for field in found] == [(len(spec.children), spec.width) for spec in series]


# ---------------------------------------------------------------- counters


def test_counters_are_zero_from_the_start() -> None:
    copied = Counters.in_memory(SERIES).copy()
    assert {name: array.shape for name, array in copied.items()} == {COUNTED.name: (2, 1), TIMED.name: (2, 6)}
    assert not any(array.any() for array in copied.values())


def test_a_counter_adds_to_its_own_child() -> None:
    counters = Counters.in_memory(SERIES)
    counters.add(COUNTED.name, 1, "a")
    counters.add(COUNTED.name, 2.5, "a")
    counters.add(COUNTED.name, 4, "b")
    np.testing.assert_array_equal(counters.copy()[COUNTED.name], [[3.5], [4.0]])
    assert not counters.copy()[TIMED.name].any()


edges = st.sampled_from(TIMED.buckets)
beside = st.tuples(edges, st.sampled_from([-math.inf, math.inf])).map(lambda pair: math.nextafter(*pair))
observed = st.lists(st.one_of(edges, beside, st.floats(-1e6, 1e6)), max_size=50)


@unhurried
@given(st.lists(observed, min_size=1, max_size=4))
def test_a_histogram_counts_like_numpy_with_inclusive_upper_edges(batches: list[list[float]]) -> None:
    counters = Counters.in_memory(SERIES)
    for batch in batches:
        counters.observe(TIMED.name, np.array(batch), "b")
    values = np.array([value for batch in batches for value in batch])
    # numpy's bins include their lower edge: mirrored, they include the upper one.
    mirrored, _ = np.histogram(-values, bins=[-np.inf, *(-np.array(TIMED.buckets[::-1])), np.inf])
    row = counters.copy()[TIMED.name][1]
    np.testing.assert_array_equal(row[:-1], mirrored[::-1])
    np.testing.assert_array_equal(np.cumsum(row[:-2]), [(values <= edge).sum() for edge in TIMED.buckets])
    assert row[-1] == pytest.approx(values.sum(), rel=1e-9, abs=1e-6)
    assert not counters.copy()[TIMED.name][0].any()


def test_a_single_number_is_observed_like_an_array_of_one() -> None:
    counters = Counters.in_memory(SERIES)
    counters.observe(TIMED.name, 0.5, "a")
    counters.observe(TIMED.name, np.array([0.5]), "b")
    np.testing.assert_array_equal(counters.copy()[TIMED.name], [[0, 1, 0, 0, 0, 0.5]] * 2)


@pytest.mark.parametrize("labels", [(), ("c",), ("a", "b")])
def test_a_child_that_was_not_declared_is_a_key_error(labels: tuple[str, ...]) -> None:
    counters = Counters.in_memory(SERIES)
    assert not counters.has(COUNTED.name, *labels)
    with pytest.raises(KeyError):
        counters.add(COUNTED.name, 1, *labels)
    with pytest.raises(KeyError):
        counters.observe(TIMED.name, 1.0, *labels)
    assert counters.has(COUNTED.name, "a")


def test_a_series_that_was_not_declared_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        Counters.in_memory(SERIES).add("unknown_total")


def test_a_copy_of_the_counters_stays_as_it_was() -> None:
    counters = Counters.in_memory(SERIES)
    counters.add(COUNTED.name, 1, "a")
    before = counters.copy()
    counters.add(COUNTED.name, 1, "a")
    assert before[COUNTED.name][0, 0] == 1.0
    before[COUNTED.name][:] = 99.0
    assert counters.copy()[COUNTED.name][0, 0] == 2.0


def test_a_state_counts_for_several_threads_without_losing_any() -> None:
    state = State(COUNTING, 10, SERIES)

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
