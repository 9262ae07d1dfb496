from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Iterator
from itertools import pairwise
from multiprocessing import Pipe

import driftgauge.process.supervisor
import pytest
import uvicorn
from driftgauge.process.supervisor import (
    HUNG_SECONDS,
    LATE_SECONDS,
    MOST_PAUSE_SECONDS,
    OUTDATED,
    START_SECONDS,
    Supervisor,
    Worker,
)
from uvicorn.config import STARTUP_FAILURE

GRACE = 10.0


class Clock:
    """A time that stands until it is told to go on."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class FakeProcess:
    """A process as its worker sees it: it ends when it is told to, unless it is stubborn, or killed."""

    def __init__(self, clock: Clock) -> None:
        self.alive = True
        self.stubborn = False
        self.told = False
        self.killed = False
        self._clock = clock

    def is_alive(self) -> bool:
        return self.alive

    def join(self, timeout: float) -> None:
        if self.told and not self.stubborn:
            self.alive = False
        if self.alive:
            self._clock.now += timeout


class FakeWorker(Worker):
    """A worker without a process; it answers when it is told to."""

    def __init__(self, pid: int, clock: Clock) -> None:
        self.parent_conn, self.child_conn = Pipe()
        self.fake = FakeProcess(clock)
        self.process = self.fake  # type: ignore[assignment]
        self.serves = False
        self.began = clock.now  # type: ignore[misc]
        self.number, self.code = pid, 0
        self._asked = None

    @property
    def pid(self) -> int:
        return self.number

    @property
    def exitcode(self) -> int:
        return self.code

    def start(self) -> None:
        pass

    def answer(self, serves: bool = True) -> None:
        while self.fake.alive and self.child_conn.poll(0):
            assert self.child_conn.recv() == b"ping"
            self.child_conn.send(serves)

    def terminate(self) -> None:
        self.fake.told = True

    def kill(self) -> None:
        self.fake.killed = self.fake.killed or self.fake.alive
        self.fake.alive = False


class Watched:
    """A supervisor of workers that were started by nobody; the first has the id 1."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = Clock()
        self.all: dict[int, FakeWorker] = {}
        """Every worker that was ever started."""
        self.refused = 0
        """How often starting one is to fail."""
        monkeypatch.setattr(driftgauge.process.supervisor, "Worker", self._started)
        monkeypatch.setattr(signal, "signal", lambda *_: None)
        config = uvicorn.Config("nobody:nothing", workers=3, log_config=None)
        self.looks: list[bool] = []
        """What is found when it is looked at what is to be served; True when there is nothing left."""
        self.looked = 0
        self.own = Supervisor(config, list[socket.socket](), GRACE, look=self._look, clock=self.clock)
        self.own.init_processes()

    def _look(self) -> bool:
        self.looked += 1
        return self.looks.pop(0) if self.looks else True

    def _started(self, *_: object) -> FakeWorker:
        if self.refused:
            self.refused -= 1
            raise OSError("no process is left")
        worker = FakeWorker(len(self.all) + 1, self.clock)
        self.all[worker.number] = worker
        return worker

    @property
    def ids(self) -> list[int]:
        """Of the workers that serve, or are to serve."""
        return [worker.number for worker in self.own.workers if isinstance(worker, FakeWorker)]

    @property
    def alive(self) -> list[int]:
        return [pid for pid, worker in self.all.items() if worker.fake.alive]

    def __getitem__(self, pid: int) -> FakeProcess:
        return self.all[pid].fake

    def close(self) -> None:
        for worker in self.all.values():
            worker.parent_conn.close()
            worker.child_conn.close()

    def turn(self, *silent: int, seconds: float = 0.5) -> None:
        """A turn of the loop, before which all have answered but some."""
        for pid, worker in self.all.items():
            if pid not in silent:
                worker.answer()
        for worker in self.all.values():
            if worker.fake.told and not worker.fake.stubborn:
                worker.fake.alive = False
        self.own.keep_subprocess_alive()
        self.clock.now += seconds

    def turns(self, *silent: int, count: int = 20) -> list[list[int]]:
        """Turns, in less time than a worker is waited for: the ids after each change."""
        found = [self.ids]
        for _ in range(count):
            self.turn(*silent)
            if self.ids != found[-1]:
                found.append(self.ids)
        return found


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """Give a supervisor whose workers have not answered yet."""
    own = Watched(monkeypatch)
    yield own
    own.close()


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """Give a supervisor whose workers serve."""
    own = Watched(monkeypatch)
    own.turn()
    own.turn()
    assert own.ids == [1, 2, 3]
    assert all(worker.serves for worker in own.all.values())
    yield own
    own.close()


