"""State folders as people see them: what is in one, who uses it, and how it is emptied."""

from __future__ import annotations

import contextlib
import os
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from driftgauge.errors import StateError
from driftgauge.state.files import HEADER_BYTES, Busy, FileLock, Lease, beginning_of, head_of, said_in
from driftgauge.state.slots import EVALUATION_LOCK, TAKE_SECONDS

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
    """Return the state files under a folder, of all models and versions; StateError if one cannot be read."""
    with _told(f"read the state in {folder}"):
        return [_found(path) for path in _states(folder)]


def _found(path: Path) -> Found:
    content = beginning_of(path, HEADER_BYTES + _ROWS.size, of_anyone=True)
    head, counts = content[:HEADER_BYTES].ljust(HEADER_BYTES, b"\0"), content[HEADER_BYTES:]
    header = said_in(head)
    held = path.stem.isdecimal() and is_held(path.with_suffix(".lock"))
    is_slot = header.get("kind") == "slot" and len(counts) == _ROWS.size
    rows = _ROWS.unpack(counts)[1] if is_slot else None
    return Found(path, path.stat().st_size, header, Lease.read(head), held, rows)


def _states(folder: Path) -> list[Path]:
    return sorted(path for path in _files(folder) if _STATE.fullmatch(path.name))


def _files(folder: Path) -> list[Path]:
    """Return all files under a folder, none if it is not there; OSError for a part that cannot be read."""

    def fail(error: OSError) -> None:
        raise error

    walk = os.walk(folder, onerror=fail) if folder.exists() else ()
    return sorted(Path(at, name) for at, _, names in walk for name in names)


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Say what could not be done, and because of which file."""
    try:
        yield
    except OSError as error:
        raise StateError(f"cannot {what}: {error.filename}: {error.strerror}") from error


def is_held(lock: Path) -> bool:
    """Say whether a process holds the lock of a slot."""
    if not lock.exists():
        return False
    own = FileLock(lock, of_anyone=True)
    # Who takes a slot holds the other lock meanwhile, and does not pass this one by because it is looked at.
    with FileLock(lock.with_name(EVALUATION_LOCK), of_anyone=True).held(TAKE_SECONDS):
        free = own.take()
        own.release()
    return not free


def reset(folder: Path) -> int:
    """Delete all state under a folder, and return how many files there were.

    Busy if a server uses it, StateError if a file cannot be deleted.
    """
    with _told(f"delete the state in {folder}"), contextlib.ExitStack() as stack:
        locks = [path for path in _files(folder) if path.name == EVALUATION_LOCK]
        for lock in locks:  # nobody takes a slot meanwhile
            stack.enter_context(FileLock(lock, of_anyone=True).held(TAKE_SECONDS))
        slots = sorted(slot for lock in locks for slot in lock.parent.glob("[0-9]*.lock"))
        users = [_user_of(slot) for slot in slots if not _take(slot, stack)]
        if users:
            raise Busy(f"a server is using {folder} ({', '.join(users)}): stop it first")
        states = [own for own in _states(folder) if own.with_name(EVALUATION_LOCK) in locks or _is_ours(own)]
        left = [new for lock in locks for new in lock.parent.glob("*.new")]
        for path in [*states, *left, *slots, *locks]:
            path.unlink(missing_ok=True)
    return len(states)


def _is_ours(path: Path) -> bool:
    return bool(said_in(head_of(path, of_anyone=True)))


def _take(slot: Path, stack: contextlib.ExitStack) -> bool:
    """Take the lock of a slot until the stack ends; says whether it was free."""
    lock = FileLock(slot, of_anyone=True)
    stack.callback(lock.release)
    return lock.take()


def _user_of(slot: Path) -> str:
    """Return who holds the lock of a slot."""
    try:
        return f"process {Lease.read(head_of(slot.with_suffix('.state'), of_anyone=True)).pid}"
    except OSError:  # it is only beginning
        return slot.name
