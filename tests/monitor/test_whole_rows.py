"""Whole rows are compared in a process of their own, by one worker at a time, and what is known is shared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from driftgauge.common.private_files import FileLock
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.multivariate.compared import COMPARED, FAILED, TIMED_OUT, TOO_FEW
from driftgauge.drift.multivariate.report import MOST_ROWS
from driftgauge.drift.multivariate.sample import RowSample
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.verdict.policy import ColumnPolicy, Policy
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions
from driftgauge.monitor.row_process import ComparisonLate, RowProcess, RowsNotCompared
from driftgauge.monitor.whole_rows import WholeRowMonitor, WholeRowOptions

START = 1_700_000_000.0
NAMES = ("first", "second")


def rows(count: int, seed: int, correlation: float = 0.9) -> FloatArray:
    first, other = np.random.default_rng(seed).normal(size=(2, count))
    return np.column_stack([first, correlation * first + np.sqrt(1.0 - correlation**2) * other])


def table(values: FloatArray) -> dict[str, FloatArray]:
    return dict(zip(NAMES, values.T, strict=True))


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return build_baseline(table(rows(5_000, 0)), created="2026-01-01T00:00:00Z")


SAMPLE = RowSample(1_000, table(rows(1_000, 1)))


@pytest.fixture
def monitor(baseline: Baseline) -> ColumnMonitor:
    options = MonitorOptions(policy=Policy(windows=(5_000,), max_age_seconds=3_600.0))
    return ColumnMonitor(baseline, model_name="own", model_version="1", now=START, options=options)


@pytest.fixture
def compared(monitor: ColumnMonitor, tmp_path: Path) -> Iterator[WholeRowMonitor]:
    made = WholeRowMonitor(monitor, SAMPLE, tmp_path)
    yield made
    made.process.close()


def test_correlations_that_change_are_found_in_the_newest_rows(
    monitor: ColumnMonitor, compared: WholeRowMonitor, tmp_path: Path
) -> None:
    monitor.observe(rows(3_000, 2), arrival=START)
    assert compared.step(START + 1.0) is False
    last = compared.known.last
    assert last is not None
    assert (last.report.is_significant, last.report.rows, last.at) == (False, MOST_ROWS, START + 1.0)
    monitor.observe(rows(5_000, 3, correlation=0.0), arrival=START + 2.0)
    found = compared.compare(START + 3.0)
    assert found.report.separation is not None
    assert found.report.separation.low > 0.7
    assert {name for name, _ in found.report.columns} == set(NAMES)
    other = WholeRowMonitor(monitor, SAMPLE, tmp_path)  # of another worker
    assert other.known == compared.known
    assert other.known.results[COMPARED] == 2


def test_rows_that_are_too_old_or_too_few_are_not_compared(monitor: ColumnMonitor, compared: WholeRowMonitor) -> None:
    monitor.observe(rows(1_000, 2), arrival=START)
    monitor.observe(rows(100, 3), arrival=START + 4_000.0)
    found = compared.compare(START + 4_001.0)
    assert (found.report.rows, found.report.separation) == (100, None)
    assert compared.known.results[TOO_FEW] == 1


@pytest.mark.parametrize(
    ("column", "in_verdict", "is_compared"),
    [
        (ColumnPolicy(monitor=False), False, False),
        (ColumnPolicy(monitor=False), True, False),
        (ColumnPolicy(alert=False), False, True),
        (ColumnPolicy(alert=False), True, False),
    ],
)
def test_columns_that_are_not_monitored_are_left_out_and_in_the_verdict_those_without_alerts(
    baseline: Baseline, column: ColumnPolicy, in_verdict: bool, is_compared: bool
) -> None:
    options = MonitorOptions(policy=Policy(windows=(5_000,), columns={"second": column}))
    monitor = ColumnMonitor(baseline, model_name="own", model_version="1", now=START, options=options)
    counter = rows(1_000, 2)
    counter[:, 1] = np.arange(1_000)  # such as the number of a request
    monitor.observe(counter, arrival=START)
    found = WholeRowMonitor(monitor, SAMPLE, None, WholeRowOptions(in_verdict=in_verdict)).compare(START + 1.0).report
    assert found.separation is not None
    assert (found.separation.auc > 0.9) is is_compared
    assert [name for name, _ in found.columns] == ["second"] * is_compared


def test_one_worker_compares_once_each_interval(
    monitor: ColumnMonitor, compared: WholeRowMonitor, tmp_path: Path
) -> None:
    monitor.observe(rows(1_000, 2), arrival=START)
    other = WholeRowMonitor(monitor, SAMPLE, tmp_path)
    lock = FileLock(tmp_path / "shared-whole-rows-turn.lock")
    assert lock.acquire()
    compared.step(START)
    assert compared.known.last is None
    lock.release()
    for now in (0.0, 1.0, 59.0):
        compared.step(START + now)
        other.step(START + now)
    assert compared.known.results[COMPARED] == 1
    other.step(START + 60.0)
    assert compared.known.results[COMPARED] == 2
    assert compared.known.last == other.known.last


def test_a_comparison_of_another_baseline_or_a_damaged_file_counts_as_none(
    monitor: ColumnMonitor, compared: WholeRowMonitor, tmp_path: Path
) -> None:
    monitor.observe(rows(1_000, 2), arrival=START)
    compared.compare(START)
    other = build_baseline(table(rows(4_000, 9)), created="2026-01-01T00:00:00Z")
    of_other = ColumnMonitor(other, model_name="own", model_version="1", now=START)
    assert WholeRowMonitor(of_other, SAMPLE, tmp_path).known.last is None
    (tmp_path / "shared-whole-rows.json").write_text('{"baseline": 3')
    assert WholeRowMonitor(monitor, SAMPLE, tmp_path).known.last is None


def test_an_old_comparison_is_known_and_no_part_of_a_verdict(monitor: ColumnMonitor, compared: WholeRowMonitor) -> None:
    monitor.observe(rows(1_000, 2), arrival=START)
    compared.compare(START)
    assert not compared.current(START + 200.0).is_stale
    assert compared.current(START + 400.0).is_stale
    assert compared.current(START + 400.0).last == compared.known.last is not None


class Failing(RowProcess):
    def compare(self, baseline: Baseline, reference: FloatArray, current: FloatArray, seed: int) -> str:
        raise RowsNotCompared("no memory")


def test_failures_are_counted_and_raised(monitor: ColumnMonitor, tmp_path: Path) -> None:
    own = WholeRowMonitor(monitor, SAMPLE, tmp_path)
    own.process = Failing(1.0)  # type: ignore[misc]
    with pytest.raises(RowsNotCompared):
        own.step(START)
    assert own.known.results[FAILED] == 1
    own.step(START + 59.0)  # it is not due again before the interval
    assert own.known.results[FAILED] == 1
    with pytest.raises(RowsNotCompared):
        own.step(START + 60.0)


def test_a_comparison_that_takes_too_long_is_killed_and_counted(monitor: ColumnMonitor, tmp_path: Path) -> None:
    own = WholeRowMonitor(monitor, SAMPLE, tmp_path, WholeRowOptions(timeout_seconds=0.01))
    monitor.observe(rows(1_000, 2), arrival=START)
    with pytest.raises(ComparisonLate, match=r"longer than 0\.01 s and was killed"):
        own.compare(START)
    assert own.known.results[TIMED_OUT] == 1
    assert own.known.last is None
