"""Servers that take rows in: each on a core of its own, its CPU time measured until it has nothing left to do."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.contestants.catalogue import Start, environment
from benchmarks.ingest_rows import Sent
from benchmarks.processes import free_port, running, running_seconds, tree, until_ready

READY_SECONDS: Final = 120.0
QUIET_SECONDS: Final = 1.0
"""A server has nothing left to do if it was idle this long."""
QUIET_SHARE: Final = 0.05
"""It is idle below this share of a core: it evaluates now and then."""
PATIENCE_SECONDS: Final = 300.0
OK: Final = range(200, 300)
AGAIN: Final = (429, 503)


@dataclass(frozen=True)
class Cost:
    """What rows have cost a server."""

    cpu_us: float
    """CPU time of a row, all threads and processes."""
    rows: int


@dataclass(frozen=True)
class Running:
    """A server that runs."""

    pid: int
    port: int

    def cpu_seconds(self) -> float:
        """Return the CPU time of all of its threads, to the microsecond."""
        return running_seconds([own.pid for own in tree(self.pid)])

    def until_idle(self) -> None:
        """Wait until it has nothing left to do; TimeoutError if it does not come to an end."""
        deadline, before = time.monotonic() + PATIENCE_SECONDS, self.cpu_seconds()
        while time.monotonic() < deadline:
            time.sleep(QUIET_SECONDS)
            now = self.cpu_seconds()
            if now - before < QUIET_SHARE * QUIET_SECONDS:
                return
            before = now
        raise TimeoutError(f"the server was still busy after {PATIENCE_SECONDS:g} s")

    def sample(self, name: str, *labels: str) -> float:
        """Return the sum of a metric's samples that have these labels."""
        text = self.get("/metrics").decode()
        lines = re.findall(rf"^{name}(\{{\S*\}})? (\S+)$", text, re.MULTILINE)
        return sum(float(value) for found, value in lines if all(label in found for label in labels))

    def get(self, path: str) -> bytes:
        """Return the body of an answer; RuntimeError unless it is 200."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60.0)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
        if answer.status != http.client.OK:
            raise RuntimeError(f"{path}: {answer.status}: {body[:200]!r}")
        return body

    def send(self, path: str, requests: Sequence[Sent]) -> int:
        """Send requests one after another, again where the server asks for it; return how often it did."""
        asked_again = 0
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60.0)) as connection:
            for own in requests:
                while True:
                    connection.request("POST", path, own.body, dict(own.headers))
                    answer = connection.getresponse()
                    body = answer.read()
                    if answer.status not in AGAIN:
                        break
                    asked_again += 1
                    time.sleep(0.1)
                if answer.status not in OK:
                    raise RuntimeError(f"{path}: {answer.status}: {body[:200]!r}")
        return asked_again

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        """Let the server stand still meanwhile."""
        pids = [own.pid for own in tree(self.pid)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def serving(start: Callable[[int, Path], Start], folder: Path, core: int) -> Iterator[Running]:
    """Start a server on a core and wait until it answers; `start` takes its port and a folder."""
    folder.mkdir(parents=True)
    port, log = free_port(), folder / "log"
    own = start(port, folder)
    with running(own.command, core=core, env=environment(own.env), folder=folder, log=log) as process:
        server = Running(process.pid, port)
        until_ready(process, lambda: _answers(server), log, READY_SECONDS)
        yield server


def _answers(server: Running) -> bool:
    try:
        server.get("/health")
    except (OSError, RuntimeError, http.client.HTTPException):
        return False
    return True
