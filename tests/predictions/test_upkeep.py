from __future__ import annotations

import time
from pathlib import Path

import pytest
from driftgauge.common.private_files import FileLock
from driftgauge.errors import PredictionLogError
from driftgauge.predictions import upkeep as upkeep_module
from driftgauge.predictions.database import reading
from driftgauge.predictions.generations import sqlite_file
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.retention import Limits, used_bytes
from driftgauge.predictions.schema import day_files
from driftgauge.predictions.store import PredictionStore
from driftgauge.predictions.upkeep import LOCK, DiskGuard, Upkeep, free_bytes
from sqlalchemy import func, select

from tests.predictions.logs import NOW, model, rows

LATER = NOW / 1e6 + 1_000.0


def _filled(store: PredictionStore) -> PredictionStore:
    store.write([rows(store.register(model()), ["a", "b"])])
    return store


def _folder(store: PredictionStore, tmp_path: Path) -> Path | None:
    return sqlite_file(tmp_path).parent if store.engine.dialect.name == "sqlite" else None


def _upkeep(store: PredictionStore, folder: Path | None, seconds: float = 10.0) -> Upkeep:
    errors: list[Exception] = []
    return Upkeep(lambda: store, Limits(seconds, 1 << 40), lambda: LATER, errors.append, folder)


def test_old_predictions_are_deleted_and_the_size_is_known(store: PredictionStore, tmp_path: Path) -> None:
    own = _upkeep(_filled(store), _folder(store, tmp_path))
    assert own.looks.latest() is None
    own.once()
    assert list(store.read(Selection("m"))) == []
    look = own.looks.latest()
    assert look is not None
    assert (look.at, look.rows, look.oldest) == (LATER, 0, None)
    assert look.bytes == used_bytes(store.engine)


def test_another_process_that_deletes_is_not_disturbed(store: PredictionStore, tmp_path: Path) -> None:
    folder = _folder(store, tmp_path)
    own = _upkeep(_filled(store), folder)
    if folder is None:
        with PredictionStore(store.engine).alone(upkeep_module._ADVISORY_LOCK) as is_alone:
            assert is_alone
            own.once()
    else:
        with FileLock(folder / LOCK).held(10.0):
            own.once()
    assert [batch.ids for batch in store.read(Selection("m"))] == [["a", "b"]]
    own.once()
    assert list(store.read(Selection("m"))) == []


def _files(store: PredictionStore) -> int:
    with reading(store.engine) as connection:
        return int(connection.execute(select(func.count()).select_from(day_files)).scalar_one())


def test_closed_days_are_compacted_while_the_disk_has_room(
    store: PredictionStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_module, "MOST_FILES", 2)
    version = store.register(model())
    for day in range(4):
        store.write([rows(version, [f"r{day}"], at=NOW + day * 86_400_000_000)])
    room = [False]
    folder = _folder(store, tmp_path)
    own = Upkeep(
        lambda: store,
        Limits(1e9, 1 << 40),
        lambda: NOW / 1e6 + 10 * 86_400,
        lambda _: None,
        folder,
        lambda: room[0],
    )
    own.once()
    assert _files(store) == 0
    room[0] = True
    own.once()
    assert _files(store) == 2
    if folder is not None:
        (folder / "days" / "2023-01-01-1-1.parquet.new").write_bytes(b"left by a process that was killed")
    own.once()
    assert _files(store) == 3  # the newest chunk stays
    if folder is not None:
        assert len(list((folder / "days").iterdir())) == 3
    assert [id_ for batch in store.read(Selection("m")) for id_ in batch.ids] == ["r0", "r1", "r2", "r3"]


def test_the_thread_deletes_by_interval_and_goes_on_after_an_error(
    store: PredictionStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_module, "INTERVAL_SECONDS", 0.01)
    _filled(store)
    failures = [PredictionLogError("the database is away")]
    errors: list[Exception] = []

    def opened() -> PredictionStore:
        if failures:
            raise failures.pop()
        return store

    own = Upkeep(opened, Limits(10.0, 1 << 40), lambda: LATER, errors.append, _folder(store, tmp_path))
    own.start()
    deadline = time.monotonic() + 60.0
    while own.looks.latest() is None:
        assert time.monotonic() < deadline, errors
        time.sleep(0.01)
    own.close(60.0)
    assert list(store.read(Selection("m"))) == []
    assert [str(error) for error in errors] == ["the database is away"]


def test_a_disk_with_too_little_room_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep_module, "LOOK_SECONDS", 0.0)
    free = [1_000]
    asked: list[Path] = []

    def measured(folder: Path) -> int:
        asked.append(folder)
        return free[0]

    guard = DiskGuard(tmp_path / "not" / "there", 1_000, measured)
    assert guard.has_room()
    free[0] = 999
    assert not guard.has_room()
    assert guard.free_bytes == 999
    assert set(asked) == {tmp_path}


def test_a_look_at_the_disk_is_believed_for_a_while(tmp_path: Path) -> None:
    looks = iter([1, 2])
    guard = DiskGuard(tmp_path, 0, lambda _: next(looks))
    assert [guard.has_room() for _ in range(5)] == [True] * 5
    assert guard.free_bytes == 1


def test_a_database_elsewhere_has_room() -> None:
    assert DiskGuard(None, 1 << 60).has_room()


def test_the_free_space_is_that_of_the_disk(tmp_path: Path) -> None:
    assert 0 < free_bytes(tmp_path) < 1 << 60
