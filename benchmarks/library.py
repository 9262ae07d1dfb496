"""What it costs a program to have its rows observed: `driftgauge.Monitor`, our server's own path, and others.

Everything runs in one process on the same rows, in turns. Prints tables for benchmarks/README.md.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Annotated, Final

import typer
from pydantic import TypeAdapter
from rich.console import Console
from rich.progress import track
from threadpoolctl import threadpool_limits

from benchmarks.library_rivals import mixed_rival_ways, rival_ways
from benchmarks.library_rows import CATEGORICAL, COLUMNS, Rows, Way
from benchmarks.library_ways import library_ways, server_ways
from benchmarks.measuring import THREAD_VARIABLES, number, table

LIBRARIES: Final = ("driftgauge", "numpy", "pandas", "fastapi", "prometheus-client")
HEADS: Final = (
    "what",
    "how",
    "calling thread, µs a row",
    "ns a value",
    "process, µs a row",
    "elapsed, µs a row",
    "slowest round, µs",
)
WARM_UP: Final = 0.5
"""Part of a round that is not counted."""


@dataclass(frozen=True)
class Cost:
    """What a row costs, in µs."""

    thread: float
    """CPU time of the thread that observes it."""
    process: float
    """CPU time of all threads, with catch-ups, evaluations and publications."""
    elapsed: float

    @classmethod
    def typical(cls, rounds: Sequence[Cost]) -> Cost:
        """Return the median of each figure."""
        return cls(*(median(getattr(own, field.name) for own in rounds) for field in fields(cls)))


@dataclass(frozen=True)
class Found:
    """What was measured of a way."""

    who: str
    how: str
    rounds: Sequence[Cost]
    failure: str = ""
    """Why it was not measured."""


Tables = dict[str, list[Found]]


def cost(way: Way, rows: Rows, seconds: float) -> Cost:
    """Open a way, let it observe rows for some seconds, and return what a row costs."""
    with way.open(rows) as work:
        _repeat(work, WARM_UP * seconds)
        began = time.perf_counter(), time.thread_time(), time.process_time()
        calls = _repeat(work, seconds)
        ended = time.perf_counter(), time.thread_time(), time.process_time()
    elapsed, thread, process = (1e6 * (b - a) / (calls * way.rows) for a, b in zip(began, ended, strict=True))
    return Cost(thread=thread, process=process, elapsed=elapsed)


def _repeat(work: object, seconds: float) -> int:
    assert callable(work)
    calls, until = 0, time.perf_counter() + seconds
    while not calls or time.perf_counter() < until:
        work()
        calls += 1
    return calls


def costs(ways: Sequence[Way], rows: Rows, rounds: int, seconds: float, what: str) -> list[Found]:
    """Measure ways in turns; one that fails is named with its reason."""
    found: dict[Way, list[Cost]] = {way: [] for way in ways}
    failures: dict[Way, str] = {}
    turns = [way for turn in range(rounds) for way in (ways if turn % 2 == 0 else reversed(ways))]
    for way in track(turns, what, console=Console(stderr=True)):
        if way in failures:
            continue
        try:
            found[way].append(cost(way, rows, seconds))
        except Exception as error:  # of another package: the others are measured all the same
            failures[way] = f"{type(error).__name__}: {error}"
    return [Found(way.who, way.how, own, failures.get(way, "")) for way, own in found.items()]


# ---------------------------------------------------------------- tables


def costs_table(title: str, found: Iterable[Found]) -> str:
    """Return the table of some ways."""
    return table(title, HEADS, [_row(own) for own in found])


def _row(own: Found) -> list[str]:
    if own.failure:
        return [own.who, own.how, f"not measured: {own.failure}", "", "", "", ""]
    typical = Cost.typical(own.rounds)
    slowest = max(one.thread for one in own.rounds)
    ns = 1e3 * typical.thread / COLUMNS
    figures = (typical.thread, typical.process, typical.elapsed, slowest)
    thread, process, elapsed, most = (number(value, 2 if value < 1e3 else 0) for value in figures)
    return [own.who, own.how, thread, number(ns, 1), process, elapsed, most]


def versions() -> str:
    """Return the versions of Python and of the libraries, as far as they are installed."""
    installed = []
    for name in LIBRARIES:
        try:
            installed.append(f"{name} {version(name)}")
        except PackageNotFoundError:  # an app that is imported from its folder
            installed.append(name)
    return f"Python {platform.python_version()}, {', '.join(installed)}"


def main(
    rounds: Annotated[int, typer.Option(help="Rounds, in turns; the median counts.", min=1)] = 7,
    seconds: Annotated[float, typer.Option(help="Seconds of a round, after half as many that do not count.")] = 0.3,
    seed: Annotated[int, typer.Option(help="Seed of the data.")] = 1,
    others: Annotated[bool, typer.Option(help="Measure the other tools too.")] = True,
    only: Annotated[str, typer.Option(help="Measure only ways whose name contains this.")] = "",
    json: Annotated[Path | None, typer.Option(help="Where the results are written.")] = None,
) -> None:
    """Measure the CPU time of observing a row, by its shape, beside other tools."""
    for variable in THREAD_VARIABLES:  # for libraries that are loaded later
        os.environ[variable] = "1"
    numbers, mixed = Rows.of(seed), Rows.of(seed, CATEGORICAL)
    rivals, failed = rival_ways() if others else ([], {})
    sets = {
        f"Rows of {COLUMNS} numbers": ([*library_ways(categorical=False), *server_ways(), *rivals], numbers),
        f"Rows of {COLUMNS} columns, {CATEGORICAL} of them categories": (
            [*library_ways(categorical=True), *(mixed_rival_ways() if others else [])],
            mixed,
        ),
    }
    results: Tables = {}
    print(f"{versions()}; seed {seed}, {rounds} rounds of {seconds:g} s\n")
    with threadpool_limits(1):
        for title, (ways, rows) in sets.items():
            chosen = [way for way in ways if only in f"{way.who}: {way.how}"]
            results[title] = costs(chosen, rows, rounds, seconds, title)
            print(costs_table(f"{title}: median of {rounds} rounds", results[title]))
    for name, reason in failed.items():
        print(f"{name} is left out: {reason}")
    if json:
        json.write_bytes(TypeAdapter(Tables).dump_json(results, indent=1))


if __name__ == "__main__":
    typer.run(main)
