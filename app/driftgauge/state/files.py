"""State files, mapped into memory: their identity, and the lease of the process that writes them.

A file is created under another name and then renamed. It is preallocated, so that a full disk is found when a
worker starts and not while it counts.
"""

from __future__ import annotations

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

from driftgauge.common.layout import Field, Layout
from driftgauge.common.private_files import allocate, opened
from driftgauge.common.processes import boot_id, may_run
from driftgauge.errors import DriftgaugeError

SCHEMA_VERSION: Final = 2
HEADER_BYTES: Final = 4_096
FORMAT: Final = "driftgauge state"
EVALUATION_LOCK: Final = "evaluation.lock"
"""Held by the worker that evaluates, and by one that acquires a slot or creates a file."""
LOCK_SECONDS: Final = 5.0
"""How long one evaluation waits for another worker's."""
OPEN_SECONDS: Final = 60.0
"""Longest wait of a worker that starts for others that do: each may have to look through its rows."""
_LEASE_AT: Final = 3_072
_LEASE: Final = struct.Struct("<36sqqq")
_KEYS: Final = 2**62


class Unsound(DriftgaugeError, ValueError):
    """A file whose header or size is not that of a state file."""


class Truncated(Unsound):
    """A file of another size than its header tells."""


@dataclass(frozen=True)
class StateKey:
    """Whose state it is."""

    model_name: str
    model_version: str
    baseline: str
    """Hash of the baseline."""


@dataclass(frozen=True)
class FileIdentity:
    """What the header of a file must say."""

    kind: str
    model_name: str
    model_version: str
    baseline: str
    layout: str
    """Hash of all that decides what its bytes mean."""

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
        if different := [f"another {name}" for name, value in vars(self).items() if content.get(name) != value]:
            said = ", ".join(different).replace("another layout", "other settings or columns")
            raise ValueError(f"it belongs to {said}")
        return key

    def difference(self, path: Path) -> str:
        """Return why a file is of another identity; empty if it is of this one, damaged or not there."""
        try:
            self.key(read_header(path))
        except (OSError, Unsound):
            pass
        except ValueError as error:
            return str(error)
        return ""


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
    clean: bool = False

    @classmethod
    def own(cls, service: int) -> Lease:
        """Return the lease of this process."""
        return cls(boot_id(), os.getpid(), service)

    @classmethod
    def read(cls, header: bytes | mmap) -> Lease:
        """Return the lease in a header."""
        boot, pid, service, clean = _LEASE.unpack_from(header, _LEASE_AT)
        return cls(boot.rstrip(b"\0").decode("ascii", "replace"), pid, service, bool(clean))

    def write(self, file: mmap) -> None:
        """Write it into a file."""
        _LEASE.pack_into(file, _LEASE_AT, self.boot.encode(), self.pid, self.service, int(self.clean))

    @property
    def is_whole(self) -> bool:
        """Whether the file holds all that was written: the machine has not stopped since, or the process left."""
        return self.clean or (bool(self.boot) and self.boot == boot_id())

    def is_running(self, boot: str) -> bool:
        """Return whether a process with this id may be running since this boot."""
        return not self.clean and self.boot == boot and may_run(self.pid)


class MappedFile:
    """A state file in memory."""

    def __init__(self, path: Path, identity: FileIdentity, layout: Layout, *, writable: bool = True) -> None:
        """Map it; ValueError for another identity or size, OSError if it is unreadable."""
        access = (os.O_RDWR, "r+b", ACCESS_WRITE) if writable else (os.O_RDONLY, "rb", ACCESS_READ)
        with os.fdopen(opened(path, access[0]), access[1]) as file:
            self.key: Final = identity.key(file.read(HEADER_BYTES))
            """Tells it from earlier files of the same name."""
            status = os.fstat(file.fileno())
            if status.st_size != HEADER_BYTES + layout.size_bytes:
                raise Truncated("it is truncated")
            self.content: Final = mmap(file.fileno(), status.st_size, access=access[2])
        self.known: Final = status.st_ino, status.st_size
        """Its inode, which no other file gets while it is mapped, and its size."""
        self.path: Final = path
        self._header = identity.header(self.key)

    @property
    def body(self) -> memoryview:
        """All but the header."""
        return memoryview(self.content)[HEADER_BYTES:]

    @property
    def lease(self) -> Lease:
        """The lease of its writer."""
        return Lease.read(self.content)

    def sign(self, lease: Lease) -> None:
        """Write a lease to the disk."""
        lease.write(self.content)
        self.content.flush(0, HEADER_BYTES)

    def restore_header(self, service: int) -> None:
        """Write the header again if it is damaged."""
        if self.content[: len(self._header)] != self._header:
            self.content[: len(self._header)] = self._header
            Lease.own(service).write(self.content)

    @property
    def is_cut(self) -> bool:
        """Whether it was truncated: reading behind its end would end this process."""
        return self.content.size() < len(self.content)

    def damage(self) -> str:
        """Return why other workers do not find what this one writes; empty if they do."""
        if self.is_cut:
            return f"{self.path.name}: it was truncated while a worker used it"
        try:
            return "" if os.stat(self.path).st_ino == self.known[0] else f"{self.path.name} was replaced"
        except OSError:
            return f"{self.path.name} is gone"


def create(
    path: Path, identity: FileIdentity, layout: Layout, fill: Callable[[memoryview], object], service: int
) -> None:
    """Create a file, in place of any that is there; OSError if the disk has no room.

    `fill` gets the part behind the header, all zeros.
    """
    new = path.with_suffix(f".{os.getpid()}.new")
    header, size = identity.header(secrets.randbelow(_KEYS)), HEADER_BYTES + layout.size_bytes
    try:
        allocate(new, size, os.O_CREAT | os.O_EXCL)
        with os.fdopen(opened(new, os.O_RDWR), "r+b") as empty:
            file = mmap(empty.fileno(), size)
        file[: len(header)] = header
        Lease.own(service).write(file)
        fill(memoryview(file)[HEADER_BYTES:])
        file.flush()
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
