"""Files that state is kept in, mapped into memory: whose each is, who wrote it last, and locks beside them.

Files are made whole under another name and then renamed; they are preallocated, so that a full disk is
found when a worker starts and not while it counts.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from mmap import ACCESS_READ, ACCESS_WRITE, mmap
from pathlib import Path
from typing import Any, Final

from app.layout import Field, Layout

SCHEMA_VERSION: Final = 1
HEADER_BYTES: Final = 4_096
FORMAT: Final = "driftgauge state"
_LEASE_AT: Final = 3_072
_LEASE: Final = struct.Struct("<36sqq")
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_LOCK_WAIT_SECONDS: Final = 0.002
_ZEROS: Final = 1_048_576
_KEYS: Final = 2**62


class Busy(Exception):
    """A lock that another process holds for too long."""


class FileLock:
    """A lock that ends with its process, however that ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Take the lock unless somebody holds it; says whether."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
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
            raise ValueError("it is no state of Driftgauge, or its head is damaged")
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
        descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
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
    with path.open("r+b" if writable else "rb") as file:
        key = identity.key(file.read(HEADER_BYTES))
        if os.fstat(file.fileno()).st_size != HEADER_BYTES + layout.size_bytes:
            raise ValueError("it is truncated")
        return mmap(file.fileno(), 0, access=ACCESS_WRITE if writable else ACCESS_READ), key


def head_of(path: Path) -> bytes:
    """Return what a file begins with, filled up with zeros where it is too short."""
    with path.open("rb") as file:
        return file.read(HEADER_BYTES).ljust(HEADER_BYTES, b"\0")


def said_in(head: bytes) -> dict[str, Any]:
    """Return what a file's head says; empty where that is not what a state says of itself."""
    try:
        said = json.loads(head[:_LEASE_AT].split(b"\n")[0])
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) and said.get("format") == FORMAT else {}
