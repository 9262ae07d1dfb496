"""Attributions are compared by interval, by one worker at a time, and what is known is shared."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from driftgauge.common.private_files import FileLock
from driftgauge.drift.attribution.attributions import Attributions, attributions_of
from driftgauge.drift.attribution.known import dumps
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.verdict.policy import Policy
from driftgauge.monitor.attribution_loop import PROBLEM, AttributionLoop
from driftgauge.monitor.attributions import (
    MOST_ROWS,
    REST_FACTOR,
    STALE_INTERVALS,
    AttributionMonitor,
    AttributionOptions,
)
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions
from driftgauge.monitor.problems import Problems

from tests.monitor.test_whole_rows import NAMES, START, rows, table

OPTIONS = AttributionOptions(interval_seconds=60.0)
WEIGHTS = np.array([3.0, 1.0])


def measured(values: FloatArray, seed: int) -> Attributions:
    """The terms of a linear model."""
    return attributions_of("linear", NAMES, np.abs(values * WEIGHTS))


REFERENCE = measured(rows(2_000, 1), 0)


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return build_baseline(table(rows(5_000, 0)), created="2026-01-01T00:00:00Z")


@pytest.fixture
def monitor(baseline: Baseline) -> ColumnMonitor:
    options = MonitorOptions(policy=Policy(windows=(1_000,), max_age_seconds=3_600.0))
    return ColumnMonitor(baseline, model_name="own", model_version="1", now=START, options=options)


def test_a_feature_whose_scale_has_changed_changes_the_ranking(monitor: ColumnMonitor, tmp_path: Path) -> None:
    compared = AttributionMonitor(monitor, REFERENCE, measured, tmp_path, OPTIONS)
    monitor.observe(rows(1_000, 2), arrival=START)
    assert compared.step(START + 1.0) is False
    quiet = compared.known(START + 2.0)
    assert quiet.last is not None
    assert (quiet.last.report.rows, quiet.last.at) == (MOST_ROWS, START + 1.0)
    assert quiet.ndcg == 1.0
    monitor.observe(rows(1_000, 3) * [0.01, 1.0], arrival=START + 10.0)
    compared.step(START + 100.0)
    found = compared.known(START + 101.0)
    assert found.has_drifted
    assert [shift.is_significant for shift in found.shifts] == [True, True]
    other = AttributionMonitor(monitor, REFERENCE, measured, tmp_path, OPTIONS)  # of another worker
    assert other.known(START + 101.0) == found


def test_one_worker_compares_for_all_once_an_interval(monitor: ColumnMonitor, tmp_path: Path) -> None:
    made: list[float] = []

    def counting(values: FloatArray, seed: int) -> Attributions:
        made.append(float(len(values)))
        return measured(values, seed)

    monitor.observe(rows(200, 2), arrival=START)
    workers = [AttributionMonitor(monitor, REFERENCE, counting, tmp_path, OPTIONS) for _ in range(3)]
    for seconds in range(0, 120, 5):
        for worker in workers:
            worker.step(START + seconds)
    assert made == [200.0, 200.0]
    with FileLock(tmp_path / "shared-attributions-turn.lock").held(1.0):
        workers[0].step(START + 1_000.0)
    assert len(made) == 2


def test_a_slow_comparison_rests_fifty_times_as_long(monitor: ColumnMonitor, tmp_path: Path) -> None:
    compared = AttributionMonitor(monitor, REFERENCE, measured, tmp_path, OPTIONS)
    monitor.observe(rows(200, 2), arrival=START)
    compared.step(START)
    last = compared.known(START).last
    assert last is not None
    assert compared._pause(last) == 60.0
    slow = type(last)(last.report, last.at, 10.0)
    assert compared._pause(slow) == 10.0 * REST_FACTOR


def test_rows_that_cannot_be_explained_are_too_few(monitor: ColumnMonitor) -> None:
    compared = AttributionMonitor(monitor, REFERENCE, lambda values, seed: None, None, OPTIONS)
    compared.step(START)  # before the first row
    monitor.observe(rows(200, 2), arrival=START)
    compared.step(START + 100.0)
    known = compared.known(START + 100.0)
    assert known.last is not None
    assert (known.last.at, known.last.report.rows, known.ndcg, known.shifts) == (START + 100.0, 0, None, ())


def test_a_comparison_that_is_old_is_stale(monitor: ColumnMonitor) -> None:
    compared = AttributionMonitor(monitor, REFERENCE, measured, None, OPTIONS)
    monitor.observe(rows(200, 2), arrival=START)
    compared.step(START)
    assert compared.known(START + 60.0 * STALE_INTERVALS).ndcg is not None
    assert compared.known(START + 60.0 * STALE_INTERVALS + 1.0).is_stale


def test_what_is_known_of_another_reference_is_not_shown(monitor: ColumnMonitor, tmp_path: Path) -> None:
    compared = AttributionMonitor(monitor, REFERENCE, measured, tmp_path, OPTIONS)
    monitor.observe(rows(200, 2), arrival=START)
    compared.step(START)
    changed = AttributionMonitor(monitor, measured(rows(2_000, 9), 0), measured, tmp_path, OPTIONS)
    assert changed.known(START).last is None
    (tmp_path / "shared-attributions.json").write_text(dumps(None, "other"))
    assert compared.known(START).last is None


def test_a_model_that_fails_is_a_problem_and_is_tried_again_after_the_interval(monitor: ColumnMonitor) -> None:
    tried: list[int] = []

    def fail(values: FloatArray, seed: int) -> Attributions:
        tried.append(seed)
        raise RuntimeError("no such row")

    monitor.observe(rows(200, 2), arrival=START)
    problems = Problems(lambda: START)
    loop = AttributionLoop(AttributionMonitor(monitor, REFERENCE, fail, None, OPTIONS), problems, lambda: START)

    async def run() -> None:
        task = asyncio.create_task(loop.run())
        while not problems.current():
            await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(run())
    assert problems.current()[0].startswith(PROBLEM)
    assert loop.step() is False  # not due again
    assert len(tried) == 1
    assert loop.known.last is None
    loop.close()
