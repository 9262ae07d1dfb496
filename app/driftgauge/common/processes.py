"""Identities of processes whose ids repeat: after a boot, and in containers."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_OWN_STAT: Final = Path("/proc/self/stat")
_PID_BITS: Final = 22


def boot_id() -> str:
    """Return the id of this boot of the machine, empty where the kernel gives none."""
    with contextlib.suppress(OSError):
        return _BOOT_ID.read_text("ascii").strip()
    return ""


def service_id() -> int:
    """Return this process' id and start time as one number: in containers ids alone repeat."""
    started = 0
    with contextlib.suppress(OSError):  # it is not there on systems other than Linux
        started = int(_OWN_STAT.read_text("utf-8", "replace").rpartition(")")[2].split()[19])  # counted after the name
    return started << _PID_BITS | os.getpid()


def pid_of(service: int) -> int:
    """Return the process id in a `service_id`."""
    return service % 2**_PID_BITS


def may_run(pid: int) -> bool:
    """Return whether there is a process with an id, of any user."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (OSError, OverflowError) as error:  # the latter for a damaged number
        return isinstance(error, PermissionError)  # it is another user's
    return True
