"""Keys of rows, which a redelivery of their record repeats."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

KEY_BYTES: Final = 16
_ID: Final = b"id"
_EVENT: Final = b"event"
_RECORD: Final = b"record"


def key_of_id(id_: str) -> bytes:
    """Return the key of a row whose prediction id was given."""
    return blake2b(id_.encode(), digest_size=KEY_BYTES, person=_ID).digest()


def key_of_event(id_: str, row: int) -> bytes:
    """Return the key of a row of an event with an id."""
    return blake2b(b"%d %s" % (row, id_.encode()), digest_size=KEY_BYTES, person=_EVENT).digest()


def key_of_record(raw: bytes, place: bytes, position: int) -> bytes:
    """Return the key of a record without an id, from its bytes and its position at a place."""
    found = blake2b(raw, digest_size=KEY_BYTES, person=_RECORD)
    found.update(b" %d %s" % (position, place))
    return found.digest()


def key_of_row(key: bytes, row: int) -> bytes:
    """Return the key of a row of a record with a key; the first row has the key of its record."""
    return key if row == 0 else blake2b(key + b" %d" % row, digest_size=KEY_BYTES).digest()
