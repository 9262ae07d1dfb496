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

    def terminate(self) -> None:
        self.own.alive = self.own.stubborn


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


# ---------------------------------------------------------------- reload


def _turn(supervisor: Supervisor, *silent: int) -> None:
    """A turn of the loop, before which all have answered but some."""
    for worker in [*_workers(supervisor), supervisor._successor and supervisor._successor[0]]:
        if isinstance(worker, FakeWorker) and worker.own.alive and worker.number not in silent:
            worker.answer()
    supervisor.keep_subprocess_alive()


def _turns(supervisor: Supervisor, *silent: int) -> list[list[int]]:
    """Turns until nothing changes any more: the workers after each change."""
    found = [_ids(supervisor)]
    for _ in range(30):
        _turn(supervisor, *silent)
        if _ids(supervisor) != found[-1]:
            found.append(_ids(supervisor))
    return found


def test_a_reload_replaces_workers_one_by_one_once_the_next_serves(supervisor: Supervisor) -> None:
    old = _workers(supervisor)
    supervisor.restart_all()
    for _ in range(5):
        _turn(supervisor, 10)
    assert _ids(supervisor) == [1, 2, 3]
    assert _turns(supervisor) == [[1, 2, 3], [10, 2, 3], [10, 11, 3], [10, 11, 12]]
    assert not any(worker.own.alive for worker in old)
    assert all(worker.own.alive for worker in _workers(supervisor))


def test_the_next_is_not_started_before_the_last_one_has_left(supervisor: Supervisor) -> None:
    first = _workers(supervisor)[0]
    first.own.stubborn = True
    supervisor.restart_all()
    assert _turns(supervisor) == [[1, 2, 3], [10, 2, 3]]
    first.own.alive = False
    assert _turns(supervisor)[-1] == [10, 11, 12]


def test_an_old_worker_that_does_not_leave_is_killed(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.supervisor, "LATE_SECONDS", -1.0)
    first = _workers(supervisor)[0]
    first.own.stubborn = True
    supervisor.restart_all()
    assert _turns(supervisor)[-1] == [10, 11, 12]
    assert not first.own.alive


def test_a_reload_asked_for_during_another_comes_after_it(supervisor: Supervisor) -> None:
    supervisor.restart_all()
    _turn(supervisor)
    supervisor.restart_all()
    assert _turns(supervisor)[-2:] == [[13, 14, 12], [13, 14, 15]]


def test_workers_that_die_during_a_reload_are_replaced_and_not_once_more(supervisor: Supervisor) -> None:
    supervisor.restart_all()
    _turn(supervisor, 10)
    second = _workers(supervisor)[1]
    second.own.alive = False
    assert _turns(supervisor) == [[1, 2, 3], [1, 11, 3], [10, 11, 3], [10, 11, 12]]


def test_a_successor_that_nobody_needs_any_more_leaves(supervisor: Supervisor) -> None:
    supervisor.restart_all()
    _turn(supervisor, 10)
    assert supervisor._successor
    successor = supervisor._successor[0]
    for worker in _workers(supervisor):
        worker.own.alive = False
    assert _turns(supervisor)[-1] == [11, 12, 13]
    assert isinstance(successor, FakeWorker)
    assert not successor.own.alive


def test_a_reload_is_given_up_if_a_worker_does_not_start(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(supervisor, "_clock", lambda: now)
    supervisor.restart_all()
    _turn(supervisor, 10)
    assert supervisor._successor
    successor = supervisor._successor[0]
    now += HUNG_SECONDS
    for worker in _workers(supervisor):
        worker.answer()
    assert _turns(supervisor, 10) == [[1, 2, 3]]
    assert isinstance(successor, FakeWorker)
    assert not successor.own.alive
    supervisor.restart_all()
    assert _turns(supervisor)[-1] == [11, 12, 13]


def test_a_stop_ends_a_reload(supervisor: Supervisor) -> None:
    supervisor.restart_all()
    _turn(supervisor, 10)
    supervisor.should_exit.set()
    supervisor.terminate_all()
    supervisor.join_all()
    assert _ids(supervisor) == [1, 2, 3, 10]
    assert not any(worker.own.alive for worker in _workers(supervisor))


# ---------------------------------------------------------------- stop


def test_workers_that_do_not_leave_in_time_are_killed(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.supervisor, "LATE_SECONDS", 0.0)
    _workers(supervisor)[1].own.stubborn = True
    supervisor.join_all()
    assert not any(worker.own.alive for worker in _workers(supervisor))
