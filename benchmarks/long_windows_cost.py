"""What time windows of 7 and 30 days cost: a row, an evaluation, the event loop, memory and the checkpoint.

Two monitors with a folder each see the same rows; one has the default time windows, the other 7d and 30d too. They
take turns, so that disturbances of the machine affect both. The months are full before anything is measured.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import typer
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.edges.http.lifespan import SWITCH_SECONDS
from driftgauge.monitor.long_windows import LongWindows
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions, state_shape
from driftgauge.monitor.problems import Problems
from driftgauge.state.files import StateKey
from driftgauge.state.slots import CHECKPOINT_FILE, Slots
from driftgauge.state.store import Store
from threadpoolctl import threadpool_limits

from benchmarks.measuring import number, table
from benchmarks.monitors import START, Data
from benchmarks.pairing import HEADS, Pairs

SHORT: Final = ("2m", "1h", "24h")
LONG: Final = (*SHORT, "7d", "30d")
DAYS: Final = 31
HOUR_SECONDS: Final = 3_600.0
ROWS_AN_HOUR: Final = 20
BATCH_ROWS: Final = 500
BEAT_SECONDS: Final = 0.001
HELD: Final = "event loop held at most, ms"


@dataclass
class Subject:
    """A monitor with a folder of its own."""

    name: str
    monitor: ColumnMonitor
    judged: LongWindows
    folder: Path
    now: float = START
    begin: int = 0

    @classmethod
    def of(cls, name: str, data: Data, spans: tuple[str, ...], folder: Path) -> Subject:
        """Return a monitor that has seen nothing."""
        baseline = data.baseline()
        options = MonitorOptions(policy=Policy(time_windows=tuple(map(TimeSpan.named, spans))))
        folder.mkdir()
        store = Store.open(Slots(folder, StateKey("m", "1", baseline.hash), state_shape(baseline, options)))
        monitor = ColumnMonitor(baseline, model_name="m", model_version="1", now=START, options=options, store=store)
        return cls(name, monitor, LongWindows(Problems(lambda: START)), folder)

    def fill(self, data: Data) -> None:
        """Observe a month, hour by hour, and fill the largest sliding window."""
        for _ in range(24 * DAYS):
            self.observe(data, ROWS_AN_HOUR, HOUR_SECONDS)
        self.monitor.catch_up(self.now)

    def observe(self, data: Data, rows: int, seconds: float) -> None:
        """Observe some rows, and let the clock go on."""
        first = self.begin % (len(data.current) - rows)
        self.monitor.observe(data.current[first : first + rows], arrival=self.now)
        self.begin, self.now = self.begin + rows, self.now + seconds

    def catch_up(self) -> None:
        """Commit the rows that were observed."""
        self.monitor.catch_up(self.now)

    def evaluate(self) -> None:
        """Evaluate everything, and judge the long windows."""
        self.monitor.evaluate(self.now)
        self.judged.report_on(self.monitor.last.report)

    @property
    def checkpoint_mib(self) -> float:
        """Return the size of the checkpoint, MiB."""
        return (self.folder / CHECKPOINT_FILE).stat().st_size / 2**20


@dataclass
class Figures:
    """What was measured of two monitors in turns."""

    pairs: dict[str, Pairs] = field(default_factory=dict)

    def add(self, what: str, digits: int, subjects: tuple[Subject, Subject], work: Callable[[Subject], float]) -> None:
        """Measure both, the first of them in every second turn the other one."""
        own = self.pairs.setdefault(what, Pairs(what, digits))
        turned = len(own.before) % 2
        found = [work(subject) for subject in (subjects[::-1] if turned else subjects)]
        own.add(*(found[::-1] if turned else found))


def cpu_ms(work: Callable[[], object]) -> float:
    """Return the CPU time of a call in this thread, ms."""
    began = time.thread_time()
    work()
    return 1e3 * (time.thread_time() - began)


async def longest_held_ms(work: Callable[[], object], executor: ThreadPoolExecutor) -> float:
    """Return how long the event loop waited at most for something that runs in a thread, ms.

    A timer is late where the machine has other work, too: what counts is the CPU time of the thread meanwhile.
    """
    loop, longest = asyncio.get_running_loop(), 0.0
    thread = await loop.run_in_executor(executor, threading.get_ident)
    clock = time.pthread_getcpuclockid(thread)
    running = loop.run_in_executor(executor, work)
    while not running.done():
        began, before = time.monotonic(), time.clock_gettime(clock)
        await asyncio.sleep(BEAT_SECONDS)
        late = time.monotonic() - began - BEAT_SECONDS
        longest = max(longest, min(late, time.clock_gettime(clock) - before))
    await running
    return 1e3 * longest


def peak_mib(work: Callable[[], object]) -> float:
    """Return how much memory a call takes at most beyond what there was, MiB."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    work()
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    return peak / 2**20


