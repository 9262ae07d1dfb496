from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from mmap import mmap
from pathlib import Path
from typing import Any

import driftgauge.state.files
import driftgauge.state.slots
import numpy as np
import pytest
from driftgauge.errors import Reason
from driftgauge.metrics.series import CPU, LATE
from driftgauge.state.files import HEADER_BYTES, Lease
from driftgauge.state.members import added
from driftgauge.state.slot import OwnSlot
from driftgauge.state.slots import Slots, Unusable
from driftgauge.state.store import Store

from tests.monitors import START, small_baseline
from tests.writers import (
    FILES,
    HEADS,
    LATER,
    RETIRING,
    ROOT,
    Crew,
    append,
    check_snapshot,
    counted_rows,
    crew,
    names_in,
    options_of,
    owner,
    recount,
    shape_of,
    slots_in,
    store_in,
)

WINDOW = 1_000
ROWS = 300
RING_FULL = 9_000


@pytest.fixture(scope="module")
def workers() -> Iterator[Crew]:
    with crew() as own:
        yield own


def _left(folder: Path, rows: int = ROWS, *, digested: bool = True) -> Path:
    """Leave a slot with rows in a folder, as a worker that was killed; returns its file."""
    slots = slots_in(folder)
    slot, *_ = slots.take()
    append(slot, rows)
    if digested:
        slot.state.digest()
    slots.release()
    return folder / f"{slot.number}.state"


def _taken(folder: Path) -> tuple[Slots, OwnSlot]:
    slots = slots_in(folder)
    return slots, slots.take()[0]


def _check_holds(folder: Path, slots: Slots, slot: OwnSlot, rows: int) -> None:
    """Assert that a slot has these rows, and can be used."""
    assert slot.state.rows == rows
    if rows:
        taken = slot.state.take(LATER)
        np.testing.assert_array_equal(taken.bin_rows, recount(0, rows))
    append(slot, 10)
    assert slot.state.rows == rows + 10
    slots.leave()
    again, resumed = _taken(folder)
    assert (again.recoveries, resumed.state.rows) == ([], rows + 10)
    again.release()


# ---------------------------------------------------------------- taking and leaving


def test_the_next_worker_goes_on_where_the_last_one_stopped(workers: Crew, tmp_path: Path) -> None:
    assert workers.append(tmp_path, 100, "left") == ["0", "100", "0", "0"]
    assert workers.append(tmp_path, 50, "killed") == ["0", "150", "0", "0"]
    store = store_in(tmp_path)
    snapshot = store.snapshot(LATER)
    assert (store.own.number, snapshot.observed, counted_rows(store)) == (0, 150, 150)
    check_snapshot(snapshot, WINDOW)
    np.testing.assert_array_equal(store.bin_rows(), recount(0, 150))


def test_each_worker_has_a_slot_and_a_new_one_the_lowest_that_nobody_holds(workers: Crew, tmp_path: Path) -> None:
    first, second = _taken(tmp_path), _taken(tmp_path)
    assert workers.append(tmp_path, 5, "held")[0] == "2"
    assert [slot.number for _, slot in (first, second)] == [0, 1]
    first[0].release()
    assert workers.append(tmp_path, 5, "killed")[0] == "0"
    assert workers.append(tmp_path, 5, "held")[:2] == ["0", "10"]
    workers.killed()
    assert _taken(tmp_path)[1].number == 0
    assert _taken(tmp_path)[1].number == 2


