"""Damage to files while workers use them: losses are reported, and the workers continue."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.damaged import WORKERS, Step, check_recovered, own_count, play, running_workers, steps_of
from tests.effort import examples


@settings(deadline=None, max_examples=examples(150))
@given(steps_of)
def test_workers_continue_when_any_bytes_of_their_files_change(steps: list[Step]) -> None:
    with running_workers() as running:
        sizes = {path.name: path.stat().st_size for path in running.folder.iterdir()}
        play(running, steps)
        check_recovered(running)
        assert {path.name: path.stat().st_size for path in running.folder.iterdir()} == sizes
        counted = int(running.stores[0].root.progress.head.total[0].sum())
        assert counted <= sum(running.appended), "a row was counted twice"
        assert counted == sum(running.appended) or running.said(), "rows were lost, and no note reports it"


@settings(deadline=None, max_examples=examples(100))
@given(steps_of)
def test_the_next_workers_start_after_any_bytes_have_changed(steps: list[Step]) -> None:
    with running_workers() as running:
        play(running, steps)
        for store in running.stores:
            store.leave()
        running.start()
        running.appended = [own_count(store) for store in running.stores]
        check_recovered(running)


def _truncate(path: Path, seed: int) -> None:
    if path.exists():
        os.truncate(path, (0, 5_000, 100_000)[seed % 3])


def _delete(path: Path, seed: int) -> None:
    path.unlink(missing_ok=True)


def _replace(path: Path, seed: int) -> None:
    if path.exists():
        shutil.copy(path, path.with_suffix(".copy"))
        path.with_suffix(".copy").replace(path)


LOSSES: Final = {"truncate": _truncate, "delete": _delete, "replace": _replace}


@settings(deadline=None, max_examples=examples(100))
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["append", "append", "append", "evaluate", "scrape", "restart", *LOSSES]),
            st.integers(0, WORKERS - 1),
            st.sampled_from([1, 60, 300, 2_500]),
            st.sampled_from(["0.log", "1.log", "checkpoint.state"]),
        ),
        max_size=20,
    )
)
def test_workers_continue_when_their_files_are_truncated_deleted_or_replaced(
    steps: list[tuple[str, int, int, str]],
) -> None:
    with running_workers() as running:
        for what, worker, number, file in steps:
            if what == "append":
                running.append(worker, number)
            elif what == "restart":
                running.restart(worker)
            elif what in LOSSES:
                LOSSES[what](running.folder / file, number)
            else:
                getattr(running, what)(worker)
        for worker in range(WORKERS):
            running.evaluate(worker)
            running.scrape(worker)
            running.append(worker, 10)
        for worker in range(WORKERS):
            running.stores[worker].leave()
        running.start()
        running.appended = [own_count(store) for store in running.stores]
        assert all(store.is_persistent for store in running.stores)
        check_recovered(running)


def test_without_damage_nothing_is_lost_and_nothing_is_reported() -> None:
    with running_workers() as running:
        play(running, [("append", 0, 2_500), ("evaluate", 1, 0), ("append", 1, 300), ("scrape", 0, 0)])
        check_recovered(running)
        assert (running.said(), running.lost()) == ("", 0.0)
        assert running.stores[0].root.progress.head.total[0].sum() == sum(running.appended)
