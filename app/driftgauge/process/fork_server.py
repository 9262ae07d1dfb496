"""The fork server: imports the program once and forks workers on request.

Importing Python's libraries takes seconds. A forked worker has them at once, in memory that all workers share.
The fork server itself runs one thread, loads no model and predicts nothing: a lock or a pool of threads that is in
use while a process forks would be broken in the child.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from multiprocessing.reduction import recv_handle
from typing import Final

import numpy as np

from driftgauge.process.endings import UNKNOWN_EXIT, describe_exit
from driftgauge.shutdown import exit_with_parent

FORK: Final = "fork"
"""The request for a new worker; the handle of its connection follows. Any other request is the id of a worker."""
PING: Final = b"ping"
"""What the supervisor asks a worker over its connection; the answer is whether it serves."""
WITHOUT_THREAD: Final = ("JE_ARROW_MALLOC_CONF", "background_thread:false")
"""Keeps the allocator of pyarrow from starting a thread when it is imported. OpenBLAS ends its own at a fork."""
EXIT_SECONDS: Final = 1.0
"""How long the fork server waits for a worker whose connection has closed to exit."""


@dataclass(frozen=True)
class Trial:
    """The outcome of starting the application once in a process of its own."""

    refusal: str = ""
    """Why no worker could start; empty if one can."""
    digest: str = ""
    """Identifies the bundle and the settings that were read."""
    modules: tuple[str, ...] = ()
    """What the application imported beyond the program itself, such as the model's library."""


def run(
    control: Connection,
    sockets: Sequence[socket.socket],
    environment: Mapping[str, str],
    service: int,
    fresh_state: bool,
) -> None:
    """Import the program, try it once, then fork workers until the supervisor closes the connection."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # which forgets one that was blocked since the start
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    os.environ.update(environment)
    os.environ.setdefault(*WITHOUT_THREAD)
    from driftgauge.process import trial, worker  # takes seconds: here, so that the supervisor imports neither

    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # from a service manager to all processes: the supervisor decides
    found = _tried(control, partial(trial.try_application, service, fresh_state=fresh_state))
    preload(found.modules)
    gc.collect()
    gc.freeze()  # a collection in a worker would otherwise write to, and so copy, the shared pages
    with contextlib.suppress(OSError):  # the supervisor may have left, which the next line finds out
        control.send(found.refusal)
    serve_requests(control, partial(worker.serve, multiprocessing.parent_process(), sockets, found.digest, service))


def _tried(control: Connection, try_application: Callable[[], Trial]) -> Trial:
    """Run the trial in a forked process; exits if the supervisor leaves meanwhile."""
    result, theirs = multiprocessing.Pipe(duplex=False)
    process = ForkProcess(target=_send_trial, args=(control, theirs, try_application))
    process.start()
    theirs.close()
    if control in wait([result, control]):
        process.kill()
        sys.exit()
    try:
        found: Trial = result.recv()
    except EOFError:
        process.join()
        return Trial(f"the application cannot start: its trial {describe_exit(process.exitcode)}")
    process.kill()  # it has nothing left to do
    process.join()
    return found


def _send_trial(control: Connection, result: Connection, try_application: Callable[[], Trial]) -> None:
    control.close()  # or the supervisor would not notice when the fork server ends
    exit_with_parent(multiprocessing.parent_process(), partial(os._exit, UNKNOWN_EXIT))  # the trial may hang
    result.send(try_application())


def preload(modules: Iterable[str]) -> None:
    """Import modules that every worker will need; one that cannot be imported here is left to the worker."""
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: S112  a library may raise anything, and the trial has shown that a worker can start
            continue


def serve_requests(control: Connection, work: Callable[[Connection], None]) -> None:
    """Fork a process per request and report exit codes, until the connection closes."""
    workers: dict[int, ForkProcess] = {}
    while True:
        try:
            request = control.recv()
        except (EOFError, OSError):
            return
        control.send(_fork(control, workers, work) if request == FORK else _exit_code(workers, request))


def _fork(control: Connection, workers: dict[int, ForkProcess], work: Callable[[Connection], None]) -> int | OSError:
    """Fork a process that does the work; return its id or the error."""
    connection = Connection(recv_handle(control))
    process = ForkProcess(target=_work, args=(control, connection, work))
    try:
        process.start()
    except OSError as error:
        return error
    finally:
        connection.close()
    assert process.pid is not None  # noqa: S101  it was started
    workers[process.pid] = process
    return process.pid


def _work(control: Connection, connection: Connection, work: Callable[[Connection], None]) -> None:
    control.close()  # or the supervisor would not notice when the fork server ends
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    np.random.seed()  # models may use it; Python's own generator gets a new seed at a fork by itself
    work(connection)


def _exit_code(workers: dict[int, ForkProcess], pid: int) -> int | None:
    """Return how a process ended; None if it still runs."""
    process = workers[pid]
    process.join(EXIT_SECONDS)
    if process.exitcode is not None:
        del workers[pid]
    return process.exitcode
