"""How the cost of monitoring grows: of a row and of a scrape, by the number of features and by the window.

In one process, without HTTP: rows go through `ColumnMonitor.observe` in batches of 64, as serving hands them over;
a scrape is an evaluation and the text that is written of it. Prints tables for benchmarks/README.md.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from importlib import import_module
from importlib.metadata import version
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Final

import numpy as np
import typer
from driftgauge.drift.bins import FloatArray
from driftgauge.metrics.render import render
from driftgauge.monitor.monitor import ColumnMonitor
from rich.console import Console
from rich.progress import track
from threadpoolctl import threadpool_limits

from benchmarks.load import SCRAPE_HEADERS
from benchmarks.measuring import THREAD_VARIABLES, cpu_seconds, table
from benchmarks.monitors import START, Data, facts_of, monitor_of, server_facts

LIBRARIES: Final = ("driftgauge", "numpy", "scipy")
BATCH_ROWS: Final = 64
POOL_ROWS: Final = 128 * BATCH_ROWS
"""Rows that are fed again and again."""
LOT_VALUES: Final = 2_000_000
"""Values that are fed before the clock is looked at."""
ROWS_PER_SECOND: Final = 5_000.0
BETWEEN_ROWS: Final = 16 * BATCH_ROWS
"""Rows that come between two scrapes, at the least."""


@dataclass(frozen=True)
class Cost:
    """CPU time of a monitor, by its features and its window."""

    row_us: float
    """Of a row, from the batch until it is counted everywhere."""
    evaluation_ms: float
    """Of a verdict on everything."""
    render_ms: float
    """Of the text that Prometheus reads."""
    text_kib: float
    series: float

    @classmethod
    def typical(cls, costs: Sequence[Cost]) -> Cost:
        """Return the median of each figure."""
        return cls(*(median(getattr(own, field.name) for own in costs) for field in fields(cls)))


class Feed:
    """Hands rows to a monitor in batches, time going on."""

    def __init__(self, monitor: ColumnMonitor, rows: FloatArray) -> None:
        self._monitor = monitor
        self._batches = cycle(np.split(rows, len(rows) // BATCH_ROWS))
        self.now = START

    def __call__(self, rows: int) -> None:
        """Feed this many rows, in whole batches."""
        for _ in range(-(-rows // BATCH_ROWS)):
            self.now += BATCH_ROWS / ROWS_PER_SECOND
            self._monitor.observe(next(self._batches), arrival=self.now)


def cost(features: int, windows: Sequence[int], seed: int, repeats: int) -> Cost:
    """Measure a monitor whose largest window is full."""
    data = Data.of(features, POOL_ROWS, seed)
    monitor = monitor_of(data.baseline(), windows)
    feed = Feed(monitor, data.current)
    feed(windows[-1] + POOL_ROWS)
    lot = max(4, LOT_VALUES // (BATCH_ROWS * features)) * BATCH_ROWS
    row = cpu_seconds(lambda: feed(lot), repeats) / lot
    evaluation = cpu_seconds(lambda: monitor.evaluate(feed.now), repeats, before=lambda: feed(BETWEEN_ROWS))
    text = cpu_seconds(lambda: exposition(monitor), repeats)
    written = exposition(monitor)
    series = sum(not line.startswith(b"#") for line in written.splitlines())
    return Cost(1e6 * row, 1e3 * evaluation, 1e3 * text, len(written) / 1024.0, series)


def exposition(monitor: ColumnMonitor) -> bytes:
    """Return the text of a scrape, as Prometheus asks for it."""
    return render(SCRAPE_HEADERS["Accept"], [facts_of(monitor)], server_facts())[0]


def costs(
    settings: Sequence[tuple[int, Sequence[int]]], seeds: Sequence[int], repeats: int, what: str
) -> Iterator[Cost]:
    """Yield what each setting of features and windows costs: the median over the seeds."""
    for features, windows in track(settings, what, console=Console(stderr=True)):
        yield Cost.typical([cost(features, windows, seed, repeats) for seed in seeds])


# ---------------------------------------------------------------- tables and plot


def by_features(found: dict[int, Cost], window: int) -> str:
    """Return the table by the number of features."""
    heads = (
        "features",
        "a row, µs",
        "a value, ns",
        "evaluation, ms",
        "text, ms",
        "text, KiB",
        "series",
        "text, µs a series",
    )
    rows = [
        [
            f"{features:,}",
            f"{own.row_us:.2f}",
            f"{1e3 * own.row_us / features:.1f}",
            f"{own.evaluation_ms:.1f}",
            f"{own.render_ms:.2f}",
            f"{own.text_kib:,.0f}",
            f"{own.series:,.0f}",
            f"{1e3 * own.render_ms / own.series:.2f}",
        ]
        for features, own in found.items()
    ]
    return table(f"By features: windows of {window // 10:,} and {window:,} rows", heads, rows)


def by_window(found: dict[int, Cost], features: int) -> str:
    """Return the table by the window."""
    heads = ("rows of the window", "a row, µs", "× the first", "evaluation, ms", "text, ms")
    first = next(iter(found.values()))
    rows = [
        [
            f"{window:,}",
            f"{own.row_us:.2f}",
            f"{own.row_us / first.row_us:.2f}",
            f"{own.evaluation_ms:.1f}",
            f"{own.render_ms:.2f}",
        ]
        for window, own in found.items()
    ]
    return table(f"By window: {features} features, one sliding window", heads, rows)


Line = tuple[str, list[float]]


def lines(found: dict[int, Cost]) -> tuple[list[Line], list[Line]]:
    """Return what is drawn: of a row, and of a scrape."""
    every = list(found.values())
    scrape = [("evaluation", [own.evaluation_ms for own in every]), ("text", [own.render_ms for own in every])]
    return [("a row", [own.row_us for own in every])], scrape


def draw(features: dict[int, Cost], windows: dict[int, Cost], path: Path) -> None:
    """Write the costs against features and window as SVG; the same bytes for the same numbers."""
    matplotlib = import_module("matplotlib")
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "driftgauge", "svg.fonttype": "none", "font.size": 9})
    figure, grid = import_module("matplotlib.pyplot").subplots(2, 2, figsize=(8.0, 5.2), layout="constrained")
    for row, (found, label) in zip(grid, ((features, "features"), (windows, "rows of the window")), strict=True):
        for axes, drawn, unit in zip(row, lines(found), ("a row, µs of CPU", "a scrape, ms of CPU"), strict=True):
            _draw_lines(axes, list(found), drawn)
            axes.set(xscale="log", yscale="log", xlabel=label, ylabel=unit)
            axes.set_ylim(*_room(drawn))
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def _draw_lines(axes: Any, at: Sequence[int], drawn: Sequence[Line]) -> None:
    for name, values in drawn:
        axes.plot(at, values, "o-", markersize=3.5, label=name)
    axes.grid(visible=True, alpha=0.3)
    if len(drawn) > 1:
        axes.legend(fontsize=7.5)


def _room(drawn: Sequence[Line]) -> tuple[float, float]:
    """Return limits of at least a factor of a hundred, so that noise looks like noise."""
    every = [value for _, values in drawn for value in values]
    middle = (min(every) * max(every)) ** 0.5
    return min(min(every) / 2.0, middle / 10.0), max(max(every) * 2.0, middle * 10.0)


# ---------------------------------------------------------------- command line


def main(
    features: Annotated[str, typer.Option(help="Numbers of features.")] = "5,10,30,100,300,1000",
    window: Annotated[int, typer.Option(help="Rows of the main window for these.", min=1_000)] = 10_000,
    windows: Annotated[str, typer.Option(help="Windows that are compared.")] = "1000,10000,100000,1000000",
    window_features: Annotated[int, typer.Option(help="Number of features for these.", min=1)] = 30,
    repeats: Annotated[int, typer.Option(help="Repetitions; the median counts.", min=3)] = 7,
    seeds: Annotated[int, typer.Option(help="Seeds of the data; the median counts.", min=1)] = 3,
    plot: Annotated[Path | None, typer.Option(help="Where the plot is written, as SVG; wants matplotlib.")] = None,
) -> None:
    """Measure what a row and a scrape cost, by features and by window."""
    for variable in THREAD_VARIABLES:  # for libraries that are loaded later
        os.environ[variable] = "1"
    counts, sizes = _numbers(features), _numbers(windows)
    every = range(1, seeds + 1)
    with threadpool_limits(1):
        libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
        print(f"Python {platform.python_version()}, {libraries}; {seeds} seeds, batches of {BATCH_ROWS} rows\n")
        wide = costs([(count, (window // 10, window)) for count in counts], every, repeats, "by features")
        by_count = dict(zip(counts, wide, strict=True))
        print(by_features(by_count, window))
        long = costs([(window_features, (size,)) for size in sizes], every, repeats, "by window")
        by_size = dict(zip(sizes, long, strict=True))
        print(by_window(by_size, window_features))
    if plot:
        draw(by_count, by_size, plot)


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    typer.run(main)
