from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from driftgauge.errors import PredictionLogError, Reason
from driftgauge.predictions import writer as writer_module
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.recorder import Kept, ModelRecorder
from driftgauge.predictions.rows import LoggedRows
from driftgauge.predictions.store import PredictionStore
from driftgauge.predictions.writer import PredictionWriter

from tests.predictions.logs import NOW, Counted, answers, model

WAIT = 60.0


class Failing:
    """Opens a store, or fails as often as it is told."""

    def __init__(self, store: PredictionStore) -> None:
        self.store = store
        self.failures = 0
        self.asked = 0
        self.held = threading.Event()
        self.held.set()

    def __call__(self) -> PredictionStore:
        self.asked += 1
        assert self.held.wait(WAIT)
        if self.failures:
            self.failures -= 1
            raise PredictionLogError("the database is away")
        return self.store


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Failing]:
    store = PredictionStore.open(tmp_path)
    yield Failing(store)
    store.close()


@contextmanager
def writing(
    database: Failing,
    *,
    queue_rows: int = 1_000,
    has_room: Callable[[], bool] = lambda: True,
    acknowledges: bool = False,
    errors: list[Exception] | None = None,
    clock: Callable[[], float] = lambda: NOW / 1e6 + 1.5,
) -> Iterator[PredictionWriter]:
    writer = PredictionWriter(
        database,
        queue_rows=queue_rows,
        clock=clock,
        failed=(errors if errors is not None else []).append,
        has_room=has_room,
        acknowledges=acknowledges,
    )
    writer.start()
    yield writer
    database.held.set()
    writer.close(WAIT)


def recorder(counts: Counted, *, sample: float = 1.0) -> ModelRecorder:
    return ModelRecorder(model(), Kept((0, 1, 2)), counts, sample=sample)


def logged(database: Failing) -> list[str]:
    return sorted(id_ for batch in database.store.read(Selection("m")) for id_ in batch.ids)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "RETRY_SECONDS", (0.0, 0.01))


def test_rows_are_written_behind(database: Failing) -> None:
    counts = Counted()
    with writing(database) as writer:
        own = recorder(counts)
        for number in range(20):
            writer.put(own, answers([f"{number:02} {row}" for row in range(3)], seed=number))
    assert len(logged(database)) == 60
    assert (counts.written_rows, counts.drops) == (60, {})
    assert counts.lags == [pytest.approx(1.5)] * 60
    assert writer.queued_rows == 0


def test_a_clock_that_was_set_back_gives_no_negative_lag(database: Failing) -> None:
    counts = Counted()
    with writing(database, clock=lambda: NOW / 1e6 - 60.0) as writer:
        writer.put(recorder(counts), answers(["a", "b"]))
    assert counts.lags == [0.0, 0.0]


def test_a_put_does_not_wait_for_the_database(database: Failing) -> None:
    database.held.clear()
    counts = Counted()
    with writing(database) as writer:
        writer.put(recorder(counts), answers(["a"]))
        assert writer.queued_rows == 1
        assert counts.written_rows == 0
    assert logged(database) == ["a"]


def test_what_a_full_queue_has_no_room_for_is_dropped_and_counted(database: Failing) -> None:
    database.held.clear()
    counts = Counted()
    with writing(database, queue_rows=5) as writer:
        for number in range(4):
            writer.put(recorder(counts), answers([f"{number} {row}" for row in range(2)]))
    assert logged(database) == ["0 0", "0 1", "1 0", "1 1"]
    assert counts.drops == {Reason.PREDICTION_LOG_QUEUE_FULL: 4}


def test_an_empty_queue_takes_a_request_of_any_size(database: Failing) -> None:
    counts = Counted()
    with writing(database, queue_rows=5) as writer:
        writer.put(recorder(counts), answers([str(row) for row in range(8)]))
    assert counts.written_rows == 8


def test_a_database_that_comes_back_gets_the_rows(database: Failing) -> None:
    database.failures = 2
    counts, errors = Counted(), list[Exception]()
    with writing(database, errors=errors) as writer:
        writer.put(recorder(counts), answers(["a", "b"]))
        writer.written().result(WAIT)
    assert logged(database) == ["a", "b"]
    assert [str(error) for error in errors] == ["the database is away"] * 2


def test_rows_that_fail_again_and_again_are_dropped_and_do_not_stop_the_others(database: Failing) -> None:
    database.failures = 3
    counts = Counted()
    with writing(database, acknowledges=True) as writer:
        writer.put(recorder(counts), answers(["a", "b"]))
        while writer.queued_rows:
            time.sleep(0.005)
        writer.put(recorder(counts), answers(["c"]))
    assert counts.drops == {Reason.PREDICTION_LOG_FAILED: 2}
    assert logged(database) == ["c"]


