"""What a prediction costs over HTTP, monitored and not, beside other servers of the same model.

Starts every server as a real process on one core, loads it from another one (but see `serving_workers`), and prints
tables for benchmarks/README.md. Everything is on 127.0.0.1, and every load is bounded in time.
"""

from __future__ import annotations

import contextlib
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import Progress

from benchmarks.contestants.catalogue import CONTESTANTS, MONITORED, Contestant, driftgauge, named
from benchmarks.load import missing_wrk, scraping, wrk, wrk_beside
from benchmarks.open_loop import probe
from benchmarks.processes import NotStarted, cpu_seconds, keep_to, memory
from benchmarks.serving_models import KINDS, LOGISTIC, SLOW, Kind, fit
from benchmarks.serving_report import draw, report
from benchmarks.serving_results import Found, Offered, Overload, Phase, Run, ScrapePair
from benchmarks.serving_servers import Plan, Server, shortly, started
from benchmarks.serving_workers import counts_of, run_workers

LIBRARIES: Final = ("driftgauge", "fastapi", "uvicorn", "scikit-learn", "numpy", "onnxruntime")
NEIGHBOURS: Final = {"mlserver": ".venv-bench-mlserver", "bentoml": ".venv-bench-bentoml"}
SCRAPE_FEATURES: Final = (30, 300)
PROBE_RATE: Final = 200.0
"""Requests a second of the open loop: one in five milliseconds."""
BESIDE_CONNECTIONS: Final = 8
BESIDE_PAUSE_MS: Final = 10
"""The load beside it: eight connections that wait before each request, 800 requests a second at most."""
CARRY_CONNECTIONS: Final = 16
MORE_CONNECTIONS: Final = (64, 256)
MULTIPLES: Final = (1.0, 4.0)


# ---------------------------------------------------------------- the parts


def measured(server: Server, plan: Plan) -> Run:
    """Load a server with many connections and then with few, its metrics scraped meanwhile."""
    wrk(server.target, plan.connections, plan.warm_up)
    with scraping(server.metrics, plan.load_core) as scrapes:
        before = cpu_seconds(server.pid)
        busy = wrk(server.target, plan.connections, plan.seconds)
        cpu = cpu_seconds(server.pid) - before
        quiet = wrk(server.target, plan.latency_connections, plan.seconds)
    return Run(
        throughput=busy,
        latency=quiet,
        cpu_us=1e6 * cpu / max(1, busy.requests),
        memory=memory(server.pid),
        scrapes=len(scrapes.seconds),
        failed_scrapes=scrapes.failed,
    )


def run_contest(
    found: Found, kinds: Sequence[Kind], contestants: Sequence[Contestant], plan: Plan, progress: Progress
) -> Iterator[None]:
    """Measure every contestant in turn, round after round; yields when there is more to keep."""
    found.missing = {own.name: own.missing for own in contestants if own.missing}
    fitted = [fit(kind, 30, plan.folder / kind.name.replace(" ", "-"), seed=plan.seed) for kind in kinds]
    todo = progress.add_task("contestants", total=len(fitted) * plan.rounds * len(contestants))
    for model in fitted:
        rounds: list[dict[str, Run]] = []
        found.contest[f"{model.kind}, {model.features} features"] = rounds
        for _ in range(plan.rounds):
            rounds.append({})
            for contestant in contestants:
                progress.update(todo, description=f"{model.kind}, {contestant.name}", advance=1)
                if contestant.name in found.missing or not (model.everywhere or contestant.is_here):
                    continue
                try:
                    with started(contestant, model, plan) as server:
                        rounds[-1][contestant.name] = measured(server, plan)
                except NotStarted as problem:
                    found.missing[contestant.name] = shortly(str(problem))
                yield


