"""What the decoders of other servers' logs return: rows of predictions, ground truth, and refused records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.errors import Refused
from driftgauge.predictions.labels import GivenLabel
from driftgauge.predictions.rows import ClassLabel

T = TypeVar("T")


@dataclass(frozen=True)
class IngestedRows:
    """Rows of one model's predictions, n in number."""

    columns: FloatArray
    """Monitored values in the baseline's order with the predictions, NaN where unknown, shape [n, columns]."""
    event: FloatArray
    """When each was predicted, seconds since 1970, NaN where its record does not say, shape [n]."""
    ids: Sequence[str]
    """The prediction id that each row was given; an empty text for a row without one."""
    keys: Sequence[bytes]
    """16 bytes for each row, which a redelivery of its record repeats."""
    classes: Sequence[ClassLabel | None] = ()
    """Predicted class of each row, None where unknown; empty if no row has one."""
    records: Sequence[int] = ()
    """The position of each row's record in the body or batch of messages; empty where it is not known."""

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True)
class RefusedRecord:
    """A record that cannot be read; those beside it are."""

    position: int
    """Its position in the body or file, from 0."""
    error: Refused
    record: bytes
    """The record as it came."""
    key: bytes = b""
    """16 bytes that a redelivery repeats; empty where a redelivery cannot be told."""


@dataclass(frozen=True)
class HalfEvent:
    """The request or the response of a prediction, which are joined by their id."""

    id: str
    is_request: bool
    at: float
    """Seconds since 1970, NaN where it does not say."""
    content: Any
    """Its body, as JSON has it."""


Pair = tuple[HalfEvent, HalfEvent]
"""The request and the response of one prediction."""


@dataclass(frozen=True)
class Decoded:
    """What one body or one piece of a file holds."""

    rows: IngestedRows | None = None
    """None if it has no complete row."""
    halves: Sequence[HalfEvent] = ()
    """Requests and responses, to be joined."""
    labels: Sequence[GivenLabel] = ()
    refused: Sequence[RefusedRecord] = ()


def together(parts: Sequence[Decoded]) -> Decoded:
    """Return what several parts hold, in their order."""
    if len(parts) == 1:
        return parts[0]
    rows = [part.rows for part in parts if part.rows is not None]
    return Decoded(
        rows_together(rows) if rows else None,
        [half for part in parts for half in part.halves],
        [label for part in parts for label in part.labels],
        [own for part in parts for own in part.refused],
    )


def rows_together(parts: Sequence[IngestedRows]) -> IngestedRows:
    """Return the rows of several parts, at least one, in their order."""
    has_classes = any(rows.classes for rows in parts)
    return IngestedRows(
        columns=np.concatenate([rows.columns for rows in parts]),
        event=np.concatenate([rows.event for rows in parts]),
        ids=_chained([rows.ids for rows in parts]),
        keys=_chained([rows.keys for rows in parts]),
        classes=_chained([rows.classes or [None] * len(rows) for rows in parts]) if has_classes else (),
        records=_chained([rows.records for rows in parts]),
    )


def _chained(parts: Sequence[Sequence[T]]) -> Sequence[T]:
    return list(chain.from_iterable(parts))


@runtime_checkable
class PairDecoder(Protocol):
    """What a decoder that returns halves also has: it makes rows of halves once they are joined."""

    def joined(self, pairs: Sequence[Pair]) -> Decoded:
        """Return the rows of requests with their responses; a pair that cannot be read is a refused record.

        A row's key is made of the pair's id and its position in the request.
        """
