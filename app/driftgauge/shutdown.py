"""How a server process ends: within its grace period, and together with its supervisor."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Final

import structlog

TOO_LATE: Final = 1
"""Exit code of a process that was ended in the middle of its work."""

FLUSH_SECONDS: Final = 1
"""Part of the grace period that is kept for writing state to the disk after the last answer."""


def end_too_late() -> None:
    """End the process at once; the state it has published is kept."""
    structlog.get_logger().error("stopped_too_late", hint="open requests were lost: see shutdown_grace_seconds")
    os._exit(TOO_LATE)


@contextlib.contextmanager
def enforce_deadline(seconds: float, end: Callable[[], None] = end_too_late) -> Iterator[None]:
    """End the process if it still runs this many seconds after a signal told it to stop.

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


def exit_with_parent(parent: BaseProcess | None, end: Callable[[], None] | None = None) -> None:
    """Stop this process in good order when another one ends, such as the supervisor; None does nothing."""
    if parent is None:
        return
    sentinel, leave = parent.sentinel, end or _stop

    def watch() -> None:
        wait([sentinel])
        leave()

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _stop() -> None:
    structlog.get_logger().warning("supervisor_ended", hint="this worker finishes its requests and exits")
    os.kill(os.getpid(), signal.SIGTERM)
