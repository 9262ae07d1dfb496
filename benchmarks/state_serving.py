"""Servers of two versions of the state, in turns: CPU time of a request, latency, and CPU time of a scrape."""

from __future__ import annotations

import contextlib
import json
import random
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle
from pathlib import Path
from typing import Final

from benchmarks.contestants.catalogue import MONITORED, Contestant, Start, driftgauge, named
from benchmarks.load import Load, scraping, wrk
from benchmarks.pairing import Pairs, Ratio
from benchmarks.processes import EVERY_CORE, cpu_seconds, running_seconds, tree
from benchmarks.serving_models import Fitted
from benchmarks.serving_servers import Plan, Server, started
from benchmarks.serving_workers import EVALUATED, Worker, each_worker

AFFINITY: Final = {1: (0, 1)}
"""Cores of the server and the load by number of workers; by default both use every core."""
PAIRS_OF_A_START: Final = 5
"""Servers are started again after this many pairs."""
SCRAPE_SECONDS: Final = 2.0
FILL_ROWS: Final = 12_000
"""More than the largest window holds."""
FILL_REQUEST_ROWS: Final = 200
TURN_ROWS: Final = 400
"""Rows before each scrape, over all workers."""
TURN_SECONDS: Final = 0.05
SETTLE_SECONDS: Final = 6.0
"""An evaluation interval and a little more."""
_OBSERVED: Final = re.compile(rb"^model_observations_total\S* (\S+)$", re.MULTILINE)
_DROPPED: Final = re.compile(rb"^model_observations_dropped_total\S* (\S+)$", re.MULTILINE)

Versions = tuple[Path, Path]
"""Folders whose `app` is measured, before and after."""


@dataclass
class Served:
    """CPU time and latency of requests with a number of workers."""

    workers: int
    cpu_us: Pairs
    p99_ms: Pairs
    rate: Pairs
    observed: list[float] = field(default_factory=list)
    """Rows that the monitor counted for each request, by server."""
    dropped: float = 0.0
    """Rows that the monitor dropped."""
    invalid: int = 0
    """Pairs with a failed request, which are left out."""

    @classmethod
    def by(cls, workers: int) -> Served:
        """Return no pairs yet."""
        name = named_workers(workers)
        return cls(
            workers,
            Pairs(f"{name}: CPU, µs a request", 1),
            Pairs(f"{name}: p99, ms", 2),
            Pairs(f"{name}: requests/s", 0),
        )

    def remark(self) -> str:
        """Return whether the pairs are to be trusted."""
        return (
            f"{named_workers(self.workers)}: the monitor counted at least {min(self.observed):.3f} rows a request, "
            f"dropped {self.dropped:.0f} rows, and {self.invalid} pairs had failed requests and are left out."
        )


def named_workers(count: int) -> str:
    """Return a number of workers as text."""
    return "1 worker" if count == 1 else f"{count} workers"


def contestant(root: Path, workers: int, **settings: str) -> Contestant:
    """Return the server of a version, without a log of predictions, which earlier versions do not have."""
    has_log = (root / "app" / "driftgauge" / "settings" / "prediction_log.py").is_file()
    start = driftgauge(workers=str(workers), **settings, **({"prediction_log": "false"} if has_log else {}))

    def started_from_root(fitted: Fitted, port: int, folder: Path) -> Start:
        own = start(fitted, port, folder)
        return Start(own.command, {**own.env, "PYTHONPATH": str(root / "app")})

    return replace(named(MONITORED), start=started_from_root)


@contextlib.contextmanager
def both(versions: Versions, workers: int, fitted: Fitted, plan: Plan, **settings: str) -> Iterator[list[Server]]:
    """Start a server of each version, and wait for all of their workers."""
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(started(contestant(root, workers, **settings), fitted, plan)) for root in versions
        ]
        for server in servers:
            with each_worker(server, workers):
                pass
        yield servers


# ---------------------------------------------------------------- requests


def served(versions: Versions, workers: int, fitted: Fitted, plan: Plan) -> Served:
    """Load both servers in turns, in random order within each pair."""
    cores = AFFINITY.get(workers, (EVERY_CORE, EVERY_CORE))
    own = replace(plan, server_core=cores[0], load_core=cores[1])
    found, order = Served.by(workers), random.Random(plan.seed)
    for first in range(0, plan.rounds, PAIRS_OF_A_START):
        with both(versions, workers, fitted, own) as servers:
            asked = [wrk(server.target, own.connections, own.warm_up).requests for server in servers]
            for _ in range(min(PAIRS_OF_A_START, plan.rounds - first)):
                loads = _pair(found, servers, own, order)
                asked = [before + load.requests for before, load in zip(asked, loads, strict=True)]
            for server, requests in zip(servers, asked, strict=True):
                text = _metrics(server)
                found.observed.append(_sum(_OBSERVED, text) / requests)
                found.dropped += _sum(_DROPPED, text)
    return found


