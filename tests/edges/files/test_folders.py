"""Folders that are written to, here and in object storage."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from driftgauge.edges.files.fetching import fetched
from driftgauge.edges.files.folders import folder_of, read_file, write_file
from driftgauge.errors import IngestError


@pytest.fixture
def storage() -> Iterator[Any]:
    memory = import_module("fsspec").filesystem("memory")
    memory.pipe("/place/in/a.csv", b"a\n1\n")
    memory.pipe("/place/in/deep/b.csv", b"a\n2\n")
    yield memory
    memory.rm("/place", recursive=True)


@pytest.mark.parametrize("is_remote", [True, False])
def test_a_file_is_written_read_and_replaced(is_remote: bool, tmp_path: Path, storage: Any) -> None:
    folder = folder_of("memory://place/out/" if is_remote else str(tmp_path / "out"))
    assert folder.read("deep/list") is None
    where = folder.write("deep/list", b"one")
    assert where == f"{folder.label}/deep/list"
    folder.write("deep/list", b"two")
    assert folder.read("deep/list") == read_file(where, 100) == b"two"


def test_processes_that_write_the_same_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    folder = folder_of(str(tmp_path))
    contents = [bytes([number]) * 100_000 for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(lambda content: folder.write("a", content), contents * 20)) == {f"{tmp_path}/a"}
    assert folder.read("a") in contents
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_of_this_machine_may_have_the_address_of_a_file(tmp_path: Path) -> None:
    folder_of(f"file://{tmp_path}/out").write("a", b"one")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a"]


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(IngestError, match=f"cannot write {tmp_path}/out/a: Not a directory|File exists"):
        folder_of(str(tmp_path / "out")).write("a", b"")
    with pytest.raises(IngestError, match=f"cannot read {tmp_path}/out/a: Not a directory"):
        folder_of(str(tmp_path / "out")).read("a")


def test_a_file_that_is_absent_or_too_large_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(IngestError, match="there is no such file"):
        read_file(str(tmp_path / "absent"), 10)
    (tmp_path / "large").write_bytes(b"x" * 11)
    with pytest.raises(IngestError, match="it has 11 bytes, at most 10 are read"):
        read_file(str(tmp_path / "large"), 10)


def test_objects_are_files_while_they_are_read(storage: Any, tmp_path: Path) -> None:
    with fetched(["memory://place/in/a.csv", str(tmp_path), "memory://place/in"]) as (one, local, folder):
        assert Path(one).name == "a.csv"
        assert Path(one).read_bytes() == b"a\n1\n"
        assert local == str(tmp_path)
        below = {str(path.relative_to(folder)) for path in Path(folder).rglob("*.csv")}
        assert below == {"a.csv", "deep/b.csv"}
    assert not Path(one).exists()


def test_what_is_here_stays_where_it_is(tmp_path: Path) -> None:
    with fetched([str(tmp_path)]) as paths:
        assert paths == [str(tmp_path)]


def test_an_object_that_is_absent_is_named(storage: Any) -> None:
    with (
        pytest.raises(IngestError, match="memory://place/absent: there is no such object"),
        fetched(["memory://place/absent"]),
    ):
        raise AssertionError("it was found")


def test_a_file_is_written_in_its_folder_here_and_in_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for place in (
        "a.txt",
        "b/c/a.txt",
        str(tmp_path / "d.txt"),
        f"file://{tmp_path}/e.txt",
        "memory://folders/x/a.txt",
    ):
        assert read_file(write_file(place, b"content"), 100) == b"content"
    assert (tmp_path / "b" / "c" / "a.txt").read_bytes() == (tmp_path / "e.txt").read_bytes() == b"content"


@pytest.mark.parametrize("place", ["memory://a.txt", "memory://folders/", "b/", ""])
def test_a_file_without_a_name_or_a_bucket_is_not_written(place: str) -> None:
    with pytest.raises(IngestError, match="give a bucket or folder, and the name of a file in it"):
        write_file(place, b"content")


def test_the_password_of_an_address_is_not_shown_where_a_file_was_written() -> None:
    folder = folder_of("memory://me:secret@host/profiles/")
    assert folder.label == "memory://me@host/profiles"
    assert folder.write("a.profile", b"a") == "memory://me@host/profiles/a.profile"
    assert folder.read("a.profile") == b"a"
