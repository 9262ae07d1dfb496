"""Workers of a state folder that a test starts as processes of their own, and kills.

`python -m tests.writers` is a crew: it forks a worker for each line that it reads, so that a hundred of them take
the time of one to start. A line is a list in JSON: a command, a folder, the rows of the window, and arguments.
Workers write their reports to the same pipe, one line each.
"""

from __future__ import annotations

import functools
import json
import math
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
from driftgauge.common.layout import Field, Layout
from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.metrics.series import DROPPED, LATE, CounterSpec
from driftgauge.metrics.server_series import CPU
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions, state_shape
from driftgauge.state.double_buffer import DoubleBuffer, double_buffer_fields
from driftgauge.state.failpoints import FAILPOINTS, Failpoint, no_failpoint
from driftgauge.state.files import StateKey
from driftgauge.state.history import HistoryShape
from driftgauge.state.history_file import HistoryFile
from driftgauge.state.shape import StateShape
from driftgauge.state.slots import Slots
from driftgauge.state.snapshot import SlotTotals, StateSnapshot, sum_totals
from driftgauge.state.store import Store

from tests.histories import NAMES, minutely
from tests.monitors import START, small_baseline
from tests.states import assert_same_evidence

ROOT: Final = Path(__file__).parents[1]
COUNTED: Final = CounterSpec("counted_total", "counter", "Rows as a worker counts them.")
SPANS: Final = (TimeSpan("10s", 10), TimeSpan("2m", 120), TimeSpan("1h", 3_600))
KEY: Final = StateKey("churn", "1", small_baseline().hash)
STOP: Final = "stop"
"""A file that ends the readers of a folder."""
LATER: Final = START + 3_000.0
"""All rows of a test arrive in the hour before."""
FILES: Final = {"0.log", "0.lock", "checkpoint.state", "evaluation.lock"}
"""Files of a folder that one worker has used."""
HEADS: Final = {
    "nothing": b"",
    "garbage": bytes(range(256)) * 40,
    "zeros": bytes(8_192),
    "json of another kind": b"[1, 2]\n" + bytes(8_192),
    "a number": b"12\n" + bytes(8_192),
}
"""Beginnings of files that hold no state."""
FOLD_POINTS: Final = tuple(point for point in FAILPOINTS if point.startswith("fold."))
HISTORY_POINTS: Final = tuple(point for point in FAILPOINTS if point.startswith("history."))
WORK_POINTS: Final = tuple(point for point in FAILPOINTS if point not in (*FOLD_POINTS, *HISTORY_POINTS))
"""Failpoints that every worker passes which appends rows and catches up."""
CATCH_UP_POINTS: Final = tuple(point for point in WORK_POINTS if point.startswith(("catch_up.", "checkpoint.")))

MOST_ROWS_OF_ONE: Final = 8_000
"""Rows of each worker that folds."""
_LOGS: Final = 8
"""Logs whose rows have ids of their own."""
_ROWS_A_SECOND: Final = 1_024  # a power of two: no time is rounded
_MOST_BATCHES: Final = 2_000
_BATCHES: Final = ([1, 7, 50, 300, 2_100, 5_000], [0.3, 0.3, 0.2, 0.15, 0.04, 0.01])
"""Rows of a batch, and how often each comes."""


# ---------------------------------------------------------------- rows that say which they are


def ids(log: int, first: int, end: int) -> IntArray:
    """Return the ids of the rows of a log from one number up to another: those of several logs alternate."""
    return np.arange(first, end) * _LOGS + log


def ids_of_logs(logs: Mapping[int, int], first: int = 0) -> IntArray:
    """Return the ids of all rows of logs that hold as many rows each, in order of arrival."""
    return np.sort(np.concatenate([np.empty(0, np.int64), *(ids(log, first, end) for log, end in logs.items())]))


def content(row_ids: IntArray) -> FloatArray:
    """Return the rows of these ids, shape [n, columns]: a row mixed of two others fits none of them."""
    scattered = row_ids * 7 % 1_000 + 0.5
    return np.column_stack([5.0 + row_ids % 701 * 0.1, row_ids % 2, row_ids % 3, scattered / 1_000])