def test_workers_tell_who_lives(workers: Crew, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    workers.append(tmp_path, 5, "held")
    assert store.workers == 2
    workers.killed()
    assert store.workers == 1


def test_by_the_clock_of_events_there_is_one_slot(tmp_path: Path) -> None:
    shape = replace(shape_of(WINDOW), by_event=True)
    slots, others = (Slots(tmp_path, owner(), shape, small_baseline().detector()) for _ in range(2))
    slots.take()
    with pytest.raises(Unusable, match="clock=event there is one worker"):
        others.take()
    slots.release()
    assert others.take()[0].number == 0


@pytest.mark.long
def test_a_hundred_workers_that_are_killed_leave_as_many_files_as_one(workers: Crew, tmp_path: Path) -> None:
    workers.append(tmp_path, 3, "killed")
    before = names_in(tmp_path)
    assert workers.ask("take", tmp_path, WINDOW, 100)[-1] == ["ended", "0"]
    assert names_in(tmp_path) == before == FILES
    _, slot = _taken(tmp_path)
    assert slot.state.rows == 3 * 101


def test_a_batch_that_was_cut_off_is_no_damage_however_often_a_worker_starts(workers: Crew, tmp_path: Path) -> None:
    workers.append(tmp_path, RING_FULL, "left")
    said = workers.ask("append", tmp_path, WINDOW, 500, "writing", "append.written")
    assert said[-1] == ["ended", "-9"]
    for _ in range(3):
        slots, slot = _taken(tmp_path)
        assert slots.recoveries == []
        assert slot.state.rows == RING_FULL + 500
        slots.leave()


def test_files_that_were_never_finished_are_removed(tmp_path: Path) -> None:
    _left(tmp_path)
    for name in ("0.123.new", "evaluation.77.new"):
        (tmp_path / name).write_bytes(b"half")
    slots, slot = _taken(tmp_path)
    assert names_in(tmp_path) == FILES
    _check_holds(tmp_path, slots, slot, ROWS)


# ---------------------------------------------------------------- what cannot be used


def _damaged(folder: Path, change: Callable[[bytearray], bytes | bytearray]) -> tuple[Slots, OwnSlot]:
    """Change the file of a slot with rows, and take it."""
    path = _left(folder)
    path.write_bytes(change(bytearray(path.read_bytes())))
    return _taken(folder)


def _with_header(content: bytearray, **changes: Any) -> bytearray:
    """Return a file that says something else of itself."""
    header = {**json.loads(content[:HEADER_BYTES].split(b"\n")[0]), **changes}
    line = json.dumps(header).encode() + b"\n"
    content[: len(line)] = line
    return content


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"baseline": "another"}, "another baseline"),
        ({"layout": "another"}, "other settings or columns"),
        ({"schema_version": 99}, "another version of Driftgauge"),
        ({"kind": "evaluation"}, "another kind"),
        ({"model_version": "2"}, "another model_version"),
        ({"format": "a diary"}, "no state of Driftgauge"),
        ({"key": "x"}, "no state of Driftgauge"),
    ],
)
def test_the_state_of_another_is_begun_anew(changes: dict[str, Any], why: str, tmp_path: Path) -> None:
    slots, slot = _damaged(tmp_path, lambda content: _with_header(content, **changes))
    (recovery,) = slots.recoveries
    assert recovery.reason == Reason.STATE_FOREIGN
    assert why in recovery.text
    _check_holds(tmp_path, slots, slot, 0)


@pytest.mark.parametrize("content", HEADS.values(), ids=HEADS)
def test_what_is_no_state_is_begun_anew(content: bytes, tmp_path: Path) -> None:
    slots, slot = _damaged(tmp_path, lambda _: content)
    assert [recovery.reason for recovery in slots.recoveries] == [Reason.STATE_FOREIGN]
    _check_holds(tmp_path, slots, slot, 0)


@pytest.mark.parametrize("head", [b"[" * 4_000, b'{"format": "driftgauge state", "key": 1e999}\n'])
def test_no_head_of_a_file_is_an_exception(head: bytes, tmp_path: Path) -> None:
    slots, _ = _damaged(tmp_path, lambda content: head + content[len(head) :])
    assert [recovery.reason for recovery in slots.recoveries] == [Reason.STATE_FOREIGN]


@pytest.mark.parametrize("key", [-3, 2**63, 10**30])
def test_a_key_that_cannot_be_is_not_believed(key: int, tmp_path: Path) -> None:
    slots, _ = _damaged(tmp_path, lambda content: _with_header(content, key=key))
    assert [recovery.reason for recovery in slots.recoveries] == [Reason.STATE_FOREIGN]


@pytest.mark.parametrize("seed", range(10))
def test_random_bytes_behind_a_header_are_begun_anew(seed: int, tmp_path: Path) -> None:
    def change(content: bytearray) -> bytearray:
        return content[:HEADER_BYTES] + np.random.default_rng(seed).bytes(len(content) - HEADER_BYTES)

    slots, slot = _damaged(tmp_path, change)
    (recovery,) = slots.recoveries
    assert recovery.reason == Reason.STATE_DAMAGED
    assert "0 rows were saved, counters begin at 0" in recovery.text
    _check_holds(tmp_path, slots, slot, 0)


