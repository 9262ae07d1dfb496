"""Rows of a batch as they are gathered, and their conversion to columns all at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.edges.formats.ingest.records import Records
from driftgauge.edges.formats.rows.reader import RowReader
from driftgauge.errors import Refused
from driftgauge.ingestion.records import Decoded, HalfEvent, IngestedRows, RefusedRecord
from driftgauge.predictions.labels import GivenLabel
from driftgauge.predictions.rows import ClassLabel

Value = TypeVar("Value")
LabelOf = Callable[[Any], ClassLabel | None]
"""Returns a class as the model names it."""


@dataclass
class Gathered:
    """What the records of a batch hold: one entry of each list is a row."""

    features: list[list[Any]] = field(default_factory=list)
    """In the baseline's order."""
    scores: list[Any] = field(default_factory=list)
    classes: list[Any] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    """Of its record, ascending."""
    labels: list[GivenLabel] = field(default_factory=list)
    halves: list[HalfEvent] = field(default_factory=list)
    refused: dict[int, Refused] = field(default_factory=dict)
    """By the position of the record."""

    def add(self, position: int, features: list[Any], score: Any, named: Any, at: float, id_: str, key: bytes) -> None:
        """Add a row; its score and its class are None where they are not known."""
        self.features.append(features)
        self.scores.append(score)
        self.classes.append(named)
        self.times.append(at)
        self.ids.append(id_)
        self.keys.append(key)
        self.positions.append(position)

    def decoded(self, reader: RowReader, label_of: LabelOf, records: Records) -> Decoded:
        """Return the batch; a record with a row that cannot be read is refused."""
        rows = self._rows(reader, label_of) if self.features else None
        refused = [RefusedRecord(at, error, records.raw(at)) for at, error in sorted(self.refused.items())]
        return Decoded(rows, self.halves, self.labels, refused)

    def _rows(self, reader: RowReader, label_of: LabelOf) -> IngestedRows | None:
        try:
            columns = reader.lists(self.features, self.scores, self.classes)
            return self._ingested(columns, range(len(self.features)), label_of)
        except Refused:
            columns = np.full((len(self.features), reader.width), np.nan)
            self._search(reader, columns, 0, len(self.features))
        kept = [row for row, position in enumerate(self.positions) if position not in self.refused]
        return self._ingested(columns[kept], kept, label_of) if kept else None

    def _search(self, reader: RowReader, columns: FloatArray, begin: int, end: int) -> None:
        """Fill in the rows from `begin` to `end`, and note those that are refused: halves of halves."""
        try:
            given = (part[begin:end] for part in (self.features, self.scores, self.classes))
            columns[begin:end] = reader.lists(*given)
        except Refused as error:
            if end - begin == 1:
                self.refused.setdefault(self.positions[begin], error)
                return
            middle = (begin + end) // 2
            self._search(reader, columns, begin, middle)
            self._search(reader, columns, middle, end)

    def _ingested(self, columns: FloatArray, kept: Sequence[int], label_of: LabelOf) -> IngestedRows:
        classes = [None if named is None else label_of(named) for named in _kept(self.classes, kept)]
        return IngestedRows(
            columns,
            np.array(_kept(self.times, kept)),
            _kept(self.ids, kept),
            _kept(self.keys, kept),
            classes if any(label is not None for label in classes) else (),
        )


def _kept(values: list[Value], kept: Sequence[int]) -> list[Value]:
    """Return the values at some positions."""
    return values if len(kept) == len(values) else [values[row] for row in kept]
