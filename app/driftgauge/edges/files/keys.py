"""Keys of the records of a file, which do not depend on the pieces in which it is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

from driftgauge.edges.formats.ingest.keys import key_of_record, key_of_row
from driftgauge.edges.formats.ingest.records import Records, json_bytes


class FileKeys:
    """Gives the records of one file their keys, piece by piece."""

    def __init__(self, place: bytes) -> None:
        """`place` tells the file from others."""
        self.place: Final = place
        self._records = Records(())
        self._offsets: Sequence[int] = ()
        self._before: Counter[bytes] = Counter()
        self._seen: Counter[bytes] = Counter()

    def go_on(self, offsets: Sequence[int], records: Records) -> FileKeys:
        """Go on with the next records, which begin at some offsets of the file."""
        self._records, self._offsets = records, offsets
        self._before, self._seen = self._seen, Counter()
        return self

    def at(self, position: int) -> bytes:
        """Return the key of a record by its bytes and its place."""
        return key_of_record(self._records.raw(position), self.place, self._offsets[position])

    def of(self, position: int, content: Any) -> bytes:
        """Return the key of a record by its content, and its number among equal ones of this piece and the last."""
        is_whole = content is self._records.contents[position]
        key = key_of_record(self._records.raw(position) if is_whole else json_bytes(content), b"", 0)
        self._seen[key] += 1
        return key_of_row(key, self._seen[key] + self._before[key] - 1)

    def known(self, position: int, id_: str, key_of: Callable[[str], bytes]) -> bytes:
        """Return the key that the id makes."""
        return key_of(id_)
