"""What OpenTelemetry costs a server: off, with metrics, and with traces of some or all requests, measured in turns.

Each server is a process on one core. wrk, and a collector that throws everything away, run on another. A second part
measures a transmission of metrics: the CPU time of a server without requests that sends them each second, beyond that
of one that sends nothing. `--before` names a checkout of a version without telemetry. Prints tables for
benchmarks/README.md.
"""

from __future__ import annotations

import contextlib
import os
import platform
import random
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Annotated, Final

import typer

from benchmarks.contestants.catalogue import ROOT, environment
from benchmarks.load import missing_wrk, wrk
from benchmarks.measuring import number, table
from benchmarks.pairing import Ratio
from benchmarks.processes import NotStarted, cpu_seconds, free_port, running, until_ready
from benchmarks.serving_models import LOGISTIC, Fitted, fit
from benchmarks.serving_servers import Plan, Server, started
from benchmarks.serving_workers import each_worker
from benchmarks.state_serving import contestant

FEATURES: Final = 30
BODIES: Final = 4_000
CONNECTIONS: Final = 64
SERVER_CORE: Final = 0
LOAD_CORE: Final = 1
ROUNDS_OF_A_START: Final = 6
"""Servers are started again after this many rounds."""
BEFORE: Final = "before telemetry"
OFF: Final = "off"
METRICS: Final = "metrics"
TRACED: Final[Mapping[str, str]] = {"traces of 1 %": "0.01", "traces of 10 %": "0.1", "traces of 100 %": "1"}
"""Metrics and traces, by the share of requests that are traced."""
LIBRARIES: Final = ("opentelemetry-sdk", "rotel", "uvicorn", "numpy")
HEADS: Final = (
    *("way", "CPU, µs a request", "× off", "95 % interval", "× before", "95 % interval"),
    *("spans sent, % of requests", "spans dropped, %"),
)
SEND_HEADS: Final = ("series", "CPU without requests, % of a core", "sending each second, %", "a transmission, ms")
SETTLE_SECONDS: Final = 6.0
"""An evaluation interval and a little more."""


@dataclass(frozen=True)
class Way:
    """A server that is measured."""

    name: str
    root: Path
    settings: Mapping[str, str] = field(default_factory=dict)


def ways(collector: str, before: Path | None) -> list[Way]:
    """Return what is measured: servers that send to a collector, and those that send nothing."""
    sent = {"otlp_endpoint": collector}
    found = [
        Way(OFF, ROOT),
        Way(METRICS, ROOT, {**sent, "otlp_signals": "metrics"}),
        *(Way(name, ROOT, {**sent, "otlp_trace_ratio": ratio}) for name, ratio in TRACED.items()),
    ]
    return found if before is None else [Way(BEFORE, before), *found]


@dataclass
class Cost:
    """What requests cost, by way and round; a round with a failed request is left out."""

    cpu_us: dict[str, list[float]] = field(default_factory=dict)
    spans: dict[str, dict[str, float]] = field(default_factory=dict)
    """Spans by result, by way."""
    requests: dict[str, int] = field(default_factory=dict)
    """All requests, those of the warm-up included, by way."""
    invalid: int = 0

    def add(self, found: Mapping[str, float]) -> None:
        """Add a round."""
        for name, cost in found.items():
            self.cpu_us.setdefault(name, []).append(cost)

    def counted(self, name: str, requests: int, spans: Mapping[str, float]) -> None:
        """Add the requests and the spans of one server."""
        self.requests[name] = self.requests.get(name, 0) + requests
        known = self.spans.setdefault(name, {})
        for result, count in spans.items():
            known[result] = known.get(result, 0.0) + count

    def rows(self) -> list[list[str]]:
        """Return the rows of a table with `HEADS`."""
        return [
            [name, number(median(own), 1), *self._beside(OFF, own), *self._beside(BEFORE, own), *self._spans(name)]
            for name, own in self.cpu_us.items()
        ]

    def _beside(self, name: str, own: Sequence[float]) -> tuple[str, str]:
        other = self.cpu_us.get(name)
        return ("–", "–") if other is None else Ratio.of(other, own).cells()

    def _spans(self, name: str) -> list[str]:
        spans, requests = self.spans.get(name, {}), self.requests.get(name, 0)
        if not spans or not requests:
            return ["–", "–"]
        return [number(100.0 * spans.get(result, 0.0) / requests, 2) for result in ("sent", "dropped")]


def spans_in(page: bytes) -> dict[str, float]:
    """Return the spans that a server counts in `/metrics`, by result.

    >>> spans_in(b'server_telemetry_items_total{signal="traces",result="sent"} 7.0')
    {'sent': 7.0}
    """
    found = {}
    for line in page.decode().splitlines():
        if line.startswith("server_telemetry_items_total{") and 'signal="traces"' in line:
            labels, _, count = line.rpartition(" ")
            found[labels.split('result="')[1].split('"')[0]] = float(count)
    return found


