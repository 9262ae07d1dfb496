"""Signals as events that an endless loop can wait for."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from types import FrameType
from typing import Final, Self

REQUESTS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU)
"""Signals that ask the supervisor for something."""
HARMLESS: Final = (signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
"""Signals that would end a process by default and ask the supervisor for nothing."""


class ReceivedSignals:
    """Collects signals while the block runs; it can be waited for like a socket.

    The handlers are installed whatever the process inherited: `nohup` and shells make background jobs ignore some.
    """

    def __init__(self, numbers: Iterable[signal.Signals]) -> None:
        self._numbers: Final = tuple(numbers)
        self._received: list[int] = []
        self._restore = ExitStack()
        self._readable, self._writable = socket.socketpair()

    def __enter__(self) -> Self:
        for end in (self._readable, self._writable):
            end.setblocking(False)
            self._restore.callback(end.close)
        for number in self._numbers:
            self._restore.callback(signal.signal, number, signal.signal(number, self._receive))
        before = signal.set_wakeup_fd(self._writable.fileno(), warn_on_full_buffer=False)
        self._restore.callback(signal.set_wakeup_fd, before)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore.close()

    def fileno(self) -> int:
        """Return what becomes readable when a signal arrives."""
        return self._readable.fileno()

    def take(self) -> list[int]:
        """Return the signals that arrived since the last call, in their order."""
        with suppress(BlockingIOError):
            while self._readable.recv(4096):
                pass
        taken, self._received = self._received, []
        return taken

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received.append(number)
