"""Messages of Kafka, a decoder of them, and brokers that a test starts."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from driftgauge.errors import Reason, Refused
from driftgauge.ingestion.records import Decoded, IngestedRows, RefusedRecord

from tests.e2e.processes import free_port
from tests.e2e.programs import require

TOPIC = "predictions"
BROKER = Path(sys.executable).with_name("noida-db")


@dataclass(frozen=True)
class Message:
    """A message as the client library gives it."""

    number: int
    content: bytes
    part: int = 0
    at: tuple[int, int] = (1, 1_700_000_000_000)

    def topic(self) -> str:
        return TOPIC

    def partition(self) -> int:
        return self.part

    def offset(self) -> int:
        return self.number

    def value(self) -> bytes:
        return self.content

    def timestamp(self) -> tuple[int, int]:
        return self.at

    def error(self) -> None:
        return None


class AgeDecoder:
    """Decodes messages with one age for each of their rows; a text that is no number cannot be read."""

    def decode_messages(self, messages: Sequence[bytes], keys: Sequence[bytes]) -> Decoded:
        ages: list[float] = []
        known: list[bytes] = []
        records: list[int] = []
        refused = []
        for position, (message, key) in enumerate(zip(messages, keys, strict=True)):
            try:
                own = [float(text) for text in message.split()]
            except ValueError:
                error = Refused(Reason.UNKNOWN_SHAPE, "it is no number")
                refused.append(RefusedRecord(position, error, message))
                continue
            ages += own
            known += [key] * len(own)
            records += [position] * len(own)
        columns = np.column_stack([ages, np.zeros(len(ages)), np.zeros(len(ages)), np.full(len(ages), 0.5)])
        rows = IngestedRows(columns, np.full(len(ages), math.nan), [""] * len(ages), known, (), records)
        return Decoded(rows=rows if ages else None, refused=refused)


class Kept:
    """Remembers what is not appended to the log."""

    def __init__(self) -> None:
        self.ages: list[float] = []
        self.refused: list[bytes] = []
        self.most = math.inf
        """Rows that the prediction log has room for."""

    def has_room(self, rows: int) -> bool:
        return len(self.ages) + rows <= self.most

    def keep(self, rows: IngestedRows, arrival: float) -> None:
        self.ages += rows.columns[:, 0].tolist()

    def take(self, decoded: Decoded) -> None:
        self.refused += [own.record for own in decoded.refused]


# ---------------------------------------------------------------- brokers


@dataclass
class Broker:
    """A broker that speaks Kafka's protocol, in a process of its own; it may be killed and started again."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [str(BROKER), "start", "--only", "kafka", "--kafka-port", str(self.port)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--data-dir", str(self.folder / "data")],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.folder,
            )
        deadline = time.monotonic() + 60.0
        while not self._answers():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.1)

    def _answers(self) -> bool:
        from confluent_kafka.admin import AdminClient

        with contextlib.suppress(Exception):
            return bool(AdminClient({"bootstrap.servers": self.address, "log_level": 0}).list_topics(timeout=2).brokers)
        return False

    def stop(self) -> None:
        """End it in order: what it was sent is on its disk."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(timeout=30)

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=30)

    def create(self, topic: str, partitions: int) -> None:
        from confluent_kafka.admin import AdminClient, NewTopic

        client = AdminClient({"bootstrap.servers": self.address})
        for made in client.create_topics([NewTopic(topic, partitions, 1)]).values():
            made.result(30)

    def add_partitions(self, topic: str, total: int) -> None:
        """Add partitions to a topic, up to this number."""
        from confluent_kafka.admin import AdminClient, NewPartitions

        client = AdminClient({"bootstrap.servers": self.address})
        client.create_partitions([NewPartitions(topic, total)])[topic].result(30)

    def delete(self, topic: str) -> None:
        from confluent_kafka.admin import AdminClient

        client = AdminClient({"bootstrap.servers": self.address})
        client.delete_topics([topic])[topic].result(30)

    def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """Delete the messages of a partition before an offset, as retention does."""
        from confluent_kafka import TopicPartition
        from confluent_kafka.admin import AdminClient

        client = AdminClient({"bootstrap.servers": self.address})
        for deleted in client.delete_records([TopicPartition(topic, partition, offset)]).values():
            deleted.result(30)

    def send(self, topic: str, messages: Sequence[bytes], partitions: int, *, first: int = 0) -> None:
        """Send messages to partitions in turn, a second apart by their times."""
        send(self.address, topic, messages, partitions, first=first)


def send(address: str, topic: str, messages: Sequence[bytes], partitions: int, *, first: int = 0) -> None:
    """Send messages to partitions in turn, a second apart by their times."""
    from confluent_kafka import Producer

    client = Producer({"bootstrap.servers": address, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000})
    begin = int(time.time()) - 86_400  # brokers delete what is older than a week
    for position, message in enumerate(messages, first):
        at = 1_000 * (begin + position)
        client.produce(topic, message, partition=position % partitions, timestamp=at)
        client.poll(0)
    assert client.flush(60) == 0


@contextlib.contextmanager
def broker(folder: Path) -> Iterator[Broker]:
    """Start a broker with its data in a folder, and end it."""
    in_ci = os.environ.get("CI", "").lower() in {"true", "1"}
    require(None if BROKER.exists() else "noida-db is not installed", in_ci=in_ci)
    own = Broker(folder, free_port())
    own.start()
    try:
        yield own
    finally:
        own.kill()
        shutil.rmtree(folder / "data", ignore_errors=True)


@contextlib.contextmanager
def mock_cluster() -> Iterator[str]:
    """Start the mock cluster of the client library inside this process; yields its address."""
    library: Any = import_module("confluent_kafka")
    own = library.Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "ignored", "log_level": 0})
    yield ",".join(f"{one.host}:{one.port}" for one in own.list_topics(timeout=10).brokers.values())
    own.flush(1)


def row(age: float) -> bytes:
    """Return a message in our own format."""
    return json.dumps({"features": {"age": age, "flag": 1, "city": "north"}, "prediction": 0.5}).encode()