def run_scrape(found: Found, plan: Plan, progress: Progress) -> Iterator[None]:
    """Load Driftgauge with scrapes and without, one right after the other, the first of a pair in turn."""
    contestant = named(MONITORED)
    todo = progress.add_task("scrapes", total=len(SCRAPE_FEATURES) * plan.rounds)
    for features in SCRAPE_FEATURES:
        fitted = fit(LOGISTIC, features, plan.folder / f"scraped-{features}", seed=plan.seed)
        pairs: list[ScrapePair] = []
        found.scrape[str(features)] = pairs
        for place in range(plan.rounds):
            progress.update(todo, description=f"scraped, {features} features", advance=1)
            with started(contestant, fitted, plan) as server:
                wrk(server.target, plan.latency_connections, plan.warm_up)
                order = (None, server.metrics) if place % 2 == 0 else (server.metrics, None)
                phases = {metrics: _phase(server, metrics, plan) for metrics in order}
            pairs.append(ScrapePair(phases[None], phases[server.metrics]))
            yield


def _phase(server: Server, metrics: str | None, plan: Plan) -> Phase:
    with scraping(metrics, plan.load_core) as scrapes:
        closed = wrk(server.target, plan.latency_connections, plan.seconds)
        beside = wrk_beside(server.target, BESIDE_CONNECTIONS, plan.seconds + 3.0, pause_ms=BESIDE_PAUSE_MS)
        with beside:
            outcome = probe(
                server.target.url, server.target.bodies, plan.load_core, rate=PROBE_RATE, seconds=plan.seconds
            )
    return Phase(closed, outcome, len(scrapes.seconds))


def run_overload(found: Found, plan: Plan, progress: Progress) -> Iterator[None]:
    """Offer a slow model what it can carry and a multiple of it, and a fast one more connections."""
    todo = progress.add_task("overload", total=len(MULTIPLES) + len(MORE_CONNECTIONS) * plan.rounds)
    slow = fit(SLOW, 30, plan.folder / "slow", seed=plan.seed)
    short = Contestant(
        "Driftgauge, short queue",
        driftgauge(max_queued_requests=str(plan.queue)),
        named(MONITORED).body,
        named(MONITORED).score,
    )
    offered = []
    with started(short, slow, plan) as server:
        wrk(server.target, CARRY_CONNECTIONS, plan.warm_up)
        carried = wrk(server.target, CARRY_CONNECTIONS, plan.seconds).good_per_second
        for times in MULTIPLES:
            progress.update(todo, description=f"overload, {times:g} times", advance=1)
            before = memory(server.pid)
            outcome = probe(
                server.target.url, server.target.bodies, plan.load_core, rate=times * carried, seconds=plan.seconds
            )
            offered.append(Offered(times, outcome, before, memory(server.pid)))
    fast = fit(LOGISTIC, 30, plan.folder / "fast", seed=plan.seed)
    loads: dict[str, list[Any]] = {str(connections): [] for connections in MORE_CONNECTIONS}
    for _ in range(plan.rounds):
        with started(named(MONITORED), fast, plan) as server:
            wrk(server.target, MORE_CONNECTIONS[0], plan.warm_up)
            for connections in MORE_CONNECTIONS:
                progress.update(todo, description=f"overload, {connections} connections", advance=1)
                loads[str(connections)].append(wrk(server.target, connections, plan.seconds))
    found.overload = Overload(plan.queue, carried, offered, loads)
    yield