def _pair(found: Served, servers: Sequence[Server], plan: Plan, order: random.Random) -> list[Load]:
    """Load both servers; CPU time is that of the whole pair, so work that a server puts off is included."""
    cpu = [cpu_seconds(server.pid) for server in servers]
    loads: dict[int, Load] = {}
    for place in order.sample(range(len(servers)), len(servers)):
        with scraping(servers[place].metrics, plan.load_core, every_seconds=SCRAPE_SECONDS):
            loads[place] = wrk(servers[place].target, plan.connections, plan.seconds)
    spent = [cpu_seconds(server.pid) - before for server, before in zip(servers, cpu, strict=True)]
    before, after = loads[0], loads[1]
    if before.failed or after.failed:
        found.invalid += 1
    else:
        found.cpu_us.add(1e6 * spent[0] / before.requests, 1e6 * spent[1] / after.requests)
        found.p99_ms.add(before.p99_ms, after.p99_ms)
        found.rate.add(before.good_per_second, after.good_per_second)
    return [before, after]


def _metrics(server: Server) -> bytes:
    with each_worker(server, 1) as (worker,):
        return worker.ask("GET", "/metrics")


def _sum(pattern: re.Pattern[bytes], text: bytes) -> float:
    return sum(map(float, pattern.findall(text)))


# ---------------------------------------------------------------- scrapes


@dataclass(frozen=True)
class Turn:
    """A scrape and the rows before it."""

    cpu_ms: float
    """Of all processes, from the request of the scrape to the end of its answer."""
    turn_ms: float
    """CPU time of all processes, the rows included."""
    wall_ms: float
    has_evaluated: bool
    """Whether the answer is of a new evaluation."""


Turns = Mapping[tuple[int, int], Turn]
"""A turn of each server, by the place of its version and its number of workers."""


@dataclass
class _Side:
    """A server whose scrapes are measured."""

    pids: Sequence[int]
    workers: Sequence[Worker]
    rows: Iterator[bytes]
    evaluated: bytes = b""

    def turn(self) -> Turn:
        """Send rows to all workers, and scrape the first."""
        begin = running_seconds(self.pids)
        for worker in self.workers:
            worker.ask("POST", "/predict", next(self.rows))
        time.sleep(TURN_SECONDS)
        cpu, wall = running_seconds(self.pids), time.perf_counter()
        text = self.workers[0].ask("GET", "/metrics")
        wall, end = time.perf_counter() - wall, running_seconds(self.pids)
        found, before = EVALUATED.search(text), self.evaluated
        self.evaluated = found[1] if found else b""
        return Turn(1e3 * (end - cpu), 1e3 * (end - begin), 1e3 * wall, self.evaluated != before)


def scraped(versions: Versions, counts: Sequence[int], turns: int, fitted: Fitted, plan: Plan) -> list[Turns]:
    """Scrape servers of both versions with each number of workers in turns, in random order, each after new rows."""
    free, order = replace(plan, server_core=EVERY_CORE, load_core=EVERY_CORE), random.Random(plan.seed)
    with contextlib.ExitStack() as stack:
        servers = {
            (place, workers): server
            for workers in counts
            for place, server in enumerate(
                stack.enter_context(both(versions, workers, fitted, free, evaluation_rest_factor="0"))
            )
        }
        for (_, workers), server in servers.items():
            _fill(server, workers, fitted)
        time.sleep(SETTLE_SECONDS)
        sides = {name: _side(server, name[1], fitted, stack) for name, server in servers.items()}
        for side in sides.values():
            side.turn()  # not counted
        return [{name: sides[name].turn() for name in order.sample(list(sides), len(sides))} for _ in range(turns)]


def _side(server: Server, workers: int, fitted: Fitted, stack: contextlib.ExitStack) -> _Side:
    every = stack.enter_context(each_worker(server, workers))
    return _Side([own.pid for own in tree(server.pid)], every, _bodies(fitted, max(1, TURN_ROWS // workers)))


def _fill(server: Server, workers: int, fitted: Fitted) -> None:
    fill = _bodies(fitted, FILL_REQUEST_ROWS)
    with each_worker(server, workers) as every:
        for worker, _ in zip(cycle(every), range(FILL_ROWS // FILL_REQUEST_ROWS), strict=False):
            worker.ask("POST", "/predict", next(fill))


def _bodies(fitted: Fitted, rows: int) -> Iterator[bytes]:
    """Return an endless sequence of requests with this many rows each."""
    parts = [fitted.rows[first : first + rows] for first in range(0, len(fitted.rows), rows)]
    return cycle([json.dumps({"data": part.tolist()}).encode() for part in parts if len(part) == rows])


def scrape_pairs(found: Sequence[Turns], workers: int) -> list[Pairs]:
    """Compare the scrapes of both versions with a number of workers."""
    name = named_workers(workers)
    cpu, wall = Pairs(f"{name}: CPU of a scrape, ms", 1), Pairs(f"{name}: until answered, ms", 1)
    whole = Pairs(f"{name}: CPU with its {TURN_ROWS} rows, ms", 1)
    for turns in found:
        if (0, workers) in turns:
            before, after = turns[0, workers], turns[1, workers]
            cpu.add(before.cpu_ms, after.cpu_ms)
            whole.add(before.turn_ms, after.turn_ms)
            wall.add(before.wall_ms, after.wall_ms)
    return [cpu, whole, wall]


def beside_one_worker(found: Sequence[Turns], place: int, workers: int) -> Ratio:
    """Compare the CPU time of scrapes with that of a single worker of the same version."""
    both = [(turns[place, 1], turns[place, workers]) for turns in found if (place, workers) in turns]
    return Ratio.of([one.cpu_ms for one, _ in both], [own.cpu_ms for _, own in both])
