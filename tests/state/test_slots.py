from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from mmap import mmap
from pathlib import Path
from typing import Any

import driftgauge.state.files
import driftgauge.state.slots
import numpy as np
import pytest
from driftgauge.errors import Reason, StateError
from driftgauge.metrics.server_series import CPU
from driftgauge.state.files import HEADER_BYTES, Lease
from driftgauge.state.root import FOLDED, MAX_SLOTS
from driftgauge.state.slot import StateUnavailable
from driftgauge.state.slots import Slots
from driftgauge.state.store import Store

from tests.crashes import RING_FULL
from tests.monitors import START
from tests.writers import (
    COUNTED,
    FILES,
    HEADS,
    KEY,
    LATER,
    ROOT,
    Crew,
    append,
    catch_up,
    check_recount,
    commit_all,
    counted_rows,
    crew,
    ids,
    names_in,
    own_totals,
    recount,
    shape_of,
    store_in,
)

WINDOW = 1_000
ROWS = 300
OTHER = replace(KEY, baseline="another")


@pytest.fixture(scope="module")
def workers() -> Iterator[Crew]:
    with crew() as own:
        yield own


def _append(store: Store, rows: int) -> None:
    """Append the next rows of a store's own log."""
    begin = own_totals(store).rows
    append(store, ids(store.number, begin, begin + rows))


def _left(folder: Path, *, caught_up: bool = True) -> Path:
    """Leave a log with rows in a folder, as a killed worker does; returns its file."""
    store = store_in(folder)
    _append(store, ROWS)
    if caught_up:
        catch_up(store)
    _kill(store)
    return folder / f"{store.number}.log"


def _kill(store: Store) -> None:
    """Give a slot back without an orderly stop."""
    store._slots.release()


def _check_usable(folder: Path, store: Store, rows: int) -> None:
    """Assert that a store holds these rows, and that it and its successor can be used."""
    check_recount(store, WINDOW, {store.number: rows})
    _append(store, 10)
    check_recount(store, WINDOW, {store.number: rows + 10})
    store.leave()
    again = store_in(folder)
    assert again.recoveries == []
    check_recount(again, WINDOW, {store.number: rows + 10})
    again.leave()


# ---------------------------------------------------------------- acquiring and leaving


def test_a_replacement_continues_where_its_predecessor_stopped(workers: Crew, tmp_path: Path) -> None:
    assert workers.append(tmp_path, 100, "left") == ["0", "100", "0", "0"]
    assert workers.append(tmp_path, 50, "killed") == ["0", "150", "0", "0"]
    store = store_in(tmp_path)
    assert (store.number, store.rows, counted_rows(store)) == (0, 150, 150)
    check_recount(store, WINDOW, {0: 150})


def test_each_worker_has_a_slot_and_a_new_one_the_lowest_free_one(workers: Crew, tmp_path: Path) -> None:
    first, second = store_in(tmp_path), store_in(tmp_path)
    assert workers.append(tmp_path, 5, "held")[0] == "2"
    assert (first.number, second.number) == (0, 1)
    _kill(first)
    assert workers.append(tmp_path, 5, "killed")[0] == "0"
    assert workers.append(tmp_path, 5, "held")[:2] == ["0", "10"]
    workers.killed()
    assert [store_in(tmp_path).number for _ in range(2)] == [0, 2]


