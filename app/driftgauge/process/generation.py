"""The supervisor's view of a fork server and of the workers forked from it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.reduction import send_handle
from typing import Final

from driftgauge.process import fork_server
from driftgauge.process.endings import UNKNOWN_EXIT, describe_exit
from driftgauge.process.fork_server import EXIT_SECONDS, PING

ANSWER_SECONDS: Final = 10.0
"""A fork server that does not answer a request within this time counts as lost."""
PING_SECONDS: Final = 0.5
"""Time between a worker's answer and the next ping."""
HUNG_SECONDS: Final = 60.0
"""A worker that stops answering pings for this long counts as hung."""
START_SECONDS: Final = 600.0
"""Time a worker may take to start: there may be more workers than cores, or a large model."""
KILL_SECONDS: Final = 5.0
"""Extra seconds after the shutdown grace before SIGKILL, and again for the process to exit."""


class Worker:
    """A worker process; it is pinged, and its answer is never waited for."""

    def __init__(
        self, pid: int, connection: Connection, exit_code_of: Callable[[int], int | None], started_at: float
    ) -> None:
        self.pid: Final = pid
        self.started_at: Final = started_at
        self.serves = False
        """Whether it has said that it serves."""
        self.exit_code: int | None = None
        self._connection: Final = connection
        self._exit_code_of: Final = exit_code_of
        self._hung_up = False
        self._pinged_at: float | None = None
        """Time of the ping it has not answered; None if it has answered."""
        self._next_ping = started_at

    @property
    def connection(self) -> Connection | None:
        """The connection to wait on; None once the worker has closed it."""
        return None if self._hung_up else self._connection

    def failure(self, now: float) -> str | None:
        """Ping the worker if a ping is due; returns what is wrong with it, if anything is."""
        if not self.is_running():
            return f"it {describe_exit(self.exit_code)}"
        if self._hung_up or not self._ping(now):
            return "its pipe is broken"
        patience = HUNG_SECONDS if self.serves else START_SECONDS
        if self._pinged_at is not None and now - self._pinged_at >= patience:
            return f"it has not answered for {patience:g} s"
        return None

    def is_running(self) -> bool:
        """Return whether the process runs, after reading the answers it sent."""
        try:
            while not self._hung_up and self._connection.poll(0):
                self.serves = bool(self._connection.recv())
                self._pinged_at = None
        except (OSError, EOFError):
            self._hung_up = True
        if self._hung_up and self.exit_code is None:
            self.exit_code = self._exit_code_of(self.pid)
        return self.exit_code is None

    @property
    def was_killed(self) -> bool:
        """Whether another process, or the kernel for lack of memory, ended it."""
        return self.exit_code in {-signal.SIGKILL, -signal.SIGTERM}

    def terminate(self) -> None:
        """Tell the worker to stop."""
        self._send(signal.SIGTERM)

    def end(self) -> None:
        """Kill the worker if it still runs, and wait until it has exited."""
        self._send(signal.SIGKILL)
        self.join(KILL_SECONDS)
        if self.exit_code == UNKNOWN_EXIT:
            _collect(self.pid)
        self._connection.close()
        self._hung_up = True

    def join(self, seconds: float) -> None:
        """Wait until the process has exited, or the time has passed."""
        deadline = time.monotonic() + seconds
        while self.is_running() and (left := deadline - time.monotonic()) > 0:
            wait([self._connection], left)

    def _ping(self, now: float) -> bool:
        if self._pinged_at is not None or now < self._next_ping:
            return True
        try:
            self._connection.send_bytes(PING)
        except OSError:
            return False
        self._pinged_at, self._next_ping = now, now + PING_SECONDS
        return True

    def _send(self, number: signal.Signals) -> None:
        if self.is_running():  # so its id is still its own: the fork server has not collected its exit code
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def _collect(pid: int) -> None:
    """Collect an orphan that has ended, if it is ours, as in a container whose first process adopts all orphans."""
    deadline = time.monotonic() + EXIT_SECONDS
    with suppress(ChildProcessError):
        while os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
            time.sleep(0.001)


class Generation:
    """A fork server and its workers; all serve one state of the code, the bundle and the settings."""

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        environment: Mapping[str, str],
        service: int,
        *,
        fresh_state: bool = False,
    ) -> None:
        """Start the fork server; OSError if the system has no process for it.

        `service` is the id that the workers write into the files of their state.
        """
        self.control, theirs = multiprocessing.Pipe()
        self._process = SpawnProcess(target=fork_server.run, args=(theirs, sockets, environment, service, fresh_state))
        try:
            _start_without_interrupts(self._process)
        except OSError:
            self.control.close()
            raise
        finally:
            theirs.close()
        self._lost = False

    @property
    def is_lost(self) -> bool:
        """Whether the fork server has ended or stopped answering: it forks no more workers."""
        return self._lost or not self._process.is_alive()

    def refusal(self) -> str | None:
        """Return why no worker can start; empty if one can, None while unknown."""
        try:
            if not self.control.poll(0):
                return None
            refusal: str = self.control.recv()
        except (OSError, EOFError):
            self._process.join(KILL_SECONDS)
            return f"the fork server {describe_exit(self._process.exitcode)}"
        return refusal

    def fork(self, now: float) -> Worker:
        """Fork a worker; OSError if the fork server cannot or has ended."""
        own, theirs = multiprocessing.Pipe()
        try:
            with theirs:
                pid = self._ask(fork_server.FORK, theirs)
            if isinstance(pid, OSError):
                raise pid
        except OSError:
            own.close()
            raise
        return Worker(int(str(pid)), own, self.exit_code, now)

    def exit_code(self, pid: int) -> int | None:
        """Return how a worker ended, None if it runs, UNKNOWN_EXIT if that is no longer known."""
        if self._lost:
            return UNKNOWN_EXIT
        try:
            code = self._ask(pid)
        except OSError:
            return UNKNOWN_EXIT
        return code if isinstance(code, int) else None

    def close(self) -> None:
        """Let the fork server end; its workers run on."""
        self.control.close()
        self._lost = True
        self._process.terminate()  # heard only while it imports

    def has_ended(self) -> bool:
        """Return whether the process of the fork server is gone."""
        return not self._process.is_alive()

    def join(self) -> None:
        """Wait until the process of the fork server is gone; a late one is killed."""
        self._process.join(KILL_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _ask(self, request: object, handed: Connection | None = None) -> object:
        """Return the answer to a request; OSError, and then for good, if none comes."""
        try:
            self.control.send(request)
            if handed:
                send_handle(self.control, handed.fileno(), self._process.pid)
            if self.control.poll(ANSWER_SECONDS):
                return self.control.recv()
        except (OSError, EOFError):
            pass
        self._lost = True
        raise ConnectionError("the fork server does not answer")


def _start_without_interrupts(process: SpawnProcess) -> None:
    """Start a process in which SIGINT is blocked until it says otherwise.

    Ctrl-C reaches every process of a terminal; until this one is ready it is for the supervisor alone.
    """
    resource_tracker.ensure_running()  # which unblocks signals when it starts
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
