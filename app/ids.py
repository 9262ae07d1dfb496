"""Prediction ids that sort by time (UUIDv7, RFC 9562)."""

from __future__ import annotations

import os
import uuid


def time_ordered_ids(at: float, count: int) -> list[str]:
    """Return `count` new ids made at a time in seconds since 1970, ascending among themselves.

    48 bits of milliseconds, then a 12-bit and a 30-bit counter from a random start, then 32 random
    bits.
    """
    milliseconds = int(at * 1000) & 0xFFFF_FFFF_FFFF
    start = int.from_bytes(os.urandom(5), "big")  # 40 of the counter's 42 bits: room to count up
    noise = os.urandom(4 * count)
    return [_uuid7(milliseconds, start + i, noise[4 * i : 4 * i + 4]) for i in range(count)]


def _uuid7(milliseconds: int, counter: int, noise: bytes) -> str:
    high = milliseconds << 16 | 0x7 << 12 | counter >> 30
    low = 0b10 << 62 | (counter & 0x3FFF_FFFF) << 32 | int.from_bytes(noise, "big")
    return str(uuid.UUID(int=high << 64 | low))
