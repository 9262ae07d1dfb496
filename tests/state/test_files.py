from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import driftgauge.state.files
import pytest
from driftgauge.state.files import (
    HEADER_BYTES,
    Busy,
    FileLock,
    Identity,
    Lease,
    boot_id,
    create,
    head_of,
    layout_hash,
    open_mapped,
)
from driftgauge.state.layout import Field, Layout

OWN = Identity("slot", "churn", "1", "a baseline", "a layout")
LAYOUT = Layout([Field("numbers", "i8", (5,))])


# ---------------------------------------------------------------- locks


def test_a_lock_whose_file_is_gone_is_not_the_lock_of_who_opens_it_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "0.lock"
    flock, first, second = fcntl.flock, FileLock(path), FileLock(path)

    def deleted_on_the_way(descriptor: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        path.unlink()
        assert second.take()
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", deleted_on_the_way)
    assert not first.take()


def test_a_lock_is_waited_for_and_then_given_up(tmp_path: Path) -> None:
    path = tmp_path / "0.lock"
    first = FileLock(path)
    assert first.take()
    with pytest.raises(Busy, match=r"has been held by another process for 0\.01 s"), FileLock(path).held(0.01):
        pass
    first.release()
    with FileLock(path).held(0.01):
        assert not FileLock(path).take()


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "0.lock"
    code = "from pathlib import Path; from driftgauge.state.files import FileLock\n"
    code += f"print(FileLock(Path({str(path)!r})).take())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"
    assert FileLock(path).take()


# ---------------------------------------------------------------- files


def test_a_file_is_found_again_as_it_was_made(tmp_path: Path) -> None:
    path = tmp_path / "0.state"
    file, key = create(path, OWN, LAYOUT, lambda buffer: LAYOUT.arrays(buffer)["numbers"].__setitem__(3, 7))
    assert LAYOUT.arrays(memoryview(file)[HEADER_BYTES:])["numbers"].tolist() == [0, 0, 0, 7, 0]
    for writable in (False, True):
        again, same = open_mapped(path, OWN, LAYOUT, writable=writable)
        assert (again[:], same) == (file[:], key)
    assert path.stat().st_size == HEADER_BYTES + LAYOUT.size_bytes
    assert path.stat().st_mode & 0o777 == 0o600
    assert create(tmp_path / "1.state", OWN, LAYOUT, len)[1] != key


def test_a_file_that_cannot_be_filled_is_not_left_half_made(tmp_path: Path) -> None:
    def fail(buffer: memoryview) -> None:
        buffer.release()
        raise RuntimeError("no")

    path = tmp_path / "0.state"
    before = create(path, OWN, LAYOUT, len)[1]
    with pytest.raises(RuntimeError, match="no"):
        create(path, OWN, LAYOUT, fail)
    assert [own.name for own in tmp_path.iterdir()] == ["0.state"]
    assert open_mapped(path, OWN, LAYOUT, writable=False)[1] == before


def test_a_file_of_another_layout_has_another_hash() -> None:
    fields = [Field("numbers", "i8", (5,))]
    known = [layout_hash(fields), layout_hash([Field("numbers", "i8", (6,))]), layout_hash(fields, "more")]
    assert len(set(known)) == 3
    assert layout_hash(list(fields)) == known[0]


# ---------------------------------------------------------------- leases


def test_a_lease_is_read_as_it_was_written(tmp_path: Path) -> None:
    file, _ = create(tmp_path / "0.state", OWN, LAYOUT, len)
    assert Lease.read(file[:HEADER_BYTES]) == Lease.own()
    left = replace(Lease.own(), clean=True)
    left.write(file)
    file.flush()
    assert Lease.read(head_of(tmp_path / "0.state")) == left


def test_who_has_left_or_ended_does_not_live() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    this = boot_id()
    assert Lease.own().lives(this)
    assert not replace(Lease.own(), clean=True).lives(this)
    assert not replace(Lease.own(), pid=0).lives(this)
    assert not replace(Lease.own(), pid=ended.pid).lives(this)
    assert not replace(Lease.own(), pid=2**40).lives(this)  # a bit of it was flipped
    assert not Lease.own().lives("of another start")


@pytest.mark.parametrize(
    ("boot", "clean", "whole"),
    [("this", False, True), ("other", False, False), ("other", True, True), ("", True, True)],
)
def test_a_file_is_whole_unless_the_machine_stopped_before_all_was_written(
    boot: str, clean: bool, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driftgauge.state.files, "boot_id", lambda: "this")
    assert Lease(boot, os.getpid(), clean).is_whole == whole


def test_where_nobody_knows_the_start_of_the_machine_only_a_stop_in_good_order_is_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(driftgauge.state.files, "boot_id", lambda: "")
    assert not Lease.own().is_whole
    assert replace(Lease.own(), clean=True).is_whole
