"""What several workers cost, as tables in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from benchmarks.measuring import number, table
from benchmarks.serving_results import (
    Checked,
    R,
    Workers,
    WorkersLoad,
    WorkersScraped,
    contestants,
    load_name,
    servers_name,
    typical,
    typical_ratio,
)

ONE: Final = "1"
"""Whose scrapes others are compared with."""
CPU_REACH: Final = 1.1
"""CPU time of a request beside that of one worker with as many connections as each has, at most."""
SCRAPE_REACH: Final = 1.5
"""How long a scrape takes beside that of one worker, at most."""


def workers_report(found: Workers) -> str:
    """Return the tables of loads and of scrapes."""
    parts = [_load(found.load)] if found.load else []
    parts += [_scraped(found.scraped)] if found.scraped else []
    return "\n".join([*parts, *(f"Failed: {name}, {reason}\n" for name, reason in found.missing.items())])


def _load(rounds: Sequence[Mapping[str, WorkersLoad]]) -> str:
    heads = (
        "workers",
        "connections",
        "requests/s",
        "×",
        "CPU, µs a request",
        "×",
        f"≤ {CPU_REACH:g}",
        "CPU, × 1 with all connections",
        "CPU, × apart",
        "cores",
        "busiest worker, %",
        "runs",
    )
    return table(
        f"CPU time of a request by workers: median of {len(rounds)} rounds",
        heads,
        [_load_of(rounds, name) for name in contestants(rounds)],
    )


def _load_of(rounds: Sequence[Mapping[str, WorkersLoad]], name: str) -> list[str]:
    def cpu(run: WorkersLoad) -> float:
        return run.cpu_us

    shape = next(own[name] for own in rounds if name in own)
    workers = sum(shape.servers)
    one, alone = load_name([1], shape.each), load_name([1], workers * shape.each)
    ratio = typical_ratio(rounds, name, one, cpu)
    return [
        servers_name(shape.servers),
        f"{shape.each} each",
        number(typical(rounds, name, lambda run: run.per_second), 0),
        number(typical_ratio(rounds, name, one, lambda run: run.per_second), 2),
        number(typical(rounds, name, cpu), 1),
        number(ratio, 3),
        _reached(ratio, CPU_REACH),
        number(typical_ratio(rounds, name, alone, cpu), 3),
        number(typical_ratio(rounds, name, load_name([1] * workers, shape.each), cpu), 3),
        number(typical(rounds, name, lambda run: run.cores), 2),
        number(typical(rounds, name, lambda run: 100.0 * run.busiest), 0),
        _runs(rounds, name),
    ]


def _scraped(rounds: Sequence[Mapping[str, WorkersScraped]]) -> str:
    kinds = ("quiet", "busy")
    heads = ["workers"]
    for kind in kinds:
        heads += [f"{kind}: ms", "×", f"≤ {SCRAPE_REACH:g}", "CPU, ms", "×", "evaluated, %"]
    rows = []
    for name in contestants(rounds):
        figures = [figure for kind in kinds for figure in _scraped_of(rounds, name, kind)]
        size = typical(rounds, name, lambda run: run.busy.bytes / 1024)
        rows.append([name, *figures, number(size, 0), _runs(rounds, name)])
    first = next((run for own in rounds for run in own.values()), None)
    title = f"A scrape by workers: median of {len(rounds)} rounds of {first.quiet.scrapes if first else 0} scrapes"
    return table(title, [*heads, "KiB", "runs"], rows)


def _scraped_of(rounds: Sequence[Mapping[str, WorkersScraped]], name: str, kind: str) -> list[str]:
    def of(measure: str) -> Callable[[WorkersScraped], float]:
        # Of a few scrapes the CPU time may be 0: that has no ratio.
        return lambda run: float(getattr(getattr(run, kind), measure)) or float("nan")

    wall = typical_ratio(rounds, name, ONE, of("wall_ms"))
    return [
        number(typical(rounds, name, of("wall_ms")), 2),
        number(wall, 2),
        _reached(wall, SCRAPE_REACH),
        number(typical(rounds, name, of("cpu_ms")), 2),
        number(typical_ratio(rounds, name, ONE, of("cpu_ms")), 2),
        number(typical(rounds, name, lambda run: 100.0 * getattr(run, kind).evaluated / getattr(run, kind).scrapes), 0),
    ]


def _reached(ratio: float | None, reach: float) -> str:
    return "–" if ratio is None else "yes" if ratio <= reach else "no"


def _runs(rounds: Sequence[Mapping[str, R]], name: str) -> str:
    runs: list[Checked] = [own[name] for own in rounds if name in own]
    invalid = sum(not run.valid for run in runs)
    return f"{len(runs)}, {invalid} invalid" if invalid else f"{len(runs)}"
