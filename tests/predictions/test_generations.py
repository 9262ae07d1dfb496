"""A damaged database stays where it is, and the log goes on in a new one."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from driftgauge.errors import PredictionLogDamaged, PredictionLogReplaced
from driftgauge.predictions.compaction import compact
from driftgauge.predictions.database import days_folder
from driftgauge.predictions.description import Described
from driftgauge.predictions.generations import damaged_files, replace_damaged, sqlite_file
from driftgauge.predictions.log import LogOptions, PredictionLog
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.recorder import Kept
from driftgauge.predictions.store import PredictionStore

from tests.predictions.logs import NOW, Counted, answers, model, rows

PAGE = 4_096
WAIT = 60.0


def no_database(path: Path) -> None:
    path.write_bytes(b"This is no database. " * 1_000)


def noise(path: Path) -> None:
    """Random bytes behind the first page."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(PAGE)
        file.write(os.urandom(size - PAGE))


def cut(path: Path) -> None:
    os.truncate(path, 2 * PAGE)


def empty(path: Path) -> None:
    os.truncate(path, 0)


DAMAGES = pytest.mark.parametrize("damage", [no_database, noise, cut])


def filled(folder: Path, count: int = 3_000) -> Path:
    """Write predictions, and return the file, which has all of them."""
    with closing(PredictionStore.open(folder)) as store:
        store.write([rows(store.register(model()), [f"old {number}" for number in range(count)])])
    return sqlite_file(folder)


M = Described(model(), Kept((0, 1, 2)))


def log_in(folder: Path, errors: list[Exception], *, acknowledges: bool = False) -> PredictionLog:
    options = LogOptions(folder, acknowledges=acknowledges, min_free_bytes=0)
    return PredictionLog(options, lambda: NOW / 1e6, errors.append)


def ids(folder: Path) -> list[str]:
    with closing(PredictionStore.open(folder)) as store:
        return sorted(id_ for batch in store.read(Selection("m")) for id_ in batch.ids)


@DAMAGES
def test_a_file_that_is_damaged_at_the_start_stays_and_a_new_one_begins(
    damage: Callable[[Path], None], tmp_path: Path
) -> None:
    file = filled(tmp_path)
    damage(file)
    content, errors = file.read_bytes(), list[Exception]()
    log, counts = log_in(tmp_path, errors), Counted()
    log.start()
    log.of_model(M, counts).put(answers(["a", "b"]))
    log.close(WAIT)
    assert sqlite_file(tmp_path).name == "log-2.sqlite3"
    assert ids(tmp_path) == ["a", "b"]
    assert (counts.written_rows, counts.drops) == (2, {})
    assert file.read_bytes() == content
    assert [type(error) for error in errors] == [PredictionLogDamaged]
    assert f"{file} is damaged" in str(errors[0])
    assert log.facts(0, 1).damaged_files == damaged_files(file.parent) == 1


@pytest.mark.parametrize("damage", [no_database, noise, cut, empty])
def test_a_file_that_is_damaged_while_it_is_written_stays_and_the_log_goes_on(
    damage: Callable[[Path], None], tmp_path: Path
) -> None:
    filled(tmp_path)
    errors, counts = list[Exception](), Counted()
    log = log_in(tmp_path, errors, acknowledges=True)
    log.start()
    own = log.of_model(M, counts)
    own.put(answers(["before"]))
    own.written().result(WAIT)
    log.store().engine.dispose()  # or pages of the cache would hide the damage for some time
    damage(sqlite_file(tmp_path))
    put = 0
    while sqlite_file(tmp_path).name == "log.sqlite3":
        own.put(answers([f"{put} {row}" for row in range(500)]))
        put += 1
        while log.writer.queued_rows:
            time.sleep(0.01)
        assert put < 100
    own.put(answers(["after"]))
    log.close(WAIT)
    assert "after" in ids(tmp_path)
    assert counts.drops == {}
    assert counts.written_rows == 2 + 500 * put
    assert any("goes on in a new file" in str(error) for error in errors)


def test_damage_that_a_reader_finds_begins_a_new_file_too(tmp_path: Path) -> None:
    filled(tmp_path)
    log = log_in(tmp_path, [])
    store = log.store()
    store.engine.dispose()
    noise(sqlite_file(tmp_path))
    with pytest.raises(PredictionLogDamaged):
        list(store.read(Selection("m")))
    assert log.store() is not store
    assert ids(tmp_path) == []
    log.close(0.0)


def test_processes_that_find_the_same_damage_begin_one_file(tmp_path: Path) -> None:
    file = filled(tmp_path)
    no_database(file)
    errors = list[Exception]()
    logs = [log_in(tmp_path, errors) for _ in range(8)]
    threads = [threading.Thread(target=log.store) for log in logs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert {Path(str(log.store().engine.url.database)).name for log in logs} == {"log-2.sqlite3"}
    assert len(errors) == damaged_files(file.parent) == 1
    for log in logs:
        log.close(0.0)


def test_a_process_goes_on_in_the_file_that_another_one_began(tmp_path: Path) -> None:
    file = filled(tmp_path)
    counts = Counted()
    log = log_in(tmp_path, [])
    before = log.store()
    assert replace_damaged(file)
    assert not replace_damaged(file)
    with pytest.raises(PredictionLogReplaced):
        before.versions_of("m")
    log.start()
    log.of_model(M, counts).put(answers(["a"]))
    log.close(WAIT)
    assert (ids(tmp_path), counts.drops) == (["a"], {})


def test_days_of_a_damaged_file_stay_with_it(tmp_path: Path) -> None:
    file = filled(tmp_path)
    with closing(PredictionStore.open(tmp_path)) as store:
        store.write([rows(store.register(model()), ["newest"])])
        assert compact(store.engine, NOW / 1e6 + 3 * 86_400)
        days = days_folder(store.engine)
        assert days is not None
        kept = {path.name: path.read_bytes() for path in days.iterdir()}
    no_database(file)
    log = log_in(tmp_path, [])
    log.upkeep.once()
    assert kept
    assert {path.name: path.read_bytes() for path in days.iterdir()} == kept
    assert days_folder(log.store().engine) == days.with_name("days-2")
    log.close(0.0)


def test_a_database_of_others_is_not_damaged(tmp_path: Path) -> None:
    file = filled(tmp_path, 1)
    with closing(sqlite3.connect(file)) as raw:
        raw.execute("CREATE TABLE others (id INTEGER)")
    log = log_in(tmp_path, [])
    log.store()
    log.close(0.0)
    assert sqlite_file(tmp_path) == file


def test_only_a_server_begins_a_new_file(tmp_path: Path) -> None:
    file = filled(tmp_path)
    no_database(file)
    with pytest.raises(PredictionLogDamaged, match=r"log\.sqlite3"):
        PredictionStore.open(tmp_path)
    assert sqlite_file(tmp_path) == file
