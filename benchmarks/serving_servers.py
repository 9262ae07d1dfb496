"""A server of the benchmark of serving: started with a model, and known to answer as that does."""

from __future__ import annotations

import contextlib
import http.client
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from benchmarks.contestants.catalogue import Contestant, environment
from benchmarks.load import Target
from benchmarks.processes import NotStarted, free_port, running, until_ready
from benchmarks.serving_models import Fitted

SCORE_TOLERANCE: Final = 1e-6
READY_SECONDS: Final = 120.0
"""Eight workers that start at once on two cores need long."""


@dataclass(frozen=True)
class Plan:
    """How everything is run."""

    folder: Path
    rounds: int
    seconds: float
    warm_up: float
    connections: int
    latency_connections: int
    server_core: int
    load_core: int
    seed: int
    queue: int


@dataclass(frozen=True)
class Server:
    """A server that runs and has answered as the model does."""

    pid: int
    target: Target
    metrics: str | None


@contextlib.contextmanager
def started(contestant: Contestant, fitted: Fitted, plan: Plan) -> Iterator[Server]:
    """Start a contestant and wait for its first right answer; NotStarted if there is none."""
    folder = Path(tempfile.mkdtemp(dir=plan.folder))
    port, log = free_port(), folder / "log"
    bodies = fitted.write_bodies(folder / "bodies", contestant.body)
    target = Target(f"http://127.0.0.1:{port}{contestant.path}", bodies, plan.load_core)
    start = contestant.start(fitted, port, folder)
    first = bodies.read_bytes().splitlines()[0]
    env = environment(start.env)
    with running(start.command, core=plan.server_core, env=env, folder=folder, log=log) as server:
        until_ready(server, lambda: ask(target.url, first) is not None, log, READY_SECONDS)
        score = contestant.score(ask(target.url, first))
        if abs(score - fitted.scores[0]) > SCORE_TOLERANCE:
            raise NotStarted(f"it answers {score} where the model says {fitted.scores[0]}")
        metrics = f"http://127.0.0.1:{port}{contestant.scraped}" if contestant.scraped else None
        yield Server(server.pid, target, metrics)


def ask(url: str, body: bytes) -> Any:
    """Return the answer to one request, or None if there is none with status 200."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10.0)
    with contextlib.closing(connection):
        try:
            connection.request("POST", parts.path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read()
            return json.loads(content) if response.status == http.client.OK else None
        except (OSError, http.client.HTTPException, ValueError):
            return None


def shortly(problem: str) -> str:
    """Return the beginning of a problem and its last line."""
    first, *others = problem.splitlines()
    return f"{first} {others[-1][:200]}" if others else first