def test_rows_that_cannot_be_read_are_dropped_alone(database: Failing) -> None:
    counts, errors = Counted(), list[Exception]()
    with writing(database, errors=errors) as writer:
        writer.put(recorder(counts), answers(["a"]))
        writer.put(recorder(counts), answers(["b\0", "c"]))
        writer.put(recorder(counts), answers(["d"]))
    assert logged(database) == ["a", "d"]
    assert counts.drops == {Reason.MONITORING_FAILED: 2}
    assert len(errors) == 1


def test_repeated_ids_are_counted(database: Failing) -> None:
    counts = Counted()
    with writing(database) as writer:
        writer.put(recorder(counts), answers(["a", "b"]))
        writer.written().result(WAIT)
        writer.put(recorder(counts), answers(["b", "c"]))
    assert logged(database) == ["a", "b", "c"]
    assert (counts.written_rows, counts.drops) == (3, {Reason.PREDICTION_ID_REPEATED: 1})


def test_ids_outside_the_sample_are_counted(database: Failing) -> None:
    counts = Counted()
    with writing(database) as writer:
        writer.put(recorder(counts, sample=0.5), answers([f"order {row}" for row in range(200)]))
    assert counts.written_rows == len(logged(database))
    assert counts.drops == {Reason.NOT_SAMPLED: 200 - counts.written_rows}
    assert 60 < counts.written_rows < 140


def test_nothing_is_written_to_a_disk_without_room(database: Failing) -> None:
    room = [False]
    counts = Counted()
    with writing(database, has_room=lambda: room[0]) as writer:
        writer.put(recorder(counts), answers(["a"]))
        writer.written().result(WAIT)
        room[0] = True
        writer.put(recorder(counts), answers(["b"]))
    assert logged(database) == ["b"]
    assert counts.drops == {Reason.PREDICTION_LOG_DISK_FULL: 1}


def test_who_waits_goes_on_once_rows_are_in_the_database(database: Failing) -> None:
    with writing(database, acknowledges=True) as writer:
        for number in range(30):
            writer.put(recorder(Counted()), answers([f"{number:02}"]))
            writer.written().result(WAIT)
            assert len(logged(database)) == number + 1


def test_who_waits_does_not_wait_for_rows_that_come_later(database: Failing) -> None:
    database.held.clear()
    with writing(database, acknowledges=True) as writer:
        own = recorder(Counted())
        writer.put(own, answers(["a"]))
        while not database.asked:
            time.sleep(0.001)
        first = writer.written()
        writer.put(own, answers(["b"]))
        second = writer.written()
        database.held.set()
        first.result(WAIT)
        second.result(WAIT)
        assert logged(database) == ["a", "b"]


def test_nobody_waits_for_a_database_that_fails(database: Failing) -> None:
    database.failures = 1
    with writing(database, acknowledges=True) as writer:
        writer.put(recorder(Counted()), answers(["a"]))
        writer.written().result(WAIT)
    assert logged(database) == ["a"]


def test_nobody_waits_where_nothing_is_queued(database: Failing) -> None:
    with writing(database) as writer:
        assert writer.written().done()


def test_a_caller_that_has_gone_does_not_stop_the_writer(database: Failing) -> None:
    database.held.clear()
    with writing(database, acknowledges=True) as writer:
        writer.put(recorder(Counted()), answers(["a"]))
        assert writer.written().cancel()
    assert logged(database) == ["a"]


def test_rows_that_come_after_the_end_are_dropped_and_counted(database: Failing) -> None:
    counts = Counted()
    with writing(database) as writer:
        pass
    writer.put(recorder(counts), answers(["a"]))
    assert counts.drops == {Reason.PREDICTION_LOG_QUEUE_FULL: 1}


def test_a_database_that_is_away_does_not_hold_up_the_end(database: Failing) -> None:
    database.failures = 1_000
    counts = Counted()
    writer = PredictionWriter(database, queue_rows=10, clock=lambda: 0.0, failed=lambda _: None)
    writer.start()
    writer.put(recorder(counts), answers(["a"]))
    writer.close(0.0)
    assert counts.drops == {Reason.PREDICTION_LOG_FAILED: 1}
    assert writer.queued_rows == 0


def test_what_a_retry_prepares_again_is_counted_once(database: Failing, monkeypatch: pytest.MonkeyPatch) -> None:
    write, failures = database.store.write, [PredictionLogError("the database is away")]

    def fails_once(rows: Sequence[LoggedRows]) -> int:
        if failures:
            raise failures.pop()
        return write(rows)

    monkeypatch.setattr(database.store, "write", fails_once)
    counts = Counted()
    with writing(database) as writer:
        writer.put(recorder(counts, sample=0.5), answers([f"order {row}" for row in range(200)]))
    assert failures == []
    assert counts.written_rows + counts.drops[Reason.NOT_SAMPLED] == 200
