"""Keys of rows, which a redelivery of their record repeats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, Protocol

from driftgauge.edges.formats.ingest.records import Records, json_bytes

KEY_BYTES: Final = 16
_ID: Final = b"id"
_EVENT: Final = b"event"
_MESSAGE: Final = b"message"
_RECORD: Final = b"record"
_ROW: Final = b"row"
_REFUSED: Final = b"refused"


def key_of_id(id_: str) -> bytes:
    """Return the key of a row whose prediction id was given."""
    return blake2b(id_.encode(), digest_size=KEY_BYTES, person=_ID).digest()


def key_of_event(id_: str) -> bytes:
    """Return the key of an event with an id."""
    return blake2b(id_.encode(), digest_size=KEY_BYTES, person=_EVENT).digest()


def key_of_message(topic: str, partition: int, offset: int) -> bytes:
    """Return the key of a message of Kafka, from where it stands."""
    place = f"{topic}/{partition}/{offset}"
    return blake2b(place.encode(), digest_size=KEY_BYTES, person=_MESSAGE).digest()


def key_of_record(raw: bytes, place: bytes, position: int) -> bytes:
    """Return the key of a record without an id, from its bytes and its position at a place."""
    return blake2b(b"%s %d %s" % (raw, position, place), digest_size=KEY_BYTES, person=_RECORD).digest()


def key_of_row(key: bytes, row: int) -> bytes:
    """Return the key of a row of a record, or of one of equal records; the first has the key itself."""
    return key if row == 0 else blake2b(key + b" %d" % row, digest_size=KEY_BYTES, person=_ROW).digest()


def key_of_refused(key: bytes, raw: bytes) -> bytes:
    """Return the key of a refused record from that of its rows and its bytes: one that is mended is another."""
    return blake2b(key + raw, digest_size=KEY_BYTES, person=_REFUSED).digest()


class Keys(Protocol):
    """Gives the records of a batch their keys."""

    def at(self, position: int) -> bytes:
        """Return the key of the record at a position."""

    def of(self, position: int, content: Any) -> bytes:
        """Return the key of a record that differs from all others by its content, wherever it stands."""

    def known(self, position: int, id_: str, key_of: Callable[[str], bytes]) -> bytes:
        """Return the key of a record with an id, of which `key_of` makes it."""


class PlacedKeys:
    """Keys of the records of a body."""

    def __init__(self, records: Records, place: bytes) -> None:
        self._records: Final = records
        self._place: Final = place
        self._seen: Final[Counter[bytes]] = Counter()

    def at(self, position: int) -> bytes:
        """Return the key of a record by its bytes and its place."""
        return key_of_record(self._records.raw(position), self._place, position)

    def of(self, position: int, content: Any) -> bytes:
        """Return the key of a record by its content, and its number among equal ones of the body."""
        is_whole = content is self._records.contents[position]
        raw = self._records.raw(position) if is_whole else json_bytes(content)
        key = key_of_record(raw, b"", 0)
        self._seen[key] += 1
        return key_of_row(key, self._seen[key] - 1)

    def known(self, position: int, id_: str, key_of: Callable[[str], bytes]) -> bytes:
        """Return the key that the id makes."""
        return key_of(id_)


class GivenKeys:
    """Keys of messages, by their position in a batch."""

    def __init__(self, keys: Sequence[bytes] | Mapping[int, bytes]) -> None:
        self._keys: Final = keys

    def at(self, position: int) -> bytes:
        """Return the key of a message."""
        return self._keys[position]

    def of(self, position: int, content: Any) -> bytes:
        """Return the key of a message."""
        return self._keys[position]

    def known(self, position: int, id_: str, key_of: Callable[[str], bytes]) -> bytes:
        """Return the key of a message."""
        return self._keys[position]
