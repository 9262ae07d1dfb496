"""What it costs to take in rows that other servers have logged: CPU time of a row, by format, over HTTP and from Kafka.

A server of one worker runs on one core, and what sends to it on another. CPU time is that of all its threads, until it
has nothing left to do. Beside it stand two ways that other monitors go, each in its own format.
"""

from __future__ import annotations

import itertools
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Annotated, Final

import typer

from benchmarks import ingest_rows as written
from benchmarks.contestants.catalogue import Start, uvicorn
from benchmarks.ingest_kafka import Topic, broker, consumed, missing_kafka
from benchmarks.ingest_rows import BATCH_ROWS, Row, Sent, requests_of, rows_of, write_baseline
from benchmarks.ingest_run import Cost, Running, serving
from benchmarks.measuring import number, table

LIBRARIES: Final = ("numpy", "orjson", "fastapi", "uvicorn", "confluent-kafka", "pandas", "evidently", "h5py")
SERVER_CORE: Final = 0
LOAD_CORE: Final = 1
WARM_UP_BATCHES: Final = 10


@dataclass(frozen=True)
class Http:
    """One way of rows over HTTP."""

    name: str
    path: str
    make: Callable[[Sequence[Row]], Iterator[Sent]]


HTTP: Final = (
    Http("own, JSON array of lists", "/ingest/model", written.as_array(written.own_list)),
    Http("own, JSON array of objects", "/ingest/model", written.as_array(written.own_object)),
    Http("own, JSON lines of lists", "/ingest/model", written.as_lines(written.own_list)),
    Http("own, JSON lines of objects", "/ingest/model", written.as_lines(written.own_object)),
    Http("BentoML by Fluent Bit, lists", "/validation", written.fluent_bit(written.bentoml_list)),
    Http("BentoML by Fluent Bit, numpy's text", "/validation", written.fluent_bit(written.bentoml_text)),
    Http("SageMaker, CSV, a row a line", "/ingest/model/sagemaker", written.as_lines(written.sagemaker_csv)),
    Http("KServe v2, 500 rows a request", "/ingest/cloudevents", written.kserve),
)


@dataclass(frozen=True)
class Messages:
    """One format of messages."""

    name: str
    kind: str
    record: Callable[[Row], bytes]


KAFKA: Final = (
    Messages("own, lists", "jsonl", written.own_list),
    Messages("own, objects", "jsonl", written.own_object),
    Messages("BentoML, lists", "bentoml", written.bentoml_list),
    Messages("BentoML, numpy's text", "bentoml", written.bentoml_text),
)


@dataclass(frozen=True)
class Rival:
    """Another way to take rows in, in a module of `benchmarks.contestants`."""

    name: str
    module: str
    needs: Sequence[str]
    """Modules that it imports."""
    way: Http

    @property
    def missing(self) -> str | None:
        """Return what is not installed, or None."""
        absent = [name for name in self.needs if _version(name) is None]
        return f"{', '.join(absent)} not installed: make bench" if absent else None


RIVALS: Final = (
    Rival(
        "evidently-collector style",
        "collector",
        ("evidently", "pandas"),
        Http("JSON array of objects", "/data", written.as_array(written.flat_object)),
    ),
    Rival("TrustyAI style", "tensor_store", ("h5py",), Http("KServe v2, 500 rows a request", "/", written.kserve)),
)


@dataclass
class Found:
    """What was measured: costs by name, one for each round."""

    costs: dict[tuple[str, str, bool], list[Cost]] = field(default_factory=dict)
    """By part, name, and whether the prediction log was on."""
    missing: dict[str, str] = field(default_factory=dict)
    """By name, why something was left out."""

    def add(self, part: str, name: str, cost: Cost, *, log: bool) -> None:
        """Add the cost of one round."""
        self.costs.setdefault((part, name, log), []).append(cost)

    def cpu_us(self, part: str, name: str, *, log: bool) -> float | None:
        """Return the median CPU time of a row, None without any."""
        own = self.costs.get((part, name, log))
        return median(cost.cpu_us for cost in own) if own else None


@dataclass(frozen=True)
class Plan:
    """How everything is run."""

    folder: Path
    baseline: Path
    rows: int
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def new(self) -> Path:
        """Return a folder that is not there yet."""
        return self.folder / str(next(self.numbers))


def driftgauge(baseline: Path, *, log: bool) -> Callable[[int, Path], Start]:
    """Return how Driftgauge is started for a model that another server serves."""

    def start(port: int, folder: Path) -> Start:
        model = ("--baseline", str(baseline), "--model", "model", "--state-dir", str(folder / "state"))
        how = ("--port", str(port), "--log-level", "warning")
        env = {"DRIFTGAUGE_PREDICTION_LOG": str(log).lower()}
        return Start((sys.executable, "-m", "driftgauge", "serve", *model, *how), env)

    return start


