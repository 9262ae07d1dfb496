"""Runs a program: no shell, its own process group, a time limit, and a bounded part of its output."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

KEPT_BYTES: Final = 4_096
"""Bytes of the output that are kept from its beginning, and as many from its end."""
GRACE_SECONDS: Final = 5.0
"""Time between SIGTERM and SIGKILL."""
_READ_BYTES: Final = 65_536


@dataclass(frozen=True)
class Finished:
    """How a program ended."""

    exit_code: int
    """Negative: the signal that ended it."""
    output: str
    """What it wrote to standard output and standard error, its middle left out where it is long."""
    is_late: bool
    """Whether it was ended because its time was over."""


class _Output:
    """Keeps the beginning and the end of what a program writes."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0

    def add(self, piece: bytes) -> None:
        """Take what the program has written."""
        room = KEPT_BYTES - len(self._head)
        self._head += piece[:room]
        self._tail += piece[max(0, room) :]
        if (surplus := len(self._tail) - KEPT_BYTES) > 0:
            del self._tail[:surplus]
            self._left_out += surplus

    def text(self) -> str:
        """Return it as text."""
        middle = f"\n… {self._left_out:,} bytes left out …\n".encode() if self._left_out else b""
        return (bytes(self._head) + middle + bytes(self._tail)).decode("utf-8", "replace")


def run_program(arguments: Sequence[str], environment: Mapping[str, str], timeout_seconds: float) -> Finished:
    """Run a program and wait for it; OSError if it cannot be started.

    At the end everything in its process group is ended, such as programs that it left in the background.
    """
    process = subprocess.Popen(  # noqa: S603  the path and the fixed arguments are in the settings, and no shell reads them
        arguments,
        cwd="/",
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None  # noqa: S101  it is a pipe
    output = _Output()
    try:
        is_late = not _read_until_exit(process, process.stdout.fileno(), output, time.monotonic() + timeout_seconds)
        if is_late:
            _signal_group(process, signal.SIGTERM)
            _read_until_exit(process, process.stdout.fileno(), output, time.monotonic() + GRACE_SECONDS)
    finally:
        _signal_group(process, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    return Finished(process.returncode, output.text(), is_late)


def _read_until_exit(process: subprocess.Popen[bytes], pipe: int, output: _Output, deadline: float) -> bool:
    """Read what a program writes until it has ended; returns whether it ended in time."""
    os.set_blocking(pipe, False)
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        is_open, wait = True, 0.0
        while True:
            has_ended = _has_ended(process)
            is_open = is_open and _drain(pipe, output)
            if has_ended:
                return True
            if time.monotonic() >= deadline:
                return False
            wait = min(0.05, wait + 0.001)
            if is_open:
                selector.select(wait)
            else:
                time.sleep(wait)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Return whether the program has ended, and leave its process id taken so that no other has its group."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _drain(pipe: int, output: _Output) -> bool:
    """Read what is there, at most a bounded part; returns whether more may come."""
    for _ in range(16):
        try:
            piece = os.read(pipe, _READ_BYTES)
        except BlockingIOError:
            return True
        if not piece:
            return False
        output.add(piece)
    return True


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