def measure(columns: int, rounds: int, seed: int, folder: Path) -> Figures:
    """Return the figures of monitors of so many columns."""
    data, figures = Data.of(columns, 20_000, seed), Figures()
    subjects = (
        Subject.of("short", data, SHORT, folder / f"{columns}-short"),
        Subject.of("long", data, LONG, folder / f"{columns}-long"),
    )
    for own in subjects:
        own.fill(data)
        own.evaluate()
    figures.add("checkpoint, MiB", 1, subjects, lambda own: own.checkpoint_mib)

    def observed(own: Subject) -> float:
        return cpu_ms(lambda: own.observe(data, BATCH_ROWS, 1.0))

    def evaluated(own: Subject) -> float:
        return cpu_ms(lambda: own.monitor.evaluate(own.now))

    def bucket_later(own: Subject) -> float:
        own.observe(data, 1, 12 * HOUR_SECONDS)
        own.evaluate()
        own.observe(data, 1, 12 * HOUR_SECONDS)
        own.monitor.evaluate(own.now)
        return cpu_ms(lambda: own.judged.report_on(own.monitor.last.report))

    def again(own: Subject) -> float:
        own.monitor.evaluate(own.now)
        return cpu_ms(lambda: own.judged.report_on(own.monitor.last.report))

    with ThreadPoolExecutor(1) as executor:

        def held(own: Subject) -> float:
            own.observe(data, BATCH_ROWS, 1.0)
            return asyncio.run(longest_held_ms(own.evaluate, executor))

        for turn in range(rounds):
            print(f"{columns} columns: round {turn + 1} of {rounds}", file=sys.stderr)
            figures.add(f"batch of {BATCH_ROWS} rows observed, ms", 3, subjects, observed)
            figures.add("the same rows committed, ms", 2, subjects, lambda own: cpu_ms(own.catch_up))
            figures.add("evaluation, ms", 1, subjects, evaluated)
            figures.add("long windows judged, ms", 2, subjects, again)
            figures.add("the same, days measured anew, ms", 2, subjects, bucket_later)
            figures.add(HELD, 1, subjects, held)
    figures.add("memory of an evaluation, MiB", 1, subjects, lambda own: peak_mib(own.evaluate))
    for own in subjects:
        own.monitor.store.leave()
    return figures


def main(
    columns: Annotated[str, typer.Option(help="Numbers of columns.")] = "30,1000",
    rounds: Annotated[int, typer.Option(help="Turns of both monitors.")] = 30,
    seed: Annotated[int, typer.Option(help="Seed of the rows.")] = 1,
) -> None:
    """Measure what windows of weeks cost."""
    sys.setswitchinterval(SWITCH_SECONDS)
    with tempfile.TemporaryDirectory() as place, threadpool_limits(1):
        for count in map(int, columns.split(",")):
            found = measure(count, rounds, seed, Path(place))
            held = found.pairs[HELD]
            print(table(f"{count:,} columns", HEADS, [own.row() for own in found.pairs.values()]))
            worst = [number(max(own), 1) for own in (held.before, held.after)]
            print(f"Event loop held at most, worst of {rounds}: {' and '.join(worst)} ms\n")


if __name__ == "__main__":
    typer.run(main)
