"""What a look at the log finds, and how workers share it."""

from __future__ import annotations

from pathlib import Path

from driftgauge.common.shared_text import SharedText
from driftgauge.predictions.log import ALERT_FACTOR, LogOptions, PredictionLog
from driftgauge.predictions.look import LogLook, SharedLook, look_at
from driftgauge.predictions.retention import used_bytes
from driftgauge.predictions.store import PredictionStore

from tests.predictions.logs import NOW, model, rows

AT = NOW / 1e6 + 60.0


def test_a_look_finds_rows_size_and_the_oldest(store: PredictionStore) -> None:
    assert look_at(store.engine, AT, 7) == LogLook(AT, used_bytes(store.engine), 0, None, 7)
    version = store.register(model())
    store.write([rows(version, ["a", "b"], at=NOW + 1_000_000)])
    store.write([rows(version, ["c"], at=NOW)])  # the event is older, and it was written later
    look = look_at(store.engine, AT, None)
    assert (look.rows, look.oldest) == (3, NOW / 1e6 + 1.0)
    assert look.bytes == used_bytes(store.engine)


def test_looks_are_those_of_any_worker(tmp_path: Path) -> None:
    one, other = (SharedLook(SharedText(tmp_path, "log")) for _ in range(2))
    assert one.latest() is other.latest() is None
    look = LogLook(AT, 4096, 3, AT - 60.0, 1 << 30)
    one.renew(lambda: look)
    assert one.latest() == other.latest() == look
    (tmp_path / "shared-log.json").write_text("[]")
    assert other.latest() == look


def test_workers_say_the_same_of_the_database_and_only_one_looks(tmp_path: Path) -> None:
    now = [AT]

    def fail(error: Exception) -> None:
        raise error

    logs = [
        PredictionLog(LogOptions(tmp_path, queue_rows=10), lambda: now[0], fail, SharedText(tmp_path, "log"))
        for _ in range(2)
    ]
    before = logs[1].facts(0, 2)
    assert (before.look, before.queue_limit_rows) == (None, 20)
    assert before.free_bytes is not None  # which a worker knows by itself
    store = logs[0].store()
    store.write([rows(store.register(model()), ["a", "b"])])
    logs[0].upkeep.look()
    found = [log.facts(5, 2) for log in logs]
    assert found[0] == found[1]
    assert found[0].look is not None
    assert (found[0].look.rows, found[0].look.at, found[0].queued_rows) == (2, AT, 5)
    assert found[0].free_bytes == found[0].look.free_bytes
    assert found[0].free_threshold_bytes == ALERT_FACTOR * LogOptions(tmp_path).min_free_bytes
    store.write([rows(store.register(model()), ["c"])])
    now[0] += 1.0
    logs[1].upkeep.look()  # the other has just looked
    assert logs[1].facts(0, 2).look == found[0].look
    now[0] += 10.0
    logs[1].upkeep.look()
    assert [own.facts(0, 2).look.rows for own in logs] == [3, 3]  # type: ignore[union-attr]
    for log in logs:
        log.close(0.0)
