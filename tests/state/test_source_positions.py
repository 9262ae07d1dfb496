"""How far messages are rows of a log, however the process that appends them ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.state.folder import POSITIONS, reset
from driftgauge.state.slots import Slots
from driftgauge.state.source_positions import Partition, Position
from driftgauge.state.store import Store

from tests.states import KEY, Killable, catch_up, send, small_shape

SHAPE = small_shape(100)
CLICKS, OTHER = Partition("clicks", 0), Partition("clicks", 1)


class Killed(Exception):
    """A process ends here."""


def rows(count: int) -> FloatArray:
    return np.full((count, SHAPE.binner.columns), 0.5)


def take(store: Store, partition: Partition, after: Position, count: int) -> None:
    store.sources.begin(partition, after, count)
    send(store, rows(count), 1_700_000_000.0)
    assert store.sources.finish() == after


def killed_at(point: str, times: int = 1) -> Callable[[str], None]:
    left = [times]

    def failpoint(reached: str) -> None:
        left[0] -= reached == point
        if reached == point and left[0] == 0:
            raise Killed

    return failpoint


def test_a_position_is_where_reading_began_and_then_behind_the_rows(tmp_path: Path) -> None:
    store = Store.open(Slots(tmp_path, KEY, SHAPE))
    assert store.sources.own(CLICKS) is store.sources.furthest(CLICKS) is None
    store.sources.start(CLICKS, Position(7))
    assert store.sources.own(CLICKS) == (7, 0)
    take(store, CLICKS, Position(17), 20)
    take(store, CLICKS, Position(17, 3), 3)
    assert store.sources.own(CLICKS) == store.sources.furthest(CLICKS) == (17, 3)
    assert store.sources.own(OTHER) is None
    store.leave()


@pytest.mark.parametrize("point", ["append.written", "append.committed"])
def test_rows_that_a_killed_process_appended_are_not_appended_again(tmp_path: Path, point: str) -> None:
    worker = Killable(tmp_path, SHAPE)
    store = worker.kill(killed_at(point))
    store.sources.start(CLICKS, Position(0))
    with pytest.raises(Killed):
        take(store, CLICKS, Position(10), 20)
    after = worker.kill()
    assert after.rows == 20
    assert after.sources.own(CLICKS) == (10, 0)


def test_a_process_killed_in_the_middle_goes_on_with_the_next_row(tmp_path: Path) -> None:
    worker = Killable(tmp_path, SHAPE)
    worker.store.sources.start(CLICKS, Position(5, 2))
    for count in (4_000, SHAPE.capacity - 4_000 - 30):
        send(worker.store, rows(count), 1_700_000_000.0)
        catch_up(worker.store)
    before = worker.store.rows  # the ring begins again after 30 rows more
    store = worker.kill(killed_at("append.committed"))
    with pytest.raises(Killed):
        take(store, CLICKS, Position(9), 100)
    after = worker.kill()
    assert after.rows == before + 30
    assert after.sources.own(CLICKS) == (5, 32)
    take(after, CLICKS, Position(9), 70)
    assert worker.kill().sources.own(CLICKS) == (9, 0)


def test_a_process_that_is_killed_before_it_appends_begins_again(tmp_path: Path) -> None:
    worker = Killable(tmp_path, SHAPE)
    worker.store.sources.start(CLICKS, Position(5))
    worker.store.sources.begin(CLICKS, Position(9), 4)
    assert worker.kill().sources.own(CLICKS) == (5, 0)


def test_a_worker_finds_what_the_others_of_its_folder_have_read(tmp_path: Path) -> None:
    first, second = (Store.open(Slots(tmp_path, KEY, SHAPE)) for _ in range(2))
    first.sources.start(CLICKS, Position(0))
    first.sources.start(OTHER, Position(40))
    take(first, CLICKS, Position(10), 20)
    assert second.sources.own(CLICKS) is None
    assert second.sources.furthest(CLICKS) == (10, 0)
    second.sources.start(CLICKS, Position(10))
    take(second, CLICKS, Position(12), 1)
    assert first.sources.own(CLICKS) == (10, 0)
    assert first.sources.furthest(CLICKS) == (12, 0)
    assert second.sources.furthest(OTHER) == (40, 0)
    for store in (first, second):
        store.leave()


def test_a_worker_finds_how_far_a_killed_one_came(tmp_path: Path) -> None:
    def killed(point: str) -> None:
        if point == "append.written":
            raise Killed

    first = Store.open(Slots(tmp_path, KEY, SHAPE, failpoint=killed))
    second = Store.open(Slots(tmp_path, KEY, SHAPE))
    first.sources.start(CLICKS, Position(0))
    first.sources.begin(CLICKS, Position(10), 20)
    assert second.sources.furthest(CLICKS) == (0, 0)
    with pytest.raises(Killed):
        send(first, rows(20), 1_700_000_000.0)
    assert second.sources.furthest(CLICKS) == (10, 0)  # the next worker of the slot goes on after these rows


def test_rows_that_a_killed_process_wrote_are_counted_where_another_goes_on(tmp_path: Path) -> None:
    first = Store.open(Slots(tmp_path, KEY, SHAPE, failpoint=killed_at("append.written")))
    second = Store.open(Slots(tmp_path, KEY, SHAPE))
    first.sources.start(CLICKS, Position(0))
    with pytest.raises(Killed):
        take(first, CLICKS, Position(10), 20)
    first.disown()  # as the end of its process does
    catch_up(second)
    assert second.rows == 0  # no worker has committed them
    assert second.sources.furthest(CLICKS) == (10, 0)
    catch_up(second)
    with second.evaluating():
        assert second.snapshot(1_700_000_000.0).observed == second.rows == 20
    assert Store.open(Slots(tmp_path, KEY, SHAPE)).rows == 20  # the next worker of the slot


def test_rows_that_a_killed_process_wrote_are_counted_before_its_log_is_folded(tmp_path: Path) -> None:
    first = Store.open(Slots(tmp_path, KEY, SHAPE, failpoint=killed_at("append.written", 2)))
    second = Store.open(Slots(tmp_path, KEY, SHAPE))
    first.sources.start(CLICKS, Position(0))
    take(first, CLICKS, Position(5), 10)
    catch_up(second)
    with pytest.raises(Killed):
        take(first, CLICKS, Position(10), 20)
    first.disown()
    later = 1_800_000_000.0
    for _ in range(2):
        with second.evaluating():
            second.fold(later)
        catch_up(second)
    assert list(tmp_path.glob("0.log")) == []
    assert second.rows == 30
    assert second.sources.furthest(CLICKS) == (10, 0)


def test_rows_appended_after_a_kill_are_not_taken_for_those_before_it(tmp_path: Path) -> None:
    worker = Killable(tmp_path, SHAPE)
    worker.store.sources.start(CLICKS, Position(0))
    worker.store.sources.begin(CLICKS, Position(10), 20)
    send(worker.store, rows(5), 1_700_000_000.0)  # and is killed in the middle
    send(worker.kill(), rows(30), 1_700_000_000.0)  # of another source
    assert worker.kill().sources.own(CLICKS) == (0, 5)


def test_a_damaged_file_is_as_none(tmp_path: Path) -> None:
    worker = Killable(tmp_path, SHAPE)
    worker.store.sources.start(CLICKS, Position(5))
    for content in ('{"log": 1}', "[", "[]", '{"log": 1, "positions": [["a", "b", "c", "d"]], "appending": null}'):
        (worker.folder / f"{POSITIONS}0.json").write_text(content)
        assert worker.kill().sources.own(CLICKS) is None


def test_a_log_that_was_begun_again_keeps_the_positions(tmp_path: Path) -> None:
    worker = Killable(tmp_path, SHAPE)
    worker.store.sources.start(CLICKS, Position(5))
    worker.store.sources.begin(CLICKS, Position(9), 4)
    (worker.folder / "0.log").unlink()
    assert worker.kill().sources.own(CLICKS) == (9, 0)


def test_in_memory_they_end_with_the_process() -> None:
    store = Store.in_memory(SHAPE)
    store.sources.start(CLICKS, Position(5))
    take(store, CLICKS, Position(6), 3)
    store.sources.keep()
    assert store.sources.furthest(CLICKS) == (6, 0)
    assert Store.in_memory(SHAPE).sources.own(CLICKS) is None


def test_a_reset_deletes_them(tmp_path: Path) -> None:
    store = Store.open(Slots(tmp_path, KEY, SHAPE))
    store.sources.start(CLICKS, Position(5))
    store.leave()
    reset(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_partitions_that_a_topic_had_first_are_kept(tmp_path: Path) -> None:
    with_file = Store.open(Slots(tmp_path, KEY, SHAPE))
    assert with_file.sources.first_seen("clicks") is None
    with_file.sources.see("clicks", 2)
    with_file.sources.see("clicks", 3)
    beside = Store.open(Slots(tmp_path, KEY, SHAPE))
    beside.sources.see("clicks", 4)
    assert beside.sources.first_seen("clicks") == 2
    beside.leave()
    with_file.leave()
    again = Store.open(Slots(tmp_path, KEY, SHAPE))
    assert again.sources.first_seen("clicks") == 2
    again.leave()
