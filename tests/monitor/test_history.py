"""The history of a monitor: shared by workers, continued by the next one, and without power over an evaluation."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.multivariate.compared import with_whole_rows
from driftgauge.drift.verdict.rule import RANK, Status
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions
from driftgauge.state.history_file import HISTORY_FILE

from tests.drift.multivariate.test_compared import known
from tests.monitors import AWKWARD, START, small_baseline, small_monitor, small_options, small_store

CITIES = ("north", "south", AWKWARD)
NAMES = tuple(small_baseline().names)


def monitor_in(folder: Path, now: float = START, options: MonitorOptions | None = None) -> ColumnMonitor:
    """Return a monitor that is one more worker of a folder."""
    options = options or small_options(200, 1_000)
    return ColumnMonitor(
        small_baseline(),
        model_name="churn",
        model_version="1",
        now=now,
        options=options,
        store=small_store(folder, options),
    )


def usual_rows(count: int, seed: int, *, age: float = 40.0) -> FloatArray:
    """Return rows like those of the baseline, but for the mean of one column."""
    generator = np.random.default_rng(seed)
    columns = [
        np.where(generator.random(count) < 0.02, np.nan, generator.normal(age, 10.0, count)),
        generator.integers(0, 2, count).astype(np.float64),
        np.array([small_baseline().bins[2].names.index(name) for name in CITIES])[
            generator.choice(3, count, p=[0.5, 0.3, 0.2])
        ],
        generator.beta(2.0, 3.0, count),
    ]
    return np.column_stack(columns)


def lives(monitors: Sequence[ColumnMonitor], minutes: int, begin: float = START, *, age: float = 40.0) -> None:
    """Let monitors observe a hundred rows in each minute, and evaluate in turn."""
    for minute in range(minutes):
        monitor, now = monitors[minute % len(monitors)], begin + 60.0 * minute
        monitor.observe(usual_rows(100, int(now), age=age), arrival=now)
        monitor.evaluate(now)


def test_a_verdict_that_rests_on_whole_rows_is_in_the_history() -> None:
    monitor = small_monitor()
    compared = known(0.9, in_verdict=True)
    monitor.raised = lambda report, _: with_whole_rows(report, compared)
    lives([monitor], 3)
    assert monitor.history.read().rank[-1] == monitor.last.report.rank == RANK[Status.DRIFT_DETECTED, "critical"]
    assert [(own.column, own.after[1]) for own in monitor.history.changes().changes] == [(None, "critical")]


def test_a_monitor_in_memory_has_a_history() -> None:
    monitor = small_monitor()
    lives([monitor], 30)
    found = monitor.history.read()
    assert found.names == NAMES
    assert len(found) == 30
    assert found.rows.tolist() == [0.0, *range(200, 3_001, 100)]  # the first evaluation of its minute is the start's
    report = monitor.last.report
    np.testing.assert_array_equal(found.psi[-1], report.main.psi.debiased.astype(np.float32))
    np.testing.assert_array_equal(found.column("evidence_log10")[-1], report.evidence.log10.astype(np.float32))
    np.testing.assert_array_equal(monitor.history.read(columns=["city"]).psi, found.psi[:, [2]])
    assert monitor.history.read(since=START + 1_700.0).at.tolist() == found.at[-2:].tolist()


def test_a_drift_and_its_end_are_changes() -> None:
    monitor = small_monitor()
    lives([monitor], 20)
    lives([monitor], 15, START + 1_200.0, age=60.0)
    lives([monitor], 150, START + 2_100.0)
    changes = monitor.history.changes().changes
    of_age = [own for own in changes if own.column == "age"]
    assert [own.after[1] for own in of_age] == ["info", "warning", "critical", "info", None]
    assert [own.before[1] for own in of_age] == [None, *(own.after[1] for own in of_age[:-1])]
    assert START + 1_200.0 <= of_age[0].at < of_age[2].at < START + 2_100.0 < of_age[-1].at
    assert monitor.history.changes(since=of_age[1].at).changes == changes[changes.index(of_age[1]) :]


@pytest.mark.parametrize("count", [1, 2])
def test_workers_share_one_history_and_the_next_one_continues_it(count: int, tmp_path: Path) -> None:
    alone = small_monitor()
    lives([alone], 40, START + 60.0)
    expected = alone.history.read()
    workers = [monitor_in(tmp_path) for _ in range(count)]
    lives(workers, 25, START + 60.0)
    for worker in workers:
        worker.store.leave()
    workers = [monitor_in(tmp_path, START + 25 * 60.0) for _ in range(count)]
    lives(workers, 15, START + 26 * 60.0)
    for worker in workers:
        found = worker.history.read()
        assert found.at.tolist() == expected.at.tolist()
        np.testing.assert_array_equal(found.rows[:26], expected.rows[:26])
        assert worker.store.notes == []
        worker.store.leave()


def test_another_baseline_begins_its_own_history(tmp_path: Path) -> None:
    monitor = monitor_in(tmp_path)
    lives([monitor], 3)
    monitor.store.leave()
    header = (tmp_path / HISTORY_FILE).read_bytes().replace(small_baseline().hash.encode(), b"f" * 64)
    (tmp_path / HISTORY_FILE).write_bytes(header)
    monitor = monitor_in(tmp_path, START + 600.0)
    assert monitor.history.read().at.tolist() == [START // 60 * 60 + 600.0]
    assert monitor.store.notes == []


def test_in_event_time_a_history_is_that_of_the_events(tmp_path: Path) -> None:
    event = MonitorOptions(policy=small_options(200, 1_000).policy, clock="event")
    monitor = monitor_in(tmp_path, options=event)
    begin = START - 400 * 86_400.0
    for hour in range(100):
        monitor.observe(usual_rows(50, hour), arrival=START, event=np.full(50, begin + 3_600.0 * hour))
        monitor.evaluate(START)
    found = monitor.history.read()
    assert found.at[0] // 86_400 == begin // 86_400
    assert found.at[-1] <= begin + 99 * 3_600.0 < found.at[-1] + 60.0
    assert {*found.seconds} == {60.0, 900.0, 86_400.0}


def test_a_history_that_cannot_be_written_does_not_stop_an_evaluation(tmp_path: Path) -> None:
    monitor = monitor_in(tmp_path)
    lives([monitor], 3)
    os.unlink(tmp_path / HISTORY_FILE)
    (tmp_path / HISTORY_FILE).mkdir()
    lives([monitor], 3, START + 180.0)
    assert monitor.last.report.rows_observed == 600
    assert len(monitor.history.read()) == 3
    assert any(HISTORY_FILE in note and "in memory" in note for note in monitor.store.notes)
