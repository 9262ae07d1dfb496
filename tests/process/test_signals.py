from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from multiprocessing.connection import wait

import pytest
from driftgauge.process.signals import HARMLESS, REQUESTS, ReceivedSignals


@pytest.fixture(autouse=True)
def _handlers_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (*REQUESTS, *HARMLESS)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_signals_are_collected_in_their_order_and_taken_once() -> None:
    with ReceivedSignals((*REQUESTS, *HARMLESS)) as received:
        assert received.take() == []
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGHUP):
            os.kill(os.getpid(), number)
        assert received.take() == [signal.SIGHUP, signal.SIGUSR1, signal.SIGHUP]
        assert received.take() == []


def test_a_signal_wakes_a_wait_and_one_that_was_taken_does_not() -> None:
    with ReceivedSignals(REQUESTS) as received:
        later = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM))
        later.start()
        assert wait([received.fileno()], 30.0) == [received.fileno()]
        assert received.take() == [signal.SIGTERM]
        assert wait([received.fileno()], 0.0) == []


@pytest.mark.parametrize("before", [signal.SIG_DFL, signal.SIG_IGN])
def test_signals_that_were_ignored_are_heard_and_handlers_come_back(before: signal.Handlers) -> None:
    signal.signal(signal.SIGHUP, before)
    with ReceivedSignals(REQUESTS) as received:
        os.kill(os.getpid(), signal.SIGHUP)
        assert received.take() == [signal.SIGHUP]
    assert signal.getsignal(signal.SIGHUP) is before
