"""Files that state is kept in, mapped into memory: whose each is, who wrote it last, and locks beside them.

Files are made whole under another name and then renamed; they are preallocated, so that a full disk is
found when a worker starts and not while it counts.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import secrets
import stat
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from mmap import ACCESS_READ, ACCESS_WRITE, mmap
from pathlib import Path
from typing import Any, Final

from driftgauge.errors import DriftgaugeError
from driftgauge.state.layout import Field, Layout

SCHEMA_VERSION: Final = 1
HEADER_BYTES: Final = 4_096
FORMAT: Final = "driftgauge state"
_LEASE_AT: Final = 3_072
_LEASE: Final = struct.Struct("<36sqq")
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_LOCK_WAIT_SECONDS: Final = 0.002
_ZEROS: Final = 1_048_576
_KEYS: Final = 2**62
_SAFELY: Final = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""How every file is opened: no link is followed, no other program gets it, no pipe is waited for."""
_OWN_FILE: Final = 0o600
_OWN_FOLDER: Final = 0o700


class Unsound(DriftgaugeError, ValueError):
    """A file whose head or size is not that of any state."""


class Busy(DriftgaugeError):
    """A lock that another process holds for too long."""


# ---------------------------------------------------------------- whose files and folders


def opened(path: Path, flags: int, *, of_anyone: bool = False) -> int:
    """Return the descriptor of a regular file of this user's or of root's; OSError if it is anything else.

    A new one is for this user alone, whatever the umask. With `of_anyone` its owner does not matter.
    """
    try:
        descriptor = os.open(path, flags | _SAFELY, _OWN_FILE)
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
            if flags & os.O_RDWR and status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) != _OWN_FILE:
                os.fchmod(descriptor, _OWN_FILE)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def make_private(folder: Path, root: Path) -> None:
    """Make a folder that nobody else can write in, with those between it and `root`; OSError if there is another.

    Others may write in the root alone: where they cannot rename what is not theirs (as in /tmp), or where it is a
    file system of its own that root owns, as the volumes of a container are.
    """
    with contextlib.suppress(FileExistsError):  # as a folder, or as something else, which the next step finds
        root.parent.mkdir(parents=True)
    between = [own for own in folder.parents if root in own.parents]
    for own in dict.fromkeys([root, *reversed(between), folder]):
        try:
            own.mkdir(_OWN_FOLDER)
            own.chmod(_OWN_FOLDER)
        except FileExistsError:
            pass
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
        """Lock a file beside the state; with `of_anyone` whoever owns it, for an administrator."""
        self._path = path
        self._of_anyone = of_anyone
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Take the lock unless somebody holds it; says whether. OSError if it is no file of this user's."""
        descriptor = opened(self._path, os.O_RDWR | os.O_CREAT, of_anyone=self._of_anyone)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            same = os.path.samestat(os.fstat(descriptor), os.stat(self._path))
        except (BlockingIOError, FileNotFoundError):
            same = False
        except OSError:
            os.close(descriptor)
            raise
        if not same:  # held, or deleted meanwhile, and then whoever opens it anew has another one
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let others take it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @contextlib.contextmanager
    def held(self, seconds: float) -> Iterator[None]:
        """Hold the lock, for which it waits; Busy after so many seconds."""
        deadline = time.monotonic() + seconds
        while not self.take():
            if time.monotonic() > deadline:
                raise Busy(f"{self._path} has been held by another process for {seconds:g} s")
            time.sleep(_LOCK_WAIT_SECONDS)
        try:
            yield
        finally:
            self.release()


@dataclass(frozen=True)
class Identity:
    """What a file must say of itself to be used: whose state it is, and how it is laid out."""

    kind: str
    model_name: str
    model_version: str
    baseline: str
    """Its hash."""
    layout: str
    """A hash of all that decides what the bytes mean."""

    def header(self, key: int) -> bytes:
        """Return what a file begins with."""
        content = {"format": FORMAT, "schema_version": SCHEMA_VERSION, **vars(self), "key": key}
        return json.dumps(content).encode() + b"\n"

    def key(self, header: bytes) -> int:
        """Return the key of a file that begins so; ValueError says why it cannot be used."""
        said = said_in(header)
        key = said.get("key")
        if not isinstance(key, int) or not 0 <= key < _KEYS:
            raise Unsound("it is no state of Driftgauge, or its head is damaged")
        if said.get("schema_version") != SCHEMA_VERSION:
            raise ValueError("it was written by another version of Driftgauge")
        different = [name for name, value in vars(self).items() if said.get(name) != value]
        if different:
            what = {"baseline": "another baseline", "layout": "other settings or columns"}
            raise ValueError(f"it belongs to {', '.join(what.get(name, f'another {name}') for name in different)}")
        return key


