"""A state counts what it has claimed, whoever reads the partition by then."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from zlib import crc32

import pytest
from driftgauge.edges.kafka.options import client_library
from driftgauge.edges.kafka.owed import Owed, owed_of, read_owed
from driftgauge.ingestion.records import Decoded
from driftgauge.state.source_positions import Partition, Position

from tests.edges.kafka.test_claims import Committed
from tests.edges.kafka.test_consumer import Process, numbers, options, running, until
from tests.messages import TOPIC, AgeDecoder, Message, mock_cluster, send


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with mock_cluster() as address:
        yield address


@pytest.fixture
def topic(cluster: str, request: pytest.FixtureRequest) -> str:
    return f"{TOPIC}-{crc32(request.node.name.encode())}"


class Failing(AgeDecoder):
    """Decodes some messages, and then ends its process in the middle of those that it has claimed."""

    def __init__(self, batches: int) -> None:
        self.left = batches
        self.stopped: Callable[[], None] = lambda: None

    def decode_messages(self, messages: Sequence[bytes], keys: Sequence[bytes]) -> Decoded:
        if self.left == 0:
            self.stopped()
            raise OSError("the process ends here")
        self.left -= 1
        return super().decode_messages(messages, keys)


def ended_in_the_middle(cluster: str, topic: str, folder: Path, batches: int) -> Process:
    """Run a process until it has claimed messages that it does not count."""
    decoder = Failing(batches)
    process = Process(options(cluster, topic), folder, decoder)
    ended = threading.Event()

    def end() -> None:
        process.consumer._stopping.set()
        ended.set()

    decoder.stopped = end
    process.consumer.start()
    assert ended.wait(60.0)
    process.consumer.stop(60.0)
    process.monitor.store.leave()
    return process


@pytest.mark.parametrize("batches", [0, 1, 3])
def test_messages_that_a_process_claimed_and_did_not_count_are_counted_when_it_comes_back(
    cluster: str, topic: str, tmp_path: Path, batches: int
) -> None:
    send(cluster, topic, numbers(100), 4)
    first = ended_in_the_middle(cluster, topic, tmp_path / "one", batches)
    assert len(first.kept.ages) < 100
    with running(options(cluster, topic), tmp_path / "two") as second:
        until(lambda: second.consumer.facts.partitions == 4)
        send(cluster, topic, numbers(100, 100), 4, first=100)
        until(lambda: len(second.kept.ages) >= 100)
        until(lambda: second.consumer.facts.lag == 0.0)
        with running(options(cluster, topic), tmp_path / "one") as back:
            until(lambda: back.consumer.facts.recovered > 0)
            until(lambda: back.consumer.facts.partitions == second.consumer.facts.partitions == 2)
            send(cluster, topic, numbers(100, 200), 4, first=200)
            until(lambda: len(first.kept.ages + second.kept.ages + back.kept.ages) >= 300)
            rows = second.monitor.store.rows + back.monitor.store.rows
    assert sorted(first.kept.ages + second.kept.ages + back.kept.ages) == [float(number) for number in range(300)]
    assert rows == 300


def test_messages_that_wait_for_room_are_counted_once_when_a_process_with_another_state_joins(
    cluster: str, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    process = Process(options(cluster, topic), tmp_path / "one")
    request.addfinalizer(lambda: process.consumer.stop(60.0))  # a test that fails leaves no thread to the next one
    caught_up = process.monitor.catch_up
    monkeypatch.setattr(process.monitor, "catch_up", lambda *_: None)
    rows = process.monitor.store.shape.unread_rows + 1_000
    send(cluster, topic, numbers(rows), 4)
    process.consumer.start()
    until(lambda: process.consumer.facts.pauses > 0)
    with running(options(cluster, topic), tmp_path / "two") as second:
        until(lambda: second.consumer.facts.partitions > 0)  # all, if the first is not in the group again in time
        monkeypatch.setattr(process.monitor, "catch_up", caught_up)
        until(lambda: process.consumer.facts.partitions == second.consumer.facts.partitions == 2)
        until(lambda: process.monitor.store.rows + second.monitor.store.rows >= rows)
        until(lambda: second.consumer.facts.lag == process.consumer.facts.lag == 0.0)
    process.consumer.stop(60.0)
    assert sorted(process.kept.ages + second.kept.ages) == [float(number) for number in range(rows)]
    process.monitor.store.leave()


def test_messages_of_several_rows_that_wait_for_room_are_counted_once_by_two_states(
    cluster: str, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    process = Process(options(cluster, topic), tmp_path / "one")
    request.addfinalizer(lambda: process.consumer.stop(60.0))  # a test that fails leaves no thread to the next one
    caught_up = process.monitor.catch_up
    monkeypatch.setattr(process.monitor, "catch_up", lambda *_: None)
    messages = process.monitor.store.shape.unread_rows // 3 + 1_000
    send(cluster, topic, [b"%d %d %d" % (own, own, own) for own in range(messages)], 4)
    process.consumer.start()
    until(lambda: process.consumer.facts.pauses > 0)
    process.consumer.stop(60.0)  # in the middle of a batch
    monkeypatch.setattr(process.monitor, "catch_up", caught_up)
    assert process.monitor.store.rows < 3 * messages
    with running(options(cluster, topic), tmp_path / "two") as second:
        until(lambda: second.consumer.facts.lag == 0.0 and second.consumer.facts.messages > 0)
    process.monitor.store.leave()
    with running(options(cluster, topic), tmp_path / "one") as back:  # the rows left of a message that was begun
        until(lambda: back.consumer.facts.partitions == 4)
    counted = process.kept.ages + second.kept.ages + back.kept.ages
    assert sorted(counted) == [float(own) for own in range(messages) for _ in range(3)]


class Compacted:
    """A client of a partition whose messages from 43 to 50 are deleted by compaction, and 50 is its end."""

    def __init__(self) -> None:
        library = client_library()
        messages = [Message(number, b"1") for number in (40, 41, 42)]
        self.answers = iter([[*messages, AtEnd(library.KafkaError(library.KafkaError._PARTITION_EOF))]])
        self.is_closed = False

    def get_watermark_offsets(self, place: object, timeout: float) -> tuple[int, int]:
        return 0, 50

    def assign(self, places: object) -> None: ...

    def consume(self, count: int, seconds: float) -> Sequence[object]:
        return next(self.answers)

    def close(self) -> None:
        self.is_closed = True


class AtEnd(Message):
    """Says that the end of a partition is reached."""

    def __init__(self, error: object) -> None:
        super().__init__(50, b"")
        object.__setattr__(self, "own", error)

    def error(self) -> object:  # type: ignore[override]
        return self.own  # type: ignore[attr-defined]


def test_owed_messages_of_which_the_last_are_deleted_end_with_the_partition() -> None:
    client, taken = Compacted(), []
    read_owed(client, [Owed(Partition(TOPIC, 0), Position(40), 50)], lambda batch: taken.append(batch.end))
    assert (taken, client.is_closed) == ([43], True)


class Sources:
    """What a folder knows of its partitions."""

    owner = "aa"

    def __init__(self, position: Position, *, is_followed: bool = False) -> None:
        self.known = {Partition(TOPIC, 0): (position, is_followed)}

    def reached(self) -> dict[Partition, object]:
        from driftgauge.state.source_positions import Reached

        return {own: Reached(*known) for own, known in self.known.items()}


@pytest.mark.parametrize(
    ("sources", "metadata", "end"),
    [
        (Sources(Position(40)), "driftgauge1 aa:50", 50),
        (Sources(Position(40, 3)), "driftgauge1 bb:50 aa:45", 45),
        (Sources(Position(50)), "driftgauge1 aa:50", None),
        (Sources(Position(40)), "driftgauge1 bb:50", None),
        (Sources(Position(40), is_followed=True), "driftgauge1 aa:50", None),
        (Sources(Position(40)), "", None),
    ],
)
def test_owed_is_what_the_state_claimed_after_its_rows_and_no_other_worker_reads(
    sources: Sources, metadata: str, end: int | None
) -> None:
    here = Partition(TOPIC, 0)
    found = owed_of(sources, {here: Committed(50, metadata)})  # type: ignore[arg-type]
    assert found == ([] if end is None else [Owed(here, sources.reached()[here].position, end)])  # type: ignore[attr-defined]
