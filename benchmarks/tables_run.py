"""A command that is run and measured: wall time, CPU time and peak memory of all its processes."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.processes import MIB, PROC, last_lines, stop, tree

POLL_SECONDS: Final = 0.1


@dataclass(frozen=True)
class Cost:
    """What one run took."""

    wall_seconds: float
    cpu_seconds: float
    """User and system time of the process and of those that it waited for or that still ran when it was last polled."""
    peak_mib: float
    """The highest resident size of each process, added up."""
    status: int
    """Exit status; below 0 the signal that ended it."""
    said: str
    """The last lines that it printed."""


@dataclass
class _Watched:
    """The most that was seen of each process of a tree."""

    peak_bytes: dict[int, int] = field(default_factory=dict)
    cpu_ticks: dict[int, int] = field(default_factory=dict)

    def look(self, root: int) -> None:
        for own in tree(root):
            self.peak_bytes[own.pid] = max(self.peak_bytes.get(own.pid, 0), _peak_bytes(own.pid))
            self.cpu_ticks[own.pid] = own.cpu_ticks


def measured(
    command: Sequence[str],
    log: Path,
    *,
    env: Mapping[str, str],
    accepted: Sequence[int] = (0,),
    limit_gib: float | None = None,
    seconds: float = 3_600.0,
) -> Cost:
    """Run a command until it ends or its time is over; a process that asks for more than the limit fails by itself."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    watched = _Watched()
    with log.open("wb") as output:
        limit = [] if limit_gib is None else ["prlimit", f"--data={int(limit_gib * 2**30)}"]
        process = subprocess.Popen(
            [*limit, *command], stdout=output, stderr=output, env=dict(env), start_new_session=True
        )
    try:
        while process.poll() is None and time.perf_counter() - began < seconds:
            watched.look(process.pid)
            time.sleep(POLL_SECONDS)
        wall = time.perf_counter() - began
    finally:
        stop(process)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    waited = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    polled = sum(watched.cpu_ticks.values()) / os.sysconf("SC_CLK_TCK")
    status = 0 if process.returncode in accepted else process.returncode
    return Cost(wall, max(waited, polled), sum(watched.peak_bytes.values()) / MIB, status, last_lines(log, 4))


def _peak_bytes(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "status").read_text().splitlines()
    except OSError:  # it has ended meanwhile
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)
