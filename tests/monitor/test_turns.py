"""Work that one worker does for all is done once, whoever comes first."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from driftgauge.common.private_files import LockTimeout
from driftgauge.monitor.turns import Turns


def test_work_is_done_by_one_of_many_workers(tmp_path: Path) -> None:
    done: list[int] = []
    begin = threading.Barrier(8)

    def work(worker: int) -> None:
        turns = Turns(tmp_path, "work")
        begin.wait()
        turns.once(lambda: not done, lambda: done.append(worker))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert len(done) == 1


def test_work_that_another_worker_is_at_is_left_to_it(tmp_path: Path) -> None:
    done: list[str] = []
    own, other = Turns(tmp_path, "work"), Turns(tmp_path, "work")
    with other.alone() as is_alone:
        assert is_alone
        own.once(lambda: True, lambda: done.append("too early"))
        with pytest.raises(LockTimeout), own.alone(0.0):
            pass
        Turns(tmp_path, "different").once(lambda: True, lambda: done.append("of its own"))
    own.once(lambda: True, lambda: done.append("later"))
    assert done == ["of its own", "later"]


def test_work_that_is_done_between_the_look_and_the_turn_is_not_done_again(tmp_path: Path) -> None:
    looks = iter([True, False])
    done: list[str] = []
    Turns(tmp_path, "work").once(lambda: next(looks), lambda: done.append("again"))
    assert done == []
    assert list(looks) == []


def test_a_process_without_a_folder_has_every_turn() -> None:
    own = Turns(None, "work")
    with own.alone() as first, own.alone() as second:
        assert (first, second) == (True, True)
