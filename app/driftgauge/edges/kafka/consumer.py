"""The consumer: a thread that reads a group's messages, and says what it does in numbers."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from driftgauge.edges.kafka.batches import Batch, batches_of
from driftgauge.edges.kafka.options import KafkaOptions, client_library
from driftgauge.edges.kafka.owed import ENDS, Owed, read_owed
from driftgauge.edges.kafka.partitions import Partitions
from driftgauge.edges.kafka.rows import RowTaker
from driftgauge.metrics.facts import StreamFacts
from driftgauge.monitor.problems import Problems
from driftgauge.state.source_positions import Partition

PROBLEM: Final = "kafka_failed"
LOST: Final = "kafka_messages_lost"
NEW_TOPIC: Final = "kafka_topic_created_again"
SHARED: Final = "kafka_group_shared"
MESSAGES_AT_ONCE: Final = 2_000
WAIT_SECONDS: Final = 0.2
"""Longest wait for a message, and so for the end."""
MEASURE_SECONDS: Final = 1.0
"""Time between two measurements of the lag."""
LOOK_SECONDS: Final = 30.0
"""Time between two looks at who else commits for the group."""
SEE_SECONDS: Final = 5.0
"""Longest wait at the start for the partitions of the topics."""
RETRY_SECONDS: Final = (1.0, 30.0)
"""Shortest and longest pause before a client that failed is replaced; it doubles in between."""
STOP_SECONDS: Final = 10.0


class MessagesLost(Exception):
    """Messages were deleted before they were counted."""


class TopicCreatedAgain(Exception):
    """A topic was deleted and created again under its name."""


class GroupShared(Exception):
    """The group commits for another model or program too."""


class KafkaConsumer:
    """Reads messages in a thread of its own until it is stopped; no failure ends it."""

    def __init__(
        self,
        options: KafkaOptions,
        taker: RowTaker,
        problems: Problems,
        *,
        limits: tuple[float, float],
        retry_seconds: tuple[float, float] = RETRY_SECONDS,
        opened: Callable[[dict[str, Any]], Any] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Hand messages to `taker`; `limits` are the lags that are a warning and critical.

        `opened` returns the client for some properties, `monotonic` seconds that never go back, `clock` seconds since
        1970. SettingsError without the client library.
        """
        self._library: Final = client_library()
        self._open: Final = opened or self._library.Consumer
        self._options: Final = options
        self._config: Final = options.config()
        self._taker: Final = taker
        self._problems: Final = problems
        self._retry: Final = retry_seconds
        self._partitions = Partitions(taker.sources, options)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kafka", daemon=True)
        self._client: Any = None
        self._is_paused = False
        self._monotonic: Final = monotonic
        self._clock: Final = clock
        self._session_seconds: Final = float(self._config["session.timeout.ms"]) / 1_000
        self._active_at = monotonic()
        self._measure_at = self._look_at = 0.0
        self._waits_since = math.inf
        self._facts = StreamFacts(limits=limits)

    def start(self) -> None:
        """Start to read."""
        self._thread.start()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Stop once the rows at hand are appended, and leave the group."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    @property
    def facts(self) -> StreamFacts:
        """What the metrics say of it."""
        return replace(self._facts, last_received=self._taker.last_received)

    # ------------------------------------------------------------ the thread

    def _run(self) -> None:
        pause = self._retry[0]
        while not self._stopping.is_set():
            began = self._monotonic()
            try:
                self._read()
            except Exception as error:
                self._failed(error)
            pause = self._retry[0] if self._monotonic() - began > self._retry[1] else min(2 * pause, self._retry[1])
            self._stopping.wait(pause)
        self._taker.finish()

    def _read(self) -> None:
        """Join the group and read until this is stopped; any error ends it."""
        self._partitions = Partitions(self._taker.sources, self._options)
        self._waits_since = math.inf
        self._look_at = self._monotonic() + LOOK_SECONDS
        self._client = client = self._open({**self._config, "error_cb": self._noticed})
        try:
            with suppress(self._library.KafkaException):  # the client says it too, and goes on
                self._partitions.see(client, SEE_SECONDS)
            client.subscribe(
                list(self._options.topics), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
            )
            while not self._stopping.is_set():
                self._active_at = self._monotonic()
                self._take(client.consume(MESSAGES_AT_ONCE, WAIT_SECONDS))
                self._measure_if_due()
                self._look_if_due()
            self._release(self._partitions.assigned)
        finally:
            self._update(partitions=0, lag=0.0)
            self._partitions.give_up(list(self._partitions.assigned))
            client.close()

    def _take(self, messages: Sequence[Any]) -> None:
        """Claim messages and append their rows; those of a partition that is taken away meanwhile are left.

        They are the next owner's, or this state counts them when it is given partitions again.
        """
        good = []
        for message in messages:
            if error := message.error():
                if error.code() == self._library.KafkaError._AUTO_OFFSET_RESET:
                    raise self._library.KafkaException(error)  # where partitions begin again says what is lost
                self._noticed(error)
            else:
                good.append(message)
        if good:
            self._problems.resolve(PROBLEM)
            self._update(messages=self._facts.messages + len(good))
        batches = [batch for batch in batches_of(good) if self._is_own(batch.partition)]
        if not self._claim(self._partitions.unclaimed(batches)):
            self._partitions.give_up(list(self._partitions.assigned))  # the group is about to assign them anew
            self._waits_since = self._monotonic()
        for batch in batches:
            if self._is_own(batch.partition):
                self._taker.take(batch, self._wait, self._is_own)
        self._resume()

    def _claim(self, offsets: Sequence[Any]) -> bool:
        """Commit offsets before their rows are appended; return whether the group takes commits now.

        KafkaException if the group is not this process's any more, or does not answer: then it may be unknown whether
        they were committed. The process joins the group again, and asks.
        """
        try:
            answers = self._client.commit(offsets=offsets, asynchronous=False) if offsets else ()
        except self._library.KafkaException as error:
            if error.args[0].code() != self._library.KafkaError.REBALANCE_IN_PROGRESS:
                raise
            return False
        for own in answers:
            if own.error is not None:
                raise self._library.KafkaException(own.error)
        self._partitions.claimed(offsets)
        return True

    def _is_own(self, partition: Partition) -> bool:
        """Return whether a partition is still this process's.

        TimeoutError if the process stood still for as long as its session lasts: then Kafka has given its partitions
        to others, and the client library may not know it yet. It joins the group again.
        """
        now = self._monotonic()
        idle, self._active_at = now - self._active_at, now
        if idle >= self._session_seconds:
            raise TimeoutError(f"the process stood still for {idle:.0f} s, longer than its session in the group")
        return partition in self._partitions.assigned

    def _wait(self, partition: Partition) -> bool:
        """Wait for room without leaving the group; return whether a partition is still this process's."""
        if not self._is_paused:
            self._is_paused = True
            self._client.pause(self._partitions.handles())
            self._update(pauses=self._facts.pauses + 1)
        self._client.poll(WAIT_SECONDS / 10)  # returns no message while all partitions are paused
        return not self._stopping.is_set() and partition in self._partitions.assigned

    def _resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._client.resume(self._partitions.handles())

    def _measure_if_due(self) -> None:
        now = self._monotonic()
        if now - self._waits_since > self._session_seconds:
            raise TimeoutError("the group took no commit, and has not assigned partitions since")
        if now >= self._measure_at:
            self._measure_at = now + MEASURE_SECONDS
            self._update(lag=float(self._partitions.lag(self._client)))

    def _look_if_due(self) -> None:
        """Say who else commits for the group; a broker that is silent is asked later."""
        if (now := self._monotonic()) < self._look_at:
            return
        self._look_at = now + LOOK_SECONDS
        with suppress(self._library.KafkaException):
            if others := self._partitions.other_models(self._client):
                text = f"{', '.join(others)} reads the same topics in the group {self._options.group}, so that each "
                text += "counts only a part of the messages: give each model a group of its own (--group)"
                self._problems.record(SHARED, GroupShared(text))
            else:
                self._problems.resolve(SHARED)

    def _release(self, partitions: Iterable[Partition]) -> None:
        """Leave messages that were claimed and not begun to the next owner.

        A failure is recorded: then this state counts them when it is read again.
        """
        try:
            self._claim(self._partitions.surplus(partitions))
        except self._library.KafkaException as error:
            self._failed(error)

    # ------------------------------------------------------------ what the client calls, in the same thread

    def _assigned(self, client: Any, found: Sequence[Any]) -> None:
        """Begin to read partitions, after what an earlier process of this state left."""
        sources = self._taker.sources
        with sources.alone():
            self._partitions.see(client)
            committed = self._partitions.committed(client, found)
            if owed := self._partitions.owed(committed):
                self._recover(owed)
            beginnings = self._partitions.assign(client, found, committed)
        client.assign(places := self._partitions.handles(beginnings))
        if self._is_paused:
            client.pause(places)
        self._tell_lost(sum(own.lost for own in beginnings.values()))
        if created := sorted({where.topic for where, own in beginnings.items() if own.is_new_topic}):
            text = f"{', '.join(created)} has fewer messages than were read of it: it is read from its first message"
            self._problems.record(NEW_TOPIC, TopicCreatedAgain(text))
        self._waits_since = math.inf
        self._look_at = self._monotonic() + LOOK_SECONDS  # the others have claimed theirs by then
        self._active_at = self._monotonic()  # the broker may take its time to say where they begin
        self._update(partitions=len(self._partitions.assigned), rebalances=self._facts.rebalances + 1)

    def _recover(self, owed: Sequence[Owed]) -> None:
        """Count messages that this state has claimed before; any error leaves them for the next time."""
        for own in owed:
            self._taker.sources.start(own.partition, own.start)
        self._tell_lost(read_owed(self._open({**self._config, **ENDS}), owed, self._take_owed))

    def _tell_lost(self, messages: int) -> None:
        if messages:
            self._update(lost=self._facts.lost + messages, lost_at=self._clock())
            text = f"Kafka had deleted {messages:,} messages before they were counted: let the topic keep them longer "
            self._problems.record(LOST, MessagesLost(f"{text}(retention.ms), or start more processes"))

    def _take_owed(self, batch: Batch) -> None:
        before = self._taker.rows
        if not self._taker.take(batch, self._wait_for_owed):
            raise TimeoutError("there is no room for messages that this state has claimed")
        self._update(recovered=self._facts.recovered + self._taker.rows - before)

    def _wait_for_owed(self, _: Partition) -> bool:
        return not self._stopping.wait(WAIT_SECONDS / 10)

    def _revoked(self, client: Any, gone: Sequence[Any]) -> None:
        """Hand partitions over: what is claimed and not in the state is left to their next owner before."""
        self._release([Partition(own.topic, own.partition) for own in gone])
        self._lost(client, gone)

    def _lost(self, client: Any, gone: Sequence[Any]) -> None:
        """Stop reading partitions that others may have already; what was fetched of them and not taken is dropped."""
        self._partitions.give_up(Partition(own.topic, own.partition) for own in gone)
        client.unassign()
        self._update(partitions=len(self._partitions.assigned))

    def _noticed(self, error: Any) -> None:
        """Record an error of the client, which goes on by itself; a fatal one ends the next call."""
        self._failed(self._library.KafkaException(error))

    def _failed(self, error: BaseException) -> None:
        self._update(errors=self._facts.errors + 1)
        self._problems.record(PROBLEM, error)

    def _update(self, **changes: Any) -> None:
        self._facts = replace(self._facts, **changes)
