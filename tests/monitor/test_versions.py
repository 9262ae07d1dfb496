"""What a version of a model takes over from the rows of earlier ones."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from driftgauge.common.private_files import LockTimeout
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.evidence.live_dependence import LiveDependence
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.verdict.policy import Policy
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions, state_shape
from driftgauge.state.files import StateKey
from driftgauge.state.slots import Slots
from driftgauge.state.store import Store
from driftgauge.state.traffic import TRAFFIC_FILE, TrafficFile, read_traffic
from scipy.signal import lfilter

from tests.monitors import START

DAY = 86_400.0
OPTIONS = MonitorOptions(Policy(windows=(200, 1_000)))


def _baseline(*names: str) -> Baseline:
    generator = np.random.default_rng(len(names))
    return build_baseline({name: generator.normal(size=3_000) for name in names}, created="2026-01-01T00:00:00Z")


def _monitor(baseline: Baseline, state_dir: Path | None, version: str = "1", now: float = START) -> ColumnMonitor:
    """Return the monitor of a version, with its state in the folder of the model's versions or in memory."""
    shape = state_shape(baseline, OPTIONS)
    store = traffic = None
    if state_dir is not None:
        traffic = TrafficFile(state_dir / "churn", version)
        key = StateKey("churn", version, baseline.hash)
        store = Store.open(Slots(state_dir / "churn" / version, key, shape, state_dir=state_dir))
    return ColumnMonitor(
        baseline, model_name="churn", model_version=version, now=now, options=OPTIONS, store=store, traffic=traffic
    )


def _rows(columns: int, rows: int = 10_000) -> FloatArray:
    """Return rows of which the first column depends on the row before, the others are independent."""
    noise = np.random.default_rng(9).normal(size=(rows, columns))
    noise[:, 0] = lfilter([math.sqrt(1 - 0.97**2)], [1.0, -0.97], noise[:, 0])
    return noise


def _live(monitor: ColumnMonitor) -> LiveDependence:
    live = monitor.store.root.progress.evidence.live
    assert live is not None
    return live


def _first_version(state_dir: Path | None) -> ColumnMonitor:
    """Return a monitor that has seen dependent rows of "a" and independent ones of "b"."""
    monitor = _monitor(_baseline("a", "b"), state_dir)
    monitor.observe(_rows(2), arrival=START)
    monitor.evaluate(START + 1.0)
    tau = _live(monitor).tau
    assert tau[0] > 20.0
    assert tau[1] < 3.0
    return monitor


def test_a_new_version_begins_with_the_autocorrelation_and_the_age_of_its_columns(tmp_path: Path) -> None:
    before = _first_version(tmp_path)
    after = _monitor(_baseline("c", "b", "a"), tmp_path, "2", START + 5 * DAY)
    live = _live(after)
    assert live.tau.tolist() == [1.0, *_live(before).tau[::-1]]
    np.testing.assert_array_equal(live.since, [math.nan, START, START])
    assert live.rows == 0
    np.testing.assert_array_equal(after.last.report.evidence.tau, live.tau)
    after.observe(_rows(3, 100), arrival=START + 6 * DAY)
    assert after.evaluate(START + 6 * DAY).report.learning_until == START + 20 * DAY  # of the new column
    np.testing.assert_array_equal(_live(after).since, [START + 6 * DAY, START, START])


def test_another_baseline_of_the_same_version_takes_over_too(tmp_path: Path) -> None:
    before = _first_version(tmp_path)
    before.store.leave()
    after = _monitor(_baseline("a", "b", "c"), tmp_path, "1", START + DAY)
    assert "another baseline" in after.store.notes[0] or "state_foreign" in after.store.notes[0]
    assert _live(after).tau.tolist() == [*_live(before).tau, 1.0]
    after.observe(_rows(3, 100)[:, ::-1], arrival=START + DAY)
    assert after.evaluate(START + 15 * DAY - 1.0).report.learning_until == START + 15 * DAY


def test_learning_is_over_fourteen_days_after_the_first_row_of_any_version(tmp_path: Path) -> None:
    _first_version(tmp_path)
    after = _monitor(_baseline("b"), tmp_path, "2", START + 13 * DAY)
    after.observe(_rows(1, 100), arrival=START + 13 * DAY)
    assert after.evaluate(START + 13 * DAY).report.learning_until == START + 14 * DAY
    assert after.evaluate(START + 14 * DAY).report.learning_until is None


def test_a_worker_that_comes_later_takes_nothing_over(tmp_path: Path) -> None:
    first = _first_version(tmp_path)
    known = _live(first)
    (tmp_path / "churn" / TRAFFIC_FILE).unlink()
    second = _monitor(_baseline("a", "b"), tmp_path)
    np.testing.assert_array_equal(_live(second).tau, known.tau)
    np.testing.assert_array_equal(_live(second).since, known.since)


