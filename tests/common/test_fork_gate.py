from __future__ import annotations

import threading
import time

import pytest
from driftgauge.common import fork_gate
from driftgauge.common.fork_gate import ForkGate


def test_a_fork_waits_until_all_threads_have_left_and_lets_none_in_meanwhile() -> None:
    gate, leave, events = ForkGate(), threading.Event(), []
    entered = threading.Event()

    def inside() -> None:
        with gate.passing():
            entered.set()
            leave.wait(10)
            events.append("left")

    def later() -> None:
        with gate.passing():
            events.append("entered")

    threads = [threading.Thread(target=inside)]
    threads[0].start()
    assert entered.wait(10)
    threading.Timer(0.1, leave.set).start()
    gate.before_fork()
    events.append("forked")
    threads.append(threading.Thread(target=later))
    threads[1].start()
    time.sleep(0.1)
    gate.after_fork_in_parent()
    for thread in threads:
        thread.join(10)
    assert events == ["left", "forked", "entered"]


def test_a_fork_goes_on_without_a_thread_that_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork_gate, "FORK_SECONDS", 0.01)
    gate = ForkGate()
    with gate.passing():
        gate.before_fork()
        gate.after_fork_in_child()
        with gate.passing():
            pass


def test_a_thread_inside_may_enter_again_while_a_fork_waits() -> None:
    gate, entered, events = ForkGate(), threading.Event(), []
    fork_waits = threading.Event()

    def inside() -> None:
        with gate.passing():
            entered.set()
            assert fork_waits.wait(10)
            with gate.passing():
                events.append("entered again")
            events.append("left")

    def fork() -> None:
        gate.before_fork()
        events.append("forked")
        gate.after_fork_in_parent()

    thread, forking = threading.Thread(target=inside), threading.Thread(target=fork)
    thread.start()
    assert entered.wait(10)
    forking.start()
    while gate._forks == 0:
        time.sleep(0.001)
    fork_waits.set()
    for own in (thread, forking):
        own.join(10)
    assert events == ["entered again", "left", "forked"]


def test_a_fork_does_not_wait_for_the_thread_that_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork_gate, "FORK_SECONDS", threading.TIMEOUT_MAX)
    gate = ForkGate()
    with gate.passing():
        gate.before_fork()
        gate.after_fork_in_parent()
    gate.before_fork()


def test_of_two_forks_the_first_does_not_let_threads_in_for_the_second() -> None:
    gate, events = ForkGate(), []

    def later() -> None:
        with gate.passing():
            events.append("entered")

    gate.before_fork()
    gate.before_fork()
    thread = threading.Thread(target=later)
    thread.start()
    gate.after_fork_in_parent()
    time.sleep(0.1)
    events.append("forked")
    gate.after_fork_in_parent()
    thread.join(10)
    assert events == ["forked", "entered"]
