"""Positions in files outlive the process, within a number of files."""

from __future__ import annotations

from pathlib import Path

import pytest
from driftgauge.edges.files.positions import FilePosition, FilePositions
from driftgauge.errors import IngestError


def position(number: int, path: str = "a.log") -> FilePosition:
    return FilePosition(f"inode:{number}", path, b"head", 4, 10 * number, version="v")


def test_positions_are_read_by_the_next_process(tmp_path: Path) -> None:
    first = FilePositions(tmp_path / "files")
    first.keep(position(1), 1.0)
    first.keep(position(2), 2.0)
    first.keep(position(1, "b.log"), 3.0)
    second = FilePositions(tmp_path / "files")
    assert second.of("inode:1") == position(1, "b.log")
    assert second.of("inode:3") is None
    assert second.at(["a.log", "c.log"]) == ["inode:2"]
    first.close()
    second.close()


def test_the_files_that_were_read_longest_ago_are_forgotten() -> None:
    positions = FilePositions(None)
    for number in range(5):
        positions.keep(position(number), float(number))
    positions.trim(2)
    assert [positions.of(f"inode:{number}") is not None for number in range(5)] == [False] * 3 + [True] * 2
    positions.close()


def test_a_database_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(IngestError, match="absent"):
        FilePositions(tmp_path / "absent" / "files")
