from __future__ import annotations

import socket
from multiprocessing import Pipe

import pytest
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Process

import app.supervisor
from app.supervisor import HUNG_SECONDS, Supervisor


class FakeProcess:
    """What a process says of itself."""

    def __init__(self) -> None:
        self.alive = True
        self.stubborn = False

    def is_alive(self) -> bool:
        return self.alive

    def join(self, timeout: float | None = None) -> None:
        self.alive = self.alive and self.stubborn

    def kill(self) -> None:
        self.alive = False


class FakeWorker(Process):
    """A worker that was started by nobody; it answers when it is told to."""

    started: list[FakeWorker]

    def __init__(self, pid: int) -> None:
        self.parent_conn, self.child_conn = Pipe()
        self.own, self.process, self.number, self.code = FakeProcess(), FakeProcess(), pid, 0  # type: ignore[assignment]
        self.process = self.own  # type: ignore[assignment]

    @property
    def pid(self) -> int:
        return self.number

    @property
    def exitcode(self) -> int:
        return self.code

    def answer(self) -> None:
        if not self.child_conn.poll(0):
            return
        assert self.child_conn.recv() == b"ping"
        self.child_conn.send(True)

    def kill(self) -> None:
        self.own.alive = False

    def join(self) -> None:
        assert not self.own.alive

    def start(self) -> None:
        self.own.alive = True


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    """A supervisor of three workers; those that it starts anew have the ids from 10 on."""
    ids = iter(range(10, 20))
    monkeypatch.setattr(app.supervisor, "Process", lambda config, sockets: FakeWorker(next(ids)))
    monkeypatch.setattr("signal.signal", lambda *_: None)
    own = Supervisor(uvicorn.Config("nobody:nothing", workers=3), list[socket.socket](), grace_seconds=0.01)
    own.processes = [FakeWorker(pid) for pid in (1, 2, 3)]
    return own


def _workers(supervisor: Supervisor) -> list[FakeWorker]:
    return [worker for worker in supervisor.processes if isinstance(worker, FakeWorker)]


def _ids(supervisor: Supervisor) -> list[int]:
    return [worker.number for worker in _workers(supervisor)]


def test_workers_that_answer_are_kept(supervisor: Supervisor) -> None:
    for _ in range(5):
        supervisor.keep_subprocess_alive()
        for worker in _workers(supervisor):
            worker.answer()
    assert _ids(supervisor) == [1, 2, 3]


def test_dead_workers_are_replaced_at_once_while_another_does_not_answer(supervisor: Supervisor) -> None:
    supervisor.keep_subprocess_alive()  # asks all of them, who are starting and cannot answer
    _, second, third = _workers(supervisor)
    second.own.alive = third.own.alive = False
    supervisor.keep_subprocess_alive()
    assert _ids(supervisor) == [1, 10, 11]
    assert all(worker.own.alive for worker in _workers(supervisor))


def test_a_worker_that_has_not_answered_for_too_long_is_replaced(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(supervisor, "_clock", lambda: now)
    for passed, ids in ((0.0, [1, 2, 3]), (HUNG_SECONDS - 1.0, [1, 2, 3]), (HUNG_SECONDS, [10, 2, 3])):
        now = 100.0 + passed
        for worker in _workers(supervisor)[1:]:
            worker.answer()
        supervisor.keep_subprocess_alive()
        assert _ids(supervisor) == ids


def test_a_worker_that_cannot_start_stops_the_others(supervisor: Supervisor) -> None:
    first = _workers(supervisor)[0]
    first.own.alive, first.code = False, STARTUP_FAILURE
    supervisor.keep_subprocess_alive()
    assert supervisor.should_exit.is_set()
    assert _ids(supervisor) == [1, 2, 3]


def test_workers_that_do_not_leave_in_time_are_killed(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.supervisor, "LATE_SECONDS", 0.0)
    _workers(supervisor)[1].own.stubborn = True
    supervisor.join_all()
    assert not any(worker.own.alive for worker in _workers(supervisor))