def taken_in(server: Running, way: Http, rows: Sequence[Row]) -> Cost:
    """Send rows after a warm-up, and return what they cost."""
    first = min(WARM_UP_BATCHES * BATCH_ROWS, len(rows) // 2)
    server.send(way.path, requests_of(rows[:first], BATCH_ROWS, way.make))
    requests = requests_of(rows[first:], BATCH_ROWS, way.make)
    server.until_idle()
    before = server.cpu_seconds()
    server.send(way.path, requests)
    server.until_idle()
    return Cost(1e6 * (server.cpu_seconds() - before) / (len(rows) - first), len(rows) - first)


def run_http(found: Found, plan: Plan, seed: int, ways: Sequence[Http] = HTTP) -> None:
    """Measure all formats over HTTP once, without and with the prediction log."""
    for log in (False, True):
        with serving(driftgauge(plan.baseline, log=log), plan.new(), SERVER_CORE) as server:
            for place, way in enumerate(ways):
                found.add("http", way.name, taken_in(server, way, rows_of(plan.rows, seed + place)), log=log)
            counted = server.sample("model_ingest_rows_total", 'result="taken"')
            if counted != len(ways) * plan.rows:
                raise RuntimeError(f"{counted:g} of {len(ways) * plan.rows} rows were taken")


def run_rivals(found: Found, plan: Plan, seed: int) -> None:
    """Measure the other ways once."""
    for rival in RIVALS:
        if why := rival.missing:
            found.missing[rival.name] = why
            continue
        with serving(_rival(rival.module), plan.new(), SERVER_CORE) as server:
            found.add(
                "rivals",
                f"{rival.name}: {rival.way.name}",
                taken_in(server, rival.way, rows_of(plan.rows, seed)),
                log=True,
            )


def _rival(module: str) -> Callable[[int, Path], Start]:
    return lambda port, folder: uvicorn(module, port, FOLDER=str(folder))


def run_kafka(found: Found, plan: Plan, seed: int, formats: Sequence[Messages] = KAFKA) -> None:
    """Measure all formats from Kafka once, without and with the prediction log, each with a new topic."""
    if why := missing_kafka():
        found.missing["Kafka"] = why
        return
    for own, log in itertools.product(formats, (False, True)):
        folder = plan.new()
        with broker(folder / "broker", LOAD_CORE) as address:
            messages = [own.record(row) for row in rows_of(plan.rows, seed)]
            topic = Topic(address, "rows", own.kind)
            cost = consumed(topic, messages, plan.baseline, folder / "server", SERVER_CORE, log=log)
        found.add("kafka", own.name, cost, log=log)


PARTS: Final[Mapping[str, Callable[[Found, Plan, int], None]]] = {
    "http": run_http,
    "kafka": run_kafka,
    "rivals": run_rivals,
}


def report(found: Found) -> str:
    """Return all tables."""
    heads = ("format", "CPU, µs a row", "rows a second of CPU", "with the log, µs", "rows a second")
    titles = {
        "http": f"HTTP, requests of {BATCH_ROWS} rows with {written.FEATURES} features",
        "kafka": f"Kafka, a row a message with {written.FEATURES} features",
        "rivals": "Other designs, over HTTP",
    }
    parts = []
    for part, title in titles.items():
        names = list(dict.fromkeys(name for own, name, _ in found.costs if own == part))
        if names:
            parts.append(table(title, heads, [_line(found, part, name) for name in names]))
    parts += [f"{name} is left out: {why}.\n" for name, why in found.missing.items()]
    return "\n".join(parts)


def _line(found: Found, part: str, name: str) -> list[str]:
    return [name, *(cell for log in (False, True) for cell in _cells(found.cpu_us(part, name, log=log)))]


def _cells(cpu_us: float | None) -> tuple[str, str]:
    return number(cpu_us, 1), number(None if cpu_us is None else round(1e6 / cpu_us, -2), 0)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def main(
    rows: Annotated[int, typer.Option(min=100, help="Rows of each measurement.")] = 100_000,
    rounds: Annotated[int, typer.Option(min=1, help="Measurements of each format; the tables show the median.")] = 3,
    seed: Annotated[int, typer.Option(help="Seed of the rows.")] = 1,
    parts: Annotated[str, typer.Option(help="What is measured, separated by commas.")] = ",".join(PARTS),
) -> None:
    """Print the CPU time of a row by format."""
    chosen = parts.split(",")
    if unknown := [part for part in chosen if part not in PARTS]:
        raise typer.BadParameter(f"there is no part {unknown[0]}; there are {', '.join(PARTS)}")
    libraries = ", ".join(f"{name} {own}" for name in LIBRARIES if (own := _version(name)))
    print(f"Python {platform.python_version()}, {libraries}; {rows:,} rows, {rounds} rounds, seed {seed}\n")
    found = Found()
    with tempfile.TemporaryDirectory() as folder:
        baseline = Path(folder) / "baseline.json"
        write_baseline(baseline, seed)
        plan = Plan(Path(folder), baseline, rows)
        for turn in range(rounds):
            for part in chosen:
                PARTS[part](found, plan, seed + turn * len(HTTP))
    print(report(found))


if __name__ == "__main__":
    typer.run(main)