def test_zeros_behind_a_header_hold_no_row(tmp_path: Path) -> None:
    slots, slot = _damaged(tmp_path, lambda content: content[:HEADER_BYTES] + bytes(len(content) - HEADER_BYTES))
    assert [recovery.reason for recovery in slots.recoveries] == [Reason.STATE_DAMAGED]
    _check_holds(tmp_path, slots, slot, 0)


def test_a_file_that_ends_behind_its_header_holds_no_row(tmp_path: Path) -> None:
    slots, slot = _damaged(tmp_path, lambda content: content[:HEADER_BYTES])
    assert [recovery.reason for recovery in slots.recoveries] == [Reason.STATE_TRUNCATED]
    _check_holds(tmp_path, slots, slot, 0)


def test_what_is_whole_of_a_truncated_file_is_saved(tmp_path: Path) -> None:
    end = HEADER_BYTES + shape_of(WINDOW).layout.offsets["counters_sequence"]
    slots, slot = _damaged(tmp_path, lambda content: content[:end])
    (recovery,) = slots.recoveries
    assert recovery.reason == Reason.STATE_TRUNCATED
    assert f"{ROWS} rows were saved, counters begin at 0" in recovery.text
    _check_holds(tmp_path, slots, slot, ROWS)


def test_a_file_that_is_too_long_is_saved_whole(tmp_path: Path) -> None:
    slots, slot = _damaged(tmp_path, lambda content: content + b"more")
    (recovery,) = slots.recoveries
    assert f"{ROWS} rows were saved, counters went on" in recovery.text
    _check_holds(tmp_path, slots, slot, ROWS)


def test_rows_that_are_damaged_are_left_out_and_the_others_saved(tmp_path: Path) -> None:
    place = HEADER_BYTES + shape_of(WINDOW).layout.offsets["values"] + 8 * 4 * 7

    def change(content: bytearray) -> bytearray:
        content[place] ^= 1
        return content

    slots, slot = _damaged(tmp_path, change)
    (recovery,) = slots.recoveries
    assert recovery.reason == Reason.STATE_DAMAGED
    assert f"{ROWS - 1} rows were saved, counters went on" in recovery.text
    assert slot.state.counters.copy()["counted_total"].sum() == ROWS
    _check_holds(tmp_path, slots, slot, ROWS)


# ---------------------------------------------------------------- power


def _after_a_power_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driftgauge.state.files, "boot_id", lambda: "of another start")


def test_a_state_that_was_not_left_before_the_power_went_is_made_anew_of_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _left(tmp_path)
    _after_a_power_cut(monkeypatch)
    slots, slot = _taken(tmp_path)
    assert [recovery.reason for recovery in slots.recoveries] == [Reason.POWER_LOSS]
    assert slot.state.counters.copy()["counted_total"].sum() == ROWS
    total = slot.state.take(LATER).totals[-1]
    np.testing.assert_array_equal(total.counts, recount(0, ROWS))
    _check_holds(tmp_path, slots, slot, ROWS)


def test_a_state_that_was_left_in_good_order_goes_on_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slots, slot = _taken(tmp_path)
    append(slot, ROWS)
    slots.leave()
    _after_a_power_cut(monkeypatch)
    slots, slot = _taken(tmp_path)
    assert slots.recoveries == []
    _check_holds(tmp_path, slots, slot, ROWS)


def test_whoever_goes_on_takes_the_mark_of_good_order_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slots, slot = _taken(tmp_path)
    append(slot, ROWS)
    slots.leave()
    _taken(tmp_path)[0].release()
    _after_a_power_cut(monkeypatch)
    slots, _ = _taken(tmp_path)
    assert [recovery.reason for recovery in slots.recoveries] == [Reason.POWER_LOSS]


def test_rows_that_came_too_late_are_counted_once_when_a_state_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = replace(shape_of(WINDOW), by_event=True)
    for before in (True, False):
        slots = Slots(tmp_path, owner(), shape, small_baseline().detector())
        slot, *_ = slots.take()
        if before:
            for event in (START, START - 100_000.0):
                slot.state.append(np.zeros((100, 4)), START, np.full(100, event))
                slot.state.digest()
            slot.state.publish()
        assert slot.state.counters.copy()[LATE.name].sum() == 100
        slots.release()
        _after_a_power_cut(monkeypatch)


# ---------------------------------------------------------------- folders that cannot be used


def test_a_folder_below_a_file_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("of something else")
    with pytest.raises(Unusable, match="Not a directory"):
        slots_in(tmp_path / "file" / "churn" / "1").take()


