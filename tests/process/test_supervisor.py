from __future__ import annotations

import signal
from collections.abc import Iterator
from itertools import pairwise
from multiprocessing import Pipe

import pytest
from driftgauge.process.endings import OUTDATED, STARTUP_FAILURE
from driftgauge.process.fork_server import PING
from driftgauge.process.generation import HUNG_SECONDS, KILL_SECONDS, START_SECONDS, Generation, Worker
from driftgauge.process.supervisor import LONGEST_PAUSE_SECONDS, Supervisor
from structlog.testing import capture_logs

GRACE = 10.0


class Clock:
    """A time that stands until it is told to go on."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class FakeWorker(Worker):
    """A worker without a process; it answers when it is told to, and ends when it is told to unless it is stubborn."""

    def __init__(self, pid: int, clock: Clock) -> None:
        own, self.other = Pipe()
        super().__init__(pid, own, lambda _: None if self.alive else self.code, clock.now)
        self.alive = True
        self.stubborn = False
        self.told = False
        self.killed = False
        self.code = 0
        """What it ends with."""
        self._clock = clock

    def die(self, code: int = 0) -> None:
        self.alive, self.code = False, code
        self.other.close()

    def answer(self, serves: bool = True) -> None:
        while self.alive and self.other.poll(0):
            assert self.other.recv_bytes() == PING
            self.other.send(serves)

    def terminate(self) -> None:
        self.told = True

    def join(self, seconds: float) -> None:
        if self.told and not self.stubborn:
            self.die()
        if self.alive:
            self._clock.now += seconds

    def end(self) -> None:
        self.killed = self.killed or self.alive
        if self.alive:
            self.die(-signal.SIGKILL)
        assert not self.is_running()
        super().end()

    def close(self) -> None:
        self._connection.close()
        self.other.close()


class FakeGeneration(Generation):
    """A fork server without a process: it is ready at once, or after some turns."""

    def __init__(self, watched: Watched, refusal: str) -> None:
        self.control, self.other = Pipe()
        self.wanted: str | None = refusal
        self.lost = False
        self.closed = False
        self._watched = watched

    @property
    def is_lost(self) -> bool:
        return self.lost

    def refusal(self) -> str | None:
        return self.wanted

    def fork(self, now: float) -> Worker:
        return self._watched.forked(self)

    def close(self) -> None:
        self.closed = True

    def has_ended(self) -> bool:
        return self.closed

    def join(self) -> None:
        assert self.closed


class Watched:
    """A supervisor of workers without processes; the first has the id 1."""

    def __init__(self, *refusals: str) -> None:
        self.clock = Clock()
        self.all: dict[int, FakeWorker] = {}
        """Every worker that was ever started."""
        self.origin: dict[int, FakeGeneration] = {}
        """The generation that each is of."""
        self.generations: list[FakeGeneration] = []
        self.no_process = 0
        """How often starting a worker is to fail."""
        self.refusals = list(refusals)
        """What the next generations refuse to serve for; none when there is nothing left."""
        self.ready = 0
        """How often it was reported that all workers serve."""
        self.own = Supervisor(3, GRACE, self._begin, self._count_ready, self.clock)
        self.own.prepare()
        self.own.step()

    def _begin(self) -> Generation:
        self.generations.append(FakeGeneration(self, self.refusals.pop(0) if self.refusals else ""))
        return self.generations[-1]

    def _count_ready(self) -> None:
        self.ready += 1

    def forked(self, generation: FakeGeneration) -> FakeWorker:
        if self.no_process:
            self.no_process -= 1
            raise OSError("no process is left")
        worker = FakeWorker(len(self.all) + 1, self.clock)
        self.all[worker.pid], self.origin[worker.pid] = worker, generation
        return worker

    @property
    def ids(self) -> list[int]:
        """Of the workers that serve, or are to serve."""
        return [worker.pid for worker in self.own.workers]

    @property
    def alive(self) -> list[int]:
        return [pid for pid, worker in self.all.items() if worker.alive]

    @property
    def reloads(self) -> int:
        """How many generations were begun after the first."""
        return len(self.generations) - 1

    def __getitem__(self, pid: int) -> FakeWorker:
        return self.all[pid]

    def close(self) -> None:
        for worker in self.all.values():
            worker.close()
        for generation in self.generations:
            generation.control.close()
            generation.other.close()

    def turn(self, *silent: int, seconds: float = 0.5) -> None:
        """A turn of the loop, before which all have answered but some."""
        for pid, worker in self.all.items():
            if pid not in silent:
                worker.answer()
        for worker in self.all.values():
            if worker.told and not worker.stubborn and worker.alive:
                worker.die()
        self.own.step()
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
def fresh() -> Iterator[Watched]:
    """Give a supervisor whose workers have not answered yet."""
    own = Watched()
    yield own
    own.close()


@pytest.fixture
def watched() -> Iterator[Watched]:
    """Give a supervisor whose workers serve."""
    own = Watched()
    own.turn()
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
    watched[2].die()
    watched[3].die()
    watched.turn(1)
    assert watched.ids == watched.alive == [1, 4, 5]


def test_a_worker_that_has_not_answered_for_too_long_is_replaced(watched: Watched) -> None:
    for seconds, ids in ((HUNG_SECONDS - 1.0, [1, 2, 3]), (1.0, [1, 2, 3]), (0.0, [2, 3, 4])):
        watched.turn(1, seconds=seconds)
        assert watched.ids == ids
    assert watched[1].killed


def test_a_worker_whose_pipe_is_broken_is_replaced(watched: Watched) -> None:
    watched[2].other.close()
    watched.turn(2)
    assert watched.ids == [1, 3, 4]


def test_workers_that_are_lost_are_named_with_the_reason(watched: Watched) -> None:
    for pid, code in ((1, -signal.SIGKILL), (2, 1), (3, -99)):
        watched[pid].die(code)
    with capture_logs() as lines:
        watched.turns(count=3)
        watched.turn(5, seconds=HUNG_SECONDS)
        watched.turn(5)
        watched[6].other.close()
        watched.turn(6)
    assert lines == [
        {"event": "worker_lost", "log_level": "error", "worker": pid, "reason": why, "hint": "it is replaced"}
        for pid, why in (
            (1, "it was ended by SIGKILL"),
            (2, "it ended with exit code 1"),
            (3, "it was ended by signal 99"),
            (5, "it has not answered for 60 s"),
            (6, "its pipe is broken"),
        )
    ]


def test_workers_that_take_long_to_start_are_left_in_peace(watched: Watched) -> None:
    watched[1].die()
    watched[2].die()
    watched.turn(4, 5)
    watched.turn(4, 5, seconds=START_SECONDS - 1.0)
    watched.turn(4, 5, seconds=1.0)
    assert watched.ids == [3, 4, 5]
    assert watched.turns(5) == [[3, 4, 5], [3, 4], [3, 4, 6]]
    assert watched[5].killed


def test_a_worker_that_answers_and_does_not_serve_yet_is_starting(watched: Watched) -> None:
    watched[1].die()
    watched.turn(4)
    watched.turn(4)
    watched[4].answer(serves=False)
    watched.turn(4)
    watched.turn(4, seconds=START_SECONDS - 1.0)
    watched.turn(4, seconds=1.0)
    assert watched.ids == [2, 3, 4]
    watched.turn(4)
    assert watched[4].killed


def test_a_worker_that_cannot_start_stops_the_others_unless_one_has_served(watched: Watched, fresh: Watched) -> None:
    for own in (watched, fresh):
        own[1].die(STARTUP_FAILURE)
        own.turn()
    assert (watched.own.failed, watched.own.should_exit, watched.ids) == (False, False, [2, 3, 4])
    assert (fresh.own.failed, fresh.own.should_exit, fresh.ids) == (True, True, [2, 3])


def test_where_workers_do_not_start_the_next_one_waits_each_time_twice_as_long(watched: Watched) -> None:
    watched[1].die()
    began = [watched.clock.now]
    while watched.clock.now < 120.0 + began[0]:
        watched.turn(*watched.ids[2:])
        if len(watched.ids) == 3:
            began.append(watched.clock.now)
            watched[watched.ids[2]].die()
    assert [int(b - a) for a, b in pairwise(began[1:])] == [1, 2, 4, 8, 16, 30, 30]
    assert LONGEST_PAUSE_SECONDS == 30.0
    watched.turns(count=80)
    assert watched.ids[:2] == [2, 3]
    newest = watched.ids[2]
    watched[newest].die()  # it has served
    assert watched.turns()[1:] == [[2, 3, newest + 1]]


def test_a_worker_that_cannot_be_started_now_is_started_later(watched: Watched) -> None:
    watched[1].die()
    watched[2].die()
    watched.no_process = 3
    with capture_logs() as lines:
        assert watched.turns(count=5) == [[1, 2, 3], [3], [3, 4, 5]]
    failed = {"event": "cannot_start_process", "log_level": "error", "detail": "no process is left"}
    assert lines[2:] == [failed] * 3


def test_a_killed_worker_is_replaced_at_once_while_no_other_serves(watched: Watched) -> None:
    for pid in (1, 2, 3):
        watched[pid].die(-signal.SIGKILL)
    for _ in range(5):  # each time before one serves
        newest = max(watched.all)
        watched.turn(*range(1, 100))
        assert watched.ids == [newest + 1, newest + 2, newest + 3]
        for pid in watched.ids:
            watched[pid].die(-signal.SIGKILL)


def test_workers_killed_while_they_start_wait_as_long_as_others_serve(watched: Watched) -> None:
    watched[1].die(-signal.SIGKILL)
    watched.turn()
    assert watched.ids == [2, 3, 4]
    watched[4].die(-signal.SIGKILL)
    watched.turn()
    assert watched.ids == [2, 3]
    watched[2].die(-signal.SIGKILL)
    watched[3].die(-signal.SIGKILL)
    watched.turn()  # there is no worker left to wait for
    assert watched.ids == watched.alive == [5, 6, 7]


def test_workers_that_fail_to_start_wait_even_if_no_other_serves(watched: Watched) -> None:
    for pid in (1, 2, 3):
        watched[pid].die(-signal.SIGKILL)
    watched.turn()
    for pid in (4, 5, 6):
        watched[pid].die(1)
    assert watched.turns(count=2) == [[4, 5, 6], []]
    assert watched.turns(count=2) == [[], [7, 8, 9]]


# ---------------------------------------------------------------- more and fewer


def test_there_is_one_more_or_one_less_when_it_is_asked_for(watched: Watched) -> None:
    watched.own.add_worker()
    assert watched.turns() == [[1, 2, 3], [1, 2, 3, 4]]
    watched.own.remove_worker()
    watched.own.remove_worker()
    assert watched.turns() == [[1, 2]]
    assert watched.alive == [1, 2]
    assert not watched[4].killed


def test_the_last_worker_stays(watched: Watched) -> None:
    for _ in range(5):
        watched.own.remove_worker()
    assert watched.turns() == [[1]]


def test_a_worker_that_does_not_leave_delays_no_other_and_is_killed_in_the_end(watched: Watched) -> None:
    watched[3].stubborn = True
    watched.own.remove_worker()
    watched[1].die()
    assert watched.turns(count=3) == [[1, 2], [2, 4]]
    assert (watched[3].told, watched[3].killed) == (True, False)
    watched.turn(seconds=GRACE + KILL_SECONDS)
    watched.turn()
    assert watched[3].killed
    assert watched.alive == [2, 4]


# ---------------------------------------------------------------- reload


def test_a_reload_replaces_workers_one_by_one_once_the_next_serves(watched: Watched) -> None:
    watched.own.reload()
    assert watched.turns(4) == [[1, 2, 3]]
    watched[4].answer(serves=False)  # it lives, and does not serve yet
    assert watched.turns(4) == [[1, 2, 3]]
    assert watched.turns() == [[1, 2, 3], [4, 2, 3], [4, 5, 3], [4, 5, 6]]
    assert watched.alive == [4, 5, 6]
    assert not any(watched[pid].killed for pid in (1, 2, 3))


def test_the_next_is_not_started_before_the_last_one_has_left(watched: Watched) -> None:
    watched[1].stubborn = True
    watched.own.reload()
    assert watched.turns() == [[1, 2, 3], [4, 2, 3]]
    assert len(watched.alive) == 4
    watched[1].die()
    assert watched.turns()[-1] == [4, 5, 6]


def test_an_old_worker_that_does_not_leave_is_killed(watched: Watched) -> None:
    watched[1].stubborn = True
    watched.own.reload()
    assert watched.turns(count=60)[-1] == [4, 5, 6]
    assert [pid for pid, worker in watched.all.items() if worker.killed] == [1]


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_reload_asked_for_during_another_comes_after_it(watched: Watched, stubborn: bool) -> None:
    watched[1].stubborn = stubborn
    watched.own.reload()
    watched.turn()
    watched.own.reload()
    watched.own.reload()
    assert watched.turns(count=60)[-2:] == [[7, 8, 6], [7, 8, 9]]


def test_a_successor_that_was_started_before_a_reload_is_reloaded_too(watched: Watched) -> None:
    watched.own.reload()
    watched.turn(4)
    for pid in (1, 2, 3):
        watched[pid].die()
    watched.turn(4)  # no worker is outdated any more, and one is about to serve
    watched.own.reload()
    assert watched.turns(count=40)[-1] == [8, 9, 10]
    assert watched.alive == [8, 9, 10]


def test_workers_that_die_during_a_reload_are_replaced_and_not_once_more(watched: Watched) -> None:
    watched.own.reload()
    watched.turn(4)
    watched[2].die()
    assert watched.turns() == [[1, 2, 3], [1, 3, 5], [4, 3, 5], [4, 6, 5]]


def test_a_successor_that_is_not_needed_any_more_leaves(watched: Watched) -> None:
    watched.own.reload()
    watched.turn(4)
    for pid in (1, 2, 3):
        watched[pid].die()
    assert watched.turns()[-1] == [5, 6, 7]
    assert watched.alive == [5, 6, 7]
    assert (watched[4].told, watched[4].killed) == (True, False)


@pytest.mark.parametrize("end", ["hangs", "dies", "never serves"])
def test_a_reload_is_given_up_if_a_worker_does_not_start(watched: Watched, end: str) -> None:
    watched.own.reload()
    watched.turn(4)
    if end == "dies":
        watched[4].die()
    for _ in range(4):
        watched[4].answer(serves=False) if end == "never serves" else None
        watched.turn(4, seconds=START_SECONDS / 3)
    assert watched.ids == watched.alive == [1, 2, 3]
    watched.own.reload()
    assert watched.turns()[-1] == [5, 6, 7]


def test_there_is_no_reload_where_nothing_can_be_served(watched: Watched) -> None:
    watched.refusals = ["there is no model bundle at x"]
    watched.own.reload()
    assert watched.turns() == [[1, 2, 3]]
    watched.own.reload()
    assert watched.turns()[-1] == [4, 5, 6]
    assert watched.reloads == 2


def test_a_reload_requested_during_another_reads_everything_again(watched: Watched) -> None:
    watched.own.reload()
    watched.turn()
    watched.own.reload()
    assert watched.reloads == 1
    assert watched.turns(count=60)[-1] == [7, 8, 9]
    assert watched.reloads == 2


def test_a_worker_that_finds_something_else_to_serve_makes_all_be_replaced(
    watched: Watched,
) -> None:
    watched[1].die()
    watched.turn()
    watched[4].die(OUTDATED)
    with capture_logs() as lines:
        assert sorted(watched.turns(count=40)[-1]) == [5, 6, 7]
    assert watched.reloads == 1
    assert [line["event"] for line in lines] == ["config_changed"]


def test_a_successor_that_finds_something_else_to_serve_restarts_the_reload(watched: Watched) -> None:
    watched.own.reload()
    watched.turn(4)
    watched[4].die(OUTDATED)
    assert watched.turns(count=40)[-1] == [5, 6, 7]
    assert watched.reloads == 2


def test_a_reload_waits_for_a_worker_that_cannot_be_started_now(watched: Watched) -> None:
    watched.no_process = 3
    watched.own.reload()
    assert watched.turns()[-1] == [4, 5, 6]


# ---------------------------------------------------------------- fork servers


def test_the_old_workers_serve_while_the_next_generation_is_prepared(watched: Watched) -> None:
    watched.own.reload()
    watched.generations[1].wanted = None
    assert watched.turns() == [[1, 2, 3]]
    watched[1].die()
    assert watched.turns() == [[1, 2, 3], [2, 3, 4]]
    assert watched.origin[4] is watched.generations[0]
    assert not watched.generations[0].closed
    watched.generations[1].wanted = ""
    assert watched.turns()[-1] == [5, 6, 7]
    assert {watched.origin[pid] for pid in (5, 6, 7)} == {watched.generations[1]}
    assert watched.generations[0].closed


def test_a_lost_fork_server_is_replaced_and_with_it_its_workers(watched: Watched) -> None:
    watched.generations[0].lost = True
    with capture_logs() as lines:
        assert watched.turns()[-1] == [4, 5, 6]
    assert [line["event"] for line in lines] == ["fork_server_lost"]
    assert {watched.origin[pid] for pid in (4, 5, 6)} == {watched.generations[1]}


def test_a_fork_server_that_cannot_be_replaced_is_tried_again_with_pauses(watched: Watched) -> None:
    watched.refusals = ["the bundle is gone"] * 3
    watched.generations[0].lost = True
    with capture_logs() as lines:
        assert watched.turns(count=30)[-1] == [4, 5, 6]
    assert [line["event"] for line in lines] == ["fork_server_lost", "cannot_reload"] * 3 + ["fork_server_lost"]
    assert watched.alive == [4, 5, 6]


def test_a_reload_whose_application_hangs_is_given_up_and_the_next_one_works(watched: Watched) -> None:
    watched.own.reload()
    watched.generations[1].wanted = None
    watched.turn()
    with capture_logs() as lines:
        for _ in range(4):
            watched.turn(seconds=START_SECONDS / 3)
    assert [line["event"] for line in lines] == ["cannot_reload"]
    assert watched.generations[1].closed
    assert watched.ids == watched.alive == [1, 2, 3]
    watched.own.reload()
    assert watched.turns()[-1] == [4, 5, 6]


def test_a_successor_whose_fork_server_is_lost_while_it_starts_does_not_serve(watched: Watched) -> None:
    watched.own.reload()
    watched.turn(4)
    assert watched.alive == [1, 2, 3, 4]
    watched.generations[1].lost = True
    watched.turn(4)  # the next one is prepared
    watched.turn(4)
    assert watched.turns(count=40)[-1] == watched.alive == [5, 6, 7]
    assert {watched.origin[pid] for pid in watched.ids} == {watched.generations[2]}


def test_a_service_whose_application_cannot_start_stops_with_the_reason() -> None:
    watched = Watched("there is no model bundle at x")
    assert (watched.own.refusal, watched.own.should_exit) == ("there is no model bundle at x", True)
    assert watched.all == {}
    watched.close()


def test_it_is_reported_once_that_all_serve(fresh: Watched) -> None:
    fresh.turn(1)
    fresh.turn(1)
    assert fresh.ready == 0
    fresh.turns()
    fresh[1].die()
    fresh.turns()
    assert fresh.ready == 1


# ---------------------------------------------------------------- stop


def test_all_workers_are_told_to_stop_and_have_their_grace(watched: Watched) -> None:
    watched[2].stubborn = True
    watched[3].stubborn = True
    began = watched.clock.now
    watched.own.stop()
    watched.own.stop_all()
    watched.own.join_all()
    assert all(watched[pid].told for pid in (1, 2, 3))
    assert [pid for pid in (1, 2, 3) if watched[pid].killed] == [2, 3]
    assert watched.clock.now == began + GRACE + KILL_SECONDS  # together, not one after the other


def test_a_stop_ends_a_reload(watched: Watched) -> None:
    watched[1].stubborn = True
    watched.own.reload()
    watched.turns(count=3)  # the first is leaving
    watched[1].die()
    watched[1].stubborn = False
    watched.turn(5)
    watched.turn(5)  # the second has a successor that does not serve yet
    watched[2].stubborn = True
    watched.own.remove_worker()
    watched.own.stop()
    watched.own.stop_all()
    watched.own.join_all()
    assert all(worker.told for pid, worker in watched.all.items() if pid != 1)
    assert [pid for pid, worker in watched.all.items() if worker.killed] == [2]
    assert watched.alive == []
    assert len(watched.all) == 5
