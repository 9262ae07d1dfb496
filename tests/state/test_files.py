from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import driftgauge.state.files
import pytest
from driftgauge.common.layout import Field, Layout
from driftgauge.common.processes import boot_id, service_id
from driftgauge.state.files import (
    HEADER_BYTES,
    FileIdentity,
    Lease,
    MappedFile,
    Truncated,
    Unsound,
    create,
    layout_hash,
    parse_header,
    read_header,
)

OWN = FileIdentity("log", "churn", "1", "a baseline", "a layout")
LAYOUT = Layout([Field("numbers", "i8", (5,))])
SERVICE = service_id()


def _created(path: Path) -> MappedFile:
    create(path, OWN, LAYOUT, len, SERVICE)
    return MappedFile(path, OWN, LAYOUT)


# ---------------------------------------------------------------- files


def test_a_file_is_opened_as_it_was_created(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    create(path, OWN, LAYOUT, lambda buffer: LAYOUT.arrays(buffer)["numbers"].__setitem__(3, 7), SERVICE)
    keys = set()
    for writable in (False, True):
        file = MappedFile(path, OWN, LAYOUT, writable=writable)
        assert LAYOUT.arrays(file.body)["numbers"].tolist() == [0, 0, 0, 7, 0]
        assert (file.lease, file.is_cut, file.damage()) == (Lease.own(SERVICE), False, "")
        keys.add(file.key)
    assert path.stat().st_size == HEADER_BYTES + LAYOUT.size_bytes
    assert path.stat().st_blocks * 512 >= path.stat().st_size
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(keys | {_created(tmp_path / "1.log").key}) == 2


def test_a_file_that_cannot_be_filled_is_not_left_half_made(tmp_path: Path) -> None:
    def fail(buffer: memoryview) -> None:
        buffer.release()
        raise RuntimeError("no")

    path = tmp_path / "0.log"
    before = _created(path).key
    with pytest.raises(RuntimeError, match="no"):
        create(path, OWN, LAYOUT, fail, SERVICE)
    assert [own.name for own in tmp_path.iterdir()] == ["0.log"]
    assert MappedFile(path, OWN, LAYOUT, writable=False).key == before


def test_a_file_of_another_identity_is_refused_with_the_difference(tmp_path: Path) -> None:
    create(tmp_path / "0.log", OWN, LAYOUT, len, SERVICE)
    for other, difference in (
        (replace(OWN, baseline="b"), "it belongs to another baseline"),
        (replace(OWN, layout="b"), "it belongs to other settings or columns"),
        (replace(OWN, kind="checkpoint", model_name="b"), "it belongs to another kind, another model_name"),
    ):
        with pytest.raises(ValueError, match=f"^{difference}$") as refused:
            MappedFile(tmp_path / "0.log", other, LAYOUT, writable=False)
        assert not isinstance(refused.value, Unsound)


def test_a_file_of_another_schema_is_refused_as_another_versions(tmp_path: Path) -> None:
    create(tmp_path / "0.log", OWN, LAYOUT, len, SERVICE)
    header = read_header(tmp_path / "0.log").replace(b'"schema_version": 2', b'"schema_version": 3')
    assert parse_header(header)["schema_version"] == 3
    with pytest.raises(ValueError, match=r"^it was written by another version of Driftgauge$") as refused:
        OWN.key(header)
    assert not isinstance(refused.value, Unsound)


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, b"[1, 2]\n", b"12\n", b'{"format": "x"}\n', b"[" * 100_000])
def test_a_header_that_is_damaged_is_not_another_identity(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "0.log").write_bytes(content.ljust(HEADER_BYTES + LAYOUT.size_bytes, b"\0"))
    assert parse_header(read_header(tmp_path / "0.log")) == {}
    with pytest.raises(Unsound, match="not a state file of Driftgauge, or its header is damaged"):
        MappedFile(tmp_path / "0.log", OWN, LAYOUT, writable=False)


@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_of_another_size_is_truncated_and_one_that_is_cut_while_mapped_is_noticed(
    change: int, tmp_path: Path
) -> None:
    path = tmp_path / "0.log"
    file = _created(path)
    assert not file.is_cut
    os.truncate(path, path.stat().st_size + change)
    assert file.is_cut == (change < 0)
    assert ("truncated" in file.damage()) == (change < 0)
    with pytest.raises(Truncated, match="it is truncated"):
        MappedFile(path, OWN, LAYOUT)


def test_a_file_that_other_workers_do_not_find_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    file = _created(path)
    _created(path)
    assert file.damage() == "0.log was replaced"
    path.unlink()
    assert file.damage() == "0.log is gone"


def test_a_damaged_header_is_restored_and_a_whole_one_keeps_its_lease(tmp_path: Path) -> None:
    file = _created(tmp_path / "0.log")
    file.sign(Lease.own(7))
    file.restore_header(SERVICE)
    assert file.lease.service == 7
    file.content[:HEADER_BYTES] = bytes(HEADER_BYTES)
    file.restore_header(SERVICE)
    assert MappedFile(tmp_path / "0.log", OWN, LAYOUT).key == file.key
    assert file.lease == Lease.own(SERVICE)


def test_a_file_of_another_layout_has_another_hash() -> None:
    fields = [Field("numbers", "i8", (5,))]
    known = [layout_hash(fields), layout_hash([Field("numbers", "i8", (6,))]), layout_hash(fields, "more")]
    assert len(set(known)) == 3
    assert layout_hash(list(fields)) == known[0]


# ---------------------------------------------------------------- leases


def test_a_lease_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = _created(tmp_path / "0.log")
    assert file.lease == Lease.own(SERVICE) == Lease(boot_id(), os.getpid(), SERVICE, False)
    left = replace(Lease.own(7), clean=True)
    file.sign(left)
    assert Lease.read(read_header(tmp_path / "0.log")) == left


def test_a_process_that_left_or_ended_is_not_running() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    own, this = Lease.own(SERVICE), boot_id()
    assert own.is_running(this)
    assert not replace(own, clean=True).is_running(this)
    assert not replace(own, pid=0).is_running(this)
    assert not replace(own, pid=ended.pid).is_running(this)
    assert not replace(own, pid=2**40).is_running(this)  # a bit of it was flipped
    assert not own.is_running("of another start")


@pytest.mark.parametrize(
    ("boot", "clean", "whole"),
    [("this", False, True), ("other", False, False), ("other", True, True), ("", True, True)],
)
def test_a_file_is_whole_unless_the_machine_stopped_before_all_was_written(
    boot: str, clean: bool, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driftgauge.state.files, "boot_id", lambda: "this")
    assert Lease(boot, os.getpid(), SERVICE, clean).is_whole == whole


def test_without_a_boot_id_only_a_clean_stop_leaves_a_whole_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driftgauge.state.files, "boot_id", lambda: "")
    assert not Lease.own(SERVICE).is_whole
    assert replace(Lease.own(SERVICE), clean=True).is_whole
