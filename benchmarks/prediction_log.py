"""What the prediction log costs: CPU of a row on its way into SQLite, and bytes on the disk.

Rows go the way of a server's: into the queue, and from there by the writer's thread into the database, in requests of
1, 10 and 100 rows with 30 features. CPU is that of the whole process, so it contains the queue, the thread and SQLite.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from driftgauge.drift.bins import FloatArray
from driftgauge.edges.formats.prediction_ids import time_ordered_ids
from driftgauge.errors import Reason
from driftgauge.monitor.capture import Answered
from driftgauge.predictions.description import Described
from driftgauge.predictions.generations import sqlite_file
from driftgauge.predictions.log import LogOptions, PredictionLog
from driftgauge.predictions.recorder import Kept
from driftgauge.predictions.rows import LoggedFeature, LoggedModel

FEATURES: Final = 30
SIZES: Final = (1, 10, 100)


@dataclass
class Counted:
    """Counts rows; none may be dropped."""

    rows: int = 0

    def written(self, rows: int, lag_seconds: FloatArray) -> None:
        self.rows += rows

    def dropped(self, rows: int, reason: Reason) -> None:
        raise AssertionError(f"{rows} rows were dropped: {reason}")


@dataclass(frozen=True)
class Cost:
    """What a row costs."""

    cpu_us: float
    disk_bytes: float


def cost(size: int, rows: int, folder: Path) -> Cost:
    """Return the cost of rows that come in requests of one size."""
    features = tuple(LoggedFeature(f"f{index}", "numeric") for index in range(FEATURES))
    model = LoggedModel("model", "1", "classification", ("no", "yes"), features, "hash")
    counted = Counted()
    log = PredictionLog(LogOptions(folder, queue_rows=rows + 1), time.time, _fail)
    way = log.of_model(Described(model, Kept(tuple(range(FEATURES)))), counted)
    log.store()
    batches = [_answered(size, seed) for seed in range(rows // size)]
    began = time.process_time()
    log.start()
    for batch in batches:
        way.put(batch)
    log.close(600.0)
    seconds = time.process_time() - began
    return Cost(1e6 * seconds / counted.rows, sqlite_file(folder).stat().st_size / counted.rows)


def _answered(size: int, seed: int) -> Answered:
    columns = np.random.default_rng(seed).random((size, FEATURES + 1))
    now = 1.7e9 + seed
    return Answered(
        rows=[size],
        latency_seconds=[0.001],
        scores=columns[:, -1].copy(),
        columns=columns,
        arrival=np.full(size, now),
        event=None,
        ids=time_ordered_ids(now, size),
        labels=["yes"] * size,
    )


def _fail(error: Exception) -> None:
    raise error


def main(rows: Annotated[int, typer.Option(help="Rows of each measurement.")] = 200_000) -> None:
    """Print CPU and bytes of a row, by the size of requests."""
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            found = cost(size, rows, Path(folder))
        print(f"requests of {size:>3} rows: {found.cpu_us:.1f} µs CPU and {found.disk_bytes:.0f} bytes a row")


if __name__ == "__main__":
    typer.run(main)
