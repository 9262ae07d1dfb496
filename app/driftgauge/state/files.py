"""State files, mapped into memory: their identity, and the lease of the process that writes them.

A file is created under another name and then renamed. It is preallocated, so that a full disk is found when a
worker starts and not while it counts.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from mmap import ACCESS_READ, ACCESS_WRITE, mmap
from pathlib import Path
from typing import Any, Final

from driftgauge.common.private_files import allocate, opened
from driftgauge.errors import DriftgaugeError
from driftgauge.state.layout import Field, Layout

SCHEMA_VERSION: Final = 2
HEADER_BYTES: Final = 4_096
FORMAT: Final = "driftgauge state"
EVALUATION_LOCK: Final = "evaluation.lock"
"""Held by the worker that evaluates, and by one that acquires a slot or creates a file."""
OPEN_SECONDS: Final = 60.0
"""Longest wait of a worker that starts for others that do: each may have to look through its rows."""
_LEASE_AT: Final = 3_072
_LEASE: Final = struct.Struct("<36sqqq")
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_OWN_STAT: Final = Path("/proc/self/stat")
_PID_BITS: Final = 22
_KEYS: Final = 2**62


class Unsound(DriftgaugeError, ValueError):
    """A file whose header or size is not that of a state file."""


class Truncated(Unsound):
    """A file of another size than its header tells."""


@dataclass(frozen=True)
class FileIdentity:
    """What the header of a file must say: its kind, whose state it holds, and the hashes of baseline and layout."""

    kind: str
    model_name: str
    model_version: str
    baseline: str
    layout: str

    def header(self, key: int) -> bytes:
        """Return the first line of a file."""
        content = {"format": FORMAT, "schema_version": SCHEMA_VERSION, **vars(self), "key": key}
        return f"{json.dumps(content)}\n".encode()

    def key(self, header: bytes) -> int:
        """Return the key in a header; Unsound if it is damaged, ValueError if it is of another identity."""
        content = parse_header(header)
        key = content.get("key")
        if not isinstance(key, int) or not 0 <= key < _KEYS:
            raise Unsound("it is not a state file of Driftgauge, or its header is damaged")
        if content.get("schema_version") != SCHEMA_VERSION:
            raise ValueError("it was written by another version of Driftgauge")
        different = [f"another {name}" for name, value in vars(self).items() if content.get(name) != value]
        if different:
            said = ", ".join(different).replace("another layout", "other settings or columns")
            raise ValueError(f"it belongs to {said}")
        return key


def layout_hash(fields: Sequence[Field], *further: object) -> str:
    """Return a hash of everything that decides what the bytes of a file mean: its layout, and more."""
    return hashlib.sha256(repr((tuple(fields), further)).encode()).hexdigest()[:16]


def read_header(path: Path, size: int = HEADER_BYTES, *, of_anyone: bool = False) -> bytes:
    """Return the first bytes of a file, padded with zeros if the file is shorter."""
    with os.fdopen(opened(path, os.O_RDONLY, of_anyone=of_anyone), "rb") as file:
        return file.read(size).ljust(size, b"\0")


def parse_header(header: bytes) -> dict[str, Any]:
    """Return the content of a header, empty if the file is not a state file."""
    try:
        content = json.loads(header[:_LEASE_AT].split(b"\n")[0])
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) and content.get("format") == FORMAT else {}


@dataclass(frozen=True)
class Lease:
    """Who writes a file: the process, its service, since which boot, and whether it left in good order."""

    boot: str
    pid: int
    service: int
    """The `service_id` of the supervisor, or of a server that is a single process."""
    clean: bool

    @classmethod
    def own(cls, service: int) -> Lease:
        """Return the lease of this process."""
        return cls(boot_id(), os.getpid(), service, clean=False)

    @classmethod
    def read(cls, header: bytes) -> Lease:
        """Return the lease in a header."""
        boot, pid, service, clean = _LEASE.unpack_from(header, _LEASE_AT)
        return cls(boot.rstrip(b"\0").decode("ascii", "replace"), pid, service, bool(clean))

    def write(self, file: mmap) -> None:
        """Write it into a file."""
        _LEASE.pack_into(file, _LEASE_AT, self.boot.encode(), self.pid, self.service, int(self.clean))

    @property
    def service_pid(self) -> int:
        """Process id of the service."""
        return self.service % 2**_PID_BITS

    @property
    def is_whole(self) -> bool:
        """Whether the file holds all that was written: the machine has not stopped since, or the process left."""
        return self.clean or (bool(self.boot) and self.boot == boot_id())

    def is_running(self, boot: str) -> bool:
        """Return whether a process with this id may be running since this boot."""
        if self.clean or self.pid <= 0 or self.boot != boot:
            return False
        try:
            os.kill(self.pid, 0)
        except (OSError, OverflowError) as error:  # the latter for a damaged number
            return isinstance(error, PermissionError)  # it is another user's
        return True


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


def create(
    path: Path, identity: FileIdentity, layout: Layout, fill: Callable[[memoryview], object], service: int
) -> tuple[mmap, int]:
    """Create a file, in place of any that is there; returns it mapped, and its key.

    `fill` gets the part behind the header, all zeros. OSError if the disk has no room.
    """
    new, key = path.with_suffix(f".{os.getpid()}.new"), secrets.randbelow(_KEYS)
    header, size = identity.header(key), HEADER_BYTES + layout.size_bytes
    try:
        allocate(new, size, os.O_CREAT | os.O_EXCL)
        with os.fdopen(opened(new, os.O_RDWR), "r+b") as empty:
            file = mmap(empty.fileno(), size, access=ACCESS_WRITE)
        file[: len(header)] = header
        Lease.own(service).write(file)
        fill(memoryview(file)[HEADER_BYTES:])
        file.flush()
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    return file, key


def open_mapped(path: Path, identity: FileIdentity, layout: Layout, *, writable: bool) -> tuple[mmap, int]:
    """Return a file, mapped, and its key; ValueError for another identity or size, OSError if it is unreadable."""
    size = HEADER_BYTES + layout.size_bytes
    with os.fdopen(opened(path, os.O_RDWR if writable else os.O_RDONLY), "r+b" if writable else "rb") as file:
        key = identity.key(file.read(HEADER_BYTES))
        if os.fstat(file.fileno()).st_size != size:
            raise Truncated("it is truncated")
        return mmap(file.fileno(), size, access=ACCESS_WRITE if writable else ACCESS_READ), key


def is_cut(file: mmap) -> bool:
    """Return whether a mapped file was truncated: reading behind its end would end this process."""
    return file.size() < len(file)