# ---------------------------------------------------------------- replacing


def test_workers_that_answer_are_kept(watched: Watched) -> None:
    assert watched.turns(count=200) == [[1, 2, 3]]


def test_dead_workers_are_replaced_at_once_while_another_does_not_answer(watched: Watched) -> None:
    watched.turn(1)
    watched[2].alive = watched[3].alive = False
    watched.turn(1)
    assert watched.ids == watched.alive == [1, 4, 5]


def test_a_worker_that_has_not_answered_for_too_long_is_replaced(watched: Watched) -> None:
    watched.turn(1)
    for seconds, ids in ((HUNG_SECONDS - 1.0, [1, 2, 3]), (1.0, [1, 2, 3]), (0.0, [2, 3, 4])):
        watched.turn(1, seconds=seconds)
        assert watched.ids == ids
    assert watched[1].killed


def test_a_worker_whose_pipe_is_broken_is_replaced(watched: Watched) -> None:
    watched.all[2].child_conn.close()
    watched.turn(2)
    assert watched.ids == [1, 3, 4]


def test_workers_that_are_lost_are_named_with_the_reason(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    for pid, code in ((1, -signal.SIGKILL), (2, 1), (3, -99)):
        watched[pid].alive, watched.all[pid].code = False, code
    with caplog.at_level(logging.ERROR, "uvicorn.error"):
        watched.turns(count=3)
        watched.turn(5, seconds=HUNG_SECONDS)
        watched.turn(5)
        watched.all[6].child_conn.close()
        watched.turn(6)
    assert caplog.messages == [
        f"Child process [{pid}]: {why}; it is replaced"
        for pid, why in (
            (1, "it was ended by SIGKILL"),
            (2, "it ended with exit code 1"),
            (3, "it was ended by signal 99"),
            (5, "it has not answered for 60 s"),
            (6, "its pipe is broken"),
        )
    ]


def test_workers_that_take_long_to_start_are_left_in_peace(watched: Watched) -> None:
    watched[1].alive = watched[2].alive = False
    watched.turn(4, 5)
    watched.turn(4, 5, seconds=START_SECONDS - 1.0)
    watched.turn(4, 5, seconds=1.0)
    assert watched.ids == [3, 4, 5]
    assert watched.turns(5) == [[3, 4, 5], [3, 4], [3, 4, 6]]
    assert watched[5].killed


def test_a_worker_that_answers_and_does_not_serve_yet_is_starting(watched: Watched) -> None:
    watched[1].alive = False
    watched.turn(4)
    watched.turn(4)
    watched.all[4].answer(serves=False)
    watched.turn(4)
    watched.turn(4, seconds=START_SECONDS - 1.0)
    watched.turn(4, seconds=1.0)
    assert watched.ids == [2, 3, 4]
    watched.turn(4)
    assert watched[4].killed


def test_a_worker_that_cannot_start_stops_the_others_unless_one_has_served(watched: Watched, fresh: Watched) -> None:
    for own in (watched, fresh):
        own[1].alive, own.all[1].code = False, STARTUP_FAILURE
        own.turn()
    assert (watched.own.failed, watched.own.should_exit.is_set(), watched.ids) == (False, False, [2, 3, 4])
    assert (fresh.own.failed, fresh.own.should_exit.is_set(), fresh.ids) == (True, True, [2, 3])


def test_where_workers_do_not_start_the_next_one_waits_each_time_twice_as_long(watched: Watched) -> None:
    watched[1].alive = False
    began = [watched.clock.now]
    while watched.clock.now < 120.0 + began[0]:
        watched.turn(*watched.ids[2:])
        if len(watched.ids) == 3:
            began.append(watched.clock.now)
            watched[watched.ids[2]].alive = False
    assert [int(b - a) for a, b in pairwise(began[1:])] == [1, 2, 4, 8, 16, 30, 30]
    assert MOST_PAUSE_SECONDS == 30.0
    watched.turns(count=80)
    assert watched.ids[:2] == [2, 3]
    newest = watched.ids[2]
    watched[newest].alive = False  # it has served
    assert watched.turns()[1:] == [[2, 3, newest + 1]]


def test_a_worker_that_cannot_be_started_now_is_started_later(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched[1].alive = watched[2].alive = False
    watched.refused = 3
    with caplog.at_level(logging.ERROR, "uvicorn.error"):
        assert watched.turns(count=5) == [[1, 2, 3], [3], [3, 4, 5]]
    assert caplog.messages[2:] == ["A child process could not be started: no process is left"] * 3


# ---------------------------------------------------------------- more and fewer


def test_there_is_one_more_or_one_less_when_it_is_asked_for(watched: Watched) -> None:
    watched.own.handle_ttin()
    assert watched.turns() == [[1, 2, 3], [1, 2, 3, 4]]
    watched.own.handle_ttou()
    watched.own.handle_ttou()
    assert watched.turns() == [[1, 2]]
    assert watched.alive == [1, 2]
    assert not watched[4].killed


def test_the_last_worker_stays(watched: Watched) -> None:
    for _ in range(5):
        watched.own.handle_ttou()
    assert watched.turns() == [[1]]


def test_one_that_does_not_leave_holds_nobody_up_and_is_killed_in_the_end(watched: Watched) -> None:
    watched[3].stubborn = True
    watched.own.handle_ttou()
    watched[1].alive = False
    assert watched.turns(count=3) == [[1, 2], [2, 4]]
    assert (watched[3].told, watched[3].killed) == (True, False)
    watched.turn(seconds=GRACE + LATE_SECONDS)
    watched.turn()
    assert watched[3].killed
    assert watched.alive == [2, 4]


# ---------------------------------------------------------------- reload


def test_a_reload_replaces_workers_one_by_one_once_the_next_serves(watched: Watched) -> None:
    watched.own.restart_all()
    assert watched.turns(4) == [[1, 2, 3]]
    watched.all[4].answer(serves=False)  # it lives, and does not serve yet
    assert watched.turns(4) == [[1, 2, 3]]
    assert watched.turns() == [[1, 2, 3], [4, 2, 3], [4, 5, 3], [4, 5, 6]]
    assert watched.alive == [4, 5, 6]
    assert not any(watched[pid].killed for pid in (1, 2, 3))


def test_the_next_is_not_started_before_the_last_one_has_left(watched: Watched) -> None:
    watched[1].stubborn = True
    watched.own.restart_all()
    assert watched.turns() == [[1, 2, 3], [4, 2, 3]]
    assert len(watched.alive) == 4
    watched[1].alive = False
    assert watched.turns()[-1] == [4, 5, 6]


def test_an_old_worker_that_does_not_leave_is_killed(watched: Watched) -> None:
    watched[1].stubborn = True
    watched.own.restart_all()
    assert watched.turns(count=60)[-1] == [4, 5, 6]
    assert [pid for pid, worker in watched.all.items() if worker.fake.killed] == [1]


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_reload_asked_for_during_another_comes_after_it(watched: Watched, stubborn: bool) -> None:
    watched[1].stubborn = stubborn
    watched.own.restart_all()
    watched.turn()
    watched.own.restart_all()
    watched.own.restart_all()
    assert watched.turns(count=60)[-2:] == [[7, 8, 6], [7, 8, 9]]


def test_a_successor_that_was_started_before_a_reload_is_reloaded_too(watched: Watched) -> None:
    watched.own.restart_all()
    watched.turn(4)
    for pid in (1, 2, 3):
        watched[pid].alive = False
    watched.turn(4)  # nobody is outdated any more, and one is about to serve
    watched.own.restart_all()
    assert watched.turns(count=40)[-1] == [8, 9, 10]
    assert watched.alive == [8, 9, 10]


def test_workers_that_die_during_a_reload_are_replaced_and_not_once_more(watched: Watched) -> None:
    watched.own.restart_all()
    watched.turn(4)
    watched[2].alive = False
    assert watched.turns() == [[1, 2, 3], [1, 3, 5], [4, 3, 5], [4, 6, 5]]


def test_a_successor_that_nobody_needs_any_more_leaves(watched: Watched) -> None:
    watched.own.restart_all()
    watched.turn(4)
    for pid in (1, 2, 3):
        watched[pid].alive = False
    assert watched.turns()[-1] == [5, 6, 7]
    assert watched.alive == [5, 6, 7]
    assert (watched[4].told, watched[4].killed) == (True, False)


@pytest.mark.parametrize("end", ["hangs", "dies", "never serves"])
def test_a_reload_is_given_up_if_a_worker_does_not_start(watched: Watched, end: str) -> None:
    watched.own.restart_all()
    watched.turn(4)
    watched[4].alive = end != "dies"
    for _ in range(4):
        watched.all[4].answer(serves=False) if end == "never serves" else None
        watched.turn(4, seconds=START_SECONDS / 3)
    assert watched.ids == watched.alive == [1, 2, 3]
    watched.own.restart_all()
    assert watched.turns()[-1] == [5, 6, 7]


def test_there_is_no_reload_where_nothing_can_be_served(watched: Watched) -> None:
    watched.looks = [False]
    watched.own.restart_all()
    assert watched.turns() == [[1, 2, 3]]
    watched.own.restart_all()
    assert watched.turns()[-1] == [4, 5, 6]
    assert watched.looked == 2


def test_a_reload_asked_for_during_another_looks_anew(watched: Watched) -> None:
    watched.own.restart_all()
    watched.turn()
    watched.own.restart_all()
    assert watched.looked == 1
    assert watched.turns(count=60)[-1] == [7, 8, 9]
    assert watched.looked == 2


def test_a_worker_that_finds_something_else_to_serve_makes_all_be_replaced(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched[1].alive = False
    watched.turn()
    watched[4].alive, watched.all[4].code = False, OUTDATED
    with caplog.at_level(logging.WARNING, "uvicorn.error"):
        assert sorted(watched.turns(count=40)[-1]) == [5, 6, 7]
    assert watched.looked == 1
    assert "have changed" in caplog.messages[-1]


def test_a_successor_that_finds_something_else_to_serve_makes_the_reload_begin_anew(watched: Watched) -> None:
    watched.own.restart_all()
    watched.turn(4)
    watched[4].alive, watched.all[4].code = False, OUTDATED
    assert watched.turns(count=40)[-1] == [5, 6, 7]
    assert watched.looked == 2


def test_a_reload_waits_for_a_worker_that_cannot_be_started_now(watched: Watched) -> None:
    watched.refused = 3
    watched.own.restart_all()
    assert watched.turns()[-1] == [4, 5, 6]


# ---------------------------------------------------------------- stop


def test_all_workers_are_told_to_stop_and_have_their_grace(watched: Watched) -> None:
    watched[2].stubborn = True
    watched[3].stubborn = True
    began = watched.clock.now
    watched.own.should_exit.set()
    watched.own.terminate_all()
    watched.own.join_all()
    assert all(watched[pid].told for pid in (1, 2, 3))
    assert [pid for pid in (1, 2, 3) if watched[pid].killed] == [2, 3]
    assert watched.clock.now == began + GRACE + LATE_SECONDS  # together, not one after the other


def test_a_stop_ends_a_reload(watched: Watched) -> None:
    watched[1].stubborn = True
    watched.own.restart_all()
    watched.turns(count=3)  # the first is leaving
    watched[1].alive, watched[1].stubborn = False, False
    watched.turn(5)
    watched.turn(5)  # the second has a successor that does not serve yet
    watched[2].stubborn = True
    watched.own.handle_ttou()
    watched.own.should_exit.set()
    watched.own.terminate_all()
    watched.own.join_all()
    assert all(worker.fake.told for pid, worker in watched.all.items() if pid != 1)
    assert [pid for pid, worker in watched.all.items() if worker.fake.killed] == [2]
    assert watched.alive == []
    assert len(watched.all) == 5