def test_in_memory_nothing_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _first_version(None)
    assert (_live(_monitor(_baseline("a", "b"), None)).tau == 1.0).all()
    assert [*tmp_path.iterdir()] == []


def test_a_damaged_file_is_named_and_written_again(tmp_path: Path) -> None:
    _first_version(tmp_path)
    (tmp_path / "churn" / TRAFFIC_FILE).write_text("{", encoding="utf-8")
    after = _monitor(_baseline("a", "b"), tmp_path, "2")
    (note,) = after.store.notes
    assert "traffic.json is damaged" in note
    assert "autocorrelation is measured from the start" in note
    assert (_live(after).tau == 1.0).all()
    after.observe(_rows(2), arrival=START)
    after.evaluate(START + 1.0)
    assert read_traffic(tmp_path / "churn")["a"].autocorrelation_rows == _live(after).tau[0]


def test_an_evaluation_survives_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "churn" / f"{TRAFFIC_FILE}.1.new").mkdir(parents=True)
    monitor = _monitor(_baseline("a", "b"), tmp_path)
    monitor.observe(_rows(2), arrival=START)
    assert monitor.evaluate(START + 1.0).report.rows_observed == 10_000
    assert "autocorrelation is not kept for the next version" in monitor.store.notes[-1]


def test_a_later_version_keeps_what_is_known_of_columns_it_does_not_have(tmp_path: Path) -> None:
    before = _first_version(tmp_path)
    second = _monitor(_baseline("b"), tmp_path, "2", START + DAY)
    second.observe(_rows(1), arrival=START + DAY)
    second.evaluate(START + DAY + 1.0)
    third = _monitor(_baseline("a", "b"), tmp_path, "3", START + 2 * DAY)
    assert _live(third).tau[0] == _live(before).tau[0]
    np.testing.assert_array_equal(_live(third).since, START)


def test_the_traffic_is_written_as_soon_as_it_can_be(tmp_path: Path) -> None:
    hindrance = tmp_path / "churn" / f"{TRAFFIC_FILE}.1.new"
    hindrance.mkdir(parents=True)
    monitor = _first_version(tmp_path)
    assert not (tmp_path / "churn" / TRAFFIC_FILE).exists()
    hindrance.rmdir()
    monitor.evaluate(START + 2.0)
    assert read_traffic(tmp_path / "churn")["a"].autocorrelation_rows == _live(monitor).tau[0]


def test_a_replay_of_older_rows_learns_from_their_beginning(tmp_path: Path) -> None:
    _first_version(tmp_path)
    replay = _monitor(_baseline("a", "b"), tmp_path, "2")
    np.testing.assert_array_equal(_live(replay).since, START)
    years_ago = START - 1_000 * DAY
    replay.observe(_rows(2), arrival=years_ago)
    assert replay.evaluate(years_ago).report.learning_until == years_ago + 14 * DAY
    assert replay.evaluate(years_ago + 14 * DAY).report.learning_until is None


def test_a_version_that_waits_for_the_lock_takes_over_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _first_version(tmp_path)

    def held(*_: object) -> None:
        raise LockTimeout("another process holds it")

    with monkeypatch.context() as patched:
        patched.setattr(Store, "evaluating", held)
        after = _monitor(_baseline("a", "b"), tmp_path, "2")
    assert (_live(after).tau == 1.0).all()
    after.observe(_rows(2, 49), arrival=START + DAY)
    after.catch_up(START + DAY)
    np.testing.assert_array_equal(_live(after).tau, _live(before).tau)
    np.testing.assert_array_equal(_live(after).since, _live(before).since)


def test_five_versions_in_five_weeks_reach_critical_on_a_real_drift(tmp_path: Path) -> None:
    """Each version alone would still learn: none of them lives for fourteen days."""
    monitor = None
    for week in range(5):
        now = START + 7 * DAY * week
        if monitor is not None:
            monitor.store.leave()
        generator = np.random.default_rng(week)
        baseline = build_baseline({"a": generator.normal(size=3_000)}, created="2026-01-01T00:00:00Z")
        monitor = _monitor(baseline, tmp_path, str(week), now)
        for day in range(7):
            rows = generator.normal(loc=0.05 * (week % 2), size=(1_000, 1))
            monitor.observe(rows, arrival=now + day * DAY)
            report = monitor.evaluate(now + day * DAY + 1.0).report
            assert report.severity in (None, "info", "warning")
    assert monitor is not None
    now = START + 34 * DAY + 3_600.0
    monitor.observe(np.random.default_rng(9).normal(loc=2.0, size=(2_000, 1)), arrival=now)
    report = monitor.evaluate(now + 1.0).report
    assert report.learning_until is None
    assert report.severity == "critical"
    alone = _monitor(monitor.baseline, None, "alone", START + 28 * DAY)
    alone.observe(np.random.default_rng(9).normal(loc=2.0, size=(2_000, 1)), arrival=now)
    assert alone.evaluate(now + 1.0).report.severity == "warning"
