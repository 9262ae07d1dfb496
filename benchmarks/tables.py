"""What baselines and checks of large tables cost, beside a bare scan in DuckDB and other tools.

A table is made from a seed (30 columns of every kind, in parts of Parquet). Each way runs in a process of its own, and
all ways take turns in each round. Prints a table for benchmarks/README.md.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Final

import typer

from benchmarks.measuring import THREAD_VARIABLES, number, table
from benchmarks.tables_data import write
from benchmarks.tables_run import Cost, measured

HEADS: Final = (*("way", "wall, s", "× scan", "CPU, s", "× scan", "µs of CPU a row", "peak memory, MiB", "runs"),)
SCAN: Final = "DuckDB, bare scan"


@dataclass(frozen=True)
class Way:
    """One thing to do with a table; `{table}`, `{baseline}`, `{out}` and `{profile}` stand for paths."""

    name: str
    arguments: tuple[str, ...]
    """Of Driftgauge's command line, or one way of `tables_ways`."""
    interpreter: str = ""
    """The environment that a way of `tables_ways` or an engine needs; by default this one."""
    accepted: tuple[int, ...] = (0,)
    memory_gib: float = 2.0
    """That the way is told to keep to, where it can be told."""


def _driftgauge(name: str, *arguments: str, interpreter: str = "", accepted: tuple[int, ...] = (0,)) -> Way:
    return Way(name, ("driftgauge", *arguments), interpreter, accepted)


BUILD: Final = ("baseline", "build", "{table}", "--ignore", "time", "--out", "{out}")
CHECK: Final = ("check", "{table}", "--baseline", "{baseline}", "--no-constraints")
PROFILE: Final = ("profile", "build", "{table}", "--baseline", "{baseline}", "--out", "{profile}")
VERDICT: Final = (0, 1)
"""Exit codes of `check` that say that it did its work."""
WAYS: Final = (
    Way(SCAN, ("duckdb_scan",), "duckdb"),
    Way("DuckDB, bare scan in one query", ("duckdb_scan_at_once",), "duckdb", memory_gib=14.0),
    _driftgauge("`baseline build`, in memory", *BUILD),
    _driftgauge("`check`, streamed", *CHECK, accepted=VERDICT),
    _driftgauge("`profile build`, streamed", *PROFILE),
    _driftgauge("`baseline build`, DuckDB", *BUILD, "--engine", "duckdb", interpreter="engines"),
    _driftgauge("`check`, DuckDB", *CHECK, "--engine", "duckdb", interpreter="engines", accepted=VERDICT),
    Way("Spark, scan", ("spark_scan",), "spark", memory_gib=4.0),
    Way("evidently, drift preset", ("evidently_report",), "evidently"),
    Way("whylogs, profile", ("whylogs_profile",), "whylogs"),
)


@dataclass(frozen=True)
class Place:
    """Where tables and results lie, and what runs the ways."""

    folder: Path
    interpreters: Mapping[str, str]
    threads: int

    def command(self, way: Way, data: Path, baseline: Path) -> list[str]:
        """Return the command line of a way."""
        python = self.interpreters.get(way.interpreter, sys.executable)
        paths = {"table": data, "baseline": baseline}
        paths |= {"out": self.folder / "out.json", "profile": self.folder / "out.profile"}
        if way.arguments[0] == "driftgauge":
            return [python, "-m", "driftgauge", *(part.format(**paths) for part in way.arguments[1:])]
        return [
            python,
            "-m",
            "benchmarks.tables_ways",
            *way.arguments,
            str(data),
            f"{way.memory_gib}",
            f"{self.threads}",
        ]


def environment(threads: int) -> dict[str, str]:
    """Return the environment of all ways: this checkout, and as many threads for each."""
    root = Path(__file__).parents[1]
    return {
        **os.environ,
        "PYTHONPATH": f"{root / 'app'}{os.pathsep}{root}",
        "COLUMNS": "200",
        **dict.fromkeys(THREAD_VARIABLES, str(threads)),
    }


