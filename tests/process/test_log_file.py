from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from driftgauge.process.log_file import LogFile


def test_lines_are_appended_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_text("before\n")
    file = LogFile(path)
    file.write("one\n")
    file.write("zwei \udcff\n")
    assert path.read_text() == "before\none\nzwei \\udcff\n"
    file.close()


def test_two_processes_share_a_file_that_stays_below_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    files = [LogFile(path, most_bytes=100) for _ in range(2)]
    for number in range(200):
        files[number % 2].write(f"line {number:03}\n")
        assert path.stat().st_size <= 100
    lines = path.read_text().splitlines()
    assert lines == [f"line {number:03}" for number in range(200 - len(lines), 200)]
    for file in files:
        file.close()


def test_others_cannot_read_it(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        LogFile(tmp_path / "server.log").close()
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "server.log").stat().st_mode) == 0o640


def test_a_line_that_cannot_be_written_is_dropped() -> None:
    file = LogFile(Path("/dev/full"))
    file.write("lost\n")
    file.close()


def test_a_folder_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        LogFile(tmp_path / "missing" / "server.log")


def test_a_pipe_without_a_reader_is_an_error_and_nothing_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="No such device"):
        LogFile(tmp_path / "pipe")


def test_lines_that_a_full_pipe_does_not_take_are_dropped(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    file = LogFile(tmp_path / "pipe")
    for _ in range(2_000):
        file.write("x" * 99 + "\n")
    assert 0 < len(os.read(reader, 1_000_000)) < 200_000
    file.close()
    os.close(reader)
