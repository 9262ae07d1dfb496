"""What the recording rules across replicas cost a Prometheus: CPU time, samples and memory by replicas and features.

Counters of bins of many servers are written as blocks of a Prometheus of its own, which is then asked the rule that
reads them. The other rules read only what this one records, whatever the number of replicas. CPU time is that of the
Prometheus process, so that other programs of the machine do not count. Prints a table for benchmarks/README.md.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import httpx
import numpy as np
import typer
from driftgauge.demo import prometheus_stack as stack
from driftgauge.demo.prometheus_stack import Endpoint, programs
from scipy.optimize import nnls

from benchmarks.measuring import table
from benchmarks.processes import free_port

BINS: Final = 13
INTERVAL_SECONDS: Final = 15
WINDOWS: Final = {"5m": (300, 15), "1h": (3_600, 120), "24h": (86_400, 240)}
"""Seconds of each range, and between evaluations of its rules, with a scrape every 15 s."""


@dataclass(frozen=True)
class Case:
    """Servers with one model, over a range."""

    replicas: int
    features: int
    window: str

    @property
    def series(self) -> int:
        """Counters of bins, of the features and the score."""
        return self.replicas * (self.features + 1) * BINS

    @property
    def samples(self) -> int:
        """Samples that one evaluation reads."""
        return self.series * WINDOWS[self.window][0] // INTERVAL_SECONDS


@dataclass(frozen=True)
class Cost:
    """What an evaluation took."""

    case: Case
    cpu_seconds: float
    memory_bytes: float

    @property
    def nanoseconds(self) -> float:
        """CPU time of a sample."""
        return 1e9 * self.cpu_seconds / self.case.samples


def write_counters(case: Case, out: Path, end: int, seed: int) -> None:
    """Write counters of bins as OpenMetrics, a sample each interval; all grow by chance."""
    rng = np.random.default_rng(seed)
    count = WINDOWS[case.window][0] // INTERVAL_SECONDS + 1
    times = [f" {end - INTERVAL_SECONDS * (count - 1 - step)}\n" for step in range(count)]
    with out.open("w") as file:
        file.write("# TYPE model_feature_bin_rows counter\n")
        for server in range(case.replicas):
            for feature in range(case.features + 1):
                grown = rng.integers(0, 9, size=(BINS, count)).cumsum(axis=1)
                for bin_, values in enumerate(grown.tolist()):
                    head = (
                        f'model_feature_bin_rows_total{{job="driftgauge",instance="server-{server:03d}:8000",'
                        f'model_name="m",model_version="1",feature_name="f{feature:04d}",bin="{bin_}"}} '
                    )
                    file.write("".join(f"{head}{value}{at}" for value, at in zip(values, times, strict=True)))
        file.write("# EOF\n")


def measured(case: Case, rounds: int, seed: int) -> Cost:
    """Return the median cost of an evaluation of the rule that adds up the bins of all servers."""
    found = programs()
    end = int(time.time()) // 60 * 60 - 60
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = folder / "counters.txt"
        write_counters(case, text, end, seed)
        blocks = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(folder / "data")]
        subprocess.run(blocks, check=True, capture_output=True)
        text.unlink()
        (folder / "prometheus.yml").write_text("global: {}\n")
        own = folder / "data", Endpoint(free_port()), folder / "log"
        with stack.prometheus(found.prometheus, folder, *own) as address, httpx.Client(timeout=600) as client:
            query = (
                "sum by (job, model_name, model_version, feature_name, bin) "
                f"(increase(model_feature_bin_rows_total[{case.window}]))"
            )
            costs = [_cpu_of(client, address, query, end, case) for _ in range(rounds + 1)][1:]
            return Cost(case, statistics.median(costs), _own(client, address, "process_resident_memory_bytes"))


def _cpu_of(client: httpx.Client, address: str, query: str, at: int, case: Case) -> float:
    before = _own(client, address, "process_cpu_seconds_total")
    answer = client.post(f"{address}/api/v1/query", data={"query": query, "time": str(at)}).json()
    found = len(answer["data"]["result"])
    if found != (case.features + 1) * BINS:
        raise RuntimeError(f"{found} series were found for {case}")
    return _own(client, address, "process_cpu_seconds_total") - before


def _own(client: httpx.Client, address: str, name: str) -> float:
    """Return a number that Prometheus says of its own process."""
    text = client.get(f"{address}/metrics").text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))


def costs_table(found: Sequence[Cost]) -> str:
    """Return the table of what was measured."""
    heads = ("replicas", "features", "range", "series", "samples read", "CPU, s", "ns a sample", "memory, MiB")
    rows = [
        [
            f"{own.case.replicas:,}",
            f"{own.case.features:,}",
            own.case.window,
            f"{own.case.series:,}",
            f"{own.case.samples:,}",
            f"{own.cpu_seconds:.2f}",
            f"{own.nanoseconds:.0f}",
            f"{own.memory_bytes / 2**20:,.0f}",
        ]
        for own in found
    ]
    return table("The rule that adds up bins", heads, rows)


def cost_of(found: Sequence[Cost]) -> tuple[float, float]:
    """Return the CPU seconds of a series and of a sample that explain all evaluations best."""
    sizes = np.array([(own.case.series, own.case.samples) for own in found], dtype=np.float64)
    seconds = np.array([own.cpu_seconds for own in found])
    weights = 1 / seconds[:, None]  # each case counts alike, however long it takes
    (series, sample), _ = nnls(sizes * weights, np.ones(len(found)))
    return float(series), float(sample)


def computed_table(series: float, sample: float, cases: Sequence[tuple[int, int]]) -> str:
    """Return the cores that the rules need, computed from the CPU seconds of a series and of a sample."""
    ranges = [f"cores for {window}" for window in WINDOWS]
    heads = ("replicas", "features", "counters of bins", *ranges, "recorded series")
    rows = []
    for replicas, features in cases:
        counted = [Case(replicas, features, window) for window in WINDOWS]
        seconds = [own.series * series + own.samples * sample for own in counted]
        cores = [f"{own / WINDOWS[case.window][1]:,.2g}" for own, case in zip(seconds, counted, strict=True)]
        recorded = (features + 1) * (len(WINDOWS) * (2 * BINS + 3) + BINS)
        rows.append([f"{replicas:,}", f"{features:,}", f"{counted[0].series:,}", *cores, f"{recorded:,}"])
    return table(f"Computed: {1e6 * series:.2f} µs a series and {1e9 * sample:.0f} ns a sample", heads, rows)


def main(
    cases: Annotated[
        str, typer.Option(help="Replicas, features and range of each run.")
    ] = "10x100x5m,10x100x1h,100x100x5m,1x100x24h",
    rounds: Annotated[int, typer.Option(help="Evaluations of each, after one that is not counted.")] = 5,
    seed: Annotated[int, typer.Option(help="Seed of the counters.")] = 1,
) -> None:
    """Measure what the rules across replicas cost, and compute it for more."""
    wanted = [own.split("x") for own in cases.split(",")]
    found = [measured(Case(int(own[0]), int(own[1]), own[2]), rounds, seed) for own in wanted]
    print(costs_table(found))
    print()
    cases_of = ((6, 100), (10, 100), (100, 100), (1_000, 100), (1_000, 1_000))
    print(computed_table(*cost_of(found), cases_of))


if __name__ == "__main__":
    typer.run(main)
