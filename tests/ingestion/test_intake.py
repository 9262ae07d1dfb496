"""What an intake does with rows that cannot be observed, and with an id or a class that is not given."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from driftgauge.common.private_files import LockTimeout
from driftgauge.errors import Reason, Refused
from driftgauge.ingestion.dead_letters import DeadLetters
from driftgauge.ingestion.intake import STEP_ROWS, IntakeParts, ModelIntake
from driftgauge.ingestion.joins import OpenEvents
from driftgauge.ingestion.records import Decoded, HalfEvent, IngestedRows, Pair, RefusedRecord
from driftgauge.metrics.series import DROPPED, INGEST_REFUSED
from driftgauge.monitor.monitor import ColumnMonitor
from driftgauge.monitor.problems import Problems
from driftgauge.state.seen_records import SeenRecords

from tests.monitors import small_monitor

NOW = 1_700_000_000.0


def intake_of(monitor: ColumnMonitor, folder: Path | None = None) -> ModelIntake:
    parts = IntakeParts(
        monitor=monitor,
        problems=Problems(lambda: NOW),
        seen=SeenRecords(None if folder is None else folder / "seen", 10_000),
        events=OpenEvents(None, wait_seconds=300.0, most=100),
        letters=DeadLetters(folder, 100_000),
    )
    return ModelIntake(parts, lambda: NOW)


def rows(monitor: ColumnMonitor, keys: Sequence[int], width: int | None = None) -> IngestedRows:
    columns = np.full((len(keys), width or len(monitor.baseline.columns)), 0.5)
    event = np.full(len(keys), NOW)
    return IngestedRows(columns, event, [""] * len(keys), [uuid.UUID(int=key + 1).bytes for key in keys])


def counted(monitor: ColumnMonitor, name: str, *labels: str) -> float:
    spec = next(spec for spec in monitor.store.counters.series if spec.name == name)
    return float(monitor.store.counters.copy()[name][spec.children.index(labels), 0])


def test_rows_are_observed_once() -> None:
    monitor = small_monitor("once")
    intake = intake_of(monitor)
    first = intake.take(Decoded(rows(monitor, range(100))))
    again = intake.take(Decoded(rows(monitor, range(50, 120))))
    assert (first.taken, first.duplicates, again.taken, again.duplicates) == (100, 0, 20, 50)
    assert monitor.evaluate(NOW).report.rows_observed == 120


def test_a_refused_record_with_a_key_is_counted_once() -> None:
    monitor = small_monitor("refused")
    intake = intake_of(monitor)
    error = Refused(Reason.UNKNOWN_SHAPE, "it has no features")
    with_key, without = RefusedRecord(0, error, b"{}", uuid.UUID(int=1).bytes), RefusedRecord(1, error, b"{}")
    for _ in range(2):
        intake.take(Decoded(refused=[with_key, without]))
    assert counted(monitor, INGEST_REFUSED.name, Reason.UNKNOWN_SHAPE) == 3.0
    assert len(intake.parts.letters.last(10)) == 3


def test_refused_records_with_the_same_key_are_one() -> None:
    monitor = small_monitor("same")
    same = RefusedRecord(0, Refused(Reason.UNKNOWN_SHAPE, "no"), b"{}", uuid.UUID(int=1).bytes)
    intake_of(monitor).take(Decoded(refused=[same, same]))
    assert counted(monitor, INGEST_REFUSED.name, Reason.UNKNOWN_SHAPE) == 1.0


def test_a_refused_record_is_kept_and_counted_before_it_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor = small_monitor("kept")
    delivery = Decoded(refused=[RefusedRecord(0, Refused(Reason.UNKNOWN_SHAPE, "no"), b"{}", uuid.UUID(int=1).bytes)])

    def ends(_: DeadLetters, refused: Sequence[RefusedRecord], now: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(DeadLetters, "keep", ends)
        with pytest.raises(KeyboardInterrupt):
            intake_of(monitor, tmp_path).take(delivery)
    for _ in range(2):
        intake_of(monitor, tmp_path).take(delivery)
    assert counted(monitor, INGEST_REFUSED.name, Reason.UNKNOWN_SHAPE) == 1.0
    assert len(intake_of(monitor, tmp_path).parts.letters.last(10)) == 1


def test_more_rows_than_the_log_has_room_for_are_all_counted() -> None:
    monitor = small_monitor("many")
    many = monitor.store.shape.unread_rows * 2 + 100
    assert intake_of(monitor).take(Decoded(rows(monitor, range(many)))).taken == many
    assert monitor.evaluate(NOW).report.rows_observed == many


def test_an_end_in_the_middle_counts_no_more_than_one_step_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor, calls = small_monitor("ended"), 0
    add = SeenRecords.add

    def ends(self: SeenRecords, keys: Sequence[bytes], now: float) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:  # its rows are observed, and it is not remembered
            raise KeyboardInterrupt
        add(self, keys, now)

    monkeypatch.setattr(SeenRecords, "add", ends)
    delivery = Decoded(rows(monitor, range(5_000)))
    with pytest.raises(KeyboardInterrupt):
        intake_of(monitor, tmp_path).take(delivery)
    again = intake_of(monitor, tmp_path).take(delivery)
    assert (again.taken, again.duplicates) == (5_000 - 2 * STEP_ROWS, 2 * STEP_ROWS)
    assert monitor.evaluate(NOW).report.rows_observed == 5_000 + STEP_ROWS


def test_a_failure_of_monitoring_is_counted_and_shown_and_the_rows_are_not_taken_again() -> None:
    monitor = small_monitor("failing")
    intake = intake_of(monitor)
    wrong = Decoded(rows(monitor, range(5), width=len(monitor.baseline.columns) + 1))
    assert intake.take(wrong).taken == 5
    assert counted(monitor, DROPPED.name, Reason.MONITORING_FAILED) == 5.0
    assert intake.take(wrong).duplicates == 5


def test_while_another_worker_holds_the_records_nothing_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor = small_monitor("held")
    intake = intake_of(monitor, tmp_path)
    monkeypatch.setattr("driftgauge.ingestion.intake.LOCK_SECONDS", 0.01)
    with SeenRecords(tmp_path / "seen", 10_000).alone(1.0), pytest.raises(Refused) as refused:
        intake.take(Decoded(rows(monitor, range(5))))
    assert refused.value.reason is Reason.INTAKE_FULL
    assert isinstance(refused.value.__cause__, LockTimeout)
    assert intake.take(Decoded(rows(monitor, range(5)))).taken == 5


def test_reasons_without_a_series_are_counted_together() -> None:
    monitor = small_monitor("reasons")
    refused = [
        RefusedRecord(at, Refused(reason, "no"), b"x")
        for at, reason in enumerate((Reason.NOT_JSON, Reason.OVERLOADED, Reason.EMPTY_BATCH))
    ]
    tally = intake_of(monitor).take(Decoded(refused=refused))
    assert tally.refused == {"not_json": 1, "unreadable_record": 2}
    assert counted(monitor, INGEST_REFUSED.name, Reason.UNREADABLE_RECORD) == 2.0


class Joins:
    """Makes one row of each pair."""

    def __init__(self, monitor: ColumnMonitor) -> None:
        self.monitor = monitor

    def joined(self, pairs: Sequence[Pair]) -> Decoded:
        return Decoded(rows(self.monitor, [int(request.id) for request, _ in pairs]))


def test_halves_are_kept_if_their_rows_cannot_be_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monitor = small_monitor("halves")
    intake, joins = intake_of(monitor, tmp_path), Joins(monitor)
    request, response = (HalfEvent("7", is_request, NOW, {}) for is_request in (True, False))
    assert intake.take(Decoded(halves=[request]), joins).waiting == 1
    monkeypatch.setattr("driftgauge.ingestion.intake.LOCK_SECONDS", 0.01)
    with SeenRecords(tmp_path / "seen", 10_000).alone(1.0), pytest.raises(Refused):
        intake.take(Decoded(halves=[response]), joins)
    tally = intake.take(Decoded(halves=[response]), joins)
    assert (tally.taken, tally.joined, tally.waiting) == (1, 2, 0)
    intake.parts.events.close()
