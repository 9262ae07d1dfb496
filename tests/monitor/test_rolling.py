"""The rolling reference of a monitor, from a real prediction log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from driftgauge.drift.verdict.history import STATISTICS, History
from driftgauge.drift.verdict.rule import RANK, Status
from driftgauge.monitor.rolling import RollingMonitor, RollingOptions
from driftgauge.predictions.store import PredictionStore
from driftgauge.state.rolling_files import RollingFiles

from tests.monitors import small_baseline, small_monitor, some_rows
from tests.predictions.test_day_codes import BEGIN, DAY, write

KNOWN = small_baseline()
DAY_SECONDS = 86_400.0
NOW = BEGIN + 4.5 * DAY_SECONDS
"""With two days of a reference: `DAY + 1` and `DAY + 2`."""
OPTIONS = RollingOptions(days=2, main_window=2_000)


def drifted_on(day: int, column: str) -> History:
    """Return the history of a column that drifted for a minute of a day."""
    ranks = np.zeros((1, 4), np.uint8)
    ranks[0, KNOWN.names.index(column)] = RANK[Status.DRIFT_DETECTED, "critical"]
    return History(
        KNOWN.names,
        np.array([day * DAY_SECONDS + 60.0]),
        np.array([60.0]),
        np.zeros(1, np.uint8),
        np.zeros(1),
        np.zeros(1),
        ranks,
        np.zeros((1, len(STATISTICS), 4), np.float32),
    )


NO_HISTORY = drifted_on(0, "age")[:0]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[PredictionStore]:
    store = PredictionStore.open(tmp_path)
    for day in range(5):
        write(store, some_rows(3_000, seed=day, age=50.0 + day), BEGIN + day * DAY_SECONDS + 3_600.0 * 12)
    yield store
    store.close()


def monitor_of(
    log: PredictionStore, folder: Path, history: History = NO_HISTORY, options: RollingOptions = OPTIONS
) -> RollingMonitor:
    files = RollingFiles(folder, KNOWN.hash)
    return RollingMonitor(log, "m", KNOWN, files, lambda _: history, options)


def settled(monitor: RollingMonitor, now: float) -> int:
    """Take steps until nothing is left; return how many there were."""
    for steps in range(1, 50):
        if not monitor.step(now):
            return steps
    raise AssertionError("it does not end")


def test_the_reference_has_the_days_before_the_last(log: PredictionStore, tmp_path: Path) -> None:
    report = small_monitor().last.report
    monitor = monitor_of(log, tmp_path)
    assert monitor.report_on(report) is None
    assert settled(monitor, NOW) == 3
    found = monitor.report_on(report)
    assert found is not None
    reference = found.reference
    assert (reference.first_day, reference.last_day, reference.built_at) == (DAY + 1, DAY + 2, NOW)
    rows = np.concatenate([some_rows(3_000, seed=day, age=50.0 + day) for day in (1, 2)])
    assert reference.counts.tolist() == KNOWN.binner.counts(KNOWN.binner.codes(rows)).tolist()
    assert monitor.report_on(report) is found


def test_it_is_built_again_when_it_is_due_and_reads_new_days_alone(log: PredictionStore, tmp_path: Path) -> None:
    monitor, report = monitor_of(log, tmp_path), small_monitor().last.report
    settled(monitor, NOW)
    assert settled(monitor, NOW + DAY_SECONDS - 1.0) == 1
    assert settled(monitor, NOW + DAY_SECONDS) == 2
    found = monitor.report_on(report)
    assert found is not None
    assert (found.reference.first_day, found.reference.last_day) == (DAY + 2, DAY + 3)
    assert RollingFiles(tmp_path, KNOWN.hash).days() == {DAY + 2, DAY + 3}


def test_days_on_which_a_column_drifted_are_left_out(log: PredictionStore, tmp_path: Path) -> None:
    monitor, report = monitor_of(log, tmp_path, drifted_on(DAY + 1, "age")), small_monitor().last.report
    settled(monitor, NOW)
    found = monitor.report_on(report)
    assert found is not None
    assert dict(zip(KNOWN.names, found.reference.days.tolist(), strict=True)) == {
        "age": 1,
        "flag": 2,
        "city": 2,
        "prediction": 2,
    }


def test_a_worker_takes_over_what_another_built(log: PredictionStore, tmp_path: Path) -> None:
    one, other, report = monitor_of(log, tmp_path), monitor_of(log, tmp_path), small_monitor().last.report
    settled(one, NOW)
    assert settled(other, NOW) == 1
    found = other.report_on(report)
    assert found is not None
    assert found.reference.built_at == NOW


def test_a_worker_does_not_build_while_another_does(log: PredictionStore, tmp_path: Path) -> None:
    monitor = monitor_of(log, tmp_path)
    with RollingFiles(tmp_path, KNOWN.hash).alone():
        assert not monitor.step(NOW)
    assert RollingFiles(tmp_path, KNOWN.hash).days() == set()


def test_a_damaged_day_is_counted_again(log: PredictionStore, tmp_path: Path) -> None:
    settled(monitor_of(log, tmp_path), NOW)
    (tmp_path / f"rolling-day-{DAY + 2}").write_bytes(b"damaged")
    (tmp_path / "rolling-reference").unlink()
    monitor = monitor_of(log, tmp_path)
    assert settled(monitor, NOW) == 3
    found = monitor.report_on(small_monitor().last.report)
    assert found is not None
    assert (found.reference.days == 2).all()


def test_a_reference_of_a_clock_that_was_ahead_is_built_again(log: PredictionStore, tmp_path: Path) -> None:
    monitor = monitor_of(log, tmp_path)
    settled(monitor, NOW + 30 * DAY_SECONDS)
    settled(monitor, NOW)
    found = monitor.report_on(small_monitor().last.report)
    assert found is not None
    assert found.reference.built_at == NOW


def test_days_stay_counted_after_the_log_has_deleted_them(log: PredictionStore, tmp_path: Path) -> None:
    settled(monitor_of(log, tmp_path), NOW)
    empty = PredictionStore.open(tmp_path / "other")
    monitor = monitor_of(empty, tmp_path, options=replace(OPTIONS, refresh_seconds=1.0))
    assert settled(monitor, NOW + 1.0) == 1
    empty.close()
    found = monitor.report_on(small_monitor().last.report)
    assert found is not None
    assert found.reference.built_at == NOW + 1.0
    assert (found.reference.rows == 6_000).all()
