"""How often evidence is raised while nothing drifts, how late it is when something does, and others beside it.

Prints tables for benchmarks/README.md. Everything runs through what serves: baseline, bins, blocks, detector.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

import typer
from driftgauge.errors import BaselineError
from rich.console import Console
from rich.progress import Progress
from threadpoolctl import threadpool_limits

from benchmarks.detection_report import draw, report
from benchmarks.results import Contest, Found
from benchmarks.rivals import Rival, rivals
from benchmarks.statistics_cost import THREAD_VARIABLES
from benchmarks.streams import DEPENDENT, INDEPENDENT, SHIFTS, Shift, Source
from benchmarks.trials import References, cost, delays, false_alarms, rival_alarms, rival_delays

PARTS: Final = ("independent", "dependent", "delays", "rivals", "cost")
LIBRARIES: Final = ("numpy", "scipy", "driftgauge")
TOLERANCES: Final = (0.0, 0.02)
STREAM_ROWS: Final = 500_000
FEWEST_STREAMS: Final = 20
LOT_ROWS: Final = 10_000
STREAMS_AT_ONCE: Final = 2


def stream_rows(rows: float) -> int:
    """Return the rows of a stream, so that there are at least `FEWEST_STREAMS` of them."""
    return max(LOT_ROWS, min(STREAM_ROWS, int(rows / FEWEST_STREAMS / LOT_ROWS) * LOT_ROWS))


def run_alarms(
    found: Found, sources: Sequence[Source], rows: float, references: Sequence[int], seed: int, progress: Progress
) -> Iterator[None]:
    """Count the false alarms of each source with references of each size; yields when there is more to keep."""
    each = stream_rows(rows)
    for m in references:
        for source in sources:
            streams = range(max(FEWEST_STREAMS, -(-int(rows) // each)))
            bar = progress.track(streams, description=f"no drift, {source.name}, m = {m:,}")
            try:
                own = false_alarms(source, m, bar, each, TOLERANCES, seed)
            except BaselineError:  # too few rows to be told apart by hour
                own = []
            found.alarms.setdefault(source.name, {})[str(m)] = own
            yield


def run_delays(found: Found, trials: int, references: Sequence[int], seed: int, progress: Progress) -> Iterator[None]:
    """Measure the delay of each shift with references of each size."""
    for m in references:
        drawn = References(m, trials, seed)
        for shift in progress.track(SHIFTS, description=f"shifts, m = {m:,}"):
            found.delays.setdefault(shift.name, {})[str(m)] = delays(shift, drawn[shift.shares], TOLERANCES, seed)
            yield


def run_rivals(found: Found, seconds: float, rows: float, trials: int, seed: int, progress: Progress) -> Iterator[None]:
    """Give each rival an equal part of the time, one half for false alarms and one for all shifts."""
    contestants, found.missing_rivals = rivals()
    for rival in progress.track(contestants, description="rivals"):
        each = seconds / len(contestants) / 2.0
        alarms = rival_alarms(rival, each, int(rows), seed)
        seen = [shift for shift in SHIFTS if sees(rival, shift)]
        told = {shift.name: rival_delays(rival, shift, each / len(seen), trials, seed) for shift in seen}
        found.rivals[rival.name] = Contest(alarms, told)
        yield


def run_cost(found: Found, seed: int) -> Iterator[None]:
    """Measure CPU time."""
    found.cost = cost(seed)
    yield


def sees(rival: Rival, shift: Shift) -> bool:
    """Return whether a rival can see a shift at all: all of them leave missing values out."""
    return not shift.missing and (rival.categories or not shift.shares)


def main(
    rows: Annotated[float, typer.Option(help="Rows without drift, for each source and reference size.")] = 2e7,
    dependent_rows: Annotated[float, typer.Option(help="The same, of sources with dependence.")] = 5e6,
    trials: Annotated[int, typer.Option(help="Trials for each shift and reference size.", min=10)] = 200,
    references: Annotated[str, typer.Option(help="Rows of the reference.")] = "1000,10000,100000",
    rival_minutes: Annotated[float, typer.Option(help="Time that all rivals together have.")] = 10.0,
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
    short: Annotated[bool, typer.Option(help="A hundredth of the rows, a fifth of the trials, a minute.")] = False,
    only: Annotated[str, typer.Option(help="Parts to run; none to print what --json holds.")] = ",".join(PARTS),
    json: Annotated[Path | None, typer.Option(help="Where results are kept; parts not run are taken from it.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Where the plot is written, as SVG; wants matplotlib.")] = None,
) -> None:
    """Simulate false alarms and delays of evidence and of others, and measure what evidence costs."""
    for variable in THREAD_VARIABLES:  # for libraries that are loaded later
        os.environ[variable] = "1"
    if short:
        rows, dependent_rows, trials, rival_minutes = rows / 100.0, dependent_rows / 10.0, trials // 5, 1.0
    sizes = [int(part) for part in references.split(",")]
    parts = [part for part in only.split(",") if part]
    if not set(parts) <= set(PARTS):
        raise typer.BadParameter(f"the parts are {', '.join(PARTS)}", param_hint="--only")
    found = Found.load(json) if json and json.exists() else Found()
    found.setting |= {"Python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}
    found.setting["seed"] = str(seed)
    with threadpool_limits(1), Progress(console=Console(stderr=True)) as progress:
        steps = {
            "independent": lambda: run_alarms(found, INDEPENDENT, rows, sizes, seed, progress),
            "dependent": lambda: run_alarms(found, DEPENDENT, dependent_rows, sizes, seed, progress),
            "delays": lambda: run_delays(found, trials, sizes, seed, progress),
            "rivals": lambda: run_rivals(found, 60.0 * rival_minutes, rows, trials, seed, progress),
            "cost": lambda: run_cost(found, seed),
        }
        for part in parts:
            for _ in steps[part]():
                if json:
                    found.save(json)
    print(report(found, TOLERANCES))
    if plot:
        draw(found, TOLERANCES, plot)


if __name__ == "__main__":
    typer.run(main)