def arrival(row_ids: IntArray) -> FloatArray:
    """Return when the rows of these ids arrive, shape [n]."""
    times: FloatArray = START + row_ids / _ROWS_A_SECOND
    return times


def ids_at(at: FloatArray) -> IntArray:
    """Return the ids of the rows that arrived at these times."""
    return ((at - START) * _ROWS_A_SECOND).astype(np.int64)


def recount(row_ids: IntArray) -> IntArray:
    """Return the counts of rows, shape [columns, K]."""
    binner = small_baseline().binner
    return binner.counts(binner.codes(content(row_ids)))


# ---------------------------------------------------------------- folders


@functools.cache
def shape_of(window_rows: int) -> StateShape:
    """Return the shape of a state with one window of rows and some of time."""
    baseline = small_baseline()
    series = (COUNTED, LATE, DROPPED)
    return StateShape(baseline.binner, baseline.scales, baseline.detector(), window_rows, series=series, spans=SPANS)


def store_in(folder: Path, window_rows: int = 1_000, failpoint: Failpoint = no_failpoint, **options: Any) -> Store:
    """Open the store of a folder as one more worker."""
    key = options.pop("key", KEY)
    return Store.open(Slots(folder, key, shape_of(window_rows), failpoint=failpoint, **options))


def names_in(folder: Path) -> set[str]:
    """Return the names of a folder's files."""
    return {path.name for path in folder.iterdir()}


def own_totals(store: Store) -> SlotTotals:
    """Return the counters of a store's own slot."""
    (own,) = (totals for totals in store.counted() if totals.number == store.number)
    return own


def counted_rows(store: Store) -> int:
    """Return the rows that all workers together have counted."""
    return int(sum_totals(store.counted())[COUNTED.name].sum())


def append(store: Store, row_ids: IntArray) -> None:
    """Append rows to a store's own log, catch up where it is full, count the rows and publish."""
    done = 0
    while done < len(row_ids):
        part = row_ids[done:]
        done += store.append(content(part), arrival(part), arrival(part))
        if done < len(row_ids):
            catch_up(store)
    with store.counting() as counters:
        counters.add(COUNTED.name, len(row_ids))
    store.process[CPU] += 1.0
    store.publish()


def catch_up(store: Store) -> None:
    """Move all rows of all logs into the checkpoint."""
    with store.evaluating():
        commit_all(store)


def commit_all(store: Store) -> None:
    """Move all rows of all logs into the checkpoint; the caller holds the evaluation lock."""
    while (pending := store.pending(LATER, LATER)) is not None:
        store.commit(pending)


def uninterrupted(window_rows: int, row_ids: IntArray) -> Store:
    """Return a store in memory that has observed rows and never stopped."""
    store = Store.in_memory(shape_of(window_rows))
    append(store, row_ids)
    catch_up(store)
    return store


# ---------------------------------------------------------------- promises


def check_snapshot(snapshot: StateSnapshot, window_rows: int) -> None:
    """Assert that the rows of a window are complete and consecutive, and that each sum fits the others."""
    found = ids_at(snapshot.rows.at)
    assert len(found) == min(snapshot.observed, window_rows)
    assert (np.diff(found) > 0).all(), "a row comes twice, or not in order of arrival"
    np.testing.assert_array_equal(snapshot.rows.values, content(found))
    np.testing.assert_array_equal(snapshot.rows.codes, small_baseline().binner.codes(snapshot.rows.values))
    for log in range(_LOGS):
        assert set(np.diff(found[found % _LOGS == log])) <= {_LOGS}, "a row of a log is missing"
    for total in snapshot.totals:
        assert (total.counts.sum(axis=1) == total.rows).all()
        assert total.hours.sum() == total.rows
    assert snapshot.totals[-1].rows == snapshot.observed, "the hour holds all rows of the same moment"


