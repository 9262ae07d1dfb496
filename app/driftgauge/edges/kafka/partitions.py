"""The partitions of one process: where each begins, what the state has claimed of it, and what is left of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from driftgauge.edges.kafka.batches import Batch
from driftgauge.edges.kafka.claims import Claims
from driftgauge.edges.kafka.options import KafkaOptions, client_library
from driftgauge.edges.kafka.owed import Owed, owed_of
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
        self._claims: dict[Partition, Claims] = {}
        self._assigned: frozenset[Partition] = frozenset()

    @property
    def assigned(self) -> Collection[Partition]:
        """The partitions that this process reads."""
        return self._assigned

    # ------------------------------------------------------------ partitions that come and go

    def committed(self, client: Any, found: Sequence[Any]) -> Mapping[Partition, Any]:
        """Return what the group has committed of some partitions and of those that the state knows.

        KafkaException if the broker is silent.
        """
        wanted = {Partition(own.topic, own.partition): own for own in found}
        for own in self._sources.reached():
            if own.topic in self._options.topics:
                wanted.setdefault(own, self._library.TopicPartition(own.topic, own.number))
        answers = client.committed(list(wanted.values()), timeout=ASK_SECONDS) if wanted else []
        known = {Partition(own.topic, own.partition): own for own in answers}
        for asked in found:
            if error := known[Partition(asked.topic, asked.partition)].error:
                raise self._library.KafkaException(error)
        return {partition: own for partition, own in known.items() if own.error is None}

    def owed(self, committed: Mapping[Partition, Any]) -> Sequence[Owed]:
        """Return the messages that the state has claimed, and that no process counts: the one that was to has ended."""
        return owed_of(self._sources, committed)

    def assign(self, client: Any, found: Sequence[Any], committed: Mapping[Partition, Any]) -> list[Any]:
        """Take partitions over; return them with the offsets to read from. KafkaException if the broker is silent."""
        places = []
        for own in found:
            partition = Partition(own.topic, own.partition)
            position = self._start(client, committed[partition], partition)
            self._sources.start(partition, position)
            self._claims[partition] = Claims.of(committed[partition])
            places.append(self._library.TopicPartition(own.topic, own.partition, position.offset))
        self._assigned |= {Partition(own.topic, own.partition) for own in found}
        self._sources.hold(self._assigned)
        return places

    def _start(self, client: Any, committed: Any, partition: Partition) -> Position:
        """Return where a partition begins.

        It goes on after the rows that are in the state, if the state has made the latest claim; or after what the group
        has committed if that is further: then a process with another state has read on.
        """
        low, high = client.get_watermark_offsets(committed, timeout=ASK_SECONDS)
        known, claims = self._sources.furthest(partition), Claims.of(committed)
        is_there = known is not None and low <= known.offset <= high  # or its messages are deleted, or the topic was
        counts = bool(claims.ends) or not self._options.from_beginning
        read = committed.offset if low <= committed.offset <= high and counts else -1
        if known is not None and is_there:
            return known if claims.latest == self._sources.owner else max(known, Position(read))
        if read >= 0:
            return Position(read)
        is_new = known is None and committed.offset < 0 and not self._options.from_beginning
        return Position(high if is_new else low)

    def give_up(self, partitions: Iterable[Partition]) -> None:
        """Forget partitions, which others read from now on."""
        gone = frozenset(partitions)
        self._assigned -= gone
        for partition in gone:
            self._claims.pop(partition, None)
        with suppress(OSError):  # the next owner then waits for nothing: rows in the log tell how far this one came
            self._sources.hold(self._assigned)

    # ------------------------------------------------------------ claims

    def reached(self, partition: Partition) -> int:
        """Return the offset up to which all messages of a partition are rows of the state."""
        known = self._sources.own(partition)
        return -1 if known is None else known.offset

    def unclaimed(self, batches: Iterable[Batch]) -> list[Any]:
        """Return the offsets to commit before batches are appended; and those where partitions begin that none has."""
        ends = {own: self.reached(own) for own in self._assigned if self._claimed(own) < 0}
        ends |= {batch.partition: batch.end for batch in batches if self._claimed(batch.partition) < batch.end}
        return [self._claim(own, end) for own, end in ends.items() if end >= 0]

    def surplus(self, partitions: Iterable[Partition]) -> list[Any]:
        """Return the offsets to commit so that others may have the messages that are claimed and not begun."""
        found = []
        for own in self._assigned.intersection(partitions):
            position = self._sources.own(own)
            if position is not None and (end := position.offset + (position.rows > 0)) < self._claimed(own):
                found.append(self._claim(own, end))
        return found

    def claimed(self, offsets: Iterable[Any]) -> None:
        """Take note of offsets that Kafka has committed."""
        for own in offsets:
            self._claims[Partition(own.topic, own.partition)] = Claims.of(own)

    def _claimed(self, partition: Partition) -> int:
        """Return the offset up to which the state has claimed a partition in this session; -1 if it has not."""
        claims = self._claims.get(partition, Claims())
        return claims.ends[self._sources.owner] if claims.latest == self._sources.owner else -1

    def _claim(self, partition: Partition, end: int) -> Any:
        claims = self._claims.get(partition, Claims()).after(self._sources.owner, end)
        return self._library.TopicPartition(partition.topic, partition.number, end, claims.metadata())

    # ------------------------------------------------------------ what is left

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
