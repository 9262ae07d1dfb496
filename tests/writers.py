"""Workers of a state folder that a test starts as processes of their own, and kills.

`python -m tests.writers` is a crew: it forks a worker for each line that it is sent, so that a hundred of them take
the time of one to start. A line is a list of JSON: a command, a folder, the rows of the window, and what it takes.
What workers have to say they write to the same pipe, a line each.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.metrics.series import CPU, LATE, CounterSpec
from driftgauge.monitor.monitor import MonitorOptions, state_shape
from driftgauge.state.layout import Field, Layout
from driftgauge.state.members import added
from driftgauge.state.memory import Retired, RetiredTotals
from driftgauge.state.points import go_on
from driftgauge.state.shape import StateShape
from driftgauge.state.slot import Owner, OwnSlot, Slot
from driftgauge.state.slots import Slots
from driftgauge.state.store import Snapshot, Store
from driftgauge.state.versions import Versions, version_fields

from tests.monitors import START, small_baseline

ROOT: Final = Path(__file__).parents[1]
COUNTED: Final = CounterSpec("counted_total", "counter", "Rows as a worker counts them.")
SPANS: Final = (TimeSpan("10s", 10), TimeSpan("2m", 120), TimeSpan("1h", 3_600))
STOP: Final = "stop"
"""A file that ends the readers of a folder."""
RETIRING: Final = ("retired.copied", "retired.checked", "written", "deleted")
"""Where an evaluation may be killed that retires slots."""
LATER: Final = START + 3_000.0
"""All rows of a test lie in the hour before."""
FILES: Final = {"0.state", "0.lock", "evaluation.state", "evaluation.lock", "retired.state"}
"""Of a folder that one worker has used."""
HEADS: Final = {
    "nothing": b"",
    "garbage": bytes(range(256)) * 40,
    "zeros": bytes(8_192),
    "json of another kind": b"[1, 2]\n" + bytes(8_192),
    "a number": b"12\n" + bytes(8_192),
}
"""Beginnings of files that are no states."""

_ROWS_A_SECOND: Final = 128  # a power of two: no time is rounded
_MOST_BATCHES: Final = 2_000


# ---------------------------------------------------------------- rows that show what they are


def content(numbers: IntArray) -> FloatArray:
    """Return the rows of these numbers, shape [n, columns]: a row that is half another one fits neither."""
    return np.column_stack([5.0 + numbers % 701 * 0.1, numbers % 2, numbers % 3, (numbers * 7 % 1_000 + 0.5) / 1_000])


def arrival(numbers: IntArray) -> FloatArray:
    """Return when the rows of these numbers come, shape [n]."""
    times: FloatArray = START + numbers / _ROWS_A_SECOND
    return times


def numbers_of(at: FloatArray) -> IntArray:
    """Return which rows have come at some times."""
    return ((at - START) * _ROWS_A_SECOND).astype(np.int64)


def recount(first: int, end: int) -> IntArray:
    """Return the counts of rows from one number up to another, shape [columns, K]."""
    binner = small_baseline().binner
    return binner.counts(binner.codes(content(np.arange(first, end))))


# ---------------------------------------------------------------- folders


def options_of(window_rows: int) -> MonitorOptions:
    """Return options with one window of rows and some of time."""
    return MonitorOptions(policy=Policy(windows=(window_rows,), time_windows=SPANS))


def shape_of(window_rows: int) -> StateShape:
    """Return the shape of a state with one window of rows and some of time."""
    return state_shape(small_baseline(), options_of(window_rows), (COUNTED, LATE))


def owner() -> Owner:
    """Return the owner of the states."""
    return Owner("churn", "1", small_baseline().hash)


def slots_in(folder: Path, window_rows: int = 1_000, reach: Callable[[str], None] = go_on) -> Slots:
    """Return a folder as a worker sees it that has no slot yet."""
    return Slots(folder, owner(), shape_of(window_rows), small_baseline().detector(), reach=reach)


def store_in(folder: Path, window_rows: int = 1_000) -> Store:
    """Take a slot and return the store."""
    slots = slots_in(folder, window_rows)
    return Store(*slots.take(), slots)


def names_in(folder: Path) -> set[str]:
    """What lies in a folder."""
    return {path.name for path in folder.iterdir()}


def append(slot: OwnSlot, rows: int, first: int | None = None) -> None:
    """Append the next rows to a slot, or those from some number, count them and let everybody know."""
    state = slot.state
    begin = state.rows if first is None else first
    numbers = np.arange(begin, begin + rows)
    state.append(content(numbers), arrival(numbers), arrival(numbers))
    with state.counting() as counters:
        counters.add(COUNTED.name, rows)
    state.process[CPU] += 1.0
    state.publish()


def counted_rows(store: Store) -> int:
    """Return the rows that all workers together have counted."""
    return int(added(store.counted()).counted[COUNTED.name].sum())


# ---------------------------------------------------------------- workers


def deadly(point: str, nth: int) -> Callable[[str], None]:
    """Return what ends this process when it comes to a point for the n-th time, as a power cut ends it."""
    passed = 0

    def reach(reached: str) -> None:
        nonlocal passed
        passed += reached == point
        if passed == nth:
            die()

    return reach


def die() -> None:
    """End this process at once."""
    os.kill(os.getpid(), signal.SIGKILL)


def tell(*words: object) -> None:
    """Write a line, whole or not at all."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def _write(folder: Path, window_rows: int, point: str, nth: int, seed: int) -> None:
    """Take a slot and append batches until it is killed at a point; tells what it has taken, begun and done."""
    slots = slots_in(folder, window_rows, deadly(point, nth))
    slot, *_ = slots.take()
    with slot.state.counting() as counters:
        counters.add(COUNTED.name, slot.uncounted)
        counted = int(counters.copy()[COUNTED.name].sum())
    tell("taken", slot.number, slot.state.rows, counted, len(slots.recoveries))
    generator = np.random.default_rng(seed)
    for _ in range(_MOST_BATCHES):
        rows = int(generator.choice([1, 7, 50, 300, 2_100, 5_000], p=[0.3, 0.3, 0.2, 0.15, 0.04, 0.01]))
        tell("begun", slot.state.rows + rows)
        append(slot, rows)
        tell("done", slot.state.rows)
        if generator.random() < 0.3:
            slot.state.digest()


