from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from driftgauge.predictions import retention
from driftgauge.predictions.database import reading
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.retention import Limits, retain, used_bytes
from driftgauge.predictions.schema import chunks
from driftgauge.predictions.store import PredictionStore
from sqlalchemy import func, select

from tests.predictions.logs import NOW, model, rows

DAY = 86_400.0
AMPLE = 1 << 40


@pytest.fixture
def days(store: PredictionStore) -> PredictionStore:
    """A log of ten days with 100 predictions each: d0 … d9 with their number."""
    version = store.register(model())
    for day in range(10):
        at = NOW + int(day * DAY * 1e6)
        for part in range(2):
            ids = [f"d{day} {row}" for row in range(50 * part, 50 * part + 50)]
            store.write([rows(version, ids, at=at + part * 1_000_000, seed=day)])
    return store


def _days(store: PredictionStore) -> dict[str, int]:
    found: dict[str, int] = {}
    for batch in store.read(Selection("m")):
        for id_, values in zip(batch.ids, batch.features[int(batch.version[0])], strict=True):
            assert not np.isnan(values).any()
            found[id_.split()[0]] = found.get(id_.split()[0], 0) + 1
    return found


def _chunks(store: PredictionStore) -> int:
    with reading(store.engine) as connection:
        return int(connection.execute(select(func.count()).select_from(chunks)).scalar_one())


@pytest.mark.parametrize("step", [7, 100, 10_000])
def test_predictions_that_are_too_old_are_deleted_with_their_features(
    days: PredictionStore, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "STEP_ROWS", step)
    now = NOW / 1e6 + 9 * DAY
    assert retain(days.engine, Limits(3.5 * DAY, AMPLE), now) == 600
    assert _days(days) == {f"d{day}": 100 for day in range(6, 10)}
    assert _chunks(days) == 8
    assert retain(days.engine, Limits(3.5 * DAY, AMPLE), now) == 0


def test_a_log_may_become_empty(days: PredictionStore) -> None:
    assert retain(days.engine, Limits(1.0, AMPLE), NOW / 1e6 + 100 * DAY) == 1_000
    assert _days(days) == {}
    assert _chunks(days) == 0


def test_a_replay_of_the_past_is_kept_by_its_arrival(store: PredictionStore) -> None:
    version = store.register(model())
    replayed = rows(version, ["a", "b"])
    store.write([replace(replayed, time=replayed.time - int(400 * DAY * 1e6))])
    assert retain(store.engine, Limits(DAY, AMPLE), NOW / 1e6 + 60.0) == 0
    assert retain(store.engine, Limits(DAY, AMPLE), NOW / 1e6 + 2 * DAY) == 2


def test_old_rows_that_were_written_late_go_and_new_ones_between_them_stay(store: PredictionStore) -> None:
    version = store.register(model())
    for number, at in enumerate((NOW, NOW + int(5 * DAY * 1e6), NOW)):
        store.write([rows(version, [f"d{number}"], at=at)])
    assert retain(store.engine, Limits(DAY, AMPLE), NOW / 1e6 + 5 * DAY) == 2
    assert _days(store) == {"d1": 1}


def test_a_log_that_is_too_large_loses_its_oldest_predictions(store: PredictionStore) -> None:
    version = store.register(model(features=50))
    for number in range(40):
        ids = [f"d{number} {row}" for row in range(250)]
        store.write([rows(version, ids, at=NOW + number * 1_000_000, features=50, seed=number)])
    with store.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    before = used_bytes(store.engine)
    limit = before // 2
    assert retain(store.engine, Limits(1e9, limit), NOW / 1e6) > 0
    assert used_bytes(store.engine) <= limit
    left = _days(store)
    assert 1_000 < sum(left.values()) < 9_000
    assert sorted(left, key=lambda day: int(day[1:])) == [f"d{day}" for day in range(40 - len(left), 40)]
    assert retain(store.engine, Limits(1e9, limit), NOW / 1e6) == 0


def test_the_size_grows_with_what_is_stored(store: PredictionStore) -> None:
    empty = used_bytes(store.engine)
    version = store.register(model(features=30))
    store.write([rows(version, [f"r{row}" for row in range(4_000)], features=30)])
    if store.engine.dialect.name == "sqlite":
        with store.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    assert 240 < (used_bytes(store.engine) - empty) / 4_000 <= 400
