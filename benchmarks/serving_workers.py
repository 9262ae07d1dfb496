"""What several workers cost: CPU time of a request beside that of one worker, and how long a scrape takes.

Neither the servers nor the load keep to a core here: workers are there to use more than one.
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import cycle, pairwise
from statistics import median
from typing import Final, Generic, TypeVar
from urllib.parse import urlsplit

import typer
from rich.progress import Progress

from benchmarks.contestants.catalogue import MONITORED, Contestant, driftgauge, named
from benchmarks.load import SCRAPE_HEADERS, Load, wrk
from benchmarks.processes import EVERY_CORE, TICKS_PER_SECOND, NotStarted, cpu_seconds, process
from benchmarks.serving_models import LOGISTIC, Fitted, fit
from benchmarks.serving_results import Found, Scraped, Workers, WorkersLoad, WorkersScraped, load_name
from benchmarks.serving_servers import Plan, Server, shortly, started

FEATURES: Final = 30
LOADED: Final[Sequence[Sequence[int]]] = ((1,), (1, 1), (2,))
"""The workers of each server. Two servers that know nothing of each other tell sharing from company."""
PARTS: Final = (2, 1)
"""Each worker has all connections, or as many as if two shared them: how many rows a batch has hangs on it."""
BODIES: Final = 4_000
"""Rows that differ, so that windows are made of such."""
FILL_ROWS: Final = 12_000
"""More than the largest window holds."""
FILL_REQUEST_ROWS: Final = 200
TURN_ROWS: Final = 400
"""Before each busy scrape, of all workers together: there is as much to evaluate with many as with one."""
PACE_SECONDS: Final = 0.05
"""Between the beginnings of two scrapes, unless one takes longer."""
SETTLE_SECONDS: Final = 6.0
"""After the last rows: each worker bins what waits once in an evaluation interval, which is 5 s."""
ALL_SECONDS: Final = 120.0
"""How long all workers may take to answer."""
FRESH_SECONDS: Final = 3.0
"""Connections that took longer to get are given up for new ones: a server closes what is idle for 5 s."""
MOST_WORKERS: Final = 16
EVALUATED: Final = re.compile(rb"^model_evaluation_timestamp_seconds\S* (\S+)$", re.MULTILINE)
T = TypeVar("T")
FAILURES: Final = (NotStarted, OSError, http.client.HTTPException)


@dataclass(frozen=True)
class Worker:
    """A worker of a server, and a connection to it that is kept open."""

    pid: int
    connection: http.client.HTTPConnection

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Return the answer to a request; HTTPException if its status is not 200."""
        headers = SCRAPE_HEADERS if body is None else {"Content-Type": "application/json"}
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        content = response.read()
        if response.status != http.client.OK:
            raise http.client.HTTPException(f"{path} was answered {response.status}: {content[:200]!r}")
        return gzip.decompress(content) if response.headers["content-encoding"] == "gzip" else content


def counts_of(text: str) -> list[int]:
    """Return numbers of workers from a list with commas; BadParameter if one is none."""
    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError:
        counts = []
    if not counts or len(set(counts)) < len(counts) or not all(1 <= count <= MOST_WORKERS for count in counts):
        raise typer.BadParameter(f"{text}: numbers from 1 to {MOST_WORKERS}, each once, by commas")
    return counts


def contestant(workers: int, **settings: str) -> Contestant:
    """Return Driftgauge with this many workers."""
    return replace(named(MONITORED), start=driftgauge(workers=str(workers), **settings))


