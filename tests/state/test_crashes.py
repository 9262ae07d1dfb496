"""Workers that are killed anywhere, beside readers that look all the time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from driftgauge.state.failpoints import FAILPOINTS

from tests.breakages import BREAKAGES
from tests.crashes import (
    KILLED,
    LARGE,
    SMALL,
    kill_catch_ups,
    kill_folds,
    kill_replays,
    kill_writers,
    storm,
    storm_of_folds,
)
from tests.histories import NAMES, assert_same_history, kept_in_memory, minutely
from tests.writers import (
    CATCH_UP_POINTS,
    FILES,
    FOLD_POINTS,
    HISTORY_POINTS,
    WORK_POINTS,
    Crew,
    crew,
    history_of,
    names_in,
    own_totals,
    store_in,
)

pytestmark = pytest.mark.e2e

KILLS = 5
SHORT = ("append.written", "checkpoint.page", "history.written")
"""The points that the short tier kills at."""


@pytest.fixture(scope="module")
def workers() -> Iterator[Crew]:
    with crew() as own:
        yield own


@pytest.fixture(scope="module")
def readers() -> Iterator[Crew]:
    with crew() as own:
        yield own


def _short(*points: str) -> list[object]:
    return [point if point in SHORT else pytest.param(point, marks=pytest.mark.long) for point in points]


def test_a_harness_kills_at_every_failpoint() -> None:
    assert {*WORK_POINTS, *FOLD_POINTS, *HISTORY_POINTS} == {*FAILPOINTS}


@pytest.mark.parametrize("window_rows", [SMALL, pytest.param(LARGE, marks=pytest.mark.long)])
@pytest.mark.parametrize("point", _short(*WORK_POINTS))
def test_a_writer_that_is_killed_leaves_all_answered_rows_and_nothing_half_done(
    workers: Crew, readers: Crew, point: str, window_rows: int, tmp_path: Path
) -> None:
    kill_writers(workers, readers, tmp_path, point, window_rows, KILLS)


@pytest.mark.parametrize("window_rows", [SMALL, pytest.param(LARGE, marks=pytest.mark.long)])
@pytest.mark.parametrize("point", _short(*CATCH_UP_POINTS))
def test_a_catch_up_that_is_killed_counts_each_row_of_all_logs_once(
    workers: Crew, point: str, window_rows: int, tmp_path: Path
) -> None:
    kill_catch_ups(workers, tmp_path, point, window_rows, KILLS)


@pytest.mark.parametrize("point", _short(*WORK_POINTS))
def test_a_replay_that_is_killed_comes_to_the_same_verdict(workers: Crew, point: str, tmp_path: Path) -> None:
    kill_replays(workers, tmp_path, point)


@pytest.mark.parametrize("point", _short(*HISTORY_POINTS))
def test_a_history_whose_writer_is_killed_is_continued_as_if_it_had_not_been(
    workers: Crew, point: str, tmp_path: Path
) -> None:
    reports = minutely(60)
    for nth in (1, 2, 7, 23):
        folder = tmp_path / str(nth)
        folder.mkdir()
        assert workers.ask("history", folder, len(reports), point, nth) == [KILLED], "it did not die, or found damage"
        own, notes = history_of(folder), list[str]()
        kept = len(own.current.read(NAMES))
        for report in reports[kept:]:  # a report without a record comes again
            own.keep(report, notes.append)
        assert_same_history(own.current, kept_in_memory(reports))
        assert notes == []


@pytest.mark.parametrize("point", _short(*CATCH_UP_POINTS, *FOLD_POINTS))
def test_sums_never_go_back_when_workers_are_killed_that_fold_logs(workers: Crew, point: str, tmp_path: Path) -> None:
    kill_folds(workers, tmp_path, point)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
def test_workers_that_are_killed_at_random_together_lose_nothing(
    workers: Crew, readers: Crew, seed: int, tmp_path: Path
) -> None:
    assert storm(workers, readers, tmp_path, (SMALL, LARGE)[seed % 2], 30, seed) > 10


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_workers_that_fold_each_others_logs_and_are_killed_count_each_row_once(
    workers: Crew, readers: Crew, seed: int, tmp_path: Path
) -> None:
    storm_of_folds(workers, readers, tmp_path, 30, seed)


def test_workers_that_are_all_killed_at_once_lose_nothing(workers: Crew, readers: Crew, tmp_path: Path) -> None:
    for seed in range(3):
        storm(workers, readers, tmp_path / str(seed), SMALL, 3, seed)


@pytest.mark.long
def test_a_hundred_workers_that_are_killed_leave_as_many_files_as_one(workers: Crew, tmp_path: Path) -> None:
    workers.append(tmp_path, 3, "killed")
    before = names_in(tmp_path)
    assert workers.ask("take", tmp_path, SMALL, 100)[-1] == ["ended", "0"]
    assert names_in(tmp_path) == before == FILES
    assert own_totals(store_in(tmp_path)).rows == 3 * 101


@pytest.mark.long
@pytest.mark.parametrize("name", BREAKAGES)
def test_the_harness_fails_for_a_state_that_is_broken(name: str, readers: Crew, tmp_path: Path) -> None:
    with crew(broken=name) as workers, pytest.raises(AssertionError):
        BREAKAGES[name].expose(workers, readers, tmp_path)
