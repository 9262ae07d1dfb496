"""Topics that change while a group reads them, on a broker: nothing is counted twice, and what is lost is said."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from driftgauge.edges.kafka import consumer
from driftgauge.edges.kafka.batches import Batch
from driftgauge.edges.kafka.consumer import LOST, NEW_TOPIC, SHARED
from driftgauge.edges.kafka.options import KafkaOptions
from driftgauge.state.source_positions import Partition

from tests.edges.kafka.test_consumer import Process, numbers, options, running, until
from tests.messages import TOPIC, Broker, broker, send

SOON = {"topic.metadata.refresh.interval.ms": "300"}


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with broker(tmp_path_factory.mktemp("topics")) as own:
        yield own


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    return f"{TOPIC}-{crc32(request.node.name.encode())}"


@pytest.fixture
def new(kafka: Broker, topic: str) -> KafkaOptions:
    """Options of a new group, which does not read from the beginning."""
    return options(kafka.address, topic, beginning=False, more=SOON)


def said(process: Process, kind: str) -> str:
    """Return a problem of a kind, empty without one."""
    return next((text for text in process.problems.current() if text.startswith(kind)), "")


def test_messages_of_partitions_that_are_added_are_counted_from_their_first(
    kafka: Broker, topic: str, new: KafkaOptions, tmp_path: Path
) -> None:
    kafka.create(topic, 2)
    send(kafka.address, topic, numbers(10), 2)
    with running(new, tmp_path) as process:
        until(lambda: process.consumer.facts.partitions == 2)
        kafka.add_partitions(topic, 3)
        send(kafka.address, topic, numbers(30, 10), 3)
        until(lambda: process.consumer.facts.partitions == 3)
        until(lambda: len(process.kept.ages) == 30)
    kafka.add_partitions(topic, 4)  # while no process runs
    send(kafka.address, topic, numbers(40, 40), 4)
    with running(new, tmp_path) as later:
        until(lambda: len(later.kept.ages) == 40)
    assert sorted(process.kept.ages + later.kept.ages) == [float(number) for number in range(10, 80)]


def test_messages_of_a_topic_that_is_created_after_the_start_are_counted_from_the_first(
    kafka: Broker, topic: str, new: KafkaOptions
) -> None:
    with running(new) as process:
        until(lambda: process.consumer.facts.errors > 0)  # there is no such topic
        kafka.create(topic, 2)
        send(kafka.address, topic, numbers(20), 2)
        until(lambda: len(process.kept.ages) == 20)


def test_messages_that_were_deleted_before_they_were_counted_are_said(
    kafka: Broker, topic: str, new: KafkaOptions, tmp_path: Path
) -> None:
    kafka.create(topic, 1)
    with running(new, tmp_path) as first:
        until(lambda: first.consumer.facts.partitions == 1)
        send(kafka.address, topic, numbers(100), 1)
        until(lambda: len(first.kept.ages) == 100)
        assert (first.consumer.facts.lost, said(first, LOST)) == (0, "")
    send(kafka.address, topic, numbers(100, 100), 1)
    kafka.delete_before(topic, 0, 150)
    with running(new, tmp_path) as later:
        until(lambda: len(later.kept.ages) == 50)
        assert later.consumer.facts.lost == 50
        assert 0 <= time.time() - (later.consumer.facts.lost_at or 0.0) < 600
        assert "Kafka had deleted 50 messages before they were counted" in said(later, LOST)
    assert later.monitor.store.rows == 150
    with running(new, tmp_path / "another") as other:  # the group has counted all
        until(lambda: other.consumer.facts.partitions == 1)
        assert other.consumer.facts.lost == 0


def test_messages_that_are_deleted_under_a_process_that_waits_for_room_are_said(
    kafka: Broker, topic: str, new: KafkaOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka.create(topic, 1)
    with running(new, tmp_path) as process:
        until(lambda: process.consumer.facts.partitions == 1)
        has_room, take = threading.Event(), process.consumer._taker.take

        def take_with_room(batch: Batch, wait: Callable[[Partition], bool], *more: Any) -> bool:
            while not has_room.is_set():
                wait(batch.partition)
            return take(batch, wait, *more)

        monkeypatch.setattr(process.consumer._taker, "take", take_with_room)
        send(kafka.address, topic, numbers(1), 1)
        until(lambda: process.consumer.facts.pauses > 0)
        send(kafka.address, topic, numbers(199, 1), 1)
        kafka.delete_before(topic, 0, 150)
        has_room.set()
        until(lambda: len(process.kept.ages) == 51)
        assert process.consumer.facts.lost == 149
        assert "Kafka had deleted 149 messages before they were counted" in said(process, LOST)
    assert process.kept.ages == [float(number) for number in (0, *range(150, 200))]


def test_a_topic_that_is_created_again_is_read_from_its_first_message(
    kafka: Broker, topic: str, new: KafkaOptions, tmp_path: Path
) -> None:
    kafka.create(topic, 1)
    with running(new, tmp_path) as process:
        until(lambda: process.consumer.facts.partitions == 1)
        send(kafka.address, topic, numbers(100), 1)
        until(lambda: len(process.kept.ages) == 100)
        kafka.delete(topic)
        kafka.create(topic, 1)
        send(kafka.address, topic, numbers(20, 100), 1)
        until(lambda: len(process.kept.ages) == 120)
        assert f"{topic} has fewer messages than were read of it" in said(process, NEW_TOPIC)
    send(kafka.address, topic, numbers(10, 120), 1)
    with running(new, tmp_path) as later:
        until(lambda: later.monitor.store.rows == 130)
    assert sorted(process.kept.ages + later.kept.ages) == [float(number) for number in range(130)]


def test_two_models_in_one_group_are_said_and_processes_of_one_model_are_not(
    kafka: Broker, topic: str, new: KafkaOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "LOOK_SECONDS", 1.0)
    kafka.create(topic, 2)
    churn, fraud = (replace(new, model=name) for name in ("churn", "fraud"))
    with running(churn, tmp_path / "a") as first, running(churn, tmp_path / "b") as second:
        until(lambda: first.consumer.facts.partitions == second.consumer.facts.partitions == 1)
        time.sleep(3.0)
        assert said(first, SHARED) == said(second, SHARED) == ""
    with running(churn, tmp_path / "a") as first:
        until(lambda: first.consumer.facts.partitions == 2)
        with running(fraud, tmp_path / "c") as second:
            until(lambda: "fraud reads the same topics" in said(first, SHARED))
            until(lambda: "churn reads the same topics" in said(second, SHARED))
        until(lambda: said(first, SHARED) == "")