def layout_hash(fields: Sequence[Field], *further: object) -> str:
    """Return a hash of a layout, and of what else decides what it means."""
    return hashlib.sha256(repr((tuple(fields), further)).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Lease:
    """Who wrote a file last, since which start of the machine, and whether it left in good order."""

    boot: str
    pid: int
    clean: bool

    @classmethod
    def own(cls) -> Lease:
        """Return this process' own."""
        return cls(boot_id(), os.getpid(), clean=False)

    @classmethod
    def read(cls, head: bytes) -> Lease:
        """Return the lease of a file that begins so."""
        boot, pid, clean = _LEASE.unpack_from(head, _LEASE_AT)
        return cls(boot.rstrip(b"\0").decode("ascii", "replace"), pid, bool(clean))

    def write(self, file: mmap) -> None:
        """Write it into a file."""
        _LEASE.pack_into(file, _LEASE_AT, self.boot.encode(), self.pid, int(self.clean))

    @property
    def is_whole(self) -> bool:
        """Whether all that was written is there: the machine has not stopped since, or everything was on the disk."""
        return self.clean or (bool(self.boot) and self.boot == boot_id())

    def lives(self, boot: str) -> bool:
        """Say whether there is a process with the id since this start of the machine."""
        if self.clean or self.pid <= 0 or self.boot != boot:
            return False
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, OverflowError):  # the latter for a number that is damaged
            return False
        except OSError:
            pass
        return True


def boot_id() -> str:
    """Return what tells this start of the machine from others; empty where nobody knows."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""


def create(path: Path, identity: Identity, layout: Layout, fill: Callable[[memoryview], object]) -> tuple[mmap, int]:
    """Make a file in place of any that is there; returns it, mapped, and its key.

    `fill` gets the part behind the header, of zeros. OSError if there is no room for it.
    """
    new, key = path.with_suffix(f".{os.getpid()}.new"), secrets.randbelow(_KEYS)
    try:
        new.unlink(missing_ok=True)
        descriptor = opened(new, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            _allocate(descriptor, HEADER_BYTES + layout.size_bytes)
            file = mmap(descriptor, HEADER_BYTES + layout.size_bytes, access=ACCESS_WRITE)
        finally:
            os.close(descriptor)
        header = identity.header(key)
        file[: len(header)] = header
        Lease.own().write(file)
        fill(memoryview(file)[HEADER_BYTES:])
        file.flush()
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    return file, key


def _allocate(descriptor: int, size: int) -> None:
    """Give a file all of its room now: where that is missing later, a mapped file ends its process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
        return
    for first in range(0, size, _ZEROS):
        os.write(descriptor, bytes(min(_ZEROS, size - first)))


def open_mapped(path: Path, identity: Identity, layout: Layout, *, writable: bool) -> tuple[mmap, int]:
    """Return a file, mapped, and its key; ValueError if it is another's or too short, OSError if it cannot be read."""
    size = HEADER_BYTES + layout.size_bytes
    with os.fdopen(opened(path, os.O_RDWR if writable else os.O_RDONLY), "r+b" if writable else "rb") as file:
        key = identity.key(file.read(HEADER_BYTES))
        if os.fstat(file.fileno()).st_size != size:
            raise Unsound("it is truncated")
        return mmap(file.fileno(), size, access=ACCESS_WRITE if writable else ACCESS_READ), key


def is_cut(file: mmap) -> bool:
    """Say whether a mapped file was cut off: to look behind its end would end this process."""
    return file.size() < len(file)


def beginning_of(path: Path, most_bytes: int, *, of_anyone: bool = False) -> bytes:
    """Return what a file begins with: so many bytes, or fewer where it is shorter."""
    with os.fdopen(opened(path, os.O_RDONLY, of_anyone=of_anyone), "rb") as file:
        return file.read(most_bytes)


def head_of(path: Path, *, of_anyone: bool = False) -> bytes:
    """Return what a file begins with, filled up with zeros where it is too short."""
    return beginning_of(path, HEADER_BYTES, of_anyone=of_anyone).ljust(HEADER_BYTES, b"\0")


def said_in(head: bytes) -> dict[str, Any]:
    """Return what a file's head says; empty where that is not what a state says of itself."""
    try:
        said = json.loads(head[:_LEASE_AT].split(b"\n")[0])
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) and said.get("format") == FORMAT else {}