def test_running_workers_are_counted(workers: Crew, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    workers.append(tmp_path, 5, "held")
    assert store.workers == 2
    workers.killed()
    assert store.workers == 1


def test_a_clock_of_events_has_one_slot(tmp_path: Path) -> None:
    shape = replace(shape_of(WINDOW), clock="event", max_workers=1)
    first = Store.open(Slots(tmp_path, KEY, shape))
    with pytest.raises(StateUnavailable, match="clock=event there is one worker"):
        Store.open(Slots(tmp_path, KEY, shape))
    _kill(first)
    assert Store.open(Slots(tmp_path, KEY, shape)).number == 0


def test_a_batch_that_was_cut_short_is_no_damage_however_often_a_worker_starts(workers: Crew, tmp_path: Path) -> None:
    workers.append(tmp_path, RING_FULL, "left")
    assert workers.ask("append", tmp_path, WINDOW, 500, "killed", -1, "append.written")[-1] == ["ended", "-9"]
    for _ in range(3):
        store = store_in(tmp_path)
        assert store.recoveries == []
        assert RING_FULL <= own_totals(store).rows <= RING_FULL + 500
        store.leave()


def test_files_that_were_never_finished_are_removed(tmp_path: Path) -> None:
    _left(tmp_path)
    for name in ("0.123.new", "checkpoint.77.new"):
        (tmp_path / name).write_bytes(b"half")
    store = store_in(tmp_path)
    assert names_in(tmp_path) == FILES
    _check_usable(tmp_path, store, ROWS)


# ---------------------------------------------------------------- logs that cannot be used

Change = Callable[[bytearray], bytes | bytearray]


def _changed(folder: Path, change: Change, name: str = "0.log", *, caught_up: bool = True) -> Store:
    """Change a file of a folder with rows, and open the folder."""
    _left(folder, caught_up=caught_up)
    path = folder / name
    path.write_bytes(change(bytearray(path.read_bytes())))
    return store_in(folder)


def _with_header(content: bytearray, **changes: Any) -> bytearray:
    """Return a file whose header says something else."""
    header = {**json.loads(content[:HEADER_BYTES].split(b"\n")[0]), **changes}
    line = json.dumps(header).encode() + b"\n"
    content[: len(line)] = line
    return content


def _check_begins_empty(folder: Path, store: Store, *, before: int) -> None:
    """Assert that a log begins without rows, beside `before` rows that the checkpoint has counted."""
    assert own_totals(store).rows == 0
    catch_up(store)
    with store.evaluating():
        snapshot = store.snapshot(LATER)
    assert (snapshot.totals[-1].rows, len(snapshot.rows)) == (before, 0)
    np.testing.assert_array_equal(store.root.progress.head.total, recount(ids(0, 0, before)))
    append(store, ids(0, before, before + 10))
    catch_up(store)
    with store.evaluating():
        assert (store.snapshot(LATER).totals[-1].rows, len(store.snapshot(LATER).rows)) == (before + 10, 10)
    np.testing.assert_array_equal(store.root.progress.head.total, recount(ids(0, 0, before + 10)))
    store.leave()
    again = store_in(folder)
    assert (again.recoveries, own_totals(again).rows) == ([], 10)


FOREIGN: dict[str, tuple[dict[str, Any], str]] = {
    "another baseline": ({"baseline": "another"}, "another baseline"),
    "other settings": ({"layout": "another"}, "other settings or columns"),
    "another format": ({"schema_version": 99}, "another version of Driftgauge"),
    "another kind": ({"kind": "checkpoint"}, "another kind"),
    "another model version": ({"model_version": "2"}, "another model_version"),
    "no state": ({"format": "a diary"}, "not a state file of Driftgauge"),
    "no key": ({"key": "x"}, "not a state file of Driftgauge"),
}


@pytest.mark.parametrize(("changes", "why"), FOREIGN.values(), ids=FOREIGN)
def test_a_log_of_another_identity_begins_empty(changes: dict[str, Any], why: str, tmp_path: Path) -> None:
    store = _changed(tmp_path, lambda content: _with_header(content, **changes))
    (recovery,) = store.recoveries
    assert recovery.reason == Reason.STATE_FOREIGN
    assert why in recovery.text
    _check_begins_empty(tmp_path, store, before=ROWS)


@pytest.mark.parametrize("content", HEADS.values(), ids=HEADS)
def test_a_file_that_is_no_log_begins_empty(content: bytes, tmp_path: Path) -> None:
    store = _changed(tmp_path, lambda _: content)
    assert [recovery.reason for recovery in store.recoveries] == [Reason.STATE_FOREIGN]
    _check_begins_empty(tmp_path, store, before=ROWS)


@pytest.mark.parametrize("head", [b"[" * 4_000, b'{"format": "driftgauge state", "key": 1e999}\n'])
def test_no_header_of_a_log_is_an_exception(head: bytes, tmp_path: Path) -> None:
    store = _changed(tmp_path, lambda content: head + content[len(head) :])
    assert [recovery.reason for recovery in store.recoveries] == [Reason.STATE_FOREIGN]


@pytest.mark.parametrize("key", [-3, 2**63, 10**30])
def test_an_impossible_key_is_refused(key: int, tmp_path: Path) -> None:
    store = _changed(tmp_path, lambda content: _with_header(content, key=key))
    assert [recovery.reason for recovery in store.recoveries] == [Reason.STATE_FOREIGN]


def _check_goes_on_behind(store: Store, *, before: int) -> None:
    """Assert that no row of a log is left, that the next one follows those counted before, and is counted once."""
    catch_up(store)
    with store.evaluating():
        assert len(store.snapshot(LATER).rows) == 0
    np.testing.assert_array_equal(store.root.progress.head.total, recount(ids(0, 0, before)))
    append(store, ids(0, before, before + 10))
    catch_up(store)
    np.testing.assert_array_equal(store.root.progress.head.total, recount(ids(0, 0, before + 10)))
    with store.evaluating():
        assert len(store.snapshot(LATER).rows) == 10
    store.leave()


@pytest.mark.parametrize("seed", range(10))
def test_random_bytes_behind_the_header_of_a_log_hold_no_row(seed: int, tmp_path: Path) -> None:
    def change(content: bytearray) -> bytearray:
        return content[:HEADER_BYTES] + np.random.default_rng(seed).bytes(len(content) - HEADER_BYTES)

    store = _changed(tmp_path, change)
    (recovery,) = store.recoveries
    assert recovery.reason == Reason.STATE_DAMAGED
    assert "counters are damaged" in recovery.text
    _check_goes_on_behind(store, before=ROWS)


def test_zeros_behind_the_header_of_a_log_hold_no_row(tmp_path: Path) -> None:
    store = _changed(tmp_path, lambda content: content[:HEADER_BYTES] + bytes(len(content) - HEADER_BYTES))
    assert [recovery.reason for recovery in store.recoveries] == [Reason.STATE_DAMAGED]
    _check_goes_on_behind(store, before=ROWS)


def test_a_log_that_ends_behind_its_header_holds_no_row(tmp_path: Path) -> None:
    store = _changed(tmp_path, lambda content: content[:HEADER_BYTES])
    assert Reason.STATE_TRUNCATED in [recovery.reason for recovery in store.recoveries]
    _check_goes_on_behind(store, before=ROWS)


@pytest.mark.parametrize("caught_up", [True, False])
def test_a_log_that_lacks_its_last_bytes_keeps_its_rows(caught_up: bool, tmp_path: Path) -> None:
    store = _changed(tmp_path, lambda content: content[:-8], caught_up=caught_up)
    assert [recovery.reason for recovery in store.recoveries] == [Reason.STATE_TRUNCATED]
    assert counted_rows(store) == ROWS
    _check_usable(tmp_path, store, ROWS)


def test_a_log_that_is_too_long_keeps_its_rows(tmp_path: Path) -> None:
    store = _changed(tmp_path, lambda content: content + b"more")
    assert counted_rows(store) == ROWS
    _check_usable(tmp_path, store, ROWS)


def test_a_damaged_row_is_left_out_and_the_others_stay(tmp_path: Path) -> None:
    shape = shape_of(WINDOW)
    place = HEADER_BYTES + shape.log.offsets["records"] + 8 * (shape.record_words * 7 + 4)

    def change(content: bytearray) -> bytearray:
        content[place] ^= 1
        return content

    store = _changed(tmp_path, change)
    (recovery,) = store.recoveries
    assert recovery.reason == Reason.STATE_DAMAGED
    assert "1 row" in recovery.text
    assert counted_rows(store) == ROWS
    catch_up(store)
    with store.evaluating():
        snapshot = store.snapshot(LATER)
    assert len(snapshot.rows) == ROWS - 1
    assert snapshot.totals[-1].rows == ROWS, "the row was counted before it was damaged"


# ---------------------------------------------------------------- checkpoints that cannot be used


@pytest.mark.parametrize("content", HEADS.values(), ids=HEADS)
def test_a_file_that_is_no_checkpoint_is_made_again_from_the_logs(content: bytes, tmp_path: Path) -> None:
    store = _changed(tmp_path, lambda _: content, "checkpoint.state")
    assert {recovery.reason for recovery in store.recoveries} == {Reason.STATE_FOREIGN}
    _check_usable(tmp_path, store, ROWS)


@pytest.mark.parametrize("seed", range(5))
def test_random_bytes_in_a_checkpoint_are_made_again_from_the_logs(seed: int, tmp_path: Path) -> None:
    def change(content: bytearray) -> bytearray:
        return content[:HEADER_BYTES] + np.random.default_rng(seed).bytes(len(content) - HEADER_BYTES)

    store = _changed(tmp_path, change, "checkpoint.state")
    assert [recovery.reason for recovery in store.recoveries] == [Reason.STATE_DAMAGED]
    _check_usable(tmp_path, store, ROWS)


def test_a_truncated_checkpoint_is_made_again_from_the_logs(tmp_path: Path) -> None:
    store = _changed(tmp_path, lambda content: content[:HEADER_BYTES], "checkpoint.state")
    assert Reason.STATE_TRUNCATED in [recovery.reason for recovery in store.recoveries]
    _check_usable(tmp_path, store, ROWS)


# ---------------------------------------------------------------- power


def _lose_power(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (driftgauge.state.files, driftgauge.state.slots):
        monkeypatch.setattr(module, "boot_id", lambda: "of another start")


@pytest.mark.parametrize("caught_up", [True, False])
def test_a_power_loss_that_damaged_nothing_costs_nothing(
    caught_up: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _left(tmp_path, caught_up=caught_up)
    _lose_power(monkeypatch)
    store = store_in(tmp_path)
    assert counted_rows(store) == ROWS
    _check_usable(tmp_path, store, ROWS)


def test_rows_that_a_power_loss_damaged_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, shape = _left(tmp_path, caught_up=False), shape_of(WINDOW)
    begin = HEADER_BYTES + shape.log.offsets["records"]
    lost = slice(begin + 200 * 8 * shape.record_words, begin + 250 * 8 * shape.record_words)
    content = bytearray(path.read_bytes())
    content[lost] = bytes(lost.stop - lost.start)
    path.write_bytes(content)
    _lose_power(monkeypatch)
    store = store_in(tmp_path)
    assert [recovery.reason for recovery in store.recoveries] == [Reason.POWER_LOSS]
    catch_up(store)
    np.testing.assert_array_equal(store.root.progress.head.total, recount(np.r_[ids(0, 0, 200), ids(0, 250, ROWS)]))


def test_an_orderly_stop_is_no_power_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_in(tmp_path)
    _append(store, ROWS)
    store.leave()
    _lose_power(monkeypatch)
    store = store_in(tmp_path)
    assert store.recoveries == []
    _check_usable(tmp_path, store, ROWS)


def test_a_worker_that_continues_removes_the_mark_of_an_orderly_stop(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    _append(store, ROWS)
    store.leave()
    assert Lease.read((tmp_path / "0.log").read_bytes()[:HEADER_BYTES]).clean
    _kill(store_in(tmp_path))
    assert not Lease.read((tmp_path / "0.log").read_bytes()[:HEADER_BYTES]).clean


# ---------------------------------------------------------------- folders that cannot be used


def test_a_folder_below_a_file_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("of something else")
    with pytest.raises(StateUnavailable, match="Not a directory"):
        store_in(tmp_path / "file" / "churn" / "1")


FULL_DISK = """
import resource, sys
from pathlib import Path
from driftgauge.state.root import MAX_SLOTS
from driftgauge.state.slot import StateUnavailable
from tests.writers import store_in
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    store_in(Path(sys.argv[1]))
except StateUnavailable as error:
    print(error)
"""


@pytest.mark.parametrize("most_bytes", [50_000, 500_000])
def test_a_full_disk_is_found_at_the_start_and_leaves_no_log(most_bytes: int, tmp_path: Path) -> None:
    shape = shape_of(WINDOW)
    assert 50_000 < shape.checkpoint.size_bytes < 500_000 < shape.log.size_bytes
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path), str(most_bytes)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert run.stdout.startswith(f"{tmp_path}: "), run.stderr
    assert names_in(tmp_path) <= FILES - {"0.log"}
    _check_usable(tmp_path, store_in(tmp_path), 0)


def test_a_start_is_given_up_while_an_evaluation_takes_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_in(tmp_path)
    monkeypatch.setattr(driftgauge.state.slots, "OPEN_SECONDS", 0.01)
    with store.evaluating(), pytest.raises(StateUnavailable, match="held by another process"):
        store_in(tmp_path)
    assert store_in(tmp_path).number == 1


# ---------------------------------------------------------------- services


def test_a_service_with_another_baseline_is_refused_while_another_one_runs(tmp_path: Path) -> None:
    store = store_in(tmp_path, service=11)
    _append(store, ROWS)
    with pytest.raises(StateError, match="process 11 "):
        store_in(tmp_path, key=OTHER, service=22)
    assert names_in(tmp_path) == FILES
    check_recount(store, WINDOW, {0: ROWS})
    _kill(store)
    other = store_in(tmp_path, key=OTHER, service=22)
    assert {recovery.reason for recovery in other.recoveries} == {Reason.STATE_FOREIGN}
    _append(other, 40)
    check_recount(other, WINDOW, {0: 40})


def test_a_reload_with_another_baseline_begins_empty_beside_the_old_workers(tmp_path: Path) -> None:
    old = [store_in(tmp_path, service=11) for _ in range(2)]
    for store in old:
        _append(store, ROWS)
    new = store_in(tmp_path, key=OTHER, service=11)
    assert Reason.STATE_FOREIGN in {recovery.reason for recovery in new.recoveries}
    assert new.number == 2
    append(new, ids(2, 0, 40))
    for store in old:  # go on in memory until they are replaced
        append(store, ids(store.number, ROWS, ROWS + 10))
        store.publish()
        store.leave()
    check_recount(new, WINDOW, {2: 40})
    newer = store_in(tmp_path, key=OTHER, service=11)
    append(newer, ids(newer.number, 0, 30))
    check_recount(new, WINDOW, {2: 40, newer.number: 30})
    check_recount(newer, WINDOW, {2: 40, newer.number: 30})


# ---------------------------------------------------------------- other workers' logs


def test_a_log_in_the_place_of_another_baselines_is_found_even_with_its_inode(tmp_path: Path) -> None:
    own, foreign = _left(tmp_path / "a"), store_in(tmp_path / "b", key=OTHER)
    _kill(foreign)
    store = store_in(tmp_path)
    (tmp_path / "1.log").write_bytes((tmp_path / "b" / "0.log").read_bytes())
    check_recount(store, WINDOW, {})
    (tmp_path / "1.log").write_bytes(own.read_bytes())
    assert store.rows == ROWS


def test_a_damaged_log_without_a_worker_is_not_in_the_way_of_others(workers: Crew, tmp_path: Path) -> None:
    workers.append(tmp_path, 50, "held")
    workers.append(tmp_path, 50, "held")
    workers.killed()
    path = tmp_path / "1.log"
    content = path.read_bytes()
    path.write_bytes(content[:HEADER_BYTES] + np.random.default_rng(1).bytes(len(content) - HEADER_BYTES))
    store = store_in(tmp_path)
    catch_up(store)
    with store.evaluating():
        assert store.snapshot(LATER).observed >= 50
    _append(store, 30)
    catch_up(store)
    with store.evaluating():
        assert store.snapshot(LATER).observed >= 80


@pytest.mark.parametrize("name", ["01.log", "\u0661.log", "64000.log", "1.log.orig", "x.log"])
def test_files_with_names_like_those_of_logs_are_ignored(name: str, tmp_path: Path) -> None:
    left = _left(tmp_path)
    (tmp_path / name).write_bytes(left.read_bytes())
    store = store_in(tmp_path)
    assert (store.number, store.rows, store.notes) == (0, ROWS, [])
    assert {totals.number for totals in store.counted()} <= {0, None}


def test_a_folder_in_the_place_of_another_log_does_not_cost_a_worker_its_own(tmp_path: Path) -> None:
    (tmp_path / "1.log").mkdir()
    store = store_in(tmp_path)
    assert (store.number, store.is_persistent) == (0, True)
    _append(store, 30)
    catch_up(store)
    np.testing.assert_array_equal(store.root.progress.head.total, recount(ids(0, 0, 30)))
    assert store.left_out == {1: "1.log is left out: it is not a regular file"}


# ---------------------------------------------------------------- folds


def _dead(workers: Crew, folder: Path, rows: int, count: int) -> None:
    """Let workers append rows at the same time, each in a slot of its own, and kill them."""
    for _ in range(count):
        workers.append(folder, rows, "held")
    workers.killed()


def test_idle_logs_are_folded_into_the_carried_counters_and_deleted(workers: Crew, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    _dead(workers, tmp_path, 40, 3)
    assert workers.catch_up(tmp_path, older_than=LATER) == 0
    assert {name for name in names_in(tmp_path) if not name.endswith("lock")} == {"0.log", "1.log", "checkpoint.state"}
    assert (store.rows, counted_rows(store)) == (120, 120)
    np.testing.assert_array_equal(store.root.progress.head.total, sum(recount(ids(log, 0, 40)) for log in (1, 2, 3)))
    assert [totals.number for totals in store.counted()] == [0, 1, None]
    assert sum(totals.counted["process"][CPU] for totals in store.counted()) == 3.0
    assert sum(totals.counted[COUNTED.name].sum() for totals in store.counted()) == 120.0


def test_an_idle_log_is_folded_even_if_another_process_has_its_id(workers: Crew, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    _dead(workers, tmp_path, 40, 3)
    path = tmp_path / "3.log"
    with path.open("r+b") as file, mmap(file.fileno(), HEADER_BYTES) as header:
        replace(Lease.own(1), pid=os.getppid()).write(header)  # it runs, and has nothing to do with the state
    running = {totals.number: totals.is_running for totals in store.counted()}
    assert running == {0: True, 1: False, 2: False, 3: True, None: False}
    assert workers.catch_up(tmp_path, older_than=LATER) == 0
    assert "3.log" not in names_in(tmp_path)
    assert (store.rows, counted_rows(store)) == (120, 120)


def test_an_idle_log_whose_counters_are_damaged_is_folded_without_them(workers: Crew, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    _dead(workers, tmp_path, 40, 2)
    path, shape = tmp_path / "2.log", shape_of(WINDOW)
    content = bytearray(path.read_bytes())
    begin = HEADER_BYTES + shape.log.offsets["counters_copies"]
    content[begin : begin + 2 * shape.counted.size_bytes] = b"\xff" * (2 * shape.counted.size_bytes)
    path.write_bytes(content)
    with store.evaluating():
        commit_all(store)
        store.fold(LATER)
    assert names_in(tmp_path) == FILES | {"1.lock", "2.lock"}
    assert (store.rows, counted_rows(store)) == (80, 40)
    assert "2.log is folded without its counters" in store.notes[-1]


def test_logs_with_new_rows_are_kept(workers: Crew, tmp_path: Path) -> None:
    _dead(workers, tmp_path, 40, 3)
    assert workers.catch_up(tmp_path, older_than=START) == 0
    assert {"0.log", "1.log", "2.log"} <= names_in(tmp_path)


def test_logs_with_unread_rows_are_kept(workers: Crew, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    _dead(workers, tmp_path, 40, 2)
    with store.evaluating():
        store.fold(LATER)
    assert {"1.log", "2.log"} <= names_in(tmp_path)
    check_recount(store, WINDOW, {1: 40, 2: 40})


def test_logs_of_running_workers_are_kept(workers: Crew, tmp_path: Path) -> None:
    for _ in range(2):
        workers.append(tmp_path, 40, "held")
    assert workers.catch_up(tmp_path, older_than=LATER) == 0
    assert {"0.log", "1.log"} <= names_in(tmp_path)
    workers.killed()


@pytest.mark.parametrize("moment", ["files were listed", "the root was read"])
@pytest.mark.parametrize("read", [counted_rows, lambda store: store.rows], ids=["counted", "rows"])
def test_a_log_that_is_folded_while_sums_are_read_counts_once(
    workers: Crew, read: Callable[[Store], int], moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_in(tmp_path)
    owner, name = (store._slots, "others") if moment == "files were listed" else (store._checkpoint, "read")
    step = getattr(owner, name)
    workers.append(tmp_path, 7, "held")
    _dead(workers, tmp_path, 40, 3)
    assert read(store) == 120 + 7

    def fold_after() -> object:
        found = step()
        workers.catch_up(tmp_path, older_than=LATER)
        return found

    for change in (fold_after, step):
        monkeypatch.setattr(owner, name, change)
        assert read(store) == 120 + 7
    assert "2.log" not in names_in(tmp_path)


def test_a_slot_whose_log_was_folded_and_not_deleted_begins_empty(workers: Crew, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    _dead(workers, tmp_path, 20, 3)
    assert workers.catch_up(tmp_path, "fold.committed", older_than=LATER) == -9
    assert {"1.log", "2.log", "3.log"} <= names_in(tmp_path)
    assert store.rows == 60
    for number, rows in (("1", "21"), ("2", "7")):
        assert workers.append(tmp_path, 1 if number == "1" else 7, "held")[:2] == [number, rows]
    assert (store.rows, counted_rows(store)) == (68, 68)
    workers.killed()


def test_the_positions_of_logs_that_are_gone_make_room_for_new_ones(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    for turn in range(MAX_SLOTS + 5):
        other = store_in(tmp_path)
        append(other, ids(1, 10 * turn, 10 * turn + 10))
        _kill(other)
        with store.evaluating():
            commit_all(store)
            store.fold(LATER)
    assert names_in(tmp_path) == FILES | {"1.lock"}
    rows = 10 * (MAX_SLOTS + 5)
    assert (store.rows, counted_rows(store), int(store.root.progress.head.total[0].sum())) == (rows, rows, rows)


def test_a_log_that_was_folded_last_is_forgotten_last(tmp_path: Path) -> None:
    store, other, removed = (store_in(tmp_path) for _ in range(3))
    append(removed, ids(2, 0, 10))
    catch_up(store)
    _kill(removed)
    assert counted_rows(store) == 10
    with other.evaluating():
        root = other._checkpoint.read()
        gone = dict.fromkeys(range(1, MAX_SLOTS - 2), FOLDED)
        positions = {removed._key: 10, store._key: 0, other._key: 0, **gone}
        other._checkpoint.commit(replace(root, positions=positions), {})
        other.fold(LATER)
    assert store_in(tmp_path).number == 2
    assert counted_rows(store) == 10


def test_a_log_without_a_position_gets_one_however_many_logs_are_gone(tmp_path: Path) -> None:
    store, other = store_in(tmp_path), store_in(tmp_path)
    append(other, ids(1, 0, 10))
    with store.evaluating():  # as in a root that was restored, and older than the log
        root = store._checkpoint.read()
        gone = dict.fromkeys(range(1, MAX_SLOTS), 7)
        store._checkpoint.commit(replace(root, positions={**gone, store._key: 0}), {})
    catch_up(store)
    np.testing.assert_array_equal(store.root.progress.head.total, recount(ids(1, 0, 10)))