def run(
    place: Place, ways: Sequence[Way], rows: int, seed: int, rounds: int, limit_gib: float | None
) -> dict[str, list[Cost]]:
    """Let all ways take turns on one table; a way that failed once is not tried again."""
    data = place.folder / f"rows-{rows}"
    megabytes = write(data, rows, seed) / 1e6
    print(f"{rows:,} rows, {megabytes:,.0f} MB in {data}", file=sys.stderr, flush=True)
    env = environment(place.threads)
    baseline = place.folder / f"baseline-{rows}.json"
    if not baseline.exists():
        _baseline(place, data, baseline, env)
    costs: dict[str, list[Cost]] = {way.name: [] for way in ways}
    with tempfile.TemporaryDirectory() as logs:
        for turn in range(rounds):
            for way in ways if turn % 2 == 0 else reversed(ways):
                if any(cost.status for cost in costs[way.name]):
                    continue
                command = place.command(way, data, baseline)
                cost = measured(command, Path(logs) / "log", env=env, accepted=way.accepted, limit_gib=limit_gib)
                costs[way.name].append(cost)
                print(_line(way, cost), file=sys.stderr, flush=True)
    return costs


def _baseline(place: Place, data: Path, baseline: Path, env: Mapping[str, str]) -> None:
    """Build the baseline that checks compare with, from the first part: all checks get the same one."""
    part = min(data.iterdir())
    build = _driftgauge("baseline", *BUILD[:-1], str(baseline))
    with tempfile.TemporaryDirectory() as logs:
        cost = measured(place.command(build, part, baseline), Path(logs) / "log", env=env)
    if cost.status:
        raise RuntimeError(f"the baseline could not be built: {cost.said}")


def _line(way: Way, cost: Cost) -> str:
    outcome = f"failed ({cost.status}): {cost.said}" if cost.status else "ok"
    return f"{way.name}: {cost.wall_seconds:.1f} s, {cost.cpu_seconds:.1f} s CPU, {cost.peak_mib:,.0f} MiB, {outcome}"


def costs_table(rows: int, costs: Mapping[str, Sequence[Cost]]) -> str:
    """Return the medians; ratios are those within a round, of the bare scan."""
    return table(f"{rows:,} rows × 30 columns", HEADS, (_row(rows, name, costs) for name in costs))


def _row(rows: int, name: str, costs: Mapping[str, Sequence[Cost]]) -> tuple[str, ...]:
    own = [cost for cost in costs[name] if not cost.status]
    if not own:
        why = f"failed: {costs[name][0].said.splitlines()[-1]}" if costs[name] and costs[name][0].said else "failed"
        return name, why, *("–",) * (len(HEADS) - 3), "0"
    pairs = [pair for pair in zip(own, costs.get(SCAN, ()), strict=False) if not pair[1].status]
    wall, cpu = median(cost.wall_seconds for cost in own), median(cost.cpu_seconds for cost in own)
    return (
        name,
        number(wall, 1),
        number(median(a.wall_seconds / b.wall_seconds for a, b in pairs) if pairs else None, 2),
        number(cpu, 1),
        number(median(a.cpu_seconds / b.cpu_seconds for a, b in pairs) if pairs else None, 2),
        number(1e6 * cpu / rows, 2),
        number(median(cost.peak_mib for cost in own), 0),
        str(len(own)),
    )


def chosen(only: str, interpreters: Mapping[str, str]) -> list[Way]:
    """Return the ways whose name contains one of these words, and whose environment there is."""
    words = [word.strip() for word in only.split(";") if word.strip()]
    named = [way for way in WAYS if not words or any(word in way.name for word in words)]
    return [way for way in named if not way.interpreter or way.interpreter in interpreters]


def main(
    data: Annotated[Path, typer.Option(help="Folder of the tables; 5.5 GB for 30 million rows.")],
    rows: Annotated[str, typer.Option(help="Rows of each table, with commas.")] = "3000000",
    rounds: Annotated[int, typer.Option(min=1)] = 3,
    only: Annotated[str, typer.Option(help="Words in the names of ways to run, with semicolons; by default all.")] = "",
    python: Annotated[
        list[str] | None, typer.Option(help="NAME=PATH of an interpreter: duckdb, engines, spark, evidently, whylogs.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each way.")] = 2,
    limit_gib: Annotated[float | None, typer.Option(help="A process that asks for more memory fails.")] = None,
    seed: int = 1,
) -> None:
    """Measure baselines and checks of large tables; ways without an interpreter are left out."""
    interpreters = dict(own.split("=", 1) for own in python or ())
    place = Place(data.absolute(), interpreters, threads)
    ways = chosen(only, interpreters)
    for count in map(int, rows.split(",")):
        print(costs_table(count, run(place, ways, count, seed, rounds, limit_gib)), flush=True)


if __name__ == "__main__":
    typer.run(main)
