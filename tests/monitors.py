"""A small baseline with every kind of column, and rows and monitors for it."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from driftgauge.common.layout import Layout
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.evidence.budget import Budget
from driftgauge.drift.evidence.detector import Evidence
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories
from driftgauge.drift.verdict.policy import Policy
from driftgauge.metrics.counters import Counters, counter_fields
from driftgauge.metrics.series import CounterSpec
from driftgauge.models.predictor import Predictor
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions, state_shape
from driftgauge.state.failpoints import Failpoint, no_failpoint
from driftgauge.state.files import StateKey
from driftgauge.state.slots import Slots
from driftgauge.state.store import Store

from tests.examples import Example

CREATED = "2026-01-01T00:00:00Z"
REFERENCE_ROWS = 4_000
AWKWARD = 'back\\slash "quote"\nnew line'
"""A category that has to be escaped wherever it is written."""
START = 1_700_000_000.0


@functools.cache
def small_baseline() -> Baseline:
    """Return a baseline of intervals, single values, categories with a tail, and scores."""
    generator = np.random.default_rng(1)
    age = generator.normal(40.0, 10.0, REFERENCE_ROWS)
    age[::50] = np.nan
    city = generator.choice(5, REFERENCE_ROWS, p=[0.5, 0.3, 0.195, 0.0025, 0.0025])
    return build_baseline(
        {
            "age": age,
            "flag": generator.integers(0, 2, REFERENCE_ROWS).astype(np.float64),
            "city": Categories(city, ("north", "south", AWKWARD, "hamlet", "farm")),
            "prediction": generator.beta(2.0, 3.0, REFERENCE_ROWS),
        },
        created=CREATED,
    )


def in_sample_baseline() -> Baseline:
    """Return the small baseline with a score that is of the rows the model was fitted on."""
    *features, score = small_baseline().columns
    return replace(small_baseline(), columns=(*features, replace(score, in_sample=True)))


@functools.cache
def timed_baseline() -> Baseline:
    """Return the baseline of a walk, of noise and of letters that come in runs, in order of time and by hour."""
    rows = 24_000
    generator = np.random.default_rng(2)
    steps = generator.normal(size=rows)
    walk = np.empty(rows)
    walk[0] = steps[0]
    for place in range(1, rows):
        walk[place] = 0.5 * walk[place - 1] + steps[place]
    letters = np.repeat(generator.choice(3, rows // 4, p=[0.6, 0.3, 0.1]), 4)
    return build_baseline(
        {
            "walk": walk,
            "noise": generator.normal(size=rows),
            "letter": Categories(letters, ("a", "b", "c")),
        },
        created=CREATED,
        ordered_by="time",
        hours=np.arange(rows) // 500 % 24,
    )


def some_rows(count: int, seed: int = 0, *, age: float = 40.0) -> FloatArray:
    """Return rows for the small baseline, with cells that are missing, unseen and out of range."""
    generator = np.random.default_rng(seed)
    codes = len(small_baseline().bins[2].names) - 1
    rows = np.column_stack(
        [
            generator.normal(age, 10.0, count),
            generator.choice([0.0, 1.0, 2.0, 0.5], count, p=[0.48, 0.48, 0.02, 0.02]),
            generator.integers(0, codes, count),
            generator.beta(2.0, 3.0, count),
        ]
    )
    rows[generator.random((count, 4)) < [0.05, 0.01, 0.02, 0.0]] = np.nan
    rows[generator.random(count) < 0.01, 0] = np.inf
    return rows


def evidence_of(
    baseline: Baseline, since: Mapping[str, float], budget: Budget | None = None, *, thresholds: float = 10.0
) -> Evidence:
    """Return evidence that is raised for some columns, each since its moment, and as many thresholds large."""
    none = baseline.detector(budget).start()
    began = np.array([since.get(name, math.nan) for name in baseline.names])
    raised = ~np.isnan(began)
    values = np.where(raised, thresholds * none.threshold, none.values)
    return replace(none, values=values, raised=raised, since=began)


def counters_of(series: Sequence[CounterSpec]) -> Counters:
    """Return counters of some series over a buffer of their own."""
    layout = Layout(counter_fields(series))
    return Counters(series, layout.arrays(bytearray(layout.size_bytes)))


def small_options(*windows: int) -> MonitorOptions:
    """Return options with these windows, a clock of arrival, and nothing to learn."""
    return MonitorOptions(policy=Policy(windows=windows, learning_seconds=0.0))


def small_monitor(
    model_name: str = "churn", model_version: str = "1", options: MonitorOptions | None = None
) -> ColumnMonitor:
    """Return a monitor of the small baseline with windows of 200 and 1,000 rows."""
    return ColumnMonitor(
        small_baseline(),
        model_name=model_name,
        model_version=model_version,
        now=START,
        options=options or small_options(200, 1_000),
    )


def small_store(folder: Path, options: MonitorOptions, failpoint: Failpoint = no_failpoint) -> Store:
    """Return the store of one more worker on a folder, for a monitor of the small baseline."""
    baseline = small_baseline()
    key = StateKey("churn", "1", baseline.hash)
    return Store.open(Slots(folder, key, state_shape(baseline, options), failpoint=failpoint))


def monitor_of(example: Example) -> ColumnMonitor:
    """Return a monitor of an example's baseline with windows of 50 and 1,000 rows."""
    return ColumnMonitor(
        example.bundle.baseline,
        model_name="m",
        model_version="1",
        now=START,
        options=small_options(50, 1_000),
        held_out=example.bundle.held_out,
    )


def observed(example: Example, rows: list[dict[str, Any]], at: float = START) -> ColumnMonitor:
    """Return such a monitor that has seen rows, all at one time, and was evaluated then."""
    monitor = monitor_of(example)
    monitor.observe(Predictor(example.bundle).predict(example.batch(rows)).columns, arrival=at)
    monitor.evaluate(at)
    return monitor