@contextlib.contextmanager
def collector(folder: Path) -> Iterator[str]:
    """Run a collector that throws everything away, on the core of the load; gives its address."""
    (place,) = find_spec("rotel").submodule_search_locations  # type: ignore[union-attr, misc]
    http, grpc, log = free_port(), free_port(), folder / "collector.log"
    command = [os.path.join(place, "rotel-agent"), "start", "--exporter", "blackhole"]
    command += ["--otlp-http-endpoint", f"127.0.0.1:{http}", "--otlp-grpc-endpoint", f"127.0.0.1:{grpc}"]
    with running(command, core=LOAD_CORE, env=environment({}), folder=folder, log=log) as own:
        until_ready(own, lambda: _listens(http), log)
        yield f"http://127.0.0.1:{http}"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def requests(found: Sequence[Way], fitted: Fitted, plan: Plan) -> Cost:
    """Load all servers in turns, in random order within each round."""
    cost, order = Cost(), random.Random(plan.seed)
    for first in range(0, plan.rounds, ROUNDS_OF_A_START):
        with contextlib.ExitStack() as stack:
            servers = {own.name: stack.enter_context(_server(own, fitted, plan)) for own in found}
            asked = {name: wrk(own.target, CONNECTIONS, plan.warm_up).requests for name, own in servers.items()}
            for _ in range(min(ROUNDS_OF_A_START, plan.rounds - first)):
                _round(cost, servers, asked, plan, order)
            time.sleep(SETTLE_SECONDS)  # spans that wait are sent after five seconds
            for name, own in servers.items():
                cost.counted(name, asked[name], spans_in(_metrics(own)))
    return cost


def _server(way: Way, fitted: Fitted, plan: Plan) -> contextlib.AbstractContextManager[Server]:
    return started(contestant(way.root, 1, **way.settings), fitted, plan)


def _round(cost: Cost, servers: Mapping[str, Server], asked: dict[str, int], plan: Plan, order: random.Random) -> None:
    found, failed = {}, 0
    for name in order.sample(list(servers), len(servers)):
        before = cpu_seconds(servers[name].pid)
        load = wrk(servers[name].target, CONNECTIONS, plan.seconds)
        found[name] = 1e6 * (cpu_seconds(servers[name].pid) - before) / load.requests
        asked[name] += load.requests
        failed += load.failed
    if failed:
        cost.invalid += 1
    else:
        cost.add({name: found[name] for name in servers})


def _metrics(server: Server) -> bytes:
    with each_worker(server, 1) as (worker,):
        return worker.ask("GET", "/metrics")


def transmission(address: str, fitted: Fitted, plan: Plan, seconds: float) -> list[str]:
    """Return a row of a table with `SEND_HEADS`: two servers without requests, one of which sends each second."""
    sent = Way(METRICS, ROOT, {"otlp_endpoint": address, "otlp_signals": "metrics", "otlp_interval_seconds": "1"})
    with _server(Way(OFF, ROOT), fitted, plan) as quiet, _server(sent, fitted, plan) as sending:
        for own in (quiet, sending):
            wrk(own.target, CONNECTIONS, plan.warm_up)
        time.sleep(SETTLE_SECONDS)
        series = sum(not line.startswith(b"#") for line in _metrics(sending).splitlines())
        before = [cpu_seconds(own.pid) for own in (quiet, sending)]
        time.sleep(seconds)
        idle, busy = (cpu_seconds(own.pid) - was for own, was in zip((quiet, sending), before, strict=True))
    cells = [number(100.0 * idle / seconds, 2), number(100.0 * busy / seconds, 2)]
    return [number(series, 0), *cells, number(1e3 * (busy - idle) / seconds, 1)]


def main(
    before: Annotated[Path | None, typer.Option(help="Checkout of a version without telemetry.")] = None,
    rounds: Annotated[int, typer.Option(help="Loads of each server.", min=1)] = 12,
    seconds: Annotated[float, typer.Option(help="Seconds of a load.", min=1.0)] = 4.0,
    idle_seconds: Annotated[float, typer.Option(help="Seconds without requests, for a transmission.", min=5.0)] = 30.0,
    seed: Annotated[int, typer.Option(help="Seed of the data and of the order within rounds.")] = 1,
) -> None:
    """Print what telemetry costs a request, and what a transmission of metrics costs."""
    if problem := missing_wrk():
        raise typer.BadParameter(problem)
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    print(f"Python {platform.python_version()}, {libraries}; seed {seed}\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan = Plan(folder, rounds, seconds, 2.0, CONNECTIONS, CONNECTIONS, SERVER_CORE, LOAD_CORE, seed, 0)
        fitted = fit(LOGISTIC, FEATURES, folder / "model", seed=seed, bodies=BODIES)
        try:
            with collector(folder) as address:
                cost = requests(ways(address, before and before.resolve()), fitted, plan)
                print(table("Telemetry: requests", HEADS, cost.rows()))
                print(f"{cost.invalid} of {rounds} rounds had failed requests and are left out.\n", flush=True)
                row = transmission(address, fitted, plan, idle_seconds)
                print(table("Telemetry: a transmission of metrics", SEND_HEADS, [row]))
        except NotStarted as error:
            raise typer.BadParameter(str(error)) from error


if __name__ == "__main__":
    typer.run(main)
