"""Prediction ids that sort by time (UUIDv7, RFC 9562)."""

from __future__ import annotations

import random


def time_ordered_ids(at: float, count: int) -> list[str]:
    """Return `count` new ids made at a time in seconds since 1970, ascending among themselves.

    48 bits of milliseconds, then a 12-bit and a 30-bit counter from a random start, then 32 random
    bits.
    """
    high = (int(at * 1000) & 0xFFFF_FFFF_FFFF) << 16 | 0x7 << 12
    # Ids are unique, not secret, so Python's generator is enough and saves a system call.
    start = random.getrandbits(40)  # of the counter's 42 bits: room to count up
    return [_uuid7(high, start + i, random.getrandbits(32)) for i in range(count)]


def _uuid7(high: int, counter: int, end: int) -> str:
    low = 0b10 << 62 | (counter & 0x3FFF_FFFF) << 32 | end
    digits = f"{high | counter >> 30:016x}{low:016x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
