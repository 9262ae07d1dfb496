"""State folders as an operator sees them: list the files, delete them, and refuse those of version 0.1.0."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from driftgauge.common.private_files import FileLock, LockTimeout
from driftgauge.common.shared_text import PREFIX as SHARED
from driftgauge.errors import StateError
from driftgauge.state.clients_file import PREFIX as CLIENTS
from driftgauge.state.files import EVALUATION_LOCK, HEADER_BYTES, OPEN_SECONDS, Lease, parse_header, read_header
from driftgauge.state.rolling_files import PREFIX as ROLLING
from driftgauge.state.seen_records import PREFIX as SEEN
from driftgauge.state.traffic import TRAFFIC_FILE

POSITIONS: Final = "positions-"
"""How the names of files with the positions of sources begin."""
_LOCK: Final = re.compile(re.escape(EVALUATION_LOCK))
_OLD_NAME: Final = re.compile(r"([0-9]+|evaluation|retired)\.state")
"""The names of state files of version 0.1.0."""
_NAME: Final = re.compile(rf"[0-9]+\.log|(checkpoint|history)\.state|{_OLD_NAME.pattern}")


@dataclass(frozen=True)
class StateFile:
    """A file of a state folder, as `driftgauge state show` lists it."""

    path: Path
    size_bytes: int
    header: Mapping[str, Any]
    """Empty if it is not a state file."""
    lease: Lease
    is_held: bool
    """Whether a worker uses it now."""
    rows: int | None
    """Rows that workers appended to a log; None for other files."""
    is_old: bool
    """Whether it is of version 0.1.0, which this version deletes but does not read."""


def state_files(folder: Path) -> list[StateFile]:
    """Return the state files below a folder, of all models and versions; StateError if one is unreadable."""
    with _explained(f"read the state in {folder}"):
        return [_state_file(path) for path in _files(folder, _NAME)]


def _state_file(path: Path) -> StateFile:
    content = read_header(path, HEADER_BYTES + 8, of_anyone=True)  # a log's header and its first number
    header = parse_header(content)
    is_held = path.stem.isdecimal() and _is_held(path.with_suffix(".lock"))
    rows = int.from_bytes(content[HEADER_BYTES:], "little", signed=True) if header.get("kind") == "log" else None
    is_old = _OLD_NAME.fullmatch(path.name) is not None
    return StateFile(path, path.stat().st_size, header, Lease.read(content), is_held, rows, is_old)


def _files(folder: Path, names: re.Pattern[str]) -> list[Path]:
    """Return the files below a folder with such names, none if it is missing; OSError for an unreadable part."""

    def fail(error: OSError) -> None:
        raise error

    walk = os.walk(folder, onerror=fail) if folder.exists() else ()
    return sorted(Path(at, name) for at, _, here in walk for name in here if names.fullmatch(name))


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn an OSError into a StateError that names the step and the file."""
    try:
        yield
    except OSError as error:
        raise StateError(f"cannot {what}: {error.filename}: {error.strerror}") from error


def _is_held(lock: Path) -> bool:
    """Return whether a process holds the lock of a slot."""
    if not lock.exists():
        return False
    # A worker that starts holds the other lock, so it does not skip this slot because of this look.
    with FileLock(lock.with_name(EVALUATION_LOCK), of_anyone=True).held(OPEN_SECONDS):
        return not FileLock(lock, of_anyone=True).is_free()


def reset(folder: Path) -> int:
    """Delete all state below a folder, that of version 0.1.0 too; returns the number of files.

    LockTimeout if a server uses it, StateError if a file cannot be deleted.
    """
    with _explained(f"delete the state in {folder}"), contextlib.ExitStack() as stack:
        locks = _files(folder, _LOCK)
        folders = [lock.parent for lock in locks]
        for lock in locks:  # no worker acquires a slot meanwhile
            stack.enter_context(FileLock(lock, of_anyone=True).held(OPEN_SECONDS))
        slots = sorted(slot for own in folders for slot in own.glob("[0-9]*.lock"))
        users = []
        for slot in slots:
            held = FileLock(slot, of_anyone=True)
            stack.callback(held.release)
            if not held.acquire():
                users.append(_user_of(slot))
        if users:
            raise LockTimeout(f"a server is using {folder} ({', '.join(dict.fromkeys(users))}): stop it first")
        files = [path for path in _files(folder, _NAME) if path.parent in folders or _is_ours(path)]
        unfinished = [new for own in folders for new in own.glob("*.new")]
        models = {folder, *folders, *(own.parent for own in folders if own != folder)}
        beside = [own for model in models for own in model.glob(f"{TRAFFIC_FILE}*") if not own.is_dir()]
        own_files = (f"{CLIENTS}*.json", f"{POSITIONS}*", f"{ROLLING}*", f"{SEEN}*", f"{SHARED}*")
        beside += [own for model in folders for name in own_files for own in model.glob(name) if not own.is_dir()]
        for path in [*files, *unfinished, *beside, *slots, *locks]:
            path.unlink(missing_ok=True)
    return len(files)


def _is_ours(path: Path) -> bool:
    return bool(parse_header(read_header(path, of_anyone=True)))


def _user_of(slot: Path) -> str:
    """Return the process that holds the lock of a slot."""
    for suffix in (".log", ".state"):
        with contextlib.suppress(OSError):  # of the other version, or not created yet
            return f"process {Lease.read(read_header(slot.with_suffix(suffix), of_anyone=True)).pid}"
    return slot.name


def refuse_old(folder: Path) -> None:
    """Raise StateError if a folder holds state of version 0.1.0."""
    if any(_OLD_NAME.fullmatch(path.name) for path in folder.glob("*.state")):
        raise StateError(
            f"the state in {folder} was written by Driftgauge 0.1.0, and state is not migrated before 1.0: start with "
            "--fresh-state or run `driftgauge state reset` to delete it, or choose another state_dir"
        )
