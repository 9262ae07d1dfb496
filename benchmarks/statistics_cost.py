"""What monitoring costs: binning and counting of rows, and an evaluation of everything, by columns and window size.

Prints tables for benchmarks/README.md. The peers run on the same windows in the same process, each
limited to one thread; one that cannot be imported is named with its reason.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from typing import Annotated, Final

import numpy as np
import typer
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.verdict.policy import Policy
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions
from rich.console import Console
from rich.progress import track
from threadpoolctl import threadpool_limits

from benchmarks.measuring import THREAD_VARIABLES, cpu_seconds, table
from benchmarks.monitors import START, Data, monitor_of

BATCH_ROWS: Final = 512
LIBRARIES: Final = ("numpy", "scipy", "driftgauge")

__all__ = ["THREAD_VARIABLES", "table"]  # where the benchmark of detection takes them from


def binning_ns(data: Data, baseline: Baseline, repeats: int) -> float:
    """Return the CPU time of binning a value and counting it in its bin, in ns."""
    rows = np.ascontiguousarray(data.current[: max(BATCH_ROWS, min(4_096, 262_144 // data.current.shape[1]))])

    def lot() -> None:
        for _ in range(lots):
            baseline.binner.counts(baseline.binner.codes(rows))

    lots = max(8, 3_000_000 // rows.size)
    return cpu_seconds(lot, repeats) / (lots * rows.size) * 1e9


def digest_ns(data: Data, baseline: Baseline, window: int, rows_per_second: float, repeats: int) -> float:
    """Return the CPU time of a value from its arrival until it is counted everywhere, in ns.

    Batches of 512 rows enter the log, are binned, counted, weighed and summed into the buckets of three time windows.
    """
    options = MonitorOptions(Policy(windows=(window,)))
    monitor = ColumnMonitor(baseline, model_name="m", model_version="1", now=START, options=options)
    batch = np.ascontiguousarray(data.current[:BATCH_ROWS])
    clock = START

    def lot() -> None:
        nonlocal clock
        for _ in range(lot_batches):
            clock += BATCH_ROWS / rows_per_second
            monitor.observe(batch, arrival=clock)
        monitor.catch_up(clock)

    lot_batches = max(8, 3_000_000 // batch.size)
    return cpu_seconds(lot, repeats) / (lot_batches * batch.size) * 1e9


def evaluation_seconds(
    data: Data, baseline: Baseline, window: int, repeats: int, *, busy: bool, windows: Sequence[int] = ()
) -> float:
    """Return the CPU time of an evaluation of everything, the windows full.

    Busy: more rows came in the last two minutes than the ring holds, so time windows are told from their buckets.
    Quiet: the ring holds the whole day, so every window brings its rows.
    """
    monitor = monitor_of(baseline, windows or (window // 10, window))
    parts = ((0.0, window), (1.0, window)) if busy else ((0.0, window // 4), (7_200.0, window // 2), (9_000.0, window))
    begin = 0
    for after, end in parts:
        monitor.observe(data.current[0 if busy else begin : end], arrival=START + after)
        begin = end
    now = START + parts[-1][0] + 30.0
    return cpu_seconds(lambda: monitor.evaluate(now), repeats)


def by_columns(columns: Sequence[int], window: int, seed: int, repeats: int) -> str:
    rows = []
    for count in track(columns, "driftgauge, by columns", console=Console(stderr=True)):
        data = Data.of(count, window, seed)
        baseline = data.baseline()
        fewer = repeats if count < 300 else max(3, repeats // 3)
        rows.append(
            [
                f"{count:,}",
                f"{binning_ns(data, baseline, repeats):.1f}",
                f"{digest_ns(data, baseline, window, 1e5, repeats):.1f}",
                f"{digest_ns(data, baseline, window, 100.0, repeats):.1f}",
                f"{1e3 * evaluation_seconds(data, baseline, window, fewer, busy=True):.1f}",
                f"{1e3 * evaluation_seconds(data, baseline, window, fewer, busy=False):.1f}",
            ]
        )
    heads = (
        "columns",
        "binning, ns a value",
        "until counted, ns a value",
        "the same at 100 rows/s",
        "evaluation, ms (busy)",
        "evaluation, ms (quiet)",
    )
    return table(f"By columns: windows of {window // 10:,} and {window:,} rows, 2 min, 1 h, 24 h", heads, rows)


def by_window(windows: Sequence[int], columns: int, seed: int, repeats: int) -> str:
    rows = []
    for window in track(windows, "driftgauge, by window", console=Console(stderr=True)):
        data = Data.of(columns, window, seed)
        taken = evaluation_seconds(data, data.baseline(), window, repeats, busy=True, windows=[window])
        rows.append([f"{window:,}", f"{1e3 * taken:.1f}", f"{1e9 * taken / (window * columns):.0f}"])
    return table(
        f"By window: {columns} columns, one sliding window", ("rows", "evaluation, ms (busy)", "ns a value"), rows
    )


def beside_peers(columns: Sequence[int], window: int, seed: int, repeats: int, budget: float) -> str:
    from benchmarks.peers import peers  # changes the process: after our own figures

    found, failed = peers()
    import pandas as pd

    rows = [[name, "", f"cannot be imported: {reason}"] for name, reason in failed.items()]
    for peer in found:
        per_column = 0.0
        for count in columns:
            what = f"{peer.name} {peer.version}", f"{count:,}"
            if per_column * count > budget:
                rows.append([*what, f"not run: would take more than {budget:.0f} s"])
                continue
            data = Data.of(count, window, seed)
            frames = [pd.DataFrame(part, columns=data.names) for part in (data.reference, data.current)]
            taken = cpu_seconds(partial(peer.evaluate, *frames), repeats if per_column * count < 2.0 else 1)
            per_column = taken / count
            rows.append([*what, f"{1e3 * taken:,.1f}"])
    return table(f"Others on the same windows of {window:,} rows", ("what", "columns", "CPU ms a window"), rows)


def main(
    columns: Annotated[str, typer.Option(help="Numbers of columns.")] = "5,30,100,300,1000",
    window: Annotated[int, typer.Option(help="Rows of the main window.", min=1_000)] = 10_000,
    windows: Annotated[str, typer.Option(help="Window sizes that are compared at 30 columns.")] = "1000,10000,100000",
    repeats: Annotated[int, typer.Option(help="Repetitions; the median counts.", min=3)] = 15,
    seed: Annotated[int, typer.Option(help="Seed of the data.")] = 1,
    peer_columns: Annotated[
        str, typer.Option(help="Numbers of columns for the peers; none to leave them out.")
    ] = "5,30,100",
    budget: Annotated[float, typer.Option(help="CPU seconds that a peer may take for one window.")] = 60.0,
) -> None:
    """Measure CPU time: binning, counting and evaluation by columns and window size, and peers on the same windows."""
    for variable in THREAD_VARIABLES:  # for libraries that are loaded later
        os.environ[variable] = "1"
    with threadpool_limits(1):
        libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
        print(f"Python {platform.python_version()}, {libraries}; seed {seed}\n")
        print(by_columns([int(part) for part in columns.split(",")], window, seed, repeats))
        print(by_window([int(part) for part in windows.split(",")], 30, seed, max(3, repeats // 3)))
        if peer_columns:
            print(
                beside_peers(
                    [int(part) for part in peer_columns.split(",")], window, seed, max(3, repeats // 3), budget
                )
            )


if __name__ == "__main__":
    typer.run(main)
