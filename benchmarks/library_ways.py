"""How Driftgauge observes rows: the library in every shape, and the server's own path."""

from __future__ import annotations

import contextlib
import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from driftgauge import Monitor
from driftgauge.composition.monitoring import compose_library
from driftgauge.composition.watched import WatchedModel
from driftgauge.library.session import Opened
from driftgauge.monitor.capture import Answered, Capture
from driftgauge.settings.options import load

from benchmarks.library_rows import ROWS, SINGLE, Rows, Way, Work

DRIFTGAUGE: Final = "driftgauge.Monitor"
SERVER: Final = "Driftgauge's server, a request each"
BATCHES: Final = (100, ROWS)
SERVER_BATCHES: Final = (1, 64)
LATENCY: Final = 0.003
"""Latency of a request, in seconds: it only has to be counted."""


def library_ways(*, categorical: bool) -> list[Way]:
    """Return the ways of the library, in files and in memory."""
    ways = []
    for where in ("files", "memory"):
        shapes: dict[str, tuple[int, Callable[[Monitor, Rows], Work]]] = {"dict": (SINGLE, _dicts)}
        if not categorical:
            shapes |= {"array of features, and prediction": (SINGLE, _arrays), "prepared array": (SINGLE, _prepared)}
        for rows in BATCHES:
            if not categorical:
                shapes[f"array of {rows:,}"] = rows, _batches(rows)
            shapes[f"DataFrame of {rows:,}"] = rows, _frames(rows)
        ways += [
            Way(DRIFTGAUGE, f"{how}; {where}", rows, _opening(make, in_files=where == "files"))
            for how, (rows, make) in shapes.items()
        ]
    return ways


def server_ways() -> list[Way]:
    """Return what the server does for decoded batches."""
    return [Way(SERVER, f"batch of {rows}; files", SINGLE // rows * rows, _serving(rows)) for rows in SERVER_BATCHES]


def _opening(
    make: Callable[[Monitor, Rows], Work], *, in_files: bool
) -> Callable[[Rows], contextlib.AbstractContextManager[Work]]:
    @contextlib.contextmanager
    def opened(rows: Rows) -> Iterator[Work]:
        with tempfile.TemporaryDirectory() as folder:
            state = folder if in_files else "memory"
            with Monitor.open(rows.baseline, state_dir=state, on_error="raise") as monitor:
                yield make(monitor, rows)

    return opened


def _dicts(monitor: Monitor, rows: Rows) -> Work:
    def work() -> None:
        for row, score in zip(rows.dicts, rows.single_scores, strict=True):
            monitor.observe(row, prediction=score)

    return work


def _arrays(monitor: Monitor, rows: Rows) -> Work:
    given = list(rows.current[:SINGLE])

    def work() -> None:
        for row, score in zip(given, rows.single_scores, strict=True):
            monitor.observe(row, prediction=score)

    return work


def _prepared(monitor: Monitor, rows: Rows) -> Work:
    given = list(rows.prepared[:SINGLE])

    def work() -> None:
        for row in given:
            monitor.observe(row)

    return work


def _batches(size: int) -> Callable[[Monitor, Rows], Work]:
    def make(monitor: Monitor, rows: Rows) -> Work:
        given, scores = rows.current[:size], rows.scores[:size]
        return lambda: monitor.observe(given, prediction=scores)

    return make


def _frames(size: int) -> Callable[[Monitor, Rows], Work]:
    def make(monitor: Monitor, rows: Rows) -> Work:
        given, scores = rows.frame(size), rows.scores[:size]
        return lambda: monitor.observe(given, prediction=scores)

    return make


def _serving(size: int) -> Callable[[Rows], contextlib.AbstractContextManager[Work]]:
    @contextlib.contextmanager
    def opened(rows: Rows) -> Iterator[Work]:
        with tempfile.TemporaryDirectory() as folder:
            model = WatchedModel(rows.baseline, "model", "1", "binary", Path(folder))
            log: Any = logging.getLogger("benchmarks.library")
            monitoring = compose_library(load({}), model, time.time, log=log)
            serving = Opened(monitoring)  # evaluates and publishes in a thread, as the server does
            try:
                yield _answers(Capture(serving.monitor, monitoring.service.problems), rows, size)
            finally:
                serving.close()

    return opened


def _answers(capture: Capture, rows: Rows, size: int) -> Work:
    count = SINGLE // size
    ones, latencies, ids = [1] * size, [LATENCY] * size, ["an id"] * size
    batches = [
        (np.ascontiguousarray(values), np.ascontiguousarray(values[:, -1]))
        for values in np.split(rows.prepared[: count * size], count)
    ]

    def work() -> None:
        for values, scores in islice(cycle(batches), count):
            arrival = np.full(size, time.time())
            capture.answered(Answered(ones, latencies, scores, values, arrival, None, ids, ones))

    return work