def _append(folder: Path, window_rows: int, rows: int, end: str, point: str = "") -> None:
    """Take a slot, append rows and end: `held` until the crew is told, `left` in good order, or `killed`."""
    slots = slots_in(folder, window_rows)
    slot, *_ = slots.take()
    append(slot, rows)
    tell("appended", slot.number, slot.state.rows, slot.uncounted, len(slots.recoveries))
    if end == "held":
        signal.pause()
    if end == "left":
        slot.state.digest()
        slot.state.publish()
        slots.leave()
    elif end == "writing":  # killed half way through another batch
        slots.release()
        slots = slots_in(folder, window_rows, deadly(point, 1))
        append(slots.take()[0], rows)
    else:
        die()


class _Dying(RetiredTotals):
    """Totals whose writer is killed as soon as they are written."""

    def __init__(self, real: RetiredTotals) -> None:
        self._real = real

    @property
    def sequence(self) -> int:
        return self._real.sequence

    def read(self) -> Retired:
        return self._real.read()

    def write(self, retired: Retired) -> None:
        self._real.write(retired)
        die()


class _DyingSlots(Slots):
    """Slots whose evaluation is killed as soon as it has retired one of them."""

    def _retire(self, totals: RetiredTotals, slot: Slot) -> None:
        super()._retire(totals, slot)
        die()


def _evaluate(folder: Path, window_rows: int, now: float, after_seconds: float, where: str = "") -> None:
    """Weigh all rows and retire what is over; killed on the way if it says where."""
    slots = slots_in(folder, window_rows)
    if where == "deleted":
        slots = _DyingSlots(folder, owner(), shape_of(window_rows), small_baseline().detector())
    slot, memory, retired = slots.take()
    retired._versions._reach = deadly(where, 1)
    store = Store(slot, memory, _Dying(retired) if where == "written" else retired, slots)
    with store.evaluating():
        weigh(store)
        store.retire(now, after_seconds)
    store.leave()


def weigh(store: Store) -> None:
    """Weigh the rows that have come."""
    blocks, counted, lost = store.unweighed()
    assert lost == 0
    assert (blocks.counts >= 0).all()
    assert (blocks.counts.sum(axis=2) == blocks.counts[:, :1].sum(axis=2)).all()
    store.weigh(store.detector.advance(store.evidence(), blocks), counted)


def _read(folder: Path, window_rows: int, evaluates: bool) -> None:
    """Read, time and again, while one worker after another writes to one slot, and check all that must hold."""
    store = store_in(folder, window_rows)
    tell("reading", store.own.number)
    times, seen = 0, (0, 0, 0)
    bins = store.bin_rows()
    while not (folder / STOP).exists():
        before = store.rows
        snapshot = store.snapshot(LATER)
        assert snapshot.observed >= before
        check_snapshot(snapshot, window_rows)
        assert snapshot.totals[-1].rows == snapshot.observed, "the hour holds all rows of the same moment"
        np.testing.assert_array_equal(snapshot.totals[-1].counts, recount(0, snapshot.observed))
        counts = store.bin_rows()
        assert (counts >= bins).all(), "rows of a bin went back"
        assert np.unique(counts.sum(axis=1)).size == 1
        now = (snapshot.observed, counted_rows(store), int(counts[0].sum()))
        assert now[2] >= now[0]
        assert all(new >= old for new, old in zip(now, seen, strict=True)), f"{seen} went back to {now}"
        if evaluates:
            with store.evaluating():
                weigh(store)
        bins, seen = counts, now
        times += 1
        time.sleep(0.002)  # the writer, too, wants a core
    assert store.notes == []
    tell("read", times, *seen)


