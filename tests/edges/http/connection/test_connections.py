from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import pytest
from driftgauge.edges.http.connection.connections import (
    DEFAULT_CONNECTIONS,
    LINGER_SECONDS,
    RESERVED_FILES,
    SLOW_SECONDS,
    ConnectionLimits,
    Connections,
    Stage,
    file_limit,
    most_connections,
)
from driftgauge.errors import HANG_UPS, Reason
from driftgauge.settings.limits import LimitSettings
from structlog.testing import capture_logs

LIMITS = ConnectionLimits(max_connections=3, head_timeout_seconds=10, body_timeout_seconds=30, idle_timeout_seconds=75)


@dataclass(eq=False)
class One:
    """A connection that says where it is."""

    at: tuple[Stage, object] | None = None
    ended: list[Stage | str] = field(default_factory=list)

    def stage(self) -> tuple[Stage, object] | None:
        return self.at

    def give_up(self, stage: Stage) -> None:
        self.ended.append(stage)

    def end_idle(self) -> None:
        self.ended.append("idle")

    def cut_off(self) -> None:
        self.ended.append("cut off")


@dataclass
class Watch:
    """All connections, at a time that the test says."""

    loop: asyncio.AbstractEventLoop
    all: Connections
    counted: Counter[tuple[Reason, int | None]]
    now: float = 0.0

    def come(self, *, idle: bool = True) -> One | None:
        one = One()
        if not self.all.admit(one, self.loop):
            return None
        if not idle:
            del self.all.idle[one]
        return one


def watched(act: Callable[[Watch], None], limits: ConnectionLimits = LIMITS) -> None:
    """Do something with connections on a loop whose time is that of the watch."""

    async def go() -> None:
        counted: Counter[tuple[Reason, int | None]] = Counter()
        loop = asyncio.get_running_loop()
        watch = Watch(loop, Connections(limits, lambda reason, status: counted.update([(reason, status)])), counted)
        real = loop.time
        loop.time = lambda: watch.now  # type: ignore[method-assign]
        try:
            act(watch)
        finally:
            loop.time = real  # type: ignore[method-assign]

    asyncio.run(go())


@pytest.mark.parametrize(
    ("asked", "files", "most"),
    [
        (None, 1_024, 1_024 - RESERVED_FILES),
        (None, 1_000_000, DEFAULT_CONNECTIONS),
        (None, 20, 8),
        (500, 1_024, 500),
        (5_000, 1_024, 1_024 - RESERVED_FILES),
        (50_000, 1_000_000, 50_000),
        (3, 10, 3),
    ],
)
def test_there_may_be_as_many_as_files_allow(asked: int | None, files: int, most: int) -> None:
    assert most_connections(asked, files) == most


def test_the_limit_of_files_is_a_number() -> None:
    assert file_limit() > 0


@pytest.mark.parametrize(
    ("stage", "seconds"),
    [(Stage.HEAD, 10), (Stage.BODY, 30), (Stage.ANSWER, 60), (Stage.LINGER, LINGER_SECONDS)],
)
def test_what_stalls_for_its_time_is_given_up(stage: Stage, seconds: float) -> None:
    def act(watch: Watch) -> None:
        one = watch.come(idle=False)
        assert one
        one.at = (stage, "a request")
        for now, ended in ((0.0, []), (seconds - 0.01, []), (seconds, [stage])):
            watch.all.sweep(now)
            assert one.ended == ended

    watched(act)


def test_what_makes_progress_has_its_time_anew() -> None:
    def act(watch: Watch) -> None:
        one = watch.come(idle=False)
        assert one
        for now in range(0, 100, 9):
            one.at = (Stage.HEAD, object())
            watch.all.sweep(float(now))
        one.at = (Stage.BODY, one.at[1] if one.at else None)
        for later in (100.0, 129.0):
            watch.all.sweep(later)
        one.at = None
        watch.all.sweep(131.0)
        assert one.ended == []

    watched(act)


def test_a_progress_is_another_object_even_if_it_is_equal() -> None:
    def act(watch: Watch) -> None:
        one = watch.come(idle=False)
        assert one
        for now in (0.0, 9.0, 11.0):
            one.at = (Stage.HEAD, {"type": "http"})
            watch.all.sweep(now)
        assert one.ended == []

    watched(act)


def test_idle_ones_end_after_their_time_the_longest_first() -> None:
    def act(watch: Watch) -> None:
        first, second, busy = watch.come(), watch.come(), watch.come(idle=False)
        assert first
        assert second
        assert busy
        del watch.all.idle[first]
        watch.now = 5.0
        watch.all.idle[first] = 5.0  # it was answered again
        watch.all.sweep(75.0)
        assert (first.ended, second.ended) == ([], ["idle"])
        watch.all.sweep(80.0)
        watch.all.sweep(99.0)
        assert (first.ended, second.ended, busy.ended) == (["idle"], ["idle"], [])

    watched(act)


def test_one_more_than_there_may_be_takes_the_place_of_the_longest_idle_one() -> None:
    def act(watch: Watch) -> None:
        first, second, _ = watch.come(), watch.come(idle=False), watch.come()
        assert first
        assert second
        assert watch.come()
        assert (first.ended, second.ended, len(watch.all)) == (["idle"], [], 3)
        assert watch.counted == {(Reason.IDLE_EVICTED, None): 1}

    watched(act)