def check_recount(store: Store, window_rows: int, logs: Mapping[int, int]) -> None:
    """Catch up, and assert that a state equals a recount of logs that held as many rows each.

    Nothing may have been found damaged since the store was opened.
    """
    row_ids = ids_of_logs(logs)
    expected = uninterrupted(window_rows, row_ids)
    with store.evaluating():
        commit_all(store)
        for ago in (0.0, 0.3, 9.7, 100.0):
            now = float(arrival(row_ids[-1:]).max(initial=START)) + ago
            _check_same(store.snapshot(now), expected.snapshot(now))
            _check_times(store.snapshot(now), row_ids, now)
        check_snapshot(store.snapshot(LATER), window_rows)
        if sum(rows > 0 for rows in logs.values()) <= 1:
            assert_same_evidence(store.root.progress.evidence, expected.root.progress.evidence)
    assert store.rows == len(row_ids)
    np.testing.assert_array_equal(store.root.progress.head.total, recount(row_ids))
    assert sum_totals(store.counted())[DROPPED.name].sum() == 0
    found_now = store.notes[len(store.recoveries) :]
    assert found_now == [], "nothing may be found damaged"


def _check_same(found: StateSnapshot, expected: StateSnapshot) -> None:
    assert (found.observed, found.latest_at) == (expected.observed, expected.latest_at)
    np.testing.assert_array_equal(found.rows.at, expected.rows.at)
    np.testing.assert_array_equal(found.rows.values, expected.rows.values)
    np.testing.assert_array_equal(found.rows.codes, expected.rows.codes)
    for one, other in zip(found.totals, expected.totals, strict=True):
        assert (one.span, one.start, one.rows) == (other.span, other.start, other.rows)
        np.testing.assert_array_equal(one.counts, other.counts)
        np.testing.assert_array_equal(one.hours, other.hours)
        np.testing.assert_allclose(one.sums, other.sums, rtol=1e-9, atol=1e-6)


def _check_times(snapshot: StateSnapshot, row_ids: IntArray, now: float) -> None:
    """Assert that the time windows hold the rows since the start of their oldest bucket."""
    times = arrival(row_ids)
    for total, span in zip(snapshot.totals, SPANS, strict=True):
        oldest = (math.floor(now / span.width) - span.buckets + 1) * span.width
        inside = row_ids[times >= oldest]
        assert (total.start, total.rows) == (oldest, len(inside))
        np.testing.assert_array_equal(total.counts, recount(inside))


class Watch:
    """What one reader saw, compared with what it saw before: no sum may go back."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._bins = store.root.progress.head.total
        self._sums = (0.0, 0.0, 0.0, 0.0, -math.inf)
        self.reads = 0

    def look(self) -> tuple[float, ...]:
        """Read all sums without a lock, and assert that none went back."""
        members, bins = self._store.counted(), self._store.root.progress.head.total
        assert (bins >= self._bins).all(), "rows of a bin went back"
        assert np.unique(bins.sum(axis=1)).size == 1
        sums = (
            self._store.rows,
            float(sum_totals(members)[COUNTED.name].sum()),
            float(sum(totals.counted["process"][CPU] for totals in members)),
            float(bins[0].sum()),
            self._store.root.evaluated_at,
        )
        assert all(new >= old for new, old in zip(sums, self._sums, strict=True)), f"{self._sums} went back to {sums}"
        self._bins, self._sums = bins, sums
        self.reads += 1
        return sums


# ---------------------------------------------------------------- workers


def deadly(point: str, nth: int) -> Failpoint:
    """Return a failpoint that kills this process when it passes a point for the n-th time."""
    passed = 0

    def failpoint(reached: str) -> None:
        nonlocal passed
        passed += reached == point
        if passed == nth:
            die()

    return failpoint


def die() -> None:
    """End this process at once."""
    os.kill(os.getpid(), signal.SIGKILL)


def tell(*words: object) -> None:
    """Write a line, whole or not at all."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def _started(folder: Path, window_rows: int, failpoint: Failpoint = no_failpoint) -> tuple[Store, int]:
    """Open a store, count the rows that its predecessor did not count, and report; returns the rows of its log."""
    store = store_in(folder, window_rows, failpoint)
    with store.counting() as counters:
        counters.add(COUNTED.name, store.uncounted)
    own = own_totals(store)
    tell("taken", store.number, own.rows, int(own.counted[COUNTED.name].sum()), len(store.recoveries))
    for recovery in store.recoveries:
        tell("recovery", recovery.reason, recovery.text)
    return store, own.rows


