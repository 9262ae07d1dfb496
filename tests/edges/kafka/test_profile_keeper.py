"""The profile of a consumer's rows holds each of them once, however its process ends."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.profile.build import profile_of
from driftgauge.drift.profile.profile import Profile
from driftgauge.edges.kafka.profile_keeper import PROBLEM, ProfileKeeper
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions, state_shape
from driftgauge.monitor.problems import Problems
from driftgauge.state.slots import Slots
from driftgauge.state.store import Store

from tests.monitors import small_baseline
from tests.states import KEY

BASELINE = small_baseline()
ROWS = 20_000
STEP = 1_000


def rows() -> FloatArray:
    rng = np.random.default_rng(3)
    columns = [rng.normal(40.0, 10.0, ROWS), rng.integers(0, 2, ROWS), rng.integers(0, 3, ROWS), rng.random(ROWS)]
    return np.column_stack(columns).astype(np.float64)


def opened(folder: Path | None) -> ColumnMonitor:
    store = None if folder is None else Store.open(Slots(folder, KEY, state_shape(BASELINE, MonitorOptions())))
    return ColumnMonitor(BASELINE, model_name="churn", model_version="1", now=time.time(), store=store)


def observe(monitor: ColumnMonitor, keeper: ProfileKeeper, values: FloatArray) -> None:
    for first in range(0, len(values), STEP):
        monitor.observe(values[first : first + STEP], arrival=time.time())
        keeper.follow()


def written(folder: Path) -> Profile:
    (path,) = folder.iterdir()
    profile = Profile.from_bytes(path.read_bytes())
    assert profile.partitions == (path.stem,)
    return profile.named("all")


@pytest.mark.parametrize("kept_in", ["state", None])
def test_the_profile_is_that_of_all_rows(tmp_path: Path, kept_in: str | None) -> None:
    monitor = opened(tmp_path / kept_in if kept_in else None)
    keeper = ProfileKeeper(monitor, tmp_path / "out", Problems(time.time))
    observe(monitor, keeper, rows())
    keeper.finish()
    assert written(tmp_path / "out") == profile_of(BASELINE, rows(), partition="all")
    monitor.store.leave()


@pytest.mark.parametrize("killed_after", [0, STEP, 7 * STEP, ROWS])
def test_a_process_that_is_killed_leaves_the_other_rows_to_the_next_one(tmp_path: Path, killed_after: int) -> None:
    values = rows()
    monitor = opened(tmp_path / "state")
    observe(monitor, ProfileKeeper(monitor, tmp_path / "out", Problems(time.time)), values[:killed_after])
    assert not (tmp_path / "out").exists()
    monitor.store.leave()
    monitor = opened(tmp_path / "state")
    keeper = ProfileKeeper(monitor, tmp_path / "out", Problems(time.time))
    observe(monitor, keeper, values[killed_after:])
    keeper.finish()
    assert written(tmp_path / "out") == profile_of(BASELINE, values, partition="all")
    monitor.store.leave()


def test_a_folder_that_cannot_be_written_is_a_problem_and_rows_are_counted_on(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    problems, monitor = Problems(time.time), opened(tmp_path / "state")
    keeper = ProfileKeeper(monitor, tmp_path / "out", problems)
    observe(monitor, keeper, rows())
    keeper.finish()
    assert any(PROBLEM in text for text in problems.current())
    assert monitor.store.rows == ROWS
    monitor.store.leave()


def test_a_damaged_profile_is_a_problem_and_begins_again(tmp_path: Path) -> None:
    monitor = opened(tmp_path / "state")
    observe(monitor, ProfileKeeper(monitor, tmp_path / "out", Problems(time.time)), rows()[:STEP])
    (kept,) = (tmp_path / "state").rglob("positions-*.profile")
    kept.write_bytes(b"damaged")
    problems = Problems(time.time)
    keeper = ProfileKeeper(monitor, tmp_path / "out", problems)
    observe(monitor, keeper, rows()[STEP:])
    keeper.finish()
    assert written(tmp_path / "out") == profile_of(BASELINE, rows()[STEP:], partition="all")
    monitor.store.leave()


def test_a_log_that_begins_anew_has_a_profile_beside_that_of_the_one_before(tmp_path: Path) -> None:
    values = rows()
    for part in (values[:STEP], values[STEP:]):
        monitor = opened(tmp_path / "state")
        keeper = ProfileKeeper(monitor, tmp_path / "out", Problems(time.time))
        observe(monitor, keeper, part)
        keeper.finish()
        monitor.store.leave()
        (log,) = (tmp_path / "state").rglob("0.log")
        log.unlink()  # as when other workers have folded it
    found = [Profile.from_bytes(path.read_bytes()) for path in (tmp_path / "out").iterdir()]
    assert sorted(own.rows for own in found) == [STEP, ROWS - STEP]
