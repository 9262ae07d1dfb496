"""Servers as real processes: started on a core, measured from /proc, and ended by their ids."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PROC: Final = Path("/proc")
TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
MIB: Final = 2**20
CORES: Final = frozenset(os.sched_getaffinity(0))
"""That this process was given."""
EVERY_CORE: Final = -1
"""In place of one core: all of them."""
STOP_SECONDS: Final = 10.0
"""How long a server may take to end by itself."""


@dataclass(frozen=True)
class Process:
    """A process as /proc/PID/stat tells of it."""

    pid: int
    state: str
    """A letter; Z is one that has ended and that its parent has not asked after."""
    parent: int
    cpu_ticks: int
    """User and system time, of itself and of children that have ended."""
    started: int
    """In ticks since the machine's start: tells a process from a later one of the same id."""


@dataclass(frozen=True)
class Memory:
    """What a process tree holds, in MiB."""

    rss: float
    pss: float | None
    """Pages that are shared count in parts; None where the kernel does not tell."""


def process(pid: int) -> Process | None:
    """Return a process, or None if there is none of this id."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    # The name of the command, in parentheses, may hold anything.
    fields = text[text.rindex(")") + 2 :].split()
    return Process(pid, fields[0], int(fields[1]), sum(map(int, fields[11:15])), int(fields[19]))


def tree(pid: int) -> list[Process]:
    """Return a process and all that descend from it; empty if it is gone."""
    every = [found for name in os.listdir(PROC) if name.isdigit() and (found := process(int(name)))]
    known = {pid}
    while more := {own.pid for own in every if own.parent in known} - known:
        known |= more
    return [own for own in every if own.pid in known]


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process tree since its start, user and system; ticks are a hundredth of a second."""
    return sum(own.cpu_ticks for own in tree(pid)) / TICKS_PER_SECOND


def running_seconds(pids: Iterable[int]) -> float:
    """Return the time for which the threads of processes have run, to the microsecond; without threads that ended."""
    return sum(_running_ns(path) for pid in pids for path in (PROC / str(pid) / "task").glob("*/schedstat")) / 1e9


def _running_ns(path: Path) -> int:
    try:
        return int(path.read_text().split()[0])
    except OSError:  # the thread has ended meanwhile
        return 0


def memory(pid: int) -> Memory:
    """Return the memory of a process tree."""
    pids = [own.pid for own in tree(pid)]
    shared = [_pss_bytes(own) for own in pids]
    known = [own for own in shared if own is not None]
    return Memory(sum(map(_rss_bytes, pids)) / MIB, sum(known) / MIB if known and len(known) == len(shared) else None)


def _rss_bytes(pid: int) -> int:
    try:
        return int((PROC / str(pid) / "statm").read_text().split()[1]) * PAGE_BYTES
    except OSError:  # it has ended meanwhile
        return 0


def _pss_bytes(pid: int) -> int | None:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), None)


# ---------------------------------------------------------------- starting and stopping


class NotStarted(RuntimeError):
    """A server that ended or did not answer in time; the message ends with its last lines."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def on_core(core: int, command: Sequence[str]) -> list[str]:
    """Return a command that keeps to one core, as far as the machine has it and taskset is there; or uses every one."""
    cores = CORES if core == EVERY_CORE else {core} & CORES
    if not cores or not shutil.which("taskset"):
        return list(command)
    return ["taskset", "-c", ",".join(map(str, sorted(cores))), *command]


def keep_to(core: int) -> None:
    """Let the calling thread, and what it starts from now on, run on one core alone, as far as there is such a core."""
    if core in CORES:
        os.sched_setaffinity(0, {core})


@contextlib.contextmanager
def running(
    command: Sequence[str], *, core: int, env: Mapping[str, str], folder: Path, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in a session of its own, and end it and all that descends from it."""
    with log.open("wb") as output:
        server = subprocess.Popen(
            on_core(core, command), stdout=output, stderr=output, env=dict(env), cwd=folder, start_new_session=True
        )
    try:
        yield server
    finally:
        stop(server)


def stop(server: subprocess.Popen[Any]) -> None:
    """End a process tree: first by asking its root, then what is left of it, each by its id."""
    if server.poll() is not None:  # its id may be another's by now
        return
    left = tree(server.pid)
    server.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(STOP_SECONDS)
    for own in filter(lives, left):
        with contextlib.suppress(ProcessLookupError):
            os.kill(own.pid, signal.SIGKILL)
    server.wait(STOP_SECONDS)
    deadline = time.monotonic() + STOP_SECONDS
    while any(map(lives, left)) and time.monotonic() < deadline:  # the kernel takes its time
        time.sleep(0.01)


def lives(known: Process) -> bool:
    """Return whether a process still runs, and is not another one of the same id."""
    now = process(known.pid)
    return now is not None and now.started == known.started and now.state != "Z"


def last_lines(log: Path, count: int = 15) -> str:
    """Return the end of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])


def until_ready(server: subprocess.Popen[bytes], answers: Callable[[], bool], log: Path, seconds: float = 60.0) -> None:
    """Wait until a server answers; NotStarted with the end of its log if it does not."""
    deadline = time.monotonic() + seconds
    while not answers():
        if server.poll() is not None:
            raise NotStarted(f"it ended with {server.returncode}:\n{last_lines(log)}")
        if time.monotonic() > deadline:
            raise NotStarted(f"it did not answer within {seconds:g} s:\n{last_lines(log)}")
        time.sleep(0.1)
