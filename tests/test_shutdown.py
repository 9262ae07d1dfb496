from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest
from driftgauge.shutdown import TOO_LATE, enforce_deadline, exit_with_parent

ROOT = Path(__file__).parents[1] / "app"
PATIENCE_SECONDS = 30.0
"""How long a test waits for what must come; it is over at once when all is well."""


@pytest.fixture
def told() -> Iterator[list[int]]:
    """Give the signals that a server was told, with its handler in place of Python's own."""
    signals: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        signals.append(number)

    before = signal.signal(signal.SIGTERM, stop)
    yield signals
    signal.signal(signal.SIGTERM, before)


def _python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE_SECONDS, cwd=ROOT
    )


# ---------------------------------------------------------------- in time

SERVER = """
import os, signal, time
from driftgauge.shutdown import enforce_deadline

told = []

def stop(number, frame):
    told.append(number)
    print("told to stop", flush=True)

signal.signal(signal.SIGTERM, stop)
with enforce_deadline({seconds}):
    os.kill(os.getpid(), signal.SIGTERM)
    while not told or {hangs}:
        time.sleep(0.01)
print("stopped", flush=True)
"""


def test_a_process_that_does_not_stop_is_ended() -> None:
    done = _python(SERVER.format(seconds=0.2, hangs=True))
    assert (done.returncode, done.stderr) == (TOO_LATE, "")
    first, *logged = done.stdout.splitlines()
    assert first == "told to stop"
    assert len(logged) == 1
    assert "stopped_too_late" in logged[0]
    assert "shutdown_grace_seconds" in logged[0]


def test_a_process_that_stops_in_time_ends_by_itself() -> None:
    done = _python(SERVER.format(seconds=60, hangs=False))
    assert (done.returncode, done.stdout, done.stderr) == (0, "told to stop\nstopped\n", "")


def test_the_time_begins_with_the_signal(told: list[int]) -> None:
    ended = threading.Event()
    with enforce_deadline(0.0, ended.set):
        assert (told, ended.is_set()) == ([], False)
        signal.raise_signal(signal.SIGTERM)
        assert ended.wait(PATIENCE_SECONDS)
    assert told == [signal.SIGTERM]


def test_afterwards_the_signal_is_the_servers_again(told: list[int]) -> None:
    ended = threading.Event()
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(RuntimeError), enforce_deadline(0.0, ended.set):
        raise RuntimeError
    assert signal.getsignal(signal.SIGTERM) is before
    signal.raise_signal(signal.SIGTERM)
    assert (told, ended.is_set()) == ([signal.SIGTERM], False)


def test_a_handler_that_was_set_meanwhile_stays(told: list[int]) -> None:
    with enforce_deadline(60.0):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    assert told == []


@pytest.mark.usefixtures("told")
def test_outside_the_main_thread_the_signal_is_left_alone() -> None:
    before, during = signal.getsignal(signal.SIGTERM), []

    def serve() -> None:
        with enforce_deadline(0.0):
            during.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=serve)
    thread.start()
    thread.join(PATIENCE_SECONDS)
    assert during == [before]


@pytest.mark.parametrize("handler", [signal.SIG_DFL, signal.SIG_IGN])
@pytest.mark.usefixtures("told")
def test_where_no_server_handles_the_signal_it_is_left_alone(handler: signal.Handlers) -> None:
    signal.signal(signal.SIGTERM, handler)
    with enforce_deadline(0.0):
        assert signal.getsignal(signal.SIGTERM) is handler


# ---------------------------------------------------------------- with the parent

PARENT = """
import multiprocessing, os, pathlib, signal, sys, time

def child(folder):
    from driftgauge.shutdown import exit_with_parent

    def stop(number, frame):
        (folder / "left").write_text(signal.Signals(number).name)
        sys.exit()

    signal.signal(signal.SIGTERM, stop)
    exit_with_parent(multiprocessing.parent_process())
    (folder / "pid.new").write_text(str(os.getpid()))
    (folder / "pid.new").rename(folder / "pid")
    while True:
        time.sleep(0.01)

if __name__ == "__main__":
    multiprocessing.get_context("spawn").Process(target=child, args=(pathlib.Path(sys.argv[1]),)).start()
    time.sleep(600)
"""


def test_a_worker_leaves_in_good_order_when_its_supervisor_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, str(script), str(tmp_path)], env={**os.environ, "PYTHONPATH": str(ROOT)})
    child = None
    try:
        child = int(_appearing(tmp_path / "pid"))
        assert not (tmp_path / "left").exists()
        parent.kill()
        assert _appearing(tmp_path / "left") == "SIGTERM"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while _runs(child):
            assert time.monotonic() < deadline, "the worker goes on without its supervisor"
            time.sleep(0.01)
    finally:
        parent.kill()
        parent.wait(PATIENCE_SECONDS)
        if child is not None and _runs(child):
            os.kill(child, signal.SIGKILL)


def _appearing(path: Path) -> str:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, f"{path.name} did not appear"
        time.sleep(0.01)
    return path.read_text()


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_process_without_a_supervisor_stays() -> None:
    assert multiprocessing.parent_process() is None
    left = threading.Event()
    before = threading.active_count()
    exit_with_parent(multiprocessing.parent_process(), left.set)
    assert (threading.active_count(), left.is_set()) == (before, False)