def _write(folder: Path, window_rows: int, point: str, nth: int, seed: int, rests: float = 0.0) -> None:
    """Append batches and catch up now and then, until killed at a point; reports each batch before and after."""
    store, rows = _started(folder, window_rows, deadly(point, nth))
    generator = np.random.default_rng(seed)
    for _ in range(_MOST_BATCHES):
        size = int(generator.choice(_BATCHES[0], p=_BATCHES[1]))
        tell("begun", store.number, rows + size)
        append(store, ids(store.number, rows, rows + size))
        rows += size
        tell("done", store.number, rows)
        if generator.random() < 0.3:
            catch_up(store)
        time.sleep(rests)


def _write_and_fold(folder: Path, window_rows: int, point: str, nth: int, seed: int, worker: int) -> None:
    """Append batches with ids of this worker alone, catch up, and fold idle logs whatever their age, until killed."""
    store, _ = _started(folder, window_rows, deadly(point, nth))
    generator, rows = np.random.default_rng(seed), 0
    for _ in range(_MOST_BATCHES):
        size = int(generator.choice(_BATCHES[0], p=_BATCHES[1]))
        if rows + size <= MOST_ROWS_OF_ONE:
            tell("begun", worker, rows + size)
            append(store, ids_of_worker(worker, rows, rows + size))
            rows += size
            tell("done", worker, rows)
        with store.evaluating():
            commit_all(store)
            store.fold(LATER)
        time.sleep(0.001)


def ids_of_worker(worker: int, first: int, end: int) -> IntArray:
    """Return the ids of the rows of one worker of many, whichever log they are in."""
    return ids(worker % _LOGS, worker * MOST_ROWS_OF_ONE + first, worker * MOST_ROWS_OF_ONE + end)


def _append(folder: Path, window_rows: int, size: int, end: str, first: int = -1, point: str = "") -> None:
    """Append rows and end: `held` until the crew is told, `left` in good order, or `killed`, here or at a point."""
    store, rows = _started(folder, window_rows, deadly(point, 1))
    first = rows if first < 0 else first
    append(store, ids(store.number, first, first + size))
    tell("appended", store.number, rows + size, store.uncounted, len(store.recoveries))
    if end == "held":
        signal.pause()
    if end == "left":
        store.leave()
    else:
        die()


def _catch_up(folder: Path, window_rows: int, point: str = "", nth: int = 1, older_than: float = -math.inf) -> None:
    """Catch up and fold logs, killed at a point if it says which."""
    store = store_in(folder, window_rows, deadly(point, nth))
    with store.evaluating():
        commit_all(store)
        store.fold(older_than)
    store.leave()


def _read(folder: Path, window_rows: int, evaluates: bool) -> None:
    """Read again and again while others write, and check every promise."""
    store = store_in(folder, window_rows)
    watch = Watch(store)
    tell("reading", store.number)
    last = 0
    while not (folder / STOP).exists():
        appended, _, _, binned, _ = watch.look()
        with store.evaluating():
            if evaluates:
                commit_all(store)
            snapshot, bins = store.snapshot(LATER), store.root.progress.head.total
            if evaluates:
                assert snapshot.observed >= appended
                store.keep(store.root.latches, time.time())
        check_snapshot(snapshot, window_rows)
        assert (bins.sum(axis=1) == snapshot.observed).all()
        np.testing.assert_array_equal(snapshot.totals[-1].counts, bins)
        assert snapshot.observed >= max(last, binned)
        last = snapshot.observed
        time.sleep(0.002)  # the writer, too, needs a core
    assert store.notes == []
    tell("read", watch.reads, last)


def _watch(folder: Path, window_rows: int) -> None:
    """Check again and again that no sum goes back while others append rows and fold logs."""
    store = store_in(folder, window_rows)
    watch = Watch(store)
    tell("reading", store.number)
    while not (folder / STOP).exists():
        watch.look()
        with store.evaluating():
            snapshot, bins = store.snapshot(LATER), store.root.progress.head.total
        found = ids_at(snapshot.rows.at)
        assert len(np.unique(found)) == len(found), "a row comes twice"
        np.testing.assert_array_equal(snapshot.rows.values, content(found))
        np.testing.assert_array_equal(snapshot.totals[-1].counts, bins)
        assert (bins.sum(axis=1) == snapshot.observed).all()
        time.sleep(0.002)
    assert store.notes == []
    tell("read", watch.reads, watch.reads)


