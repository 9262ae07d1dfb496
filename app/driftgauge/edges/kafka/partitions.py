"""The partitions of one process: where each begins, how far it was read, and what is left of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from driftgauge.edges.kafka.options import KafkaOptions, client_library
from driftgauge.state.source_positions import Partition, Position, SourcePositions

ASK_SECONDS: Final = 10.0
"""Longest wait for the broker to say what a group has committed, and which messages there are."""


class Partitions:
    """What a consumer group has assigned to this process."""

    def __init__(self, sources: SourcePositions, options: KafkaOptions) -> None:
        """Positions are kept in `sources`."""
        self._sources: Final = sources
        self._options: Final = options
        self._library: Final = client_library()
        self._committed: dict[Partition, int] = {}
        self._assigned: frozenset[Partition] = frozenset()

    @property
    def assigned(self) -> Collection[Partition]:
        """The partitions that this process reads."""
        return self._assigned

    def assign(self, client: Any, found: Sequence[Any]) -> list[Any]:
        """Take partitions over; return them with the offsets to read from. KafkaException if the broker is silent."""
        committed = client.committed(list(found), timeout=ASK_SECONDS)
        places = []
        for own in committed:
            partition = Partition(own.topic, own.partition)
            position = self._start(client, own, partition)
            self._sources.start(partition, position)
            places.append(self._library.TopicPartition(own.topic, own.partition, position.offset))
        self._assigned |= {Partition(own.topic, own.partition) for own in found}
        return places

    def _start(self, client: Any, committed: Any, partition: Partition) -> Position:
        """Return where a partition begins.

        It goes on after the rows that are in the state, or after what the group has committed if that is further:
        then a process with another state has read on.
        """
        low, high = client.get_watermark_offsets(committed, timeout=ASK_SECONDS)
        known = self._sources.furthest(partition)
        is_there = known is not None and low <= known.offset <= high  # or its messages are deleted, or the topic was
        read = committed.offset if low <= committed.offset <= high and not self._options.from_beginning else -1
        if known is not None and is_there:
            return max(known, Position(read))
        if read >= 0:
            return Position(read)
        is_new = known is None and committed.offset < 0 and not self._options.from_beginning
        return Position(high if is_new else low)

    def give_up(self, partitions: Iterable[Partition]) -> None:
        """Forget partitions, which others read from now on."""
        gone = frozenset(partitions)
        self._assigned -= gone
        for partition in gone:
            self._committed.pop(partition, None)

    def reached(self, partition: Partition) -> int:
        """Return the offset up to which all messages of a partition are rows of the state."""
        known = self._sources.own(partition)
        return -1 if known is None else known.offset

    def uncommitted(self, partitions: Iterable[Partition] | None = None) -> list[Any]:
        """Return the offsets to commit: those that Kafka does not know yet, by default of all partitions."""
        offsets = {own: self.reached(own) for own in (self._assigned if partitions is None else partitions)}
        new = {own: offset for own, offset in offsets.items() if offset >= 0 and self._committed.get(own) != offset}
        return [self._library.TopicPartition(own.topic, own.number, offset) for own, offset in new.items()]

    def committed(self, offsets: Iterable[Any]) -> None:
        """Take note of offsets that Kafka has committed."""
        self._committed |= {Partition(own.topic, own.partition): own.offset for own in offsets}

    def handles(self) -> list[Any]:
        """Return all partitions as the client library names them."""
        return [self._library.TopicPartition(own.topic, own.number) for own in self._assigned]

    def lag(self, client: Any) -> int:
        """Return the messages that are not rows yet, by the ends of the partitions as they were fetched last."""
        lag = 0
        for own in self._assigned:
            _, high = client.get_watermark_offsets(self._library.TopicPartition(own.topic, own.number), cached=True)
            lag += max(0, high - self.reached(own)) if high >= 0 else 0
        return lag
