"""What each further model costs a server: memory, files, series, scrapes, and CPU time with and without rows.

One server of one worker takes in rows of models that are served elsewhere, each with the same baseline of 30 features.
It is started with each number of models, every model's window is filled, and then it is left alone, scraped, and given
a few rows a second for each model. Prints a table for benchmarks/README.md.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Final

import typer

from benchmarks.contestants.catalogue import Start
from benchmarks.ingest_rows import as_array, own_list, requests_of, rows_of, write_baseline
from benchmarks.ingest_run import Running, serving
from benchmarks.measuring import number, table
from benchmarks.processes import EVERY_CORE, MIB, memory

WINDOW_ROWS: Final = 10_000
BATCH_ROWS: Final = 500
SMALL_ROWS: Final = 10
"""Rows of a request while a few rows a second arrive."""
SCRAPES: Final = 5
SETTLE_SECONDS: Final = 5.0
"""After the rows; a server of many models is never quite idle, because each is evaluated every five seconds."""
HEADS: Final = (
    *(
        "models",
        "start, s",
        "RSS, MiB",
        "PSS, MiB",
        "state files, MiB",
        "series",
        "/metrics, kB",
        "CPU of a scrape, ms",
    ),
    *("idle, % of a core", "10 rows/s each, % of a core"),
)


@dataclass(frozen=True)
class Found:
    """What was measured with one number of models."""

    models: int
    start_seconds: float
    rss_mib: float
    pss_mib: float | None
    """With full windows."""
    files_mib: float
    """Blocks that the files of the state take on the disk."""
    series: int
    metrics_bytes: int
    scrape_ms: float
    """CPU time of a scrape without new rows, beyond that of as long without a scrape."""
    idle_share: float
    """Cores, without rows and scrapes."""
    busy_share: float
    """Cores, while each model gets a request of ten rows a second."""


def models_of(count: int) -> list[str]:
    """Return the names of the models."""
    return [f"m{place:03}" for place in range(count)]


def server(baseline: Path, count: int) -> Callable[[int, Path], Start]:
    """Return how a server of several models that others serve is started."""

    def start(port: int, folder: Path) -> Start:
        tables = "".join(f'\n[models.{name}]\nbaseline = "{baseline}"\n' for name in models_of(count))
        head = f'max_models = {count}\nstate_dir = "{folder / "state"}"\nprediction_log = false\n'
        (folder / "config.toml").write_text(head + tables)
        how = ("--config", str(folder / "config.toml"), "--port", str(port), "--log-level", "warning")
        return Start((sys.executable, "-m", "driftgauge", "serve", *how), {})

    return start


def found(baseline: Path, count: int, folder: Path, seconds: float, rows: int) -> Found:
    """Measure a server of one number of models."""
    began = time.perf_counter()
    with serving(server(baseline, count), folder, EVERY_CORE) as running:
        started = time.perf_counter() - began
        fill(running, models_of(count), rows)
        taken = running.sample("model_ingest_rows_total", 'result="taken"')
        if taken != count * rows:
            raise RuntimeError(f"{taken:g} of {count * rows} rows were taken")
        time.sleep(SETTLE_SECONDS)
        idle = _share(running, seconds, lambda: None)
        text, scrape = _scrapes(running, idle)
        busy = _share(running, seconds, _few_rows(running, models_of(count)))
        held = memory(running.pid)
        return Found(
            models=count,
            start_seconds=started,
            rss_mib=held.rss,
            pss_mib=held.pss,
            files_mib=sum(own.stat().st_blocks * 512 for own in (folder / "state").rglob("*")) / MIB,
            series=sum(not line.startswith(b"#") for line in text.splitlines()),
            metrics_bytes=len(text),
            scrape_ms=scrape,
            idle_share=idle,
            busy_share=busy,
        )


def fill(running: Running, names: Sequence[str], rows: int) -> None:
    """Fill the windows of all models, in turns, so that no log is full."""
    for first in range(0, rows, 5 * BATCH_ROWS):
        requests = list(requests_of(rows_of(min(5 * BATCH_ROWS, rows - first), first), BATCH_ROWS, as_array(own_list)))
        for name in names:
            running.send(f"/ingest/{name}", requests)


def _scrapes(running: Running, idle: float) -> tuple[bytes, float]:
    """Return the metrics, and the median CPU time of a scrape in ms, beyond what the server uses meanwhile anyway."""
    text, costs = b"", []
    for _ in range(SCRAPES):
        before, began = running.cpu_seconds(), time.monotonic()
        text = running.get("/metrics")
        used = running.cpu_seconds() - before
        costs.append(1e3 * max(0.0, used - idle * (time.monotonic() - began)))
        time.sleep(0.5)
    return text, median(costs)


def _few_rows(running: Running, names: Sequence[str]) -> Callable[[], None]:
    """Return what sends ten rows to each model."""
    (request,) = requests_of(rows_of(SMALL_ROWS, 7), SMALL_ROWS, as_array(own_list))

    def send() -> None:
        for name in names:
            running.send(f"/ingest/{name}", [request])

    return send


def _share(running: Running, seconds: float, each_second: Callable[[], None]) -> float:
    """Return the cores that the server uses while something is done each second."""
    before, began = running.cpu_seconds(), time.monotonic()
    turns = 0
    while time.monotonic() - began < seconds:
        each_second()
        turns += 1
        time.sleep(max(0.0, began + turns - time.monotonic()))
    return (running.cpu_seconds() - before) / (time.monotonic() - began)


def row(own: Found) -> list[str]:
    """Return the cells of one number of models."""
    return [
        f"{own.models:,}",
        number(own.start_seconds, 1),
        number(own.rss_mib, 0),
        number(own.pss_mib, 0),
        number(own.files_mib, 0),
        f"{own.series:,}",
        number(own.metrics_bytes / 1e3, 0),
        number(own.scrape_ms, 1),
        number(100.0 * own.idle_share, 2),
        number(100.0 * own.busy_share, 1),
    ]


def main(
    models: Annotated[str, typer.Option(help="Numbers of models, with commas.")] = "1,10,100",
    seconds: Annotated[float, typer.Option(min=1.0, help="Of each share of a core.")] = 20.0,
    rows: Annotated[int, typer.Option(min=BATCH_ROWS, help="Rows of each model before.")] = WINDOW_ROWS,
    seed: int = 1,
) -> None:
    """Print what a server of each number of models costs."""
    with tempfile.TemporaryDirectory() as folder:
        baseline = Path(folder) / "baseline.json"
        write_baseline(baseline, seed)
        costs = []
        for count in map(int, models.split(",")):
            costs.append(found(baseline, count, Path(folder) / str(count), seconds, rows))
            print(costs[-1], file=sys.stderr, flush=True)
    print(table("A server by its models: 30 features each, one worker", HEADS, map(row, costs)))


if __name__ == "__main__":
    typer.run(main)
