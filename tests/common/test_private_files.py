from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest
from driftgauge.common.private_files import FileLock, LockTimeout


def test_a_lock_on_a_deleted_file_is_not_the_lock_of_the_next_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "0.lock"
    flock, first, second = fcntl.flock, FileLock(path), FileLock(path)

    def deleted_on_the_way(descriptor: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        path.unlink()
        assert second.acquire()
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", deleted_on_the_way)
    assert not first.acquire()


def test_a_lock_is_waited_for_and_then_given_up(tmp_path: Path) -> None:
    path = tmp_path / "0.lock"
    first = FileLock(path)
    assert first.acquire()
    with pytest.raises(LockTimeout, match=r"has been held by another process for 0\.01 s"), FileLock(path).held(0.01):
        pass
    first.release()
    with FileLock(path).held(0.01):
        assert not FileLock(path).acquire()


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "0.lock"
    code = "from pathlib import Path; from driftgauge.common.private_files import FileLock\n"
    code += f"print(FileLock(Path({str(path)!r})).acquire())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"
    assert FileLock(path).acquire()


def test_a_look_at_a_lock_leaves_it_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "0.lock"
    own = FileLock(path)
    assert FileLock(path).is_free()
    assert own.acquire()
    assert not FileLock(path).is_free()
    own.release()
    assert FileLock(path).is_free()
    assert own.acquire()
