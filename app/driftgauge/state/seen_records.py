"""The latest records of a model by their fingerprints, so that a record that is sent again is not counted twice.

The table is a file that the workers map into memory, with buckets of 32 fingerprints of 64 bits. A new one replaces the
oldest of its bucket. With twice as many places as records, more than 99.9 % of the latest records are known.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from driftgauge.common.private_files import FileLock, allocate, opened
from driftgauge.drift.bins import BoolArray

PREFIX: Final = "seen-records"
"""Begins the names of the table and of its lock, in the folder of a model version."""
KEY_BYTES: Final = 16
BUCKET: Final = 32
"""Fingerprints of a bucket."""
PLACES: Final = 2
"""Places for each record that is to be known."""
HEADER_BYTES: Final = 4_096
_PRINT_BYTES: Final = 8
_HEAD: Final = struct.Struct("<8sQd")
"""Magic, number of buckets, and when the newest record arrived."""
_MAGIC: Final = b"dgseen01"
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_FACTORS: Final = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_HALF: Final = np.uint64(32)
UintArray = npt.NDArray[np.uint64]


def seen_file(state_folder: Path, model: str, version: str) -> Path:
    """Return the file of a model version."""
    return state_folder / model / version / PREFIX


class SeenRecords:
    """The fingerprints of a model's latest records: in a file that its workers share, or in memory."""

    def __init__(self, path: Path | None, records: int) -> None:
        """Know about `records` records; the folder of `path` exists. None keeps them in memory."""
        self.records: Final = records
        self._buckets: Final = -(-PLACES * records // BUCKET)
        self._path = path
        self._lock = threading.Lock()
        self._buffer: Any = b""
        self._file: os.stat_result | None = None

    @property
    def _size(self) -> int:
        return self._table_at + self._buckets * BUCKET * _PRINT_BYTES

    @property
    def _table_at(self) -> int:
        return HEADER_BYTES + -(-self._buckets // _PRINT_BYTES) * _PRINT_BYTES

    @contextlib.contextmanager
    def alone(self, seconds: float) -> Iterator[None]:
        """Hold the table, so that no other worker looks or adds; LockTimeout after this many seconds.

        OSError if its file cannot be used.
        """
        with self._lock:
            if self._path is None:
                self._have_memory()
                yield
                return
            with FileLock(self._path.with_suffix(".lock")).held(seconds):
                self._open(self._path)
                yield

    def unseen(self, keys: Sequence[bytes]) -> BoolArray:
        """Return which records are new: neither known nor repeated among these. Call it in `alone`.

        `keys` have 16 bytes each.
        """
        buckets, prints = self._placed(keys)
        known = (self._table[buckets] == prints[:, None]).any(axis=1)
        is_first = np.zeros(len(prints), np.bool_)
        is_first[np.unique(prints, return_index=True)[1]] = True
        unseen: BoolArray = is_first & ~known
        return unseen

    def add(self, keys: Sequence[bytes], now: float) -> None:
        """Remember records, which arrived `now`, in seconds since 1970. Call it in `alone`."""
        buckets, prints = self._placed(keys)
        order = np.argsort(buckets, kind="stable")
        buckets, prints = buckets[order], prints[order]
        first = np.r_[True, buckets[1:] != buckets[:-1]][: len(buckets)]
        starts = np.flatnonzero(first)
        rank = np.arange(len(buckets)) - np.repeat(starts, np.diff(np.r_[starts, len(buckets)]))
        places = (self._cursors[buckets] + rank) % BUCKET
        self._table[buckets, places] = prints
        self._cursors[buckets] = (places + 1) % BUCKET  # the last one of a bucket stays
        self.touch(now)

    def touch(self, now: float) -> None:
        """Take note that a record arrived `now` which need not be remembered. Call it in `alone`."""
        _HEAD.pack_into(self._buffer, 0, _MAGIC, self._buckets, now)

    @property
    def last_received(self) -> float | None:
        """When the newest record arrived at any worker, seconds since 1970; None before the first."""
        at = 0.0
        if self._path is None:
            at = _HEAD.unpack_from(self._buffer, 0)[2] if self._buffer else 0.0
        else:
            with contextlib.suppress(OSError, struct.error), os.fdopen(opened(self._path, os.O_RDONLY), "rb") as file:
                magic, _, at = _HEAD.unpack(file.read(_HEAD.size))
                at = at if magic == _MAGIC else 0.0
        return at if 0.0 < at < float("inf") else None

    def _have_memory(self) -> None:
        if not self._buffer:
            self._buffer = bytearray(self._size)
            self._begin()
            self._use()

    # ------------------------------------------------------------ the file

    def _open(self, path: Path) -> None:
        """Map the file, unless it is the one that is mapped; a new one or one of another size begins empty."""
        with contextlib.suppress(FileNotFoundError):
            found = path.stat()
            if self._file is not None and os.path.samestat(found, self._file) and found.st_size == self._size:
                return
        descriptor = opened(path, os.O_RDWR | os.O_CREAT)
        try:
            is_ours = os.fstat(descriptor).st_size == self._size
            if not is_ours:
                os.ftruncate(descriptor, 0)
                allocate(path, self._size)
            self._buffer = mmap.mmap(descriptor, self._size)
            if not is_ours or self._is_foreign():
                self._begin()
            self._file = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        self._use()

    def _is_foreign(self) -> bool:
        magic, buckets, _ = _HEAD.unpack_from(self._buffer, 0)
        return bool(magic != _MAGIC or buckets != self._buckets)

    def _begin(self) -> None:
        """Empty the table."""
        self._buffer[HEADER_BYTES:] = bytes(self._size - HEADER_BYTES)
        _HEAD.pack_into(self._buffer, 0, _MAGIC, self._buckets, 0.0)

    def _use(self) -> None:
        self._cursors = np.frombuffer(self._buffer, np.uint8, self._buckets, HEADER_BYTES)
        table = np.frombuffer(self._buffer, "<u8", self._buckets * BUCKET, self._table_at)
        self._table = table.reshape(-1, BUCKET)

    def _placed(self, keys: Sequence[bytes]) -> tuple[npt.NDArray[np.intp], UintArray]:
        """Return the bucket and the fingerprint of each key; ValueError for a key of another size."""
        joined = b"".join(keys)
        if len(joined) != KEY_BYTES * len(keys):
            raise ValueError(f"a key of a record does not have {KEY_BYTES} bytes")
        halves = np.frombuffer(joined, "<u8").reshape(-1, 2)
        first, second = halves[:, 0], halves[:, 1]
        mixed = _mixed(first ^ _mixed(second + _GOLDEN))
        buckets = ((mixed >> _HALF) * np.uint64(self._buckets)) >> _HALF
        prints = _mixed(mixed ^ _mixed(first + _GOLDEN))
        return buckets.astype(np.intp), np.maximum(prints, np.uint64(1))  # 0 is an empty place


def _mixed(values: UintArray) -> UintArray:
    """Return the finaliser of splitmix64, which spreads similar numbers."""
    values = (values ^ (values >> np.uint64(30))) * _FACTORS[0]
    values = (values ^ (values >> np.uint64(27))) * _FACTORS[1]
    mixed: UintArray = values ^ (values >> np.uint64(31))
    return mixed
