"""What all decoders share: records one by one into a batch, and a refusal for each that cannot be read."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from functools import cached_property, partial
from typing import Any, Final

from driftgauge.common.garbage import without_collections
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.edges.formats.ingest.features import FeatureOrder, Outputs
from driftgauge.edges.formats.ingest.gather import Gathered, classes_of
from driftgauge.edges.formats.ingest.keys import GivenKeys, Keys, PlacedKeys
from driftgauge.edges.formats.ingest.packed import packed_records
from driftgauge.edges.formats.ingest.records import Records, Unreadable, records_of, records_of_messages
from driftgauge.edges.formats.ingest.times import EventTimes
from driftgauge.edges.formats.ingest.uniform import Fields, UniformRows, fields_of
from driftgauge.edges.formats.label_values import LabelValues, OutcomeValues
from driftgauge.edges.formats.rows.reader import RowReader
from driftgauge.errors import Reason, Refused
from driftgauge.ingestion.records import Decoded, IngestedRows, together
from driftgauge.predictions.rows import ClassLabel

PART_RECORDS: Final = 512
"""Records that are decoded at once: of these alone each costs more if one of them is unlike the others."""


@dataclass(frozen=True)
class ModelReading:
    """How the records of one model are read."""

    baseline: Baseline
    zone: tzinfo
    """Of times without an offset."""
    classes: Sequence[ClassLabel] = ()
    """Classes of the model in order; empty for a regression or where they are not known."""
    outcomes: OutcomeValues = field(default_factory=OutcomeValues)
    """Reads business outcomes."""

    @cached_property
    def reader(self) -> RowReader:
        """Reads rows as columns."""
        return RowReader(self.baseline)

    @cached_property
    def order(self) -> FeatureOrder:
        """The order of the features."""
        return FeatureOrder(self.baseline)

    @cached_property
    def outputs(self) -> Outputs:
        """Reads predictions."""
        return Outputs(self.baseline, self.classes)

    @cached_property
    def times(self) -> EventTimes:
        """Reads times."""
        return EventTimes(self.zone)

    @cached_property
    def labels(self) -> LabelValues:
        """Reads labels."""
        return LabelValues(self.classes)


class Decoder(ABC):
    """Decodes the records of one format for one model; it raises for nothing that a body holds but too many records."""

    def __init__(self, model: ModelReading) -> None:
        self.model: Final = model

    @without_collections()
    def decode(self, body: bytes, place: bytes = b"", most: float = math.inf) -> Decoded:
        """Return what a whole body or a piece of a file holds; Refused if it has more than `most` records.

        `place` says where it stands, such as a file and an offset: it tells records without an id from equal ones
        elsewhere.
        """
        records = records_of(body, most)
        return self._gathered(records, PlacedKeys(records, place))

    @without_collections()
    def decode_packed(self, body: bytes) -> Decoded:
        """Return what a whole body in MessagePack holds; Refused if it has too many records."""
        records = packed_records(body)
        return self._gathered(records, PlacedKeys(records, b""))

    @without_collections()
    def decode_messages(self, messages: Sequence[bytes], keys: Sequence[bytes]) -> Decoded:
        """Return what messages hold, each of them one record whose key is given."""
        given, parts = GivenKeys(keys), []
        for first in range(0, len(messages), PART_RECORDS):  # a part fits into the processor's cache
            records = records_of_messages(messages[first : first + PART_RECORDS])
            parts.append(self._part(replace(records, first=first), given))
        return together(parts)

    @without_collections()
    def decode_lines(self, lines: Sequence[bytes], keys_of: Callable[[Records], Keys]) -> Decoded:
        """Return what lines of a file hold, each of them one record; `keys_of` returns their keys."""
        records = records_of_messages(lines)
        return self._gathered(records, keys_of(records))

    @abstractmethod
    def add(self, content: Any, position: int, keys: Keys, batch: Gathered) -> None:
        """Add a record to a batch; raises Refused before anything of it is added."""

    def uniform(self, fields: Fields) -> UniformRows | None:
        """Return the rows of records with the same fields, in which one is to be like another.

        None, or Refused, where they are to be added one by one, which tells the good ones from the bad.
        """
        return None

    def key(self, content: Any, position: int, keys: Keys) -> bytes:
        """Return the key of a record, an object; raises Refused if its id is none."""
        return keys.at(position)

    def _gathered(self, records: Records, keys: Keys) -> Decoded:
        return together([self._part(part, keys) for part in records.parts(PART_RECORDS)])

    def _part(self, records: Records, keys: Keys) -> Decoded:
        contents, positions = records.contents, records.positions
        with suppress(Refused):
            rows = self._uniform(contents, positions, keys)
            if rows is not None:
                return Decoded(rows, [], [], [])
        batch = Gathered()
        add = self.add
        for position, content in zip(positions, contents, strict=True):
            try:
                if type(content) is not dict:
                    _refuse(content)
                add(content, position, keys, batch)
            except Refused as error:
                batch.refuse(position, error)
        return batch.decoded(self.model.reader, self.model.outputs.label, records, partial(self._key, keys))

    def _key(self, keys: Keys, content: Any, position: int) -> bytes:
        """Return the key of a record that may be anything."""
        if type(content) is dict:
            with suppress(Refused):
                return self.key(content, position, keys)
        return keys.at(position)

    def _uniform(self, contents: Sequence[Any], positions: range, keys: Keys) -> IngestedRows | None:
        fields = fields_of(contents)
        rows = None if fields is None else self.uniform(fields)
        if rows is None:
            return None
        columns = self.model.reader.lists(rows.features, rows.scores, rows.classes)
        classes = classes_of(rows.classes, self.model.outputs.label)
        own = [self.key(content, position, keys) for position, content in zip(positions, contents, strict=True)]
        return IngestedRows(columns, rows.times, rows.ids, own, classes, positions)


def _refuse(content: Any) -> None:
    if type(content) is Unreadable:
        raise content.error
    raise Refused(Reason.UNKNOWN_SHAPE, "the record is not an object: send one JSON object for each record")
