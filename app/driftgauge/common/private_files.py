"""Private files and folders, and locks that end with their process."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from driftgauge.errors import DriftgaugeError

_RETRY_SECONDS: Final = 0.002
_SAFE: Final = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""Flags of every open: links are not followed, child programs do not inherit it, pipes do not block."""
_FILE_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700


class LockTimeout(DriftgaugeError):
    """Another process held a lock for too long."""


# ---------------------------------------------------------------- ownership


def opened(path: Path, flags: int, *, of_anyone: bool = False) -> int:
    """Return the descriptor of a regular file of this user or root; OSError for anything else.

    A new file has mode 0600, whatever the umask. With `of_anyone` the owner is not checked.
    """
    try:
        descriptor = os.open(path, flags | _SAFE, _FILE_MODE)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _unsafe(path, "it is a symbolic link, which is not followed") from error
        raise
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _unsafe(path, "it is not a regular file")
        if not of_anyone:
            _require_owner(path, status)
            if flags & os.O_RDWR and status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) != _FILE_MODE:
                os.fchmod(descriptor, _FILE_MODE)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def allocate(path: Path, size: int, flags: int = 0) -> None:
    """Give a file its size and its disk space: a mapped file without the latter would end its process later.

    `flags` are added to those that open it. OSError if the disk has no room.
    """
    with os.fdopen(opened(path, os.O_RDWR | flags), "r+b") as file:
        os.truncate(file.fileno(), size)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)


def make_private(folder: Path, root: Path) -> None:
    """Make a folder, with those between it and `root`, that other users cannot write in; OSError otherwise.

    Other users may write in the root alone, and only if they cannot rename files there: because of the sticky bit
    (as in /tmp), or because it is a mounted volume that root owns (as in a container).
    """
    with contextlib.suppress(FileExistsError):  # a folder, or something else: the next step finds out
        root.parent.mkdir(parents=True)
    between = [own for own in folder.parents if root in own.parents]
    for own in dict.fromkeys([root, *reversed(between), folder]):
        with contextlib.suppress(FileExistsError):
            own.mkdir(_FOLDER_MODE)
            own.chmod(_FOLDER_MODE)
        _require_private(own, is_root=own != folder and own == root)


def _require_private(folder: Path, *, is_root: bool) -> None:
    status = folder.stat() if is_root else folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise _unsafe(folder, "it is not a folder")
    if not is_root:
        _require_owner(folder, status)
    apart = is_root and (status.st_mode & stat.S_ISVTX or (status.st_uid == 0 and os.path.ismount(folder)))
    if status.st_mode & stat.S_IWOTH and not apart:
        mode = stat.S_IMODE(status.st_mode)
        raise _unsafe(folder, f"everybody can write in it (mode {mode:04o}): take that right away (chmod o-w)")


def _require_owner(path: Path, status: os.stat_result) -> None:
    if status.st_uid not in (0, os.geteuid()):
        raise _unsafe(path, f"it belongs to user {status.st_uid}, and this process runs as {os.geteuid()}")


def _unsafe(path: Path, why: str) -> OSError:
    return PermissionError(errno.EPERM, why, str(path))


# ---------------------------------------------------------------- locks


class FileLock:
    """A lock that ends with its process, however that ends."""

    def __init__(self, path: Path, *, of_anyone: bool = False) -> None:
        """Take the path of the lock file; with `of_anyone` its owner is not checked."""
        self._path = path
        self._of_anyone = of_anyone
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Acquire the lock if it is free; returns whether it was. OSError if another user owns its file."""
        descriptor = opened(self._path, os.O_RDWR | os.O_CREAT, of_anyone=self._of_anyone)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            same = os.path.samestat(os.fstat(descriptor), os.stat(self._path))
        except (BlockingIOError, FileNotFoundError):
            same = False
        except OSError:
            os.close(descriptor)
            raise
        if same:  # or it is held, or was deleted meanwhile and the next process would lock another file
            self._descriptor = descriptor
        else:
            os.close(descriptor)
        return same

    def release(self) -> None:
        """Let other processes acquire it, even if a child process has inherited its descriptor."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self.abandon()

    def abandon(self) -> None:
        """Forget in a forked child the lock that its parent holds and keeps."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def is_free(self) -> bool:
        """Return whether no process holds the lock; OSError as for `acquire`."""
        try:
            return self.acquire()
        finally:
            self.release()

    @contextlib.contextmanager
    def held_if_free(self) -> Iterator[bool]:
        """Hold the lock while the block runs; gives false, without it, if another process has it."""
        is_held = self.acquire()
        try:
            yield is_held
        finally:
            self.release()

    @contextlib.contextmanager
    def held(self, seconds: float) -> Iterator[None]:
        """Wait for the lock and hold it; LockTimeout after this many seconds."""
        deadline = time.monotonic() + seconds
        while not self.acquire():
            if time.monotonic() > deadline:
                raise LockTimeout(f"{self._path} has been held by another process for {seconds:g} s")
            time.sleep(_RETRY_SECONDS)
        try:
            yield
        finally:
            self.release()
