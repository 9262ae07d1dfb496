"""How a server process ends: within the time that it was given, and with the process that started it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import wait
from types import FrameType
from typing import Final

import structlog

TOO_LATE: Final = 1
"""The exit code of a process that had to be ended in the middle of its work."""

FLUSH_SECONDS: Final = 1
"""What is left of the grace for writing state to the disk, once the last answer is sent."""


def end_too_late() -> None:
    """End the process as it is; what it published is kept."""
    structlog.get_logger().error("stopped_too_late", hint="what was being answered is lost: see shutdown_grace_seconds")
    os._exit(TOO_LATE)


@contextlib.contextmanager
def within(seconds: float, end: Callable[[], None] = end_too_late) -> Iterator[None]:
    """End the process so many seconds after the server was told to stop by a signal, if it still runs by then.

    Only in the main thread of a server that handles the signal; elsewhere this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def stop(number: int, frame: FrameType | None) -> None:
        limit = threading.Timer(seconds, end)
        limit.daemon = True
        limit.start()
        if callable(stops := before[signal.Signals(number)]):
            stops(number, frame)

    handled = [number for number, stops in before.items() if callable(stops)]
    for number in handled:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in handled:
            if signal.getsignal(number) is stop:
                signal.signal(number, before[number])


def exit_with_parent(end: Callable[[], None] | None = None) -> None:
    """Tell the process to stop, in good order, when the supervisor that started it ends; without one do nothing."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    sentinel, leave = parent.sentinel, end or _stop

    def watch() -> None:
        wait([sentinel])
        leave()

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _stop() -> None:
    structlog.get_logger().warning("supervisor_ended", hint="this worker finishes what it has, and leaves")
    os.kill(os.getpid(), signal.SIGTERM)