def replayed(folder: Path | None, window_rows: int, failpoint: Failpoint = no_failpoint) -> ColumnMonitor:
    """Return a monitor by the clock of events, in a folder or in memory."""
    policy = Policy(windows=(200, window_rows), time_windows=SPANS)
    options = MonitorOptions(policy=policy, clock="event")
    shape = state_shape(small_baseline(), options)
    store = Store.in_memory(shape) if folder is None else Store.open(Slots(folder, KEY, shape, failpoint=failpoint))
    return ColumnMonitor(
        small_baseline(),
        model_name=KEY.model_name,
        model_version=KEY.model_version,
        now=LATER,
        options=options,
        store=store,
    )


def _replay(folder: Path, window_rows: int, point: str, nth: int, seed: int, upto: int) -> None:
    """Replay rows from the first one that is not in the log, and evaluate now and then, until killed at a point."""
    monitor, generator = replayed(folder, window_rows, deadly(point, nth)), np.random.default_rng(seed)
    rows = monitor.store.rows
    while rows < upto:
        size = min(upto - rows, int(generator.choice([1, 7, 50, 300, 2_100])))
        row_ids = ids(0, rows, rows + size)
        monitor.observe(content(row_ids), arrival=LATER, event=arrival(row_ids))
        monitor.store.publish()
        rows += size
        if generator.random() < 0.5:
            monitor.evaluate(LATER)
    monitor.store.leave()


def history_of(folder: Path, failpoint: Failpoint = no_failpoint) -> HistoryFile:
    """Return the history in a folder as one more worker sees it."""
    return HistoryFile(folder, KEY, HistoryShape(len(NAMES)), 1, lambda: True, failpoint)


def _history(folder: Path, minutes: int, point: str, nth: int) -> None:
    """Keep a report of each minute until killed at a point."""
    own = history_of(folder, deadly(point, nth))
    for report in minutely(minutes):
        own.keep(report, lambda text: tell("note", text))


def _take(folder: Path, window_rows: int, times: int) -> None:
    """Let workers append and be killed, one after another."""
    for _ in range(times):
        os.waitpid(_forked(lambda: _append(folder, window_rows, 3, "killed")), 0)


def _storm(folder: Path, window_rows: int, workers: int, kills: int, seed: int, folds: bool) -> None:
    """Keep workers appending and catching up, kill one after another at random moments, and in the end all at once.

    With `folds` their number changes, so that logs are without a worker for a while.
    """
    generator = np.random.default_rng(seed)
    running: list[int] = []
    started = 0
    for _ in range(kills):
        while len(running) < (int(generator.integers(1, workers + 1)) if folds else workers):
            running.append(_forked(_stormy(folder, window_rows, generator, started if folds else None)))
            started += 1
        time.sleep(generator.uniform(0.0, 0.2))
        _kill([running.pop(int(generator.integers(len(running))))])
    _kill(running)


def _stormy(folder: Path, window_rows: int, generator: np.random.Generator, worker: int | None) -> Callable[[], None]:
    """Return a worker of a storm: most die at a point of their own, if nothing kills them before."""
    point = (
        str(generator.choice(WORK_POINTS if worker is None else (*WORK_POINTS, *FOLD_POINTS)))
        if generator.random() < 0.7
        else ""
    )
    nth, seed = int(generator.integers(1, 40 if worker is None else 10)), int(generator.integers(2**32))
    if worker is None:
        return lambda: _write(folder, window_rows, point, nth, seed, rests=0.001)
    return lambda: _write_and_fold(folder, window_rows, point, nth, seed, worker)


def _kill(victims: list[int]) -> None:
    """Kill workers, and report every one that had failed before."""
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    for pid in victims:
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code != -signal.SIGKILL:
            tell("failed", code)


# ---------------------------------------------------------------- double buffers


