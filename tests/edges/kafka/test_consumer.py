"""The consumer, on the mock cluster of the client library: it speaks the real protocol."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from driftgauge.edges.kafka.consumer import PROBLEM, KafkaConsumer
from driftgauge.edges.kafka.options import KafkaOptions
from driftgauge.edges.kafka.rows import MessageDecoder, RowTaker
from driftgauge.errors import SettingsError
from driftgauge.ingestion.records import Decoded
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions, state_shape
from driftgauge.monitor.problems import Problems
from driftgauge.state.slots import Slots
from driftgauge.state.source_positions import Partition
from driftgauge.state.store import Store

from tests.messages import TOPIC, AgeDecoder, Kept, mock_cluster, send
from tests.monitors import small_baseline
from tests.states import KEY

LIMITS = (10.0, 100.0)
QUICK = {"session.timeout.ms": "6000", "heartbeat.interval.ms": "200", "fetch.wait.max.ms": "50"}


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with mock_cluster() as address:
        yield address


@pytest.fixture
def topic(cluster: str, request: pytest.FixtureRequest) -> str:
    return f"{TOPIC}-{crc32(request.node.name.encode())}"


class Process:
    """A consumer with a state of its own or one that it shares, as in a process of its own."""

    def __init__(
        self,
        options: KafkaOptions,
        folder: Path | None,
        decoder: MessageDecoder | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        shape = state_shape(small_baseline(), MonitorOptions())
        store = None if folder is None else Store.open(Slots(folder, KEY, shape))
        self.monitor = ColumnMonitor(
            small_baseline(), model_name="churn", model_version="1", now=time.time(), store=store
        )
        self.kept = Kept()
        self.problems = Problems(time.time)
        taker = RowTaker(self.monitor, decoder or AgeDecoder(), self.kept, time.time)
        self.consumer = KafkaConsumer(
            options, taker, self.problems, limits=LIMITS, retry_seconds=(0.1, 0.2), monotonic=monotonic
        )

    def read(self, partition: int, topic: str) -> int:
        position = self.monitor.store.sources.own(Partition(topic, partition))
        return -1 if position is None else position.offset


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def options(address: str, topic: str, *, beginning: bool = True, more: Mapping[str, str] | None = None) -> KafkaOptions:
    return KafkaOptions(address, [topic], f"{topic}-group", beginning, {**QUICK, **(more or {})})


@contextmanager
def running(own: KafkaOptions, folder: Path | None = None) -> Iterator[Process]:
    process = Process(own, folder)
    process.consumer.start()
    try:
        yield process
    finally:
        process.consumer.stop(60.0)
        if folder is not None:
            process.monitor.store.leave()


def numbers(count: int, first: int = 0) -> list[bytes]:
    return [b"%d" % number for number in range(first, first + count)]


def test_every_message_is_a_row_and_the_lag_falls_to_zero(cluster: str, topic: str) -> None:
    send(cluster, topic, numbers(1_000), 4)
    with running(options(cluster, topic)) as process:
        until(lambda: len(process.kept.ages) == 1_000)
        until(lambda: process.consumer.facts.lag == 0.0)
        facts = process.consumer.facts
        assert (facts.messages, facts.partitions, facts.limits) == (1_000, 4, LIMITS)
        assert facts.rebalances >= 1
        assert facts.last_received is not None
    assert sorted(process.kept.ages) == [float(number) for number in range(1_000)]
    assert process.monitor.store.rows == 1_000
    assert process.consumer.facts.partitions == 0


def test_a_process_goes_on_where_the_one_before_it_ended(cluster: str, topic: str, tmp_path: Path) -> None:
    send(cluster, topic, numbers(100), 2)
    with running(options(cluster, topic), tmp_path) as first:
        until(lambda: len(first.kept.ages) == 100)
    send(cluster, topic, numbers(50, 100), 2, first=100)
    with running(options(cluster, topic), tmp_path) as second:
        until(lambda: second.monitor.store.rows == 150)
    assert sorted(second.kept.ages) == [float(number) for number in range(100, 150)]


def test_a_process_with_another_state_goes_on_after_what_was_committed(
    cluster: str, topic: str, tmp_path: Path
) -> None:
    send(cluster, topic, numbers(100), 2)
    with running(options(cluster, topic), tmp_path / "one") as first:
        until(lambda: len(first.kept.ages) == 100)
    send(cluster, topic, numbers(50, 100), 2, first=100)
    with running(options(cluster, topic, beginning=False), tmp_path / "two") as second:
        until(lambda: second.monitor.store.rows == 50)
    assert sorted(second.kept.ages) == [float(number) for number in range(100, 150)]


def test_a_new_group_begins_with_what_comes_after_its_start(cluster: str, topic: str) -> None:
    send(cluster, topic, numbers(100), 2)
    with running(options(cluster, topic, beginning=False)) as process:
        until(lambda: process.consumer.facts.partitions > 0)
        send(cluster, topic, numbers(10, 100), 2)
        until(lambda: len(process.kept.ages) == 10)
    assert sorted(process.kept.ages) == [float(number) for number in range(100, 110)]


@pytest.mark.long
def test_processes_of_a_group_share_the_partitions_and_count_each_row_once(
    cluster: str, topic: str, tmp_path: Path
) -> None:
    send(cluster, topic, numbers(200), 4)
    with running(options(cluster, topic), tmp_path) as first:
        until(lambda: len(first.kept.ages) == 200)
        with running(options(cluster, topic), tmp_path) as second:
            until(lambda: first.consumer.facts.partitions == second.consumer.facts.partitions == 2)
            send(cluster, topic, numbers(200, 200), 4)
            until(lambda: first.monitor.store.rows == 400)
            assert len(second.kept.ages) == 100
        until(lambda: first.consumer.facts.partitions == 4)
        send(cluster, topic, numbers(100, 400), 4)
        until(lambda: first.monitor.store.rows == 500)
    assert sorted(first.kept.ages + second.kept.ages) == [float(number) for number in range(500)]


def test_without_room_partitions_are_paused_and_nothing_is_lost(
    cluster: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = Process(options(cluster, topic), None)
    caught_up = process.monitor.catch_up
    monkeypatch.setattr(process.monitor, "catch_up", lambda *_: None)  # as if another worker held the lock
    rows = process.monitor.store.shape.unread_rows + 1_000
    send(cluster, topic, numbers(rows), 2)
    process.consumer.start()
    try:
        until(lambda: process.consumer.facts.pauses > 0)
        assert process.monitor.store.rows <= process.monitor.store.shape.unread_rows
        monkeypatch.setattr(process.monitor, "catch_up", caught_up)
        until(lambda: process.monitor.store.rows == rows)
    finally:
        process.consumer.stop(60.0)
    assert sorted(process.kept.ages) == [float(number) for number in range(rows)]


def test_a_failure_is_shown_and_the_rows_come_after_it(
    cluster: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = Process(options(cluster, topic), None)
    observe, failures = process.monitor.observe, [OSError("the disk is full"), OSError("still")]

    def sometimes(*given: Any, **named: Any) -> None:
        if failures:
            raise failures.pop()
        observe(*given, **named)

    monkeypatch.setattr(process.monitor, "observe", sometimes)
    send(cluster, topic, numbers(100), 2)
    process.consumer.start()
    try:
        until(lambda: process.monitor.store.rows == 100)
        assert process.consumer.facts.errors >= 2
    finally:
        process.consumer.stop(60.0)
    assert sorted(process.kept.ages) == [float(number) for number in range(100)]


def test_a_process_that_stood_still_drops_what_it_fetched_and_joins_the_group_again(cluster: str, topic: str) -> None:
    stood_still, kept_then = [0.0], []

    class Suspended(AgeDecoder):
        """Stands still while it decodes the first messages."""

        def decode_messages(self, messages: Sequence[bytes], keys: Sequence[bytes]) -> Decoded:
            decoded = super().decode_messages(messages, keys)
            if not stood_still[0]:
                stood_still[0] = 100.0
            else:
                kept_then.append(process.monitor.store.rows)
            return decoded

    process = Process(options(cluster, topic), None, Suspended(), lambda: time.monotonic() + stood_still[0])
    send(cluster, topic, numbers(100), 1)
    process.consumer.start()
    try:
        until(lambda: process.monitor.store.rows == 100)
        assert kept_then[0] == 0  # nothing was appended of what had been fetched before
        until(lambda: process.consumer.facts.rebalances >= 2)
        assert process.consumer.facts.recovered == 100  # they were claimed before
        assert process.consumer.facts.errors >= 1
    finally:
        process.consumer.stop(60.0)
    assert sorted(process.kept.ages) == [float(number) for number in range(100)]


def test_a_broker_that_is_not_there_is_a_problem(topic: str, capfd: pytest.CaptureFixture[str]) -> None:
    with running(options("127.0.0.1:9", topic)) as process:
        until(lambda: any(PROBLEM in text for text in process.problems.current()))
        assert process.consumer.facts.errors > 0
    assert "|FAIL|" not in capfd.readouterr().err  # a line of the client library between our own


def test_properties_that_decide_what_is_counted_cannot_be_set(topic: str) -> None:
    with pytest.raises(SettingsError, match=r"enable\.auto\.commit cannot be set"):
        options("127.0.0.1:9", topic, more={"enable.auto.commit": "true"}).config()
    assert options("127.0.0.1:9", topic, more={"client.id": "own"}).config()["client.id"] == "own"


@pytest.mark.parametrize(
    "more",
    [{"partition.assignment.strategy": "cooperative-sticky"}, {"group.protocol": "consumer"}],
)
def test_ways_of_a_group_that_give_partitions_one_by_one_are_refused(topic: str, more: Mapping[str, str]) -> None:
    with pytest.raises(SettingsError, match=next(iter(more))):
        options("127.0.0.1:9", topic, more=more).config()
    assert options("127.0.0.1:9", topic, more={"partition.assignment.strategy": "roundrobin"}).config()
