"""Rows of a batch as they are gathered, and their conversion to columns all at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.edges.formats.ingest.keys import key_of_refused
from driftgauge.edges.formats.ingest.records import Records
from driftgauge.edges.formats.rows.reader import RowReader
from driftgauge.errors import Refused
from driftgauge.ingestion.records import Decoded, HalfEvent, IngestedRows, RefusedRecord
from driftgauge.predictions.labels import GivenLabel
from driftgauge.predictions.rows import ClassLabel

LabelOf = Callable[[Any], ClassLabel | None]
"""Returns a class as the model names it."""
KeyOf = Callable[[Any, int], bytes]
"""Returns the key of a record with this content at this position."""


Row = tuple[int, list[Any], Any, Any, float, str, bytes]
"""The position of its record, features in the baseline's order, score, class, time, id and key.

The score and the class are None where they are not known, the time is NaN, the id an empty text.
"""


@dataclass
class Gathered:
    """What the records of a batch hold."""

    rows: list[Row] = field(default_factory=list)
    """In the order of their records."""
    labels: list[GivenLabel] = field(default_factory=list)
    halves: list[HalfEvent] = field(default_factory=list)
    refused: dict[int, Refused] = field(default_factory=dict)
    """By the position of the record."""

    def refuse(self, position: int, error: Refused) -> None:
        """Note that a record is refused; where it was raised is forgotten, because that takes a kilobyte."""
        self.refused.setdefault(position, error.with_traceback(None))

    def decoded(self, reader: RowReader, label_of: LabelOf, records: Records, key_of: KeyOf) -> Decoded:
        """Return the batch; a record with a row that cannot be read is refused."""
        rows = self._ingested(reader, label_of) if self.rows else None
        refused = [self._refused(at, records, key_of) for at in sorted(self.refused)] if self.refused else []
        return Decoded(rows, self.halves, self.labels, refused)

    def _refused(self, position: int, records: Records, key_of: KeyOf) -> RefusedRecord:
        """Return a refused record; without bytes, as of what follows a break in MessagePack, it has no key."""
        raw = records.raw(position)
        key = key_of_refused(key_of(records.at(position), position), raw) if raw else b""
        return RefusedRecord(position, self.refused[position], raw, key)

    def _ingested(self, reader: RowReader, label_of: LabelOf) -> IngestedRows | None:
        kept = self.rows
        try:
            columns = _columns(reader, kept)
        except Refused:
            columns = np.full((len(kept), reader.width), np.nan)
            self._search(reader, columns, 0, len(kept))
            places = [place for place, row in enumerate(kept) if row[0] not in self.refused]
            kept, columns = [kept[place] for place in places], columns[places]
        if not kept:
            return None
        positions, _, _, named, times, ids, keys = zip(*kept, strict=True)
        return IngestedRows(columns, np.array(times), ids, keys, classes_of(named, label_of), positions)

    def _search(self, reader: RowReader, columns: FloatArray, begin: int, end: int) -> None:
        """Fill in the rows from `begin` to `end`, and note those that are refused: halves of halves."""
        try:
            columns[begin:end] = _columns(reader, self.rows[begin:end])
        except Refused as error:
            if end - begin == 1:
                self.refuse(self.rows[begin][0], error)
                return
            middle = (begin + end) // 2
            self._search(reader, columns, begin, middle)
            self._search(reader, columns, middle, end)


def classes_of(named: Sequence[Any], label_of: LabelOf) -> Sequence[ClassLabel | None]:
    """Return predicted classes as the model names them; empty if none is known."""
    return () if named.count(None) == len(named) else [None if own is None else label_of(own) for own in named]


def _columns(reader: RowReader, rows: list[Row]) -> FloatArray:
    """Return the monitored values of rows; raises Refused."""
    _, features, scores, classes, _, _, _ = zip(*rows, strict=True)
    return reader.lists(features, scores, classes)
