from __future__ import annotations

import threading

import pytest
from driftgauge.common.log_throttle import INTERVAL_SECONDS
from driftgauge.monitor.problems import SHOWN_SECONDS, Problems
from structlog.testing import capture_logs


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_without_problems_there_is_nothing_to_show(clock: Clock) -> None:
    assert Problems(clock).current() == []


def test_the_latest_problem_of_each_kind_is_shown(clock: Clock) -> None:
    problems = Problems(clock)
    problems.record("disk", OSError("full"))
    problems.record("model", ValueError("first"))
    problems.record("model", KeyError("second"))
    assert problems.current() == ["disk: OSError: full", "model: KeyError: 'second'"]


def test_a_problem_is_shown_for_five_minutes_after_it_last_happened(clock: Clock) -> None:
    problems = Problems(clock)
    problems.record("disk", OSError("full"))
    clock.now += SHOWN_SECONDS - 1
    problems.record("disk", OSError("still full"))
    clock.now += SHOWN_SECONDS - 1
    assert problems.current() == ["disk: OSError: still full"]
    clock.now += 1
    assert problems.current() == []


def test_parts_of_a_problem_end_at_different_times(clock: Clock) -> None:
    problems = Problems(clock)
    for part in ("metrics", "status"):
        problems.record("disk", OSError("slow"), part=part)
    assert problems.current() == ["disk: OSError: slow"]
    problems.resolve("disk", "metrics")
    problems.resolve("disk")
    assert problems.current() == ["disk: OSError: slow"]
    problems.resolve("disk", "status")
    assert problems.current() == []


def test_a_problem_that_lasts_is_shown_until_it_is_over_and_logged_once(clock: Clock) -> None:
    problems = Problems(clock)
    with capture_logs() as logs:
        problems.record_lasting("state", "the disk is full")
        problems.record("model", ValueError("odd"))
        for _ in range(3):
            clock.now += 1e9
            assert problems.current() == ["state: the disk is full"]
    problems.resolve("state")
    assert problems.current() == []
    assert [(line["event"], line["log_level"]) for line in logs] == [("state", "error"), ("model", "error")]
    assert logs[0]["detail"] == "the disk is full"


def test_a_problem_that_is_over_is_not_shown(clock: Clock) -> None:
    problems = Problems(clock)
    problems.record("disk", OSError("full"))
    problems.record("model", ValueError("odd"))
    problems.resolve("disk")
    problems.resolve("disk")
    problems.resolve("never happened")
    assert problems.current() == ["model: ValueError: odd"]


def test_a_problem_is_logged_with_its_error_once_a_minute_at_most(clock: Clock) -> None:
    problems = Problems(clock)
    error = OSError("full")
    with capture_logs() as logs:
        for _ in range(121):
            problems.record("disk", error)
            clock.now += 1.0
    assert logs == [
        {"event": "disk", "log_level": "error", "exc_info": error, "suppressed_before": 0},
        {"event": "disk", "log_level": "error", "exc_info": error, "suppressed_before": 59},
        {"event": "disk", "log_level": "error", "exc_info": error, "suppressed_before": 59},
    ]


def test_a_minute_is_counted_from_the_last_line(clock: Clock) -> None:
    problems = Problems(clock)
    with capture_logs() as logs:
        problems.record("disk", OSError("full"))
        clock.now += INTERVAL_SECONDS - 0.001
        problems.record("disk", OSError("full"))
        clock.now += 0.001
        problems.record("disk", OSError("full"))
    assert [line["suppressed_before"] for line in logs] == [0, 1]


def test_each_kind_is_logged_for_itself(clock: Clock) -> None:
    problems = Problems(clock)
    with capture_logs() as logs:
        for kind in ("disk", "model", "disk"):
            problems.record(kind, OSError("full"))
    assert [line["event"] for line in logs] == ["disk", "model"]


def test_a_problem_that_comes_back_within_the_minute_is_shown_but_not_logged_again(clock: Clock) -> None:
    problems = Problems(clock)
    with capture_logs() as logs:
        problems.record("disk", OSError("full"))
        problems.resolve("disk")
        problems.record("disk", OSError("full again"))
    assert len(logs) == 1
    assert problems.current() == ["disk: OSError: full again"]


def test_problems_from_several_threads_are_logged_once(clock: Clock) -> None:
    problems = Problems(clock)

    def happen() -> None:
        for _ in range(200):
            problems.record("disk", OSError("full"))

    with capture_logs() as logs:
        threads = [threading.Thread(target=happen) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(logs) == 1
    clock.now += INTERVAL_SECONDS
    with capture_logs() as logs:
        problems.record("disk", OSError("full"))
    assert logs[0]["suppressed_before"] == 799