@contextlib.contextmanager
def each_worker(server: Server, count: int, seconds: float = ALL_SECONDS) -> Iterator[list[Worker]]:
    """Wait until every worker has answered, and give one connection to each, by slot; NotStarted if one is late."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.ExitStack() as stack:
            began = time.monotonic()
            found = _connected(server, count, deadline, stack)
            if time.monotonic() - began < FRESH_SECONDS:
                yield [worker for _, worker in sorted(found.items())]
                return


def _connected(server: Server, count: int, deadline: float, stack: contextlib.ExitStack) -> dict[int, Worker]:
    """Connect over and over, for the kernel chooses who answers; returns one connection to each worker, by slot."""
    parts = urlsplit(server.target.url)
    found: dict[int, Worker] = {}
    while len(found) < count:
        if time.monotonic() > deadline:
            raise NotStarted(f"of {count} workers only slots {sorted(found)} answered in time")
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30.0)
        stack.callback(connection.close)
        own = json.loads(Worker(0, connection).ask("GET", "/health"))["worker"]
        if own["slot"] in found:
            connection.close()
            time.sleep(0.01)
        else:
            found[own["slot"]] = Worker(own["pid"], connection)
    return found


# ---------------------------------------------------------------- all of it


def run_workers(found: Found, counts: Sequence[int], turns: int, plan: Plan, progress: Progress) -> Iterator[None]:
    """Measure loads and then scrapes, round after round; yields when there is more to keep."""
    found.workers = Workers()
    free = replace(plan, server_core=EVERY_CORE, load_core=EVERY_CORE)
    fitted = fit(LOGISTIC, FEATURES, plan.folder / "workers", seed=plan.seed, bodies=BODIES)
    shapes = {
        load_name(servers, each): (servers, each)
        for each in sorted({max(1, plan.connections // part) for part in PARTS})
        for servers in LOADED
    }
    loads = _Part("load, {}", found.workers.load, lambda name: loaded(*shapes[name], fitted, free))
    scrapes = _Part("scrapes, {} workers", found.workers.scraped, lambda name: scraped(int(name), fitted, turns, free))
    yield from loads.run(list(shapes), plan.rounds, found.workers.missing, progress)
    yield from scrapes.run([str(count) for count in counts], plan.rounds, found.workers.missing, progress)


@dataclass(frozen=True)
class _Part(Generic[T]):
    title: str
    rounds: list[dict[str, T]]
    measure: Callable[[str], T]

    def run(self, names: Sequence[str], rounds: int, missing: dict[str, str], progress: Progress) -> Iterator[None]:
        """Measure each name in turn, in every other round from the last to the first."""
        todo = progress.add_task(self.title, total=rounds * len(names))
        for place in range(rounds):
            self.rounds.append({})
            for name in names if place % 2 == 0 else names[::-1]:
                title = self.title.format(name)
                progress.update(todo, description=title, advance=1)
                try:
                    self.rounds[-1][name] = self.measure(name)
                except FAILURES as problem:
                    missing[title] = shortly(str(problem) or type(problem).__name__)
                yield


# ---------------------------------------------------------------- CPU time of a request


def loaded(counts: Sequence[int], each: int, fitted: Fitted, plan: Plan) -> WorkersLoad:
    """Load several servers at once, with a fixed number of connections per worker.

    For each on average: which worker of a server a connection is with, the kernel decides.
    """
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(started(contestant(workers), fitted, plan)) for workers in counts]
        pids = [pid for server, workers in zip(servers, counts, strict=True) for pid in _pids(server, workers)]
        # One wrk for each worker, so that the load is the same wherever it goes.
        targets = [server for server, workers in zip(servers, counts, strict=True) for _ in range(workers)]
        _load(targets, each, plan.warm_up)
        whole, own = _cpu_of_trees(servers), _cpu_of_workers(pids)
        loads = _load(targets, each, plan.seconds)
        after, own_after = _cpu_of_trees(servers), _cpu_of_workers(pids)
    return WorkersLoad(
        servers=counts,
        each=each,
        requests=sum(load.requests for load in loads),
        failed=sum(load.failed for load in loads),
        seconds=max(load.seconds for load in loads),
        cpu_seconds=after - whole,
        worker_cpu_seconds=[end - begin for begin, end in zip(own, own_after, strict=True)],
    )


def _load(servers: Sequence[Server], connections: int, seconds: float) -> list[Load]:
    with ThreadPoolExecutor(len(servers)) as pool:
        return list(pool.map(lambda server: wrk(server.target, connections, seconds), servers))


def _pids(server: Server, workers: int) -> list[int]:
    with each_worker(server, workers) as every:
        return [worker.pid for worker in every]


def _cpu_of_trees(servers: Sequence[Server]) -> float:
    return sum(cpu_seconds(server.pid) for server in servers)


def _cpu_of_workers(pids: Sequence[int]) -> list[float]:
    known = [process(pid) for pid in pids]
    if None in known:
        raise NotStarted("a worker ended while it was loaded")
    return [own.cpu_ticks / TICKS_PER_SECOND for own in known if own]


# ---------------------------------------------------------------- how long a scrape takes


def scraped(workers: int, fitted: Fitted, turns: int, plan: Plan) -> WorkersScraped:
    """Fill the windows of a server by all of its workers, and scrape one of them, without new rows and with."""
    fill, few = _bodies(fitted, FILL_REQUEST_ROWS), _bodies(fitted, max(1, TURN_ROWS // workers))

    def rows(every: Sequence[Worker]) -> None:
        for worker in every:
            worker.ask("POST", "/predict", next(few))

    with started(contestant(workers, evaluation_rest_factor="0"), fitted, plan) as server:
        with each_worker(server, workers) as every:
            for worker, _ in zip(cycle(every), range(FILL_ROWS // FILL_REQUEST_ROWS), strict=False):
                worker.ask("POST", "/predict", next(fill))
        time.sleep(SETTLE_SECONDS)
        return WorkersScraped(
            quiet=_scraped(server, workers, turns, lambda every: None), busy=_scraped(server, workers, turns, rows)
        )


def _bodies(fitted: Fitted, rows: int) -> Iterator[bytes]:
    """Return an endless sequence of requests with this many rows each."""
    parts = [fitted.rows[first : first + rows] for first in range(0, len(fitted.rows), rows)]
    return cycle([json.dumps({"data": part.tolist()}).encode() for part in parts if len(part) == rows])


Before = Callable[[Sequence[Worker]], None]
"""What comes before each scrape."""


def _scraped(server: Server, workers: int, turns: int, before: Before) -> Scraped:
    without = _turns(server, workers, turns, before, scrapes=False)
    scrapes = _turns(server, workers, turns, before, scrapes=True)
    return Scraped(
        wall_ms=1e3 * median(scrapes.seconds),
        cpu_ms=1e3 * (scrapes.cpu_seconds - without.cpu_seconds) / turns,
        idle_cpu_ms=1e3 * without.cpu_seconds / turns,
        scrapes=turns,
        evaluated=sum(one != other for one, other in pairwise(scrapes.evaluated)),
        bytes=scrapes.largest_bytes,
    )


@dataclass
class _Turns:
    seconds: list[float]
    """How long each scrape took."""
    evaluated: list[bytes]
    """What each said of the last evaluation, and the one before the first, which is not counted."""
    largest_bytes: int = 0
    cpu_seconds: float = 0.0


def _turns(server: Server, workers: int, turns: int, before: Before, *, scrapes: bool) -> _Turns:
    with each_worker(server, workers) as every:
        found = _Turns([], [_evaluated(every[0].ask("GET", "/metrics"))])
        cpu, due = cpu_seconds(server.pid), time.monotonic()
        for _ in range(turns):
            time.sleep(max(0.0, due - time.monotonic()))
            due = max(due, time.monotonic()) + PACE_SECONDS
            before(every)
            if scrapes:
                began = time.perf_counter()
                text = every[0].ask("GET", "/metrics")
                found.seconds.append(time.perf_counter() - began)
                found.evaluated.append(_evaluated(text))
                found.largest_bytes = max(found.largest_bytes, len(text))
        found.cpu_seconds = cpu_seconds(server.pid) - cpu
        return found


def _evaluated(text: bytes) -> bytes:
    found = EVALUATED.search(text)
    if found is None:
        raise http.client.HTTPException("metrics do not say when they were evaluated")
    return found[1]