FIELDS: Final = Layout([Field("whole", "i8", (1,)), Field("many", "f8", (30, 100)), Field("few", "u4", (7,))])
DOUBLE_BUFFER: Final = Layout(double_buffer_fields("some", FIELDS))


def some_double_buffer(buffer: memoryview | bytearray, failpoint: Failpoint = no_failpoint) -> DoubleBuffer:
    """Return a double buffer of a few arrays."""
    return DoubleBuffer("some", FIELDS, DOUBLE_BUFFER.arrays(buffer), failpoint)


def all_of(number: int) -> dict[str, Any]:
    """Return arrays full of a number."""
    return {field.name: np.full(field.shape, number, field.dtype) for field in FIELDS.fields}


def _double_buffer(path: Path, most: int) -> None:
    """Write one number after another until killed."""
    with path.open("r+b") as file:
        buffer = np.memmap(file, dtype=np.uint8, mode="r+")
    numbers = some_double_buffer(buffer.data)
    tell("writing")
    for number in range(numbers.sequence + 1, most):
        numbers.write(all_of(number))


# ---------------------------------------------------------------- the crew


_COMMANDS: Final[dict[str, Callable[..., None]]] = {
    "write": _write,
    "append": _append,
    "catch_up": _catch_up,
    "read": _read,
    "replay": _replay,
    "history": _history,
    "take": _take,
    "watch": _watch,
    "storm": _storm,
    "double_buffer": _double_buffer,
}
_HELD: Final = ("held", "read", "watch", "double_buffer")


def _forked(run: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        run()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _serve() -> None:
    held: list[int] = []
    for line in sys.stdin:
        command, *arguments = json.loads(line)
        if command in ("join", "kill"):
            for child in held:
                if command == "kill":
                    os.kill(child, signal.SIGKILL)
                tell("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            held.clear()
            tell("all ended")
            continue
        folder, *rest = arguments
        child = _forked(lambda: _COMMANDS[command](Path(folder), *rest))  # noqa: B023  # called at once
        if {command, *map(str, rest)} & {*_HELD}:
            held.append(child)
        else:
            tell("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


Line = list[str]


class Crew:
    """The test's side of a crew: sends commands and reads reports."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, command: str, *arguments: object, until: str = "ended") -> list[Line]:
        """Send a command, and return the reports up to a line that begins so, this one included."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([command, *map(_plain, arguments)]) + "\n")
        self._process.stdin.flush()
        return list(self._reports(until))

    def _reports(self, until: str) -> Iterator[Line]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            yield line.split()
            if line.startswith(until):
                return
        raise RuntimeError("the crew has ended")

    def append(self, folder: Path, rows: int, end: str, *, window_rows: int = 1_000, first: int = -1) -> Line:
        """Let a worker append rows; returns its slot, all rows of its log, its uncounted rows and its recoveries."""
        until = "appended" if end == "held" else "ended"
        said = self.ask("append", folder, window_rows, rows, end, first, until=until)
        assert said[1][0] == "appended", said
        return said[1][1:]

    def catch_up(
        self, folder: Path, point: str = "", nth: int = 1, *, older_than: float = -math.inf, window_rows: int = 1_000
    ) -> int:
        """Let a worker catch up and fold logs; returns its exit code."""
        return int(self.ask("catch_up", folder, window_rows, point, nth, older_than)[-1][1])

    def killed(self) -> None:
        """Kill the held workers, and wait for their ends."""
        self.ask("kill", until="all ended")

    def joined(self) -> list[Line]:
        """Wait for the held workers; returns their last reports."""
        return self.ask("join", until="all ended")


def _plain(argument: object) -> object:
    return str(argument) if isinstance(argument, Path) else argument


@contextmanager
def crew(broken: str = "") -> Iterator[Crew]:
    """Start a crew, on request with a broken state (see `tests.breakages`); its held workers end with the test."""
    command = [sys.executable, "-m", "tests.writers", *filter(None, [broken])]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        yield Crew(process)
        Crew(process).killed()
    finally:
        process.communicate(timeout=30)


def _main() -> None:
    for name in sys.argv[1:]:
        import_module("tests.breakages").BREAKAGES[name].apply()
    _serve()


if __name__ == "__main__":
    _main()
