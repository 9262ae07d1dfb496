"""Whole rows are compared by interval or on demand alone, once for all who ask."""

from __future__ import annotations

import asyncio

import pytest
from driftgauge.drift.multivariate.compared import COMPARED, RowComparison
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.verdict.policy import Policy
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions
from driftgauge.monitor.problems import Problems
from driftgauge.monitor.whole_row_loop import WholeRowLoop
from driftgauge.monitor.whole_rows import WholeRowMonitor

from tests.monitor.test_whole_rows import SAMPLE, START, rows, table


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return build_baseline(table(rows(5_000, 0)), created="2026-01-01T00:00:00Z")


@pytest.fixture
def monitor(baseline: Baseline) -> ColumnMonitor:
    options = MonitorOptions(policy=Policy(windows=(5_000,), max_age_seconds=3_600.0))
    return ColumnMonitor(baseline, model_name="own", model_version="1", now=START, options=options)


def test_those_who_ask_while_rows_are_compared_share_the_next_comparison(monitor: ColumnMonitor) -> None:
    monitor.observe(rows(1_000, 2), arrival=START)
    compared = WholeRowMonitor(monitor, SAMPLE, None)
    loop = WholeRowLoop(compared, Problems(lambda: START), lambda: START, by_interval=False)

    async def ask() -> list[RowComparison]:
        first = asyncio.create_task(loop.compare())
        await asyncio.sleep(0)
        return await asyncio.gather(first, *(loop.compare() for _ in range(10)))

    found = asyncio.run(ask())
    loop.close()
    assert len(found) == 11
    assert compared.known.results[COMPARED] == 2


def test_on_demand_alone_nothing_is_known_by_interval(monitor: ColumnMonitor) -> None:
    compared, problems = WholeRowMonitor(monitor, SAMPLE, None), Problems(lambda: START)
    asked, periodic = (WholeRowLoop(compared, problems, lambda: START, by_interval=own) for own in (False, True))
    assert asked.known is None
    assert periodic.known == compared.known
    for loop in (asked, periodic):
        loop.close()