FULL_DISK = """
import resource, sys
from pathlib import Path
from driftgauge.state.slots import Unusable
from tests.writers import slots_in
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    slots_in(Path(sys.argv[1])).take()
except Unusable as error:
    print(error)
"""


def test_a_full_disk_is_found_at_the_start_and_leaves_no_slot(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", FULL_DISK, tmp_path], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert run.stdout.startswith(f"{tmp_path}: "), run.stderr
    assert {name for name in names_in(tmp_path) if not name.endswith(".lock")} <= {"evaluation.state", "retired.state"}
    _check_holds(tmp_path, *_taken(tmp_path), 0)


def test_a_start_is_given_up_while_somebody_evaluates_for_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_in(tmp_path)
    monkeypatch.setattr(driftgauge.state.slots, "TAKE_SECONDS", 0.01)
    with store.evaluating(), pytest.raises(Unusable, match="held by another process"):
        slots_in(tmp_path).take()
    assert slots_in(tmp_path).take()[0].number == 1


# ---------------------------------------------------------------- other workers' slots


def test_a_damaged_slot_that_nobody_takes_is_not_in_the_way_of_others(workers: Crew, tmp_path: Path) -> None:
    workers.append(tmp_path, 50, "held")
    workers.append(tmp_path, 50, "held")
    workers.killed()
    path = tmp_path / "1.state"
    content = path.read_bytes()
    path.write_bytes(content[:HEADER_BYTES] + np.random.default_rng(1).bytes(len(content) - HEADER_BYTES))
    store = store_in(tmp_path)
    with store.evaluating():
        assert store.snapshot(LATER).observed >= 50


@pytest.mark.parametrize("name", ["01.state", "\u0661.state", "64000.state", "1.state.orig", "x.state"])
def test_files_that_are_named_much_like_slots_are_in_nobody_s_way(name: str, tmp_path: Path) -> None:
    left = _left(tmp_path)
    (tmp_path / name).write_bytes(left.read_bytes())
    store = store_in(tmp_path)
    assert (store.own.number, store.snapshot(LATER).observed, store.notes) == (0, ROWS, [])
    assert [member.number for member in store.counted()] == [0, None]


def test_a_slot_that_cannot_be_mended_does_not_cost_a_worker_its_own(tmp_path: Path) -> None:
    (tmp_path / "1.state").mkdir()
    _, slot = _taken(tmp_path)
    assert (slot.number, slot.file is not None) == (0, True)


def test_a_slot_of_another_model_is_left_as_it_is_after_the_power_went(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _taken(tmp_path)[0]
    others = Slots(tmp_path, replace(owner(), baseline="another"), shape_of(WINDOW), small_baseline().detector())
    others.take()
    others.release()
    first.release()
    before = (tmp_path / "1.state").read_bytes()
    _after_a_power_cut(monkeypatch)
    slots, _ = _taken(tmp_path)
    assert (tmp_path / "1.state").read_bytes() == before
    assert not any("1.state" in recovery.text for recovery in slots.recoveries)


def test_the_state_of_another_baseline_is_left_out(tmp_path: Path) -> None:
    store, (_, slot) = store_in(tmp_path), _taken(tmp_path)
    append(slot, 30)
    others = Slots(tmp_path, replace(owner(), baseline="another"), shape_of(WINDOW), small_baseline().detector())
    taken, *_ = others.take()
    append(taken, 70)
    assert taken.number == 2
    assert store.snapshot(LATER).observed == 30


# ---------------------------------------------------------------- slots that are no more


def _dead(workers: Crew, folder: Path, rows: int, count: int) -> None:
    """Let workers append rows at the same time, each in a slot of its own, and kill them."""
    for _ in range(count):
        workers.append(folder, rows, "held")
    workers.killed()


def test_slots_that_nobody_needs_any_more_are_added_up_and_deleted(workers: Crew, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    _dead(workers, tmp_path, 40, 3)
    assert workers.evaluate(tmp_path, LATER, 60.0) == 0
    assert {name for name in names_in(tmp_path) if name.endswith("state")} == {
        "0.state", "1.state", "evaluation.state", "retired.state",
    }  # fmt: skip
    assert (store.rows, counted_rows(store)) == (120, 120)
    np.testing.assert_array_equal(store.bin_rows(), 3 * recount(0, 40))
    assert [member.number for member in store.counted()] == [0, 1, None]
    assert sum(member.counted["process"][CPU] for member in store.counted()) == 3.0


def test_a_dead_slot_is_retired_even_if_another_process_has_its_id(workers: Crew, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    _dead(workers, tmp_path, 40, 3)
    path = tmp_path / "3.state"
    content = bytearray(path.read_bytes())
    lease = replace(Lease.own(), pid=os.getppid())  # which lives, and has nothing to do with it
    with mmap(-1, HEADER_BYTES) as head:
        head[:] = bytes(content[:HEADER_BYTES])
        lease.write(head)
        content[:HEADER_BYTES] = head[:]
    path.write_bytes(content)
    assert [member.lives for member in store.counted()] == [True, False, False, True, False]
    assert workers.evaluate(tmp_path, LATER, 60.0) == 0
    assert "3.state" not in names_in(tmp_path)
    assert (store.rows, counted_rows(store)) == (120, 120)


def test_slots_with_young_rows_are_left(workers: Crew, tmp_path: Path) -> None:
    _dead(workers, tmp_path, 40, 2)
    assert workers.evaluate(tmp_path, START + 30.0, 60.0) == 0
    assert (tmp_path / "1.state").exists()


def test_slots_with_rows_that_are_not_weighed_are_left(workers: Crew, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    _dead(workers, tmp_path, 40, 2)
    with store.evaluating():
        store.retire(LATER, 60.0)
    assert {"1.state", "2.state"} <= names_in(tmp_path)


def test_slots_that_somebody_holds_are_left(workers: Crew, tmp_path: Path) -> None:
    for _ in range(2):
        workers.append(tmp_path, 40, "held")
    assert workers.evaluate(tmp_path, LATER, 60.0) == 0
    assert {"0.state", "1.state"} <= names_in(tmp_path)
    workers.killed()


def _sums(store: Store) -> tuple[float, ...]:
    counted = store.counted()
    cpu = sum(member.counted["process"][CPU] for member in counted)
    return store.rows, int(store.bin_rows()[0].sum()), added(counted).counted["counted_total"].sum(), cpu


class _Watching(threading.Thread):
    """Reads sums all the time, and keeps those that went back."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.went_back: list[object] = []
        self.reads = 0
        self._store = store
        self._ended = threading.Event()

    def run(self) -> None:
        before = _sums(self._store)
        while not self._ended.is_set():
            now = _sums(self._store)
            if any(new < old for new, old in zip(now, before, strict=True)):
                self.went_back.append((before, now))
            before = now
            self.reads += 1

    def stop(self) -> None:
        self._ended.set()
        self.join()


@pytest.mark.parametrize("where", RETIRING)
def test_sums_never_go_back_whenever_an_evaluation_is_killed_that_retires_slots(
    workers: Crew, where: str, tmp_path: Path
) -> None:
    store = store_in(tmp_path)
    watching = _Watching(store)
    watching.start()
    try:
        expected = 0
        for rows in (20, 33):
            _dead(workers, tmp_path, rows, 3)
            expected += 3
            with contextlib.suppress(AssertionError):
                assert workers.evaluate(tmp_path, LATER, 60.0, where) == -9
            killed = _sums(store)
            assert killed[3] == expected
            assert workers.evaluate(tmp_path, LATER, 60.0) == 0
            assert _sums(store) == killed
    finally:
        watching.stop()
    assert watching.went_back == []
    assert watching.reads > 0
    assert killed == (159, 159, 159, 6.0)


def test_whoever_takes_a_slot_that_is_in_the_totals_already_begins_anew(workers: Crew, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    _dead(workers, tmp_path, 20, 3)
    assert workers.evaluate(tmp_path, LATER, 60.0, "written") == -9
    assert {"1.state", "2.state", "3.state"} <= names_in(tmp_path)
    assert store.rows == 60
    workers.append(tmp_path, 1, "held")
    assert workers.append(tmp_path, 7, "held")[:2] == ["2", "7"]
    assert store.rows == 68
    workers.killed()


def test_totals_whose_newest_copy_is_damaged_are_those_before(tmp_path: Path) -> None:
    slots = slots_in(tmp_path)
    _, _, retired = slots.take()
    retired.write(retired.read())
    retired._versions._copies[retired.sequence % 2, 3] ^= np.uint64(1)
    slots.leave()
    assert store_in(tmp_path).snapshot(START).observed == 0


def test_options_fit_the_shape_of_the_slots() -> None:
    assert shape_of(WINDOW).window_rows == options_of(WINDOW).policy.windows[-1]
