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
