"""What the state costs in two versions of Driftgauge, measured in turns in one session.

Each version is run by its own processes. `--before` may hold the `app` of version 0.1.0, whose state has another API;
see `state_versions`. Prints tables for benchmarks/README.md.
"""

from __future__ import annotations

import json
import platform
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

import typer
from driftgauge.models.bundle import BUNDLE_FILE

from benchmarks.load import missing_wrk
from benchmarks.measuring import table
from benchmarks.pairing import HEADS, Pairs
from benchmarks.serving_models import LOGISTIC, Fitted, fit
from benchmarks.serving_servers import Plan
from benchmarks.state_library import baseline_file, catch_ups, evaluations, memories, package_of
from benchmarks.state_serving import Versions, beside_one_worker, scrape_pairs, scraped, served

FEATURES: Final = 30
COLUMNS: Final = (30, 1_000)
BODIES: Final = 4_000
CONNECTIONS: Final = 64
SERVING_WORKERS: Final = (1, 2)
SCRAPE_WORKERS: Final = (2, 4, 8)
"""Each is compared with one worker, in turns."""
MEMORY_WORKERS: Final = (1, 2)
LIBRARIES: Final = ("numpy", "scipy", "scikit-learn", "uvicorn")
SCRAPE_HEADS: Final = ("workers", "before, × one worker", "95 % interval", "after, × one worker", "95 % interval")


@dataclass(frozen=True)
class Run:
    """What is compared, and how long."""

    versions: Versions
    folder: Path
    rounds: int
    seconds: float
    scrapes: int
    turns: int
    seed: int

    @property
    def plan(self) -> Plan:
        """How servers are run."""
        return Plan(
            folder=self.folder,
            rounds=self.rounds,
            seconds=self.seconds,
            warm_up=1.0,
            connections=CONNECTIONS,
            latency_connections=CONNECTIONS,
            server_core=0,
            load_core=1,
            seed=self.seed,
            queue=0,
        )


def _fitted(run: Run, name: str) -> Fitted:
    """Return a model whose bundle both versions can read: earlier ones refuse keys that they do not know."""
    fitted = fit(LOGISTIC, FEATURES, run.folder / name, seed=run.seed, bodies=BODIES)
    file = fitted.bundle / BUNDLE_FILE
    content = json.loads(file.read_text("utf-8"))
    content.get("performance", {}).pop("estimates", None)
    file.write_text(json.dumps(content), "utf-8")
    return fitted


def serving(run: Run) -> str:
    """Return the table of requests."""
    fitted = _fitted(run, "model")
    found = [served(run.versions, workers, fitted, run.plan) for workers in SERVING_WORKERS]
    rows = [pairs.row() for own in found for pairs in (own.cpu_us, own.p99_ms, own.rate)]
    return "\n".join([table("State: requests", HEADS, rows), *(f"- {own.remark()}" for own in found), ""])


def scrape(run: Run) -> str:
    """Return the tables of scrapes."""
    fitted = _fitted(run, "scraped")
    found = [
        turns
        for workers in SCRAPE_WORKERS
        for turns in scraped(run.versions, (1, workers), run.scrapes, fitted, run.plan)
    ]
    rows = [pairs.row() for workers in (1, *SCRAPE_WORKERS) for pairs in scrape_pairs(found, workers)]
    ratios = [[beside_one_worker(found, place, workers).cells() for place in (0, 1)] for workers in SCRAPE_WORKERS]
    by_workers = [
        [str(workers), *before, *after] for workers, (before, after) in zip(SCRAPE_WORKERS, ratios, strict=True)
    ]
    evaluated = [turn.has_evaluated for turns in found for turn in turns.values()]
    return "\n".join(
        [
            table("State: scrapes", HEADS, rows),
            table("State: CPU of a scrape by workers", SCRAPE_HEADS, by_workers),
            f"{100 * sum(evaluated) / len(evaluated):.0f} % of the scrapes brought a new evaluation.\n",
        ]
    )


def catch_up(run: Run) -> str:
    """Return the table of catch-ups."""
    found: list[Pairs] = []
    for columns in COLUMNS:
        found += catch_ups(run.versions, columns, run.turns, baseline_file(columns, run.folder), run.folder)
    return table("State: catch-up", HEADS, [pairs.row() for pairs in found])


def memory(run: Run) -> str:
    """Return the table of files and memory."""
    found: list[Pairs] = []
    for columns in COLUMNS:
        baseline = baseline_file(columns, run.folder)
        for workers in MEMORY_WORKERS:
            found += memories(run.versions, columns, workers, 3, baseline, run.folder)
    return table("State: files and memory", HEADS, [pairs.row() for pairs in found])


def evaluation(run: Run) -> str:
    """Return the table of evaluations."""
    found: list[Pairs] = []
    for columns in COLUMNS:
        found += evaluations(run.versions, columns, run.turns, baseline_file(columns, run.folder), run.folder)
    return table("State: evaluations", HEADS, [pairs.row() for pairs in found])


PARTS: Final[Mapping[str, Callable[[Run], str]]] = {
    "serving": serving,
    "scrape": scrape,
    "catch-up": catch_up,
    "memory": memory,
    "evaluation": evaluation,
}


def chosen(text: str) -> list[str]:
    """Return the parts that a list with commas names; BadParameter if it names another."""
    names = [part.strip() for part in text.split(",")]
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise typer.BadParameter(f"there is no part {unknown[0]!r}: give {', '.join(PARTS)}")
    return names


def _root(folder: Path) -> Path:
    found = folder.resolve()
    if not package_of(found).is_relative_to(found / "app"):
        raise typer.BadParameter(f"{folder} has no app/driftgauge")
    return found


def main(
    before: Annotated[Path, typer.Option(help="Folder whose `app` is measured first; may be of version 0.1.0.")],
    after: Annotated[Path, typer.Option(help="Folder whose `app` is compared with it.")] = Path(),
    only: Annotated[str, typer.Option(help="Parts to run, with commas.")] = ",".join(PARTS),
    rounds: Annotated[int, typer.Option(help="Pairs of loads.", min=1)] = 20,
    seconds: Annotated[float, typer.Option(help="Seconds of a load.", min=1.0)] = 3.0,
    scrapes: Annotated[int, typer.Option(help="Pairs of scrapes by number of workers.", min=2)] = 40,
    turns: Annotated[int, typer.Option(help="Pairs of catch-ups and evaluations.", min=1)] = 15,
    seed: Annotated[int, typer.Option(help="Seed of the data and of the order within pairs.")] = 1,
) -> None:
    """Compare the cost of the state in two versions."""
    parts = chosen(only)
    if "serving" in parts and (problem := missing_wrk()):
        raise typer.BadParameter(problem)
    versions = _root(before), _root(after)
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    print(f"Python {platform.python_version()}, {libraries}; seed {seed}\n")
    with tempfile.TemporaryDirectory() as name:
        run = Run(versions, Path(name), rounds, seconds, scrapes, turns, seed)
        for part in parts:
            print(PARTS[part](run), flush=True)


if __name__ == "__main__":
    typer.run(main)