def test_one_whose_client_still_reads_or_sends_is_not_idle() -> None:
    def act(watch: Watch) -> None:
        reads, sends, rests = watch.come(), watch.come(), watch.come()
        assert reads
        assert sends
        assert rests
        reads.at, sends.at = (Stage.ANSWER, 1), (Stage.HEAD, 2)
        watch.now = 1.0
        assert watch.come()
        assert (reads.ended, sends.ended, rests.ended) == ([], [], ["idle"])
        watch.all.sweep(75.0)
        assert (reads.ended, sends.ended) == ([], [])

    watched(act)


def test_without_idle_ones_one_more_is_refused() -> None:
    def act(watch: Watch) -> None:
        for _ in range(3):
            watch.come(idle=False)
        assert watch.come() is None
        assert len(watch.all) == 3
        assert watch.counted == {(Reason.TOO_MANY_CONNECTIONS, None): 1}

    watched(act)


def test_without_idle_ones_the_slowest_gives_its_place() -> None:
    def act(watch: Watch) -> None:
        reads, second, first = (watch.come(idle=False) for _ in range(3))
        assert reads
        assert second
        assert first
        reads.at, first.at = (Stage.ANSWER, 1), (Stage.BODY, 2)
        watch.all.sweep(0.0)
        second.at = (Stage.HEAD, 3)
        watch.all.sweep(1.0)
        watch.now = 2.0
        assert watch.come() is None, "none is slow yet"
        watch.all.sweep(1.0 + SLOW_SECONDS)
        assert watch.come(idle=False)
        assert (first.ended, second.ended) == (["cut off"], [])
        second.at = (Stage.HEAD, 4)  # the next request
        assert watch.come() is None
        assert (reads.ended, second.ended) == ([], [])
        assert watch.counted[Reason.SLOW_EVICTED, None] == 1

    watched(act)


def test_one_that_is_lost_makes_room() -> None:
    def act(watch: Watch) -> None:
        ones = [watch.come(idle=False) for _ in range(3)]
        assert ones[1]
        watch.all.left(ones[1])
        assert watch.come()

    watched(act)


def test_told_to_stop_all_that_stall_have_one_last_deadline() -> None:
    def act(watch: Watch) -> None:
        stalls, works = watch.come(idle=False), watch.come(idle=False)
        assert stalls
        assert works
        stalls.at = (Stage.BODY, 1)
        watch.all.sweep(0.0)
        watch.all.stop(5.0)
        watch.all.stop(9.0)  # each connection says so
        watch.all.sweep(5.0 + LIMITS.stop_timeout_seconds - 0.1)
        assert stalls.ended == []
        watch.all.sweep(5.0 + LIMITS.stop_timeout_seconds)
        assert (stalls.ended, works.ended) == ([Stage.BODY], [])

    watched(act)


def test_the_log_says_a_reason_once_a_minute_with_a_count() -> None:
    def act(watch: Watch) -> None:
        for now in (0.0, 1.0, 59.0):
            watch.all.refused(Reason.MALFORMED_HTTP, 400, now)
        watch.all.refused(Reason.TOO_MANY_CONNECTIONS, None, 59.5)
        watch.all.sweep(59.9)
        watch.all.sweep(60.0)
        watch.all.sweep(300.0)
        assert watch.counted == {(Reason.MALFORMED_HTTP, 400): 3, (Reason.TOO_MANY_CONNECTIONS, None): 1}

    with capture_logs() as lines:
        watched(act)
    assert [(line["reason"], line["count"]) for line in lines] == [
        ("malformed_http", 1),
        ("too_many_connections", 1),
        ("malformed_http", 2),
    ]
    assert "ulimit" in lines[1]["hint"]


def test_the_timer_runs_while_there_is_something_to_watch() -> None:
    limits = ConnectionLimits(head_timeout_seconds=0.04)
    assert limits.sweep_seconds == 0.01

    async def go() -> None:
        loop = asyncio.get_running_loop()
        everything = Connections(limits)
        one = One((Stage.HEAD, 1))
        assert everything.admit(one, loop)
        for _ in range(100):
            await asyncio.sleep(0.01)
            if one.ended:
                break
        assert one.ended[0] is Stage.HEAD
        everything.left(one)
        await asyncio.sleep(0.03)
        ended = len(one.ended)
        await asyncio.sleep(0.03)
        assert len(one.ended) == ended

    asyncio.run(go())


def test_every_reason_is_counted() -> None:
    assert {Reason.IDLE_EVICTED, Reason.TOO_MANY_CONNECTIONS, Reason.ANSWER_NOT_READ} <= set(HANG_UPS)


def test_limits_are_those_of_the_settings() -> None:
    given = {
        "max_header_bytes": 1_024,
        "max_header_count": 11,
        "max_url_bytes": 300,
        "max_body_bytes": 2_000,
        "head_timeout_seconds": 1.0,
        "body_timeout_seconds": 2.0,
        "answer_timeout_seconds": 3.0,
        "idle_timeout_seconds": 4.0,
    }
    limits = ConnectionLimits.of(LimitSettings.model_validate(given), 7, 5.0)
    assert asdict(limits) == {**given, "max_connections": 7, "stop_timeout_seconds": 5.0}
    assert ConnectionLimits.of(LimitSettings(), 10_000, 12.0) == ConnectionLimits()
