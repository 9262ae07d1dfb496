from __future__ import annotations

import multiprocessing
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from multiprocessing.reduction import send_handle
from pathlib import Path

import numpy as np
import pytest
from driftgauge.process.fork_server import FORK, preload, serve_requests


def _send_random_numbers(connection: Connection) -> None:
    connection.send((random.random(), float(np.random.random())))


def _wait_for_an_exit_code(connection: Connection) -> None:
    raise SystemExit(connection.recv())


class Asked:
    """A fork server as its supervisor sees it."""

    def __init__(self, control: Connection, process: SpawnProcess) -> None:
        self.control = control
        self.process = process

    def fork(self) -> tuple[int, Connection]:
        own, theirs = multiprocessing.Pipe()
        with theirs:
            self.control.send(FORK)
            send_handle(self.control, theirs.fileno(), self.process.pid)
        return self.control.recv(), own

    def exit_code(self, pid: int) -> int | None:
        self.control.send(pid)
        code: int | None = self.control.recv()
        return code


@contextmanager
def _serving(work: Callable[[Connection], None]) -> Iterator[Asked]:
    control, theirs = multiprocessing.Pipe()
    process = SpawnProcess(target=serve_requests, args=(theirs, work))
    process.start()
    theirs.close()
    with closing(control):
        yield Asked(control, process)
    process.join(30.0)
    assert process.exitcode == 0


def test_each_worker_has_random_numbers_of_its_own() -> None:
    with _serving(_send_random_numbers) as server:
        told = []
        for _ in range(3):
            pid, own = server.fork()
            told.append(own.recv())
            assert server.exit_code(pid) == 0
            own.close()
    assert all(len(set(numbers)) == 3 for numbers in zip(*told, strict=True))


@pytest.mark.parametrize("code", [0, 1, 4])
def test_the_exit_code_of_a_worker_is_told_once_it_ends(code: int) -> None:
    with _serving(_wait_for_an_exit_code) as server:
        pid, own = server.fork()
        assert server.exit_code(pid) is None
        own.send(code)
        assert server.exit_code(pid) == code
        own.close()


def test_the_supervisors_end_of_a_connection_is_in_no_other_worker() -> None:
    with _serving(_wait_for_an_exit_code) as server:
        (first, own), (second, other) = server.fork(), server.fork()
        own.close()  # the first sees it, although the second was forked after it
        assert server.exit_code(first) == 1
        other.send(0)
        assert server.exit_code(second) == 0
        other.close()


def test_a_module_that_cannot_be_imported_is_left_to_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "process_broken.py").write_text("raise RuntimeError('not here')")
    (tmp_path / "process_fine.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    preload(["process_nowhere", "process_broken", "process_fine"])
    assert "process_fine" in sys.modules
    del sys.modules["process_fine"]
