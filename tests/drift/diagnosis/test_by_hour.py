"""Causes are told in a part of a day, where the baseline is by hour."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.diagnosis.case import weighted_quantiles
from driftgauge.drift.diagnosis.diagnosis import diagnose
from driftgauge.drift.diagnosis.facts import Facts
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.verdict.policy import Policy
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions

from tests.drift.diagnosis.made import CREATED, as_rows

MIDNIGHT = 1_700_006_400.0
PER_HOUR = 100


def table(rows: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    hour = (np.arange(rows) // PER_HOUR) % 24
    temp = 10.0 + 6.0 * np.sin(hour / 24.0 * 2.0 * np.pi) + rng.normal(0.0, 1.0, rows)
    return {"temp": temp, "load": rng.exponential(5.0, rows) * (1.0 + hour / 24.0), "prediction": rng.beta(2, 3, rows)}


@functools.cache
def baseline() -> Baseline:
    rows = 24_000
    hours = (np.arange(rows) // PER_HOUR) % 24
    return build_baseline(table(rows, 1), created=CREATED, hours=hours, ordered_by="at")


def facts(change: Callable[[FloatArray], FloatArray]) -> Facts:
    """Return the facts after a usual day and a quarter of a changed one."""
    rows = table(3_000, 5)
    rows["temp"][2_400:] = change(rows["temp"][2_400:])
    options = MonitorOptions(policy=Policy(windows=(1_000, 3_000), learning_seconds=0.0))
    monitor = ColumnMonitor(baseline(), model_name="m", model_version="1", now=MIDNIGHT, options=options)
    cells = as_rows(baseline(), rows)
    at = MIDNIGHT + 3_600.0 / PER_HOUR * np.arange(3_000, dtype=np.float64)
    for first in range(0, 3_000, 200):
        part = slice(first, first + 200)
        monitor.observe(cells[part], arrival=at[part])
        monitor.catch_up(float(at[part][-1]))
    report = monitor.evaluate(float(at[-1])).report
    return Facts(report, monitor.store.newest().newest(report.main.rows))


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda values: 1.8 * values + 32.0, "unit_change"),
        (lambda values: np.full(len(values), 9.0), "stuck_sensor"),
        (lambda values: (values - 10.0) / 4.36, "scaled_feature"),
        (lambda values: values + 4.0, "column_drift"),
    ],
)
def test_the_cause_is_told_before_the_day_is_over(change: Callable[[FloatArray], FloatArray], kind: str) -> None:
    found = diagnose(facts(change)).first
    assert found is not None
    assert (found.kind, found.columns) == (kind, ("temp",))


def test_a_usual_day_has_nothing_wrong() -> None:
    assert diagnose(facts(lambda values: values)).state == "nothing_wrong"


def test_weighted_values_stand_for_equal_parts() -> None:
    values, weights = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 3.0, 1.0, 0.0])
    assert weighted_quantiles(values, weights).tolist() == [2.0, 2.0, 2.0, 3.0]
    assert weighted_quantiles(values, np.zeros(4)).tolist() == values.tolist()
