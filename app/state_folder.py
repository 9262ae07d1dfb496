"""State folders as people see them: what is in one, who uses it, and how it is emptied."""

from __future__ import annotations

import contextlib
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.slots import EVALUATION_LOCK, TAKE_SECONDS
from app.state_files import HEADER_BYTES, Busy, FileLock, Lease, head_of, said_in

_STATE: Final = re.compile(r"([0-9]+|evaluation|retired)\.state")
_ROWS: Final = struct.Struct("<qq")
"""What a state begins with: rows reserved and rows committed."""


@dataclass(frozen=True)
class Found:
    """A file of a state folder, as `driftgauge state show` tells of it."""

    path: Path
    size_bytes: int
    header: Mapping[str, Any]
    """Empty where it is no state of Driftgauge."""
    lease: Lease
    held: bool
    """Whether a worker uses it now."""
    rows: int | None
    """Rows that a worker appended; None for other files."""


def found_in(folder: Path) -> list[Found]:
    """Return the state files under a folder, of all models and versions; OSError if it cannot be read."""
    found = []
    for path in _states(folder):
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES).ljust(HEADER_BYTES, b"\0")
            counts = file.read(_ROWS.size)
        header = said_in(head)
        held = path.stem.isdecimal() and is_held(path.with_suffix(".lock"))
        is_slot = header.get("kind") == "slot" and len(counts) == _ROWS.size
        rows = _ROWS.unpack(counts)[1] if is_slot else None
        found.append(Found(path, path.stat().st_size, header, Lease.read(head), held, rows))
    return found


def _states(folder: Path) -> list[Path]:
    return sorted(own for own in folder.rglob("*.state") if _STATE.fullmatch(own.name))


def is_held(lock: Path) -> bool:
    """Say whether a process holds the lock of a slot."""
    if not lock.exists():
        return False
    own = FileLock(lock)
    # Who takes a slot holds the other lock meanwhile, and does not pass this one by because it is looked at.
    with FileLock(lock.with_name(EVALUATION_LOCK)).held(TAKE_SECONDS):
        free = own.take()
        own.release()
    return not free


def reset(folder: Path) -> int:
    """Delete all state under a folder, and return how many files there were; Busy if a server uses it."""
    locks = sorted(folder.rglob(EVALUATION_LOCK))
    with contextlib.ExitStack() as stack:
        for lock in locks:  # nobody takes a slot meanwhile
            stack.enter_context(FileLock(lock).held(TAKE_SECONDS))
        slots = sorted(slot for lock in locks for slot in lock.parent.glob("[0-9]*.lock"))
        users = [_user_of(slot) for slot in slots if not _take(slot, stack)]
        if users:
            raise Busy(f"a server is using {folder} ({', '.join(users)}): stop it first")
        states = [own for own in _states(folder) if said_in(head_of(own)) or own.with_name(EVALUATION_LOCK) in locks]
        left = [new for lock in locks for new in lock.parent.glob("*.new")]
        for path in [*states, *left, *slots, *locks]:
            path.unlink(missing_ok=True)
    return len(states)


def _take(slot: Path, stack: contextlib.ExitStack) -> bool:
    """Take the lock of a slot until the stack ends; says whether it was free."""
    lock = FileLock(slot)
    stack.callback(lock.release)
    return lock.take()


def _user_of(slot: Path) -> str:
    """Return who holds the lock of a slot."""
    try:
        return f"process {Lease.read(head_of(slot.with_suffix('.state'))).pid}"
    except OSError:  # it is only beginning
        return slot.name