def versions() -> dict[str, str]:
    """Return what was run, by name."""
    own = {"Python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}
    return own | {name: told for name, folder in NEIGHBOURS.items() if (told := _version_in(folder, name))}


def setting(plan: Plan) -> dict[str, str]:
    """Return how it was run, by name."""
    return {
        "rounds": str(plan.rounds),
        "seconds": f"{plan.seconds:g}",
        "warm-up": f"{plan.warm_up:g}",
        "connections": str(plan.connections),
        "latency connections": str(plan.latency_connections),
        "seed": str(plan.seed),
    }


def _version_in(environment: str, name: str) -> str | None:
    python = Path(__file__).parents[1] / environment / "bin" / "python"
    if not python.exists():
        return None
    code = f"from importlib.metadata import version; print(version({name!r}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60).stdout.strip() or None


# ---------------------------------------------------------------- command line


def main(
    contest: Annotated[bool, typer.Option(help="Compare all servers.")] = True,
    scrape: Annotated[bool, typer.Option("--scrape", help="Compare latencies with scrapes and without.")] = False,
    overload: Annotated[bool, typer.Option("--overload", help="Offer more than can be carried.")] = False,
    workers: Annotated[bool, typer.Option("--workers", help="Compare several workers with one.")] = False,
    rounds: Annotated[int, typer.Option(help="Rounds; in each, everything runs once.", min=1)] = 5,
    seconds: Annotated[float, typer.Option(help="Length of a run.", min=1, max=120)] = 8.0,
    warm_up: Annotated[float, typer.Option(help="Load before it that is not counted.", min=1, max=60)] = 2.0,
    connections: Annotated[int, typer.Option(help="Connections for requests/s.", min=1, max=1_000)] = 64,
    latency_connections: Annotated[int, typer.Option(help="Connections for p50 and p99.", min=1, max=1_000)] = 16,
    contestants: Annotated[str, typer.Option(help="Parts of the names of those to run, by commas.")] = "",
    models: Annotated[str, typer.Option(help="Parts of the names of the models, by commas.")] = "",
    server_core: Annotated[int, typer.Option(help="Core that serves.", min=0)] = 0,
    load_core: Annotated[int, typer.Option(help="Core that loads.", min=0)] = 1,
    queue: Annotated[int, typer.Option(help="Requests that may wait, in --overload.", min=1)] = 32,
    worker_counts: Annotated[str, typer.Option(help="Workers of those scraped in --workers, by commas.")] = "1,2,4,8",
    worker_scrapes: Annotated[int, typer.Option(help="Scrapes of each kind there.", min=1, max=1_000)] = 100,
    seed: Annotated[int, typer.Option(help="Seed of the data.")] = 1,
    work: Annotated[Path | None, typer.Option(help="Folder for models and logs; else one that is removed.")] = None,
    json: Annotated[Path | None, typer.Option(help="Where results are kept; parts not run are taken from it.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Where the plot is written, as SVG; wants matplotlib.")] = None,
) -> None:
    """Start servers, load them, and print what their answers cost."""
    if problem := missing_wrk():
        raise typer.BadParameter(problem)
    counts = counts_of(worker_counts)
    keep_to(load_core)  # this program too has a bar to draw
    found = Found.load(json) if json and json.exists() else Found()
    console = Console(stderr=True)
    with ended_in_order(), tempfile.TemporaryDirectory() as temporary, Progress(console=console) as progress:
        folder = (work or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        plan = Plan(
            folder, rounds, seconds, warm_up, connections, latency_connections, server_core, load_core, seed, queue
        )
        steps: dict[str, Callable[[], Iterator[None]]] = {}
        if contest:
            kinds, every = chosen(KINDS, models), chosen(CONTESTANTS, contestants)
            steps["contest"] = lambda: run_contest(found, kinds, every, plan, progress)
        if scrape:
            steps["scrape"] = lambda: run_scrape(found, plan, progress)
        if overload:
            steps["overload"] = lambda: run_overload(found, plan, progress)
        if workers:
            steps["workers"] = lambda: run_workers(found, counts, worker_scrapes, plan, progress)
        measure(found, steps, plan, json)
    print(report(found))
    if plot and found.contest:
        draw(found, plot)


def measure(found: Found, steps: Mapping[str, Callable[[], Iterator[None]]], plan: Plan, json: Path | None) -> None:
    """Run the steps in turn; after each result everything found is saved."""
    found.setting = versions() if steps else found.setting
    for part, step in steps.items():
        found.plans[part] = setting(plan)
        for _ in step():
            if json:
                found.save(json)


@contextlib.contextmanager
def ended_in_order() -> Iterator[None]:
    """End by SIGTERM as by Ctrl-C: with everything that was started."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def chosen(every: Sequence[Any], parts: str) -> list[Any]:
    """Return those whose names have one of the parts in them; all if there are none."""
    wanted = [part.strip().lower() for part in parts.split(",") if part.strip()]
    found = [own for own in every if not wanted or any(part in own.name.lower() for part in wanted)]
    if not found:
        raise typer.BadParameter(f"{parts} is none of {', '.join(own.name for own in every)}")
    return found


if __name__ == "__main__":
    typer.run(main)
