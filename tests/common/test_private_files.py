from __future__ import annotations

import fcntl
import os
import signal
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


def test_a_lock_that_another_one_has_is_not_waited_for_and_stays_its_own(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with FileLock(path).held_if_free() as first:
        with FileLock(path).held_if_free() as second:
            assert (first, second) == (True, False)
        assert not FileLock(path).is_free()
    assert FileLock(path).is_free()


def test_a_lock_is_waited_for_and_then_given_up(tmp_path: Path) -> None:
    path = tmp_path / "0.lock"
    first = FileLock(path)
    assert first.acquire()
    with pytest.raises(LockTimeout, match=r"has been held by another process for 0\.01 s"), FileLock(path).held(0.01):
        pass
    first.release()
    with FileLock(path).held(0.01):
        assert not FileLock(path).acquire()


@pytest.mark.parametrize("keeps", [False, True])
def test_a_child_process_takes_no_lock_from_its_parent_and_keeps_none(tmp_path: Path, *, keeps: bool) -> None:
    lock, (read, write) = FileLock(tmp_path / "0.lock"), os.pipe()
    assert lock.acquire()
    if (child := os.fork()) == 0:
        if not keeps:
            lock.abandon()
        os.write(write, b"x")
        signal.pause()
    try:
        os.read(read, 1)
        assert not FileLock(tmp_path / "0.lock").is_free()
        lock.release()
        assert FileLock(tmp_path / "0.lock").is_free()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(read)
        os.close(write)


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
