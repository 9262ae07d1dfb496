"""The partitions of one process: where each begins, what the state has claimed of it, and what is left of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from driftgauge.edges.kafka.batches import Batch
from driftgauge.edges.kafka.beginnings import Beginning, Place, beginning_of
from driftgauge.edges.kafka.claims import Claims
from driftgauge.edges.kafka.options import KafkaOptions, client_library
from driftgauge.edges.kafka.owed import Owed, owed_of
from driftgauge.state.source_positions import Partition, SourcePositions

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
        self._sizes: dict[str, int] = {}
        """Partitions that each topic has."""

    @property
    def assigned(self) -> Collection[Partition]:
        """The partitions that this process reads."""
        return self._assigned

    # ------------------------------------------------------------ partitions that come and go

    def see(self, client: Any, seconds: float = ASK_SECONDS) -> None:
        """Note which partitions the topics have, so that later ones are known as added.

        KafkaException if the broker is silent; a topic that does not exist has none.
        """
        for topic in self._options.topics:
            found = client.list_topics(topic, timeout=seconds).topics[topic]
            self._sizes[topic] = len(found.partitions)
            self._sources.see(topic, self._sizes[topic])

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

    def assign(
        self, client: Any, found: Sequence[Any], committed: Mapping[Partition, Any]
    ) -> Mapping[Partition, Beginning]:
        """Take partitions over; return where each begins. KafkaException if the broker is silent."""
        places = {}
        for own in found:
            partition = Partition(own.topic, own.partition)
            place = self._place(client, committed[partition], partition)
            places[partition] = beginning = beginning_of(place)
            self._sources.start(partition, beginning.position)
            claims = Claims.of(committed[partition])  # those of a deleted topic are none
            self._claims[partition] = Claims() if beginning.is_new_topic else claims
        self._assigned |= places.keys()
        self._sources.hold(self._assigned)
        return places

    def _place(self, client: Any, committed: Any, partition: Partition) -> Place:
        low, high = client.get_watermark_offsets(committed, timeout=ASK_SECONDS)
        claims, first = Claims.of(committed), self._sources.first_seen(partition.topic)
        return Place(
            low,
            high,
            self._sources.furthest(partition),
            committed.offset,
            is_ours=claims.latest == self._sources.owner,
            is_claimed=bool(claims.ends),
            from_beginning=self._options.from_beginning,
            is_added=first is not None and partition.number >= first,
        )

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
        claims = self._claims.get(partition, Claims()).after(self._sources.owner, end, self._options.model)
        return self._library.TopicPartition(partition.topic, partition.number, end, claims.metadata())

    # ------------------------------------------------------------ what is left

    def handles(self, positions: Mapping[Partition, Beginning] | None = None) -> list[Any]:
        """Return all partitions as the client library names them, or some with the offsets to read from."""
        if positions is None:
            return [self._library.TopicPartition(*own) for own in self._assigned]
        return [self._library.TopicPartition(*own, found.position.offset) for own, found in positions.items()]

    def other_models(self, client: Any) -> Sequence[str]:
        """Return whose rows the partitions of other processes become, where it is not this model.

        KafkaException if the broker is silent.
        """
        every = (Partition(topic, number) for topic, size in self._sizes.items() for number in range(size))
        asked = [self._library.TopicPartition(*own) for own in every if own not in self._assigned]
        found = client.committed(asked, timeout=ASK_SECONDS) if asked else []
        models = {Claims.of(own).model for own in found if own.error is None and own.offset >= 0}
        return sorted(own or "another program" for own in models - {self._options.model})

    def lag(self, client: Any) -> int:
        """Return the messages that are not rows yet, by the ends of the partitions as they were fetched last."""
        lag = 0
        for own in self._assigned:
            _, high = client.get_watermark_offsets(self._library.TopicPartition(own.topic, own.number), cached=True)
            lag += max(0, high - self.reached(own)) if high >= 0 else 0
        return lag
