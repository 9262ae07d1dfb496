"""Rows of messages are appended exactly once, wherever reading them was interrupted."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path

import numpy as np
import pytest
from driftgauge.edges.formats.ingest.formats import Format, decoder_of
from driftgauge.edges.kafka.batches import batches_of
from driftgauge.edges.kafka.kept_rows import KeptRows
from driftgauge.edges.kafka.rows import ROWS_AT_ONCE, RowTaker
from driftgauge.ingestion.records import Decoded
from driftgauge.metrics.series import OBSERVATIONS, PREDICTIONS
from driftgauge.monitor.monitor import ColumnMonitor
from driftgauge.state.seen_records import SeenRecords
from driftgauge.state.source_positions import Partition, Position

from tests.messages import TOPIC, AgeDecoder, Kept, Message
from tests.monitors import START, small_baseline

HERE, OTHER = Partition(TOPIC, 0), Partition(TOPIC, 1)


@pytest.fixture
def monitor() -> ColumnMonitor:
    return ColumnMonitor(small_baseline(), model_name="churn", model_version="1", now=START)


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def taker(monitor: ColumnMonitor, kept: Kept) -> RowTaker:
    return RowTaker(monitor, AgeDecoder(), kept, lambda: START)


def impatient(_: Partition) -> bool:
    return False


def take(taker: RowTaker, messages: Sequence[Message]) -> bool:
    (batch,) = batches_of(messages)
    return taker.take(batch, impatient)


def counted(*texts: str, first: int = 0) -> list[Message]:
    return [Message(number, text.encode()) for number, text in enumerate(texts, first)]


def test_messages_go_to_batches_of_their_partitions_in_order() -> None:
    found = batches_of([Message(4, b"1"), Message(7, b"2", 1), Message(5, b"3"), Message(9, b"4", 1)])
    assert [(batch.partition, batch.values, batch.end) for batch in found] == [
        (HERE, [b"1", b"3"], 6),
        (OTHER, [b"2", b"4"], 10),
    ]
    assert len({key for batch in found for key in batch.keys}) == 4
    assert {len(key) for batch in found for key in batch.keys} == {16}


def test_each_row_of_a_message_is_appended_and_what_cannot_be_read_is_handed_on(
    taker: RowTaker, monitor: ColumnMonitor, kept: Kept
) -> None:
    assert taker.last_received is None
    assert take(taker, counted("1 2", "what", "3", first=10))
    assert taker.last_received == START
    assert kept.ages == [1.0, 2.0, 3.0]
    assert kept.refused == [b"what"]
    assert monitor.store.rows == 3
    assert taker.sources.own(HERE) == (13, 0)


def test_a_refused_record_has_the_key_of_its_message(monitor: ColumnMonitor) -> None:
    handed: list[Decoded] = []
    kept = KeptRows(monitor, None, SeenRecords(None, 1_000), handed.append)
    messages = counted("1", "what", "3")
    assert take(RowTaker(monitor, AgeDecoder(), kept, lambda: START), messages)
    (batch,) = batches_of(messages)
    assert [own.key for decoded in handed for own in decoded.refused] == [batch.keys[1]]


def test_other_workers_know_when_the_newest_record_arrived(monitor: ColumnMonitor, tmp_path: Path) -> None:
    now = [START]
    own, other = (SeenRecords(tmp_path / "seen", 1_000) for _ in range(2))
    taker = RowTaker(monitor, AgeDecoder(), KeptRows(monitor, None, own, Kept().take), lambda: now[0])
    for number, (at, known) in enumerate([(0.0, 0.0), (0.5, 0.0), (1.5, 1.5)]):
        now[0] = START + at
        assert take(taker, counted("1", first=number))
        assert other.last_received == START + known


def test_messages_without_rows_are_passed(taker: RowTaker, monitor: ColumnMonitor) -> None:
    assert take(taker, counted("what", "", first=3))
    assert (monitor.store.rows, taker.sources.own(HERE)) == (0, (5, 0))


def test_messages_that_come_again_are_not_appended_again(taker: RowTaker, kept: Kept) -> None:
    assert take(taker, counted("1", "2", "3"))
    assert take(taker, counted("2", "3", "4", first=1))
    assert take(taker, counted("1", "2"))
    assert kept.ages == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("sizes", [[6], [1, 5], [1, 1, 1, 1, 1, 1], [3, 3]])
@pytest.mark.parametrize("before", range(10))
def test_rows_that_were_appended_before_are_passed_however_messages_are_batched(
    taker: RowTaker, kept: Kept, sizes: list[int], before: int
) -> None:
    taker.sources.start(HERE, Position(20, before))
    messages = counted("1 2 3", "4", "what", "5 6", "7 8 9", "10", first=20)
    for size in sizes:
        assert take(taker, messages[:size])
        del messages[:size]
    assert kept.ages == [float(age) for age in range(before + 1, 11)]
    assert taker.sources.own(HERE) == (26, 0)


def test_rows_without_a_time_have_that_of_their_message(monitor: ColumnMonitor) -> None:
    messages = [Message(0, b"1 2", at=(1, 5_000)), Message(1, b"3", at=(2, 7_500)), Message(2, b"4", at=(0, -1))]
    (batch,) = batches_of(messages)
    rows = AgeDecoder().decode_messages(batch.values, batch.keys).rows
    assert rows is not None
    np.testing.assert_array_equal(batch.dated(rows).event, [5.0, 5.0, 7.5, np.nan])


@pytest.mark.parametrize("format_", ["bentoml", "fluent_bit"])
def test_all_rows_of_a_message_have_its_time_and_those_with_a_time_keep_it(format_: Format) -> None:
    def line(count: int, **more: str) -> bytes:
        content = {"inputs": [[40, 1, "north"]] * count, "outputs": [0.5] * count, **more}
        return json.dumps(content).encode()

    contents = [line(3), b"what", line(2, timestamp="1970-01-01T00:00:09Z"), line(2), line(2, outputs="[0.5]"), line(1)]
    messages = [Message(number, content, at=(1, 1_000 * number)) for number, content in enumerate(contents, 10)]
    (batch,) = batches_of(messages)
    decoded = decoder_of(format_, small_baseline(), UTC).decode_messages(batch.values, batch.keys)
    assert decoded.rows is not None
    assert [own.position for own in decoded.refused] == [1, 4]
    assert batch.dated(decoded.rows).event.tolist() == [10, 10, 10, 9, 9, 13, 13, 15]


def test_many_rows_are_appended_in_steps_and_nothing_is_dropped(taker: RowTaker, monitor: ColumnMonitor) -> None:
    ages = " ".join(["1"] * (10 * ROWS_AT_ONCE + 1))
    assert take(taker, counted(ages))
    assert monitor.store.rows == 10 * ROWS_AT_ONCE + 1
    assert monitor.store.counted()[0].counted[OBSERVATIONS.name].sum() == 10 * ROWS_AT_ONCE + 1


def test_without_room_a_batch_is_left_at_the_row_that_it_reached(
    taker: RowTaker, monitor: ColumnMonitor, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ColumnMonitor, "catch_up", lambda *_: None)  # as if another worker held the lock
    ages = " ".join(["1"] * (monitor.store.shape.unread_rows + 10))
    message = counted(ages)
    assert not take(taker, message)
    appended = monitor.store.rows
    assert appended == monitor.store.shape.unread_rows
    assert taker.sources.own(HERE) == (0, appended)
    monkeypatch.undo()
    assert take(taker, message)
    assert monitor.store.rows == len(kept.ages) == monitor.store.shape.unread_rows + 10
    assert taker.sources.own(HERE) == (1, 0)


def test_without_room_in_the_prediction_log_a_batch_is_left_at_the_row_that_it_reached(
    taker: RowTaker, monitor: ColumnMonitor, kept: Kept
) -> None:
    message = counted(" ".join(["1"] * (3 * ROWS_AT_ONCE)))
    kept.most = 2 * ROWS_AT_ONCE
    assert not take(taker, message)
    assert monitor.store.rows == len(kept.ages) == 2 * ROWS_AT_ONCE
    kept.most = math.inf
    assert take(taker, message)
    assert monitor.store.rows == len(kept.ages) == 3 * ROWS_AT_ONCE


def test_a_partition_that_is_taken_away_in_the_middle_is_left_at_the_row_that_was_reached(
    taker: RowTaker, monitor: ColumnMonitor, kept: Kept
) -> None:
    (batch,) = batches_of(counted(" ".join(["1"] * (3 * ROWS_AT_ONCE))))
    answers = iter([True, False])
    assert not taker.take(batch, impatient, lambda _: next(answers))
    assert monitor.store.rows == len(kept.ages) == ROWS_AT_ONCE
    assert taker.sources.own(HERE) == (0, ROWS_AT_ONCE)


def test_a_batch_that_is_left_says_which_message_it_reached(taker: RowTaker, monitor: ColumnMonitor) -> None:
    messages = counted(*[" ".join(["1"] * 1_500)] * 4, first=20)
    (batch,) = batches_of(messages)
    answers = iter([True, True, False])
    assert not taker.take(batch, impatient, lambda _: next(answers))
    assert taker.sources.own(HERE) == (22, 2 * ROWS_AT_ONCE - 3_000)
    assert take(taker, messages)
    assert (monitor.store.rows, taker.sources.own(HERE)) == (6_000, (24, 0))


def test_a_failure_loses_no_row_and_counts_none_twice(
    taker: RowTaker, monitor: ColumnMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(monitor, "observe", fails)
    with pytest.raises(OSError, match="full"):
        take(taker, counted("1", "2"))
    monkeypatch.undo()
    assert take(taker, counted("1", "2"))
    assert (monitor.store.rows, taker.sources.own(HERE)) == (2, (2, 0))


def test_rows_count_as_predictions_with_their_scores(monitor: ColumnMonitor) -> None:
    kept = KeptRows(monitor, None, SeenRecords(None, 1_000), Kept().take)
    taker = RowTaker(monitor, AgeDecoder(), kept, lambda: START)
    assert take(taker, counted("1", "2 3", "what"))
    assert monitor.store.counted()[0].counted[PREDICTIONS.name].sum() == 3
