"""Messages that a state has claimed and not counted, because the process that was to ended before."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any, Final, NamedTuple

from driftgauge.edges.kafka.batches import Batch, batches_of
from driftgauge.edges.kafka.claims import Claims
from driftgauge.edges.kafka.options import client_library
from driftgauge.state.source_positions import Partition, Position, SourcePositions

READ_SECONDS: Final = 20.0
"""Longest wait for all of them."""
ENDS: Final[Mapping[str, Any]] = {"enable.partition.eof": True}
"""Properties of the client that reads them, beside those of others."""
_MESSAGES_AT_ONCE: Final = 2_000
_WAIT_SECONDS: Final = 0.2


class Owed(NamedTuple):
    """Messages of a partition from a position on, before an offset."""

    partition: Partition
    start: Position
    end: int


def owed_of(sources: SourcePositions, committed: Mapping[Partition, Any]) -> Sequence[Owed]:
    """Return what a state owes by what its group has committed, but for what a running worker of it reads."""
    found = []
    for partition, known in sources.reached().items():
        if partition not in committed or known.is_followed:
            continue
        end = Claims.of(committed[partition]).ends.get(sources.owner, -1)
        if known.position.offset < end:
            found.append(Owed(partition, known.position, end))
    return found


def read_owed(client: Any, owed: Sequence[Owed], take: Callable[[Batch], None]) -> int:
    """Hand messages over, by a client of its own, which is closed then.

    Return how many messages are lost, because Kafka has deleted them. The client tells the ends of partitions
    (`ENDS`): the last of the messages may be deleted. KafkaException or TimeoutError if they cannot be read: then they
    are owed on.
    """
    with closing(client):
        places, ends, lost = _present(client, owed)
        if places:
            client.assign(places)
        deadline = time.monotonic() + READ_SECONDS
        while ends:
            if time.monotonic() > deadline:
                raise TimeoutError(f"messages of {len(ends)} partitions that this state has claimed could not be read")
            messages, at_end = _sorted(client.consume(_MESSAGES_AT_ONCE, _WAIT_SECONDS))
            for batch in batches_of(messages):
                if (end := ends.get(batch.partition)) is None:
                    continue
                if (mine := batch.before(end)) is not None:
                    take(mine)
                if batch.end >= end:
                    del ends[batch.partition]
            for partition in at_end:
                ends.pop(partition, None)
    return lost


def _present(client: Any, owed: Sequence[Owed]) -> tuple[list[Any], dict[Partition, int], int]:
    """Return where to begin and to end of the messages that are still there, and how many are not."""
    places, ends, lost = [], {}, 0
    for partition, start, end in owed:
        place = client_library().TopicPartition(*partition, start.offset)
        low, high = client.get_watermark_offsets(place, timeout=READ_SECONDS)
        lost += max(0, min(low, end) - start.offset)
        if low < end <= high:
            place.offset = max(low, start.offset)
            places.append(place)
            ends[partition] = end
    return places, ends, lost


def _sorted(messages: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Partition]]:
    """Return the messages, and the partitions that were read to their ends; KafkaException for another error."""
    found, at_end, library = [], [], client_library()
    for message in messages:
        if (error := message.error()) is None:
            found.append(message)
        elif error.code() == library.KafkaError._PARTITION_EOF:
            at_end.append(Partition(message.topic(), message.partition()))
        else:
            raise library.KafkaException(error)
    return found, at_end
