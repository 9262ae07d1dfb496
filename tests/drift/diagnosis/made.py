"""Monitors of made rows, and the facts that they give."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.diagnosis.facts import Facts
from driftgauge.drift.performance.cohort import Cohort
from driftgauge.drift.performance.counts import CountLayout, LabelledRows
from driftgauge.drift.performance.metrics import count, measure
from driftgauge.drift.performance.report import EvidenceFacts, GroundTruth, PerformanceReport, Reference, report_of
from driftgauge.drift.performance.verdict import Held, PerformancePolicy
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories, Table
from driftgauge.drift.verdict.policy import Policy
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions

CREATED = "2026-01-01T00:00:00Z"
START = 1_700_000_000.0
CITIES = ("north", "south", "east")


def table(rows: int, seed: int, cities: tuple[float, ...] = (0.5, 0.3, 0.2)) -> dict[str, Any]:
    """Return rows with plausible units, an hour, a city that other columns depend on, and scores."""
    rng = np.random.default_rng(seed)
    city = rng.choice(3, rows, p=cities)
    distance = rng.gamma(4.0, 300.0, rows) * (1.0 + 0.3 * city)
    temp = rng.normal(15.0, 8.0, rows) + 4.0 * city
    hour = np.clip(np.rint(rng.normal(13.0, 4.0, rows)), 0.0, 23.0)
    weight = rng.lognormal(4.0, 0.5, rows)
    logit = -1.5 + (distance - 1500.0) / 700.0 + (temp - 17.0) / 12.0 + 0.3 * city
    return {
        "distance": distance,
        "temp": temp,
        "hour": hour,
        "weight": weight,
        "city": Categories(city, CITIES),
        "prediction": 1.0 / (1.0 + np.exp(-logit)),
    }


@functools.cache
def made_baseline() -> Baseline:
    """Return the baseline of such rows."""
    return build_baseline(table(8_000, 1), created=CREATED)


def of_class(rows: int, seed: int, rate: float) -> dict[str, Any]:
    """Return rows of which a part of `rate` is positive, drawn from many by their class."""
    rng = np.random.default_rng([seed, 1])
    pool = table(8 * rows, seed)
    positive = rng.random(8 * rows) < pool["prediction"]
    wanted = rng.random(rows) < rate
    places = np.where(wanted, rng.choice(np.flatnonzero(positive), rows), rng.choice(np.flatnonzero(~positive), rows))
    return {name: _at(own, places) for name, own in pool.items()}


def _at(own: Any, places: Any) -> Any:
    return Categories(own.codes[places], own.names) if isinstance(own, Categories) else own[places]


def performance(scores: FloatArray, labels: FloatArray, since: float | None = None) -> PerformanceReport:
    """Return the report on ground truth, against a model whose scores in the reference are calibrated."""
    held_scores = table(4_000, 11)["prediction"]
    held_labels = (np.random.default_rng([11, 1]).random(4_000) < held_scores).astype(np.float64)
    layout = CountLayout.of("binary", 2, np.quantile(held_scores, np.linspace(0.0, 1.0, 129)).tolist())
    target = build_baseline({"label": Categories(held_labels.astype(np.int64), ("0", "1"))}, created=CREATED)
    rows = {"held": (held_scores, held_labels), "live": (scores, labels)}
    counts = {
        name: count(layout, LabelledRows(own, truth, (own >= 0.5).astype(np.int64)))
        for name, (own, truth) in rows.items()
    }
    labelled = np.append(np.bincount(labels.astype(np.int64), minlength=2), [0.0, 0.0, 0.0]).astype(np.float64)
    cohort = Cohort(START, START + 1.0, len(scores), 0.0, counts["live"], labelled)
    evidence = EvidenceFacts(9.0 if since else 0.0, 7.0, since)
    reference = Reference(layout, Held(4_000, measure(counts["held"])), PerformancePolicy(), target)
    truth = GroundTruth(START, START, {"1000": cohort}, evidence, evidence)
    return report_of(truth, reference, "1000", ("1000",))


def as_rows(baseline: Baseline, columns: Table) -> FloatArray:
    """Return a table as a monitor has its rows."""
    cells = []
    for column in baseline.columns:
        own = columns[column.name]
        if isinstance(own, Categories):
            cells.append(np.append(column.bins.encode(own.names), np.nan)[own.codes])
        else:
            cells.append(own)
    return np.column_stack(cells)


def facts_of(
    baseline: Baseline, *tables: Mapping[str, Any], windows: tuple[int, ...] = (1_000, 3_000), **others: Any
) -> Facts:
    """Return the facts after rows, a second each, as a monitor without learning time reports them."""
    options = MonitorOptions(policy=Policy(windows=windows, learning_seconds=0.0))
    monitor = ColumnMonitor(baseline, model_name="m", model_version="1", now=START, options=options)
    now = START
    for each in tables:
        rows = as_rows(baseline, each)
        for first in range(0, len(rows), 250):
            part = rows[first : first + 250]
            now += len(part)
            monitor.observe(part, arrival=now - len(part) + np.arange(len(part), dtype=np.float64))
            monitor.catch_up(now)
    report = monitor.evaluate(now).report
    return Facts(report, monitor.store.newest().newest(report.main.rows), **others)
