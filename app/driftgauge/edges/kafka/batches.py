"""Batches: consecutive messages of one partition."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import groupby
from typing import Any, Final

import numpy as np

from driftgauge.ingestion.records import IngestedRows
from driftgauge.state.source_positions import Partition

_HALF_KEY_BYTES: Final = 8


@dataclass(frozen=True)
class Batch:
    """Messages of one partition, by ascending offset."""

    partition: Partition
    messages: Sequence[Any]
    """As the client library gives them."""

    @property
    def end(self) -> int:
        """The offset after the last one."""
        return int(self.messages[-1].offset()) + 1

    @property
    def values(self) -> list[bytes]:
        """What they hold; nothing for a tombstone."""
        return [message.value() or b"" for message in self.messages]

    @property
    def keys(self) -> list[bytes]:
        """16 bytes for each, which no other message of any topic has."""
        place = blake2b(repr(tuple(self.partition)).encode(), digest_size=_HALF_KEY_BYTES).digest()
        return [place + message.offset().to_bytes(_HALF_KEY_BYTES, "big") for message in self.messages]

    def after(self, offset: int) -> Batch | None:
        """Return the messages from an offset on; None without any."""
        if self.messages[0].offset() >= offset:
            return self
        left = [message for message in self.messages if message.offset() >= offset]
        return Batch(self.partition, left) if left else None

    def before(self, offset: int) -> Batch | None:
        """Return the messages before an offset; None without any."""
        if self.end <= offset:
            return self
        left = [message for message in self.messages if message.offset() < offset]
        return Batch(self.partition, left) if left else None

    def dated(self, rows: IngestedRows) -> IngestedRows:
        """Return rows with the times of their messages where they have none of their own."""
        unknown = np.flatnonzero(np.isnan(rows.event))
        if not len(unknown):
            return rows
        event = rows.event.copy()
        event[unknown] = [_time_of(self.messages[rows.records[row]]) for row in unknown.tolist()]
        return replace(rows, event=event)


def _time_of(message: Any) -> float:
    """Return the time that a message was given by its producer or broker, NaN without one."""
    kind, milliseconds = message.timestamp()
    return milliseconds / 1_000 if kind else math.nan


def batches_of(messages: Iterable[Any]) -> list[Batch]:
    """Return messages by partition, in the order in which they came."""
    found: dict[Partition, list[Any]] = {}
    for (topic, number), some in groupby(messages, lambda message: (message.topic(), message.partition())):
        found.setdefault(Partition(topic, number), []).extend(some)
    return [Batch(partition, some) for partition, some in found.items()]
