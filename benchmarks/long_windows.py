"""False alarms and delays of long time windows, on 90 days of seeded streams with seasons and days that differ.

A whole monitor sees every row, by an injected clock. A stream has ten columns and 200 rows an hour in the mean. In
those that drift, the mean of each column moves by one percent of a standard deviation a day from day 21 on.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.gradual.report import gradual_report
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions

DAYS: Final = 90
REFERENCE_DAYS: Final = 60
COLUMNS: Final = 10
ROWS_AN_HOUR: Final = 200
DRIFTS_FROM: Final = 21
DRIFT_A_DAY: Final = 0.01
MONDAY: Final = 1_767_571_200.0
TOLD_BY: Final = ("1h", "24h", "verdict", "7d", "30d")


@dataclass(frozen=True)
class Stream:
    """What the means of all columns do by themselves, in standard deviations of independent rows."""

    name: str
    daily: float = 0.0
    weekend: float = 0.0
    day_sd: float = 0.0
    """Standard deviation of the means of days, each correlated by a half with the day before."""


STREAMS: Final = {
    "independent": Stream("independent rows"),
    "seasons": Stream("a day and a week", daily=0.5, weekend=0.3),
    "days": Stream("the same, and days that differ", daily=0.5, weekend=0.3, day_sd=0.1),
}


@dataclass(frozen=True)
class Told:
    """When each window told a change first, in days; and columns that it told, at any time."""

    first: Mapping[str, float]
    columns: Mapping[str, int]


def simulate(stream: Stream, drift: float, seed: int) -> Told:
    """Return what a monitor says of a stream."""
    rng = np.random.default_rng(seed)
    means = _means(rng, stream, REFERENCE_DAYS)
    hours = [_rows(rng, stream, means[day], day, hour, 70) for day in range(REFERENCE_DAYS) for hour in range(24)]
    reference = np.concatenate(hours)
    baseline = build_baseline({f"x{i}": reference[:, i] for i in range(COLUMNS)}, created="")
    policy = Policy(time_windows=tuple(map(TimeSpan.named, ("1h", "24h", "7d", "30d"))))
    options = MonitorOptions(policy=policy)
    monitor = ColumnMonitor(baseline, model_name="m", model_version="1", now=MONDAY, options=options)
    means = _means(rng, stream, DAYS)
    first: dict[str, float] = {}
    columns: dict[str, set[int]] = {name: set() for name in TOLD_BY}
    for hour in range(24 * DAYS):
        day, end = hour // 24, MONDAY + 3_600.0 * (hour + 1) - 1.0
        moved = means[day] + drift * max(0.0, hour / 24 - DRIFTS_FROM)
        rows = _rows(rng, stream, moved, day, hour % 24, int(rng.poisson(ROWS_AN_HOUR)))
        monitor.observe(rows, arrival=np.sort(end - rng.uniform(0.0, 3_598.0, len(rows))))
        if hour % 12 == 11:
            for name, told in _told(monitor.evaluate(end).report).items():
                columns[name] |= told
                if told:
                    first.setdefault(name, (hour + 1) / 24)
    return Told(first, {name: len(told) for name, told in columns.items()})


def _means(rng: np.random.Generator, stream: Stream, days: int) -> FloatArray:
    """Return what each day adds to the means, shape [days, columns]."""
    found = np.empty((days, COLUMNS))
    own = rng.normal(size=COLUMNS)
    for day in range(days):
        own = 0.5 * own + np.sqrt(0.75) * rng.normal(size=COLUMNS)
        found[day] = stream.day_sd * own
    return found


def _rows(rng: np.random.Generator, stream: Stream, means: FloatArray, day: int, hour: int, count: int) -> FloatArray:
    """Return the rows of an hour."""
    season = stream.daily * np.sin(2.0 * np.pi * hour / 24.0) + stream.weekend * (day % 7 >= 5)
    return rng.normal(means + season, 1.0, (count, COLUMNS))


def _told(report: DriftReport) -> Mapping[str, set[int]]:
    """Return the columns that each window tells: by PSI alone, by the verdict, and by the long windows."""
    threshold = report.policy.psi_thresholds[0]
    found = {
        name: set(np.flatnonzero(report.windows[name].psi.debiased >= threshold).tolist()) for name in ("1h", "24h")
    }
    found["verdict"] = {i for i, own in enumerate(report.verdicts) if own.severity in ("warning", "critical")}
    gradual = gradual_report(report)
    if gradual is None:
        raise RuntimeError("the policy has no long window")
    return found | {own.name: {i for i, told in enumerate(own.severities) if told} for own in gradual.windows}


def main() -> None:
    """Print a table of false alarms, and one of delays."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quiet", type=int, default=5, help="quiet streams of each kind")
    parser.add_argument("--drifting", type=int, default=3, help="streams of each kind that drift")
    parser.add_argument("--first-seed", type=int, default=0, help="seed of the first stream of each kind")
    parser.add_argument("--stream", action="append", choices=list(STREAMS), help="a kind of stream; by default all")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    kinds, first = [STREAMS[name] for name in given.stream or STREAMS], given.first_seed
    with ProcessPoolExecutor(given.processes) as pool:
        quiet = {own: [pool.submit(simulate, own, 0.0, first + i) for i in range(given.quiet)] for own in kinds}
        moved = {
            own: [pool.submit(simulate, own, DRIFT_A_DAY, first + i) for i in range(given.drifting)] for own in kinds
        }
        print(f"\n| quiet: columns told of {given.quiet * COLUMNS} | {' | '.join(TOLD_BY)} |")
        print(f"|---|{'---|' * len(TOLD_BY)}")
        for stream, runs in quiet.items():
            counts = [sum(run.result().columns[name] for run in runs) for name in TOLD_BY]
            print(f"| {stream.name} | {' | '.join(map(str, counts))} |", flush=True)
        if not given.drifting:
            return
        print(f"\n| drifting: days until the first column is told | {' | '.join(TOLD_BY)} |")
        print(f"|---|{'---|' * len(TOLD_BY)}")
        for stream, runs in moved.items():
            delays = [[run.result().first.get(name, float(DAYS)) - DRIFTS_FROM for run in runs] for name in TOLD_BY]
            texts = [f"{statistics.median(own):.1f}" if min(own) > 0.0 else "before" for own in delays]
            print(f"| {stream.name} | {' | '.join(texts)} |", flush=True)


if __name__ == "__main__":
    main()
