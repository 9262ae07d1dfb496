"""The prediction log of a service, on real databases: what is queued, written, dropped, and left at the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from driftgauge.common.shared_text import SharedText
from driftgauge.errors import PredictionLogDamaged, PredictionLogError, Reason
from driftgauge.predictions import log as log_module
from driftgauge.predictions import writer as writer_module
from driftgauge.predictions.database import writing
from driftgauge.predictions.description import Described
from driftgauge.predictions.generations import sqlite_file
from driftgauge.predictions.ids import is_sampled, key_of
from driftgauge.predictions.log import LogOptions, ModelLog, PredictionLog
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.recorder import Kept
from driftgauge.predictions.store import PredictionStore
from sqlalchemy.pool import QueuePool

from tests.postgres import Postgres
from tests.predictions.logs import NOW, Counted, answers, model

WAIT = 60.0
TIME = NOW / 1e6 + 1.5


@pytest.fixture(params=["sqlite", "postgresql"])
def options(request: pytest.FixtureRequest, tmp_path: Path) -> LogOptions:
    """Options of a log in each of the databases."""
    if request.param == "sqlite":
        return LogOptions(tmp_path)
    server: Postgres = request.getfixturevalue("postgres")
    return LogOptions(None, server.new_database())


@contextmanager
def opened(
    options: LogOptions, errors: list[Exception] | None = None, shared: SharedText | None = None
) -> Iterator[PredictionLog]:
    """Open a log that has not started to write; it is closed in the end."""
    failed = (errors if errors is not None else []).append
    log = PredictionLog(options, lambda: TIME, failed, shared)
    yield log
    log.close(WAIT)


def way(log: PredictionLog, counts: Counted, version: str = "1") -> ModelLog:
    return log.of_model(Described(model(version=version), Kept((0, 1, 2))), counts)


def logged(options: LogOptions) -> list[str]:
    """Return the ids in the order of the log, read by a store of its own."""
    store = PredictionStore.open(options.state_folder, options.url)
    try:
        batches = list(store.read(Selection("m")))
    finally:
        store.close()
    numbered = [pair for batch in batches for pair in zip(batch.seq.tolist(), batch.ids, strict=True)]
    return [id_ for _, id_ in sorted(numbered)]


@contextmanager
def locked(options: LogOptions) -> Iterator[None]:
    """Keep others from writing to the database."""
    store = PredictionStore.open(options.state_folder, options.url)
    with writing(store.engine) as connection:
        if options.url is not None:
            connection.exec_driver_sql("LOCK TABLE chunks IN ACCESS EXCLUSIVE MODE")
        yield
    store.close()


def test_rows_are_written_once_and_in_the_order_in_which_they_were_answered(options: LogOptions) -> None:
    counts = Counted()
    with opened(options) as log:
        own = way(log, counts)
        log.start()
        for number in range(30):
            own.put(answers([f"{number:02} {row}" for row in range(3)], seed=number))
    assert logged(options) == [f"{number:02} {row}" for number in range(30) for row in range(3)]
    assert (counts.written_rows, counts.drops) == (90, {})
    assert counts.lags == [pytest.approx(1.5)] * 90


def test_what_is_queued_before_the_start_is_written(options: LogOptions) -> None:
    counts = Counted()
    with opened(options) as log:
        own = way(log, counts)
        own.put(answers(["a", "b"]))
        assert (log.facts(log.writer.queued_rows, 2).queued_rows, counts.written_rows) == (2, 0)
        log.start()
        own.written().result(WAIT)
        assert log.writer.queued_rows == 0
    assert logged(options) == ["a", "b"]


def test_the_queue_holds_its_rows_while_the_database_is_locked_and_drops_what_has_no_room(options: LogOptions) -> None:
    counts = Counted()
    with opened(replace(options, queue_rows=6)) as log:
        own = way(log, counts)
        log.start()
        with locked(options):
            for number in range(4):
                assert own.has_room(2) is (number < 3)
                own.put(answers([f"{number} a", f"{number} b"]))
            assert log.writer.queued_rows == 6
            assert counts.drops == {Reason.PREDICTION_LOG_QUEUE_FULL: 2}
            assert counts.written_rows == 0
        own.written().result(WAIT)
        assert own.has_room(6)
        own.put(answers(["later"]))
    assert logged(options) == ["0 a", "0 b", "1 a", "1 b", "2 a", "2 b", "later"]


def test_each_row_that_is_not_logged_is_counted_by_its_reason_and_its_model(options: LogOptions) -> None:
    first, second = Counted(), Counted()
    ids = [f"order {number}" for number in range(100)]
    sampled = [id_ for id_ in ids if is_sampled(key_of(id_), 0.5)]
    with opened(replace(options, sample_ratio=0.5)) as log:
        log.start()
        one, two = way(log, first), way(log, second, version="2")
        one.put(answers(ids))
        one.written().result(WAIT)
        two.put(answers(ids[:10]))  # the same model has predicted them
        two.put(answers(["no\0id"]))
    assert logged(options) == sampled
    again = sum(id_ in sampled for id_ in ids[:10])
    assert (first.written_rows, first.drops) == (len(sampled), {Reason.NOT_SAMPLED: 100 - len(sampled)})
    assert second.drops == {
        Reason.PREDICTION_ID_REPEATED: again,
        Reason.NOT_SAMPLED: 10 - again,
        Reason.MONITORING_FAILED: 1,
    }


def test_a_disk_without_room_drops_rows_and_says_how_much_is_free(tmp_path: Path) -> None:
    counts = Counted()
    with opened(LogOptions(tmp_path, min_free_bytes=1 << 60)) as log:
        own = way(log, counts)
        own.put(answers(["a", "b"]))
        log.start()
        own.written().result(WAIT)
        facts = log.facts(0, 1)
    assert counts.drops == {Reason.PREDICTION_LOG_DISK_FULL: 2}
    assert facts.free_threshold_bytes == 2 << 60
    assert facts.free_bytes is not None
    assert 0 < facts.free_bytes < 1 << 60


def test_the_end_writes_what_is_queued_and_takes_no_more(options: LogOptions) -> None:
    counts = Counted()
    with opened(options) as log:
        own = way(log, counts)
        log.start()
        own.put(answers([str(row) for row in range(500)]))
    assert len(logged(options)) == counts.written_rows == 500
    own.put(answers(["late"]))
    assert not own.has_room(1)
    assert counts.drops == {Reason.PREDICTION_LOG_QUEUE_FULL: 1}
    assert own.written().done()


def test_a_log_that_was_never_started_counts_what_it_did_not_write(options: LogOptions) -> None:
    counts = Counted()
    with opened(options) as log:
        way(log, counts).put(answers(["a", "b"]))
    assert counts.drops == {Reason.PREDICTION_LOG_FAILED: 2}
    assert log.writer.queued_rows == 0


def test_a_log_may_be_closed_twice_and_opens_its_database_only_for_use(tmp_path: Path) -> None:
    with opened(LogOptions(tmp_path)) as log:
        assert list(tmp_path.iterdir()) == []
        log.store()
        assert sqlite_file(tmp_path).exists()
    log.close(0.0)
    with opened(LogOptions(tmp_path)) as other:
        assert other.store() is other.store()


def test_a_closed_log_opens_no_database(options: LogOptions) -> None:
    with opened(options) as log:
        log.store()
    with pytest.raises(PredictionLogError, match="the prediction log is closed"):
        log.store()


def test_a_database_that_opens_while_the_log_closes_is_closed(
    options: LogOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "OPENING_SECONDS", 0.01)
    log = PredictionLog(options, lambda: TIME, lambda _: None)
    found, is_opening, is_closed = list[PredictionStore](), threading.Event(), threading.Event()
    of_class = PredictionStore.open

    def slow(*given: Any, **more: Any) -> PredictionStore:
        is_opening.set()
        assert is_closed.wait(WAIT)
        found.append(of_class(*given, **more))
        return found[0]

    monkeypatch.setattr(PredictionStore, "open", slow)
    with ThreadPoolExecutor(1) as thread:
        store = thread.submit(log.store)
        assert is_opening.wait(WAIT)
        log.close(0.0)
        is_closed.set()
        with pytest.raises(PredictionLogError, match="the prediction log is closed"):
            store.result(WAIT)
    assert isinstance(found[0].engine.pool, QueuePool)
    assert found[0].engine.pool.checkedin() == 0


def test_a_database_that_cannot_be_opened_is_reported_and_used_once_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "RETRY_SECONDS", (0.01,) * 1_000)
    (tmp_path / "predictions").write_text("a file in the place of the folder")
    counts, reported = Counted(), threading.Event()
    log = PredictionLog(LogOptions(tmp_path), lambda: TIME, lambda _: reported.set())
    own = way(log, counts)
    own.put(answers(["a", "b"]))
    log.start()
    assert reported.wait(WAIT)
    with pytest.raises(PredictionLogError, match="cannot open the prediction log"):
        log.store()
    assert log.writer.queued_rows == 2
    (tmp_path / "predictions").unlink()
    log.close(WAIT)
    assert (counts.written_rows, counts.drops) == (2, {})
    assert logged(log.options) == ["a", "b"]


def test_a_database_that_stays_away_leaves_nothing_uncounted(tmp_path: Path) -> None:
    (tmp_path / "predictions").write_text("a file in the place of the folder")
    counts = Counted()
    log = PredictionLog(LogOptions(tmp_path), lambda: TIME, lambda _: None)
    way(log, counts).put(answers(["a", "b"]))
    log.start()
    log.close(0.0)
    assert (counts.written_rows, counts.drops) == (0, {Reason.PREDICTION_LOG_FAILED: 2})


def test_answers_that_are_acknowledged_are_in_the_database(options: LogOptions) -> None:
    with opened(replace(options, acknowledges=True)) as log:
        own = way(log, Counted())
        log.start()
        assert own.acknowledges
        for number in range(10):
            own.put(answers([str(number)]))
            own.acknowledge()
            assert logged(options) == [str(each) for each in range(number + 1)]


def test_answers_that_are_let_go_wait_no_longer(options: LogOptions) -> None:
    counts = Counted()
    with opened(replace(options, acknowledges=True)) as log:
        own = way(log, counts)
        log.start()
        with locked(options):
            own.put(answers(["a"]))
            waits = own.written()
            assert not waits.done()
            own.let_go()
            waits.result(WAIT)
            assert counts.written_rows == 0
    assert logged(options) == ["a"]


def test_a_damaged_file_stays_and_the_log_goes_on_in_another(tmp_path: Path) -> None:
    options, errors, counts = LogOptions(tmp_path), list[Exception](), Counted()
    with opened(options) as log:
        own = way(log, Counted())
        own.put(answers(["before"]))
        log.start()
    damaged = sqlite_file(tmp_path)
    damaged.write_bytes(b"no database" * 1_000)
    with opened(options, errors) as log:
        own = way(log, counts)
        own.put(answers(["after"]))
        log.start()
        own.written().result(WAIT)
        assert log.facts(0, 1).damaged_files == 1
    assert (counts.written_rows, logged(options)) == (1, ["after"])
    assert damaged.read_bytes() == b"no database" * 1_000
    assert sqlite_file(tmp_path) != damaged
    (error,) = errors
    assert isinstance(error, PredictionLogDamaged)
    assert f"{damaged} is damaged, and stays where it is" in str(error)


def test_facts_are_those_of_all_workers_and_of_the_last_look(options: LogOptions, tmp_path: Path) -> None:
    with (
        opened(options, shared=SharedText(tmp_path, "look")) as log,
        opened(options, shared=SharedText(tmp_path, "look")) as other,
    ):
        own = way(log, Counted())
        own.put(answers(["a", "b", "c"]))
        log.start()
        own.written().result(WAIT)
        log.upkeep.once()
        facts = other.facts(7.0, 4)
    assert facts.kept == ("sqlite" if options.url is None else "postgresql")
    assert (facts.queued_rows, facts.queue_limit_rows) == (7, 4 * options.queue_rows)
    assert facts.look is not None
    assert (facts.look.rows, facts.look.at, facts.look.oldest) == (3, TIME, NOW / 1e6)
    on_disk = options.url is None
    assert (facts.damaged_files, facts.free_threshold_bytes) == (
        (0, 2 * options.min_free_bytes) if on_disk else (None, None)
    )
    assert (facts.free_bytes is not None) is on_disk


def test_a_log_needs_a_place(tmp_path: Path) -> None:
    assert not LogOptions(None).is_possible
    assert LogOptions(None, "postgresql://host/database").is_possible
    assert LogOptions(tmp_path).is_possible
    assert LogOptions(tmp_path, "postgresql://host/database").folder is None
    assert LogOptions(tmp_path).folder == tmp_path / "predictions"
