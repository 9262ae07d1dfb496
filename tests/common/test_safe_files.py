from __future__ import annotations

import os
import socket
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from driftgauge.common.safe_files import UnsafeFile, open_bounded, read_bounded

MOST = 1000


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


@pytest.mark.parametrize("size", [0, 1, MOST])
def test_a_regular_file_is_read_whole(size: int, tmp_path: Path) -> None:
    content = os.urandom(size)
    (tmp_path / "file").write_bytes(content)
    assert read_bounded(tmp_path / "file", MOST) == content
    with open_bounded(tmp_path / "file", MOST) as file:
        assert file.read() == content


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (_fifo, "a named pipe"),
        (_socket, "a socket"),
        (Path.mkdir, "a folder"),
        (lambda path: path.symlink_to("/dev/zero"), "a device"),
    ],
)
def test_what_is_no_regular_file_is_refused_at_once(make: Callable[[Path], None], kind: str, tmp_path: Path) -> None:
    make(tmp_path / "odd")
    with pytest.raises(UnsafeFile, match=f"odd is {kind}, not a regular file"):
        read_bounded(tmp_path / "odd", MOST)


def test_a_sparse_file_of_40_gb_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(40 << 30)
    tracemalloc.start()
    try:
        with pytest.raises(UnsafeFile, match=r"sparse has 42,949,672,960 bytes; at most 1,000 are read"):
            read_bounded(path, MOST)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_file_that_says_it_is_empty_is_read_no_further_than_allowed() -> None:
    path = Path("/proc/self/maps")
    if not path.exists():
        pytest.skip("no /proc here")
    assert path.stat().st_size == 0
    with pytest.raises(UnsafeFile, match=r"maps has more than 100 bytes; at most 100 are read"):
        read_bounded(path, 100)


def test_a_small_file_takes_little_memory_however_large_it_might_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    tracemalloc.start()
    try:
        assert read_bounded(tmp_path / "file", 1 << 30) == b"content"
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    assert read_bounded(tmp_path / "link", MOST) == b"content"


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent"):
        read_bounded(tmp_path / "absent", MOST)
