"""What it costs to start a server and to replace its workers: CPU time, wall time and memory.

A server is started with each number of workers, then all of its workers are killed at once, several times.
"""

from __future__ import annotations

import http.client
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Annotated, Final

import typer

from benchmarks.contestants.catalogue import environment
from benchmarks.measuring import number, table
from benchmarks.processes import EVERY_CORE, Memory, cpu_seconds, free_port, memory, running
from benchmarks.serving_models import LOGISTIC, fit

FEATURES: Final = 30
PATIENCE_SECONDS: Final = 120.0
POLL_SECONDS: Final = 0.005
HEADS: Final = (
    *("workers", "start, s", "all serve, s", "CPU, s", "first answer after a kill, s", "all serve again, s"),
    *("CPU of a replacement, s", "RSS, MiB", "PSS, MiB", "PSS a worker more, MiB"),
)


@dataclass
class Found:
    """What was measured with one number of workers."""

    workers: int
    start_seconds: float
    """Until the first answer."""
    all_seconds: float
    """Until every worker has answered."""
    cpu_seconds: float
    """Of all processes until then."""
    memory: Memory
    """Of all processes after that."""
    replaced_seconds: list[float] = field(default_factory=list)
    """From the kill of all workers to the first answer."""
    all_replaced_seconds: list[float] = field(default_factory=list)
    """From the kill of all workers to an answer of each."""
    replaced_cpu_seconds: list[float] = field(default_factory=list)
    """CPU time of all processes meanwhile, divided by the number of workers."""


def answering(port: int) -> int | None:
    """Return the id of the process that answers a new connection, or None if none does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10.0)
    with suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/health")
        pid: int = json.loads(connection.getresponse().read())["worker"]["pid"]
        return pid
    connection.close()
    return None


def until(condition: Callable[[], bool]) -> float:
    """Wait for a condition; returns the seconds that took."""
    began = time.perf_counter()
    while not condition():
        if time.perf_counter() - began > PATIENCE_SECONDS:
            raise TimeoutError(f"no answer within {PATIENCE_SECONDS:g} s")
        time.sleep(POLL_SECONDS)
    return time.perf_counter() - began


class Answers:
    """The workers that have answered since the last kill."""

    def __init__(self, port: int, workers: int) -> None:
        self.pids: set[int] = set()
        self._gone: set[int] = set()
        self._port = port
        self._workers = workers

    def any(self) -> bool:
        """Return whether a worker has answered, after asking once more."""
        pid = answering(self._port)
        self.pids |= {pid} - self._gone if pid else set()
        return bool(self.pids)

    def all(self) -> bool:
        """Return whether every worker has answered, after asking once more."""
        return self.any() and len(self.pids) >= self._workers

    def kill(self) -> None:
        """Kill every worker that has answered."""
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
        self._gone |= self.pids
        self.pids = set()


def measured(bundle: Path, root: Path, workers: int, kills: int, folder: Path) -> Found:
    """Start a server and replace its workers; one worker has no supervisor, and is not killed."""
    port = free_port()
    env = {**environment({}), "PYTHONPATH": str(root / "app")}
    options = ["--bundle", str(bundle), "--state-dir", str(folder / f"state{workers}"), "--workers", str(workers)]
    command = [sys.executable, "-m", "driftgauge", "serve", *options, "--port", str(port)]
    began = time.perf_counter()
    with running(command, core=EVERY_CORE, env=env, folder=folder, log=folder / f"log{workers}") as server:
        answers = Answers(port, workers)
        until(answers.any)
        first = time.perf_counter() - began
        until(answers.all)
        found = Found(workers, first, time.perf_counter() - began, cpu_seconds(server.pid), memory(server.pid))
        for _ in range(kills if workers > 1 else 0):
            before = cpu_seconds(server.pid)
            answers.kill()
            found.replaced_seconds.append(until(answers.any))
            found.all_replaced_seconds.append(found.replaced_seconds[-1] + until(answers.all))
            found.replaced_cpu_seconds.append((cpu_seconds(server.pid) - before) / workers)
    return found


def row_of(found: Found, fewer: Found | None) -> list[str]:
    """Return a row of the table; a worker more is relative to the row before, if that has a supervisor too."""
    more = None
    if fewer and fewer.workers > 1 and found.memory.pss is not None and fewer.memory.pss is not None:
        more = (found.memory.pss - fewer.memory.pss) / (found.workers - fewer.workers)
    kills = (found.replaced_seconds, found.all_replaced_seconds, found.replaced_cpu_seconds)
    return [
        str(found.workers),
        number(found.start_seconds, 2),
        number(found.all_seconds, 2),
        number(found.cpu_seconds, 2),
        *(number(median(values) if values else None, 2) for values in kills),
        number(found.memory.rss, 0),
        number(found.memory.pss, 0),
        number(more, 0),
    ]


def main(
    workers: Annotated[str, typer.Option(help="Numbers of workers, with commas.")] = "1,2,4",
    kills: Annotated[int, typer.Option(help="How often all workers are killed.", min=1)] = 5,
    root: Annotated[Path, typer.Option(help="The folder whose `app` serves, for a comparison.")] = Path(),
) -> None:
    """Measure the start of servers and the replacement of their workers."""
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores")
    counts = sorted({int(count) for count in workers.split(",")})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = fit(LOGISTIC, FEATURES, folder / "model").bundle
        found = [measured(bundle, root.resolve(), count, kills, folder) for count in counts]
    rows = [row_of(own, fewer) for own, fewer in zip(found, [None, *found], strict=False)]
    print(table(f"Start and replacement of workers: median of {kills} kills", HEADS, rows))


if __name__ == "__main__":
    typer.run(main)
