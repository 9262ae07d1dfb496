"""Ids of predictions as the log keeps them: UUIDs in 16 bytes, other ids as text."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final
from uuid import UUID

UUID_BYTES: Final = 16
_UUID_LENGTH: Final = 36
_END: Final = b"\0"
"""Follows a text of as many bytes as a UUID; ids hold no such character."""
_HASH_BYTES: Final = 8
_HASHES: Final = 1 << (8 * _HASH_BYTES)


def key_of(id_: str) -> bytes:
    """Return the key of an id; ValueError for one that is empty or holds a NUL character.

    A UUID as `uuid.UUID` writes it becomes its 16 bytes, any other text its UTF-8.
    """
    if len(id_) == _UUID_LENGTH and id_[8] == id_[13] == id_[18] == id_[23] == "-":
        digits = id_[:8] + id_[9:13] + id_[14:18] + id_[19:23] + id_[24:]
        try:
            key = bytes.fromhex(digits)
        except ValueError:
            pass
        else:
            if key.hex() == digits:  # lower case, without spaces
                return key
    text = id_.encode()
    if not text or _END in text:
        raise ValueError(f"{id_!r} is no prediction id: give a text that is not empty and holds no NUL character")
    return text + _END if len(text) == UUID_BYTES else text


def id_of_key(key: bytes) -> str:
    """Return the id of a key.

    >>> id_of_key(key_of("order 7")), id_of_key(key_of("01890a5d-ac96-774b-bcce-b302099a8057"))
    ('order 7', '01890a5d-ac96-774b-bcce-b302099a8057')
    """
    if len(key) == UUID_BYTES:
        return str(UUID(bytes=key))
    return key.rstrip(_END).decode(errors="backslashreplace")  # of a damaged log


def is_sampled(key: bytes, ratio: float) -> bool:
    """Return whether a log that samples at a ratio keeps this id; every replica gives the same answer."""
    if ratio >= 1.0:
        return True
    return int.from_bytes(blake2b(key, digest_size=_HASH_BYTES).digest(), "big") < ratio * _HASHES