def check_snapshot(snapshot: Snapshot, window_rows: int) -> None:
    """Assert that a window holds the newest rows that one slot's writers appended, each of them whole."""
    held = min(snapshot.observed, window_rows)
    numbers = np.arange(snapshot.observed - held, snapshot.observed)
    np.testing.assert_array_equal(numbers_of(snapshot.rows.at), numbers)
    np.testing.assert_array_equal(snapshot.rows.values, content(numbers))
    np.testing.assert_array_equal(snapshot.rows.codes, small_baseline().binner.codes(snapshot.rows.values))
    for total in snapshot.totals:
        assert (total.counts.sum(axis=1) == total.rows).all()
        assert total.hours.sum() == total.rows


def _take(folder: Path, window_rows: int, times: int) -> None:
    """Take a slot, append and be killed, so many workers one after another."""
    for _ in range(times):
        child = _forked(lambda: _append(folder, window_rows, 3, "killed"))
        os.waitpid(child, 0)


# ---------------------------------------------------------------- versions


FIELDS: Final = (Field("whole", "i8", (1,)), Field("many", "f8", (30, 100)), Field("few", "u4", (7,)))
VERSIONS: Final = Layout(version_fields("some", FIELDS))


def some_versions(buffer: memoryview | bytearray, reach: Callable[[str], None] = go_on) -> Versions:
    """Return versions of a few arrays."""
    return Versions("some", FIELDS, VERSIONS.arrays(buffer), reach)


def all_of(number: int) -> dict[str, Any]:
    """Return what is written of a number."""
    return {field.name: np.full(field.shape, number, field.dtype) for field in FIELDS}


def _versions(path: Path, most: int) -> None:
    """Write one number after another for as long as it may."""
    with path.open("r+b") as file:
        buffer = np.memmap(file, dtype=np.uint8, mode="r+")
    versions = some_versions(buffer.data)
    tell("writing")
    for number in range(versions.sequence + 1, most):
        versions.write(all_of(number))


# ---------------------------------------------------------------- the crew


_COMMANDS: Final[dict[str, Callable[..., None]]] = {
    "write": _write,
    "append": _append,
    "evaluate": _evaluate,
    "read": _read,
    "take": _take,
    "versions": lambda folder, most: _versions(folder, most),
}
_HELD: Final = ("held", "read", "versions")


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
    """What a test tells the crew, and hears of it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, command: str, *arguments: object, until: str = "ended") -> list[Line]:
        """Send a command, and return what is said up to a line that begins so, the last included."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([command, *map(_plain, arguments)]) + "\n")
        self._process.stdin.flush()
        return list(self._heard(until))

    def _heard(self, until: str) -> Iterator[Line]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            yield line.split()
            if line.startswith(until):
                return
        raise AssertionError("the crew has ended")

    def append(self, folder: Path, rows: int, end: str, *, window_rows: int = 1_000) -> Line:
        """Let a worker append rows; returns its slot, all rows of it, how many were uncounted, and its recoveries."""
        until = "appended" if end == "held" else "ended"
        said = self.ask("append", folder, window_rows, rows, end, until=until)
        assert said[0][0] == "appended", said
        return said[0][1:]

    def evaluate(self, folder: Path, now: float, after_seconds: float, where: str = "") -> int:
        """Let a worker weigh all rows and retire slots; returns how it ended."""
        return int(self.ask("evaluate", folder, 1_000, now, after_seconds, where)[-1][1])

    def killed(self) -> None:
        """Kill those that are held, and wait for their ends."""
        self.ask("kill", until="all ended")

    def joined(self) -> list[Line]:
        """Wait for those that are held; returns what they said at the end."""
        return self.ask("join", until="all ended")


def _plain(argument: object) -> object:
    return str(argument) if isinstance(argument, Path) else argument


@contextmanager
def crew() -> Iterator[Crew]:
    """Start a crew; it and those that it holds end with the test."""
    command = [sys.executable, "-m", "tests.writers"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        yield Crew(process)
        Crew(process).killed()
    finally:
        process.communicate(timeout=30)


if __name__ == "__main__":
    _serve()
