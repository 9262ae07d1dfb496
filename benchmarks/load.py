"""Load on a server: wrk in a closed loop, and a scrape each second as Prometheus would."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from benchmarks.processes import keep_to, on_core

SCRIPT: Final = Path(__file__).parent / "rotate.lua"
RESULT: Final = "result "
SCRAPE_SECONDS: Final = 1.0
SCRAPE_HEADERS: Final = {
    "Accept": "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "Accept-Encoding": "gzip",
}
"""What Prometheus 2.42 sends."""


@dataclass(frozen=True)
class Load:
    """What wrk counted, each connection asking again as soon as it is answered."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    refused: int
    """Answers with a status of 400 and more."""
    broken: int
    """Connections that failed, and requests that timed out."""

    @property
    def failed(self) -> int:
        """Requests without the answer that they should have had."""
        return self.refused + self.broken

    @property
    def good_per_second(self) -> float:
        """Answers a second that were no refusals."""
        return (self.requests - self.refused) / self.seconds


@dataclass(frozen=True)
class Target:
    """Where requests go, and what they say."""

    url: str
    bodies: Path
    """A body of JSON a line."""
    core: int
    """That the load is made on."""


def missing_wrk() -> str | None:
    """Return why there is no wrk, or None."""
    return None if shutil.which("wrk") else "wrk is not installed: apt-get install wrk"


def wrk(target: Target, connections: int, seconds: float, *, pause_ms: int = 0) -> Load:
    """Load a server for some seconds, in whole ones, and return what was counted.

    With a pause each connection waits so long before each request: a load that leaves the server time.
    """
    with wrk_beside(target, connections, seconds, pause_ms=pause_ms) as own:
        output, problems = own.communicate(timeout=seconds + 60.0)
    if own.returncode:
        raise RuntimeError(f"wrk ended with {own.returncode}: {problems}")
    return read_result(output)


@contextlib.contextmanager
def wrk_beside(
    target: Target, connections: int, seconds: float, *, pause_ms: int = 0
) -> Iterator[subprocess.Popen[str]]:
    """Run wrk while something else is measured."""
    options = f"-t1 -c{connections} -d{max(1, round(seconds))}s --timeout 30s --latency".split()
    command = ["wrk", *options, "-s", str(SCRIPT), target.url, "--", str(target.bodies), str(pause_ms)]
    env = {**os.environ, **({"WRK_PAUSES": "yes"} if pause_ms else {})}
    with subprocess.Popen(
        on_core(target.core, command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    ) as own:
        try:
            yield own
        finally:
            if own.poll() is None:
                own.kill()


def read_result(output: str) -> Load:
    """Return what wrk's script wrote last; ValueError if it did not."""
    for line in reversed(output.splitlines()):
        if line.startswith(RESULT):
            return Load(**json.loads(line.removeprefix(RESULT)))
    raise ValueError(f"wrk told no result: {output[-500:]}")


# ---------------------------------------------------------------- scraping


@dataclass
class Scrapes:
    """What the scrapes of a run found."""

    seconds: list[float] = field(default_factory=list)
    """How long each took."""
    largest_bytes: int = 0
    """As sent: compressed, if the server does that."""
    failed: int = 0


@contextlib.contextmanager
def scraping(url: str | None, core: int, *, every_seconds: float = SCRAPE_SECONDS) -> Iterator[Scrapes]:
    """Scrape an address each second, or less often, from a thread on the load's core; no address, no scrapes."""
    found, over = Scrapes(), threading.Event()
    if url is None:
        yield found
        return
    thread = threading.Thread(target=_scrape, args=(url, core, every_seconds, found, over), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join(timeout=30.0)


def _scrape(url: str, core: int, every_seconds: float, found: Scrapes, over: threading.Event) -> None:
    keep_to(core)
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=20.0)
    due = time.monotonic()
    with contextlib.closing(connection):
        while not over.wait(max(0.0, due - time.monotonic())):
            began = time.monotonic()
            due += every_seconds
            try:
                connection.request("GET", parts.path, headers=SCRAPE_HEADERS)
                response = connection.getresponse()
                body, status = response.read(), response.status
            except (OSError, http.client.HTTPException):
                connection.close()
                body, status = b"", 0
            found.failed += status != http.client.OK
            found.largest_bytes = max(found.largest_bytes, len(body))
            found.seconds.append(time.monotonic() - began)
