from __future__ import annotations

import os
import sqlite3
import stat
import threading
import time
from pathlib import Path

import psycopg
import pytest
from driftgauge.errors import PredictionLogError
from driftgauge.predictions.database import FORKS, open_postgres, open_sqlite, place_of, reading, writing
from driftgauge.predictions.generations import sqlite_file
from driftgauge.predictions.store import PredictionStore

from tests.postgres import Postgres


def test_the_files_of_sqlite_are_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = PredictionStore.open(tmp_path)
        files = list(sqlite_file(tmp_path).parent.iterdir())
    finally:
        os.umask(before)
    assert sqlite_file(tmp_path) in files
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    store.close()


def test_a_link_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    path = sqlite_file(tmp_path / "state")
    path.parent.mkdir(parents=True, mode=0o700)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PredictionLogError, match="symbolic link"):
        open_sqlite(path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = sqlite_file(tmp_path)
    path.parent.mkdir()
    path.parent.chmod(0o700)
    path.write_text("rows" * 1_000)
    with pytest.raises(PredictionLogError, match=r"log\.sqlite3.*not a database"):
        PredictionStore.open(tmp_path)


@pytest.mark.parametrize("durable", [False, True])
def test_durable_commits_wait_for_the_disk(tmp_path: Path, durable: bool) -> None:
    engine = open_sqlite(sqlite_file(tmp_path), durable=durable)
    with reading(engine) as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == (2 if durable else 1)
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    engine.dispose()


@pytest.mark.parametrize("url", ["mysql://host/db", "sqlite:///file", "no url", "postgresql"])
def test_another_url_than_postgresql_is_refused(url: str) -> None:
    with pytest.raises(PredictionLogError, match="give a URL such as postgresql://"):
        open_postgres(url)


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    with pytest.raises(PredictionLogError) as caught:
        PredictionStore.open(None, "postgresql://me:secret@127.0.0.1:1/db?connect_timeout=2")
    assert "me:***@127.0.0.1:1/db" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_place_of_a_file_is_its_path(tmp_path: Path) -> None:
    engine = open_sqlite(sqlite_file(tmp_path))
    assert place_of(engine) == str(tmp_path / "predictions" / "log.sqlite3")
    engine.dispose()


def test_a_fork_keeps_transactions_of_sqlite_waiting_and_not_those_of_postgresql(tmp_path: Path) -> None:
    file, server = PredictionStore.open(tmp_path), open_postgres("postgresql://127.0.0.1:1/log")
    ended, first = [], threading.Event()

    def read() -> None:
        with pytest.raises(PredictionLogError), reading(server):
            pass
        ended.append("postgresql")
        first.set()
        with reading(file.engine):
            ended.append("sqlite")

    thread = threading.Thread(target=read)
    FORKS.before_fork()
    try:
        thread.start()
        assert first.wait(20.0)
        thread.join(0.1)
        assert ended == ["postgresql"]
    finally:
        FORKS.after_fork_in_parent()
    thread.join(10.0)
    assert ended == ["postgresql", "sqlite"]
    file.close()


def test_a_connection_that_is_in_use_while_its_log_closes_is_closed_when_it_is_given_back(
    store: PredictionStore,
) -> None:
    with reading(store.engine) as connection:
        store.close()
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
        in_use = connection.connection.dbapi_connection
    with reading(store.engine) as connection:
        later = connection.connection.dbapi_connection
    for raw in (in_use, later):
        assert raw is not None
        with pytest.raises((sqlite3.ProgrammingError, psycopg.OperationalError), match="closed"):
            raw.cursor().execute("SELECT 1")


def test_a_database_that_is_refused_keeps_no_connection(postgres: Postgres) -> None:
    url = postgres.new_database()
    store = PredictionStore.open(None, url)
    with writing(store.engine) as connection:
        connection.exec_driver_sql("UPDATE schema_version SET version = 999")
    store.close()
    with psycopg.connect(url, autocommit=True) as own:
        with pytest.raises(PredictionLogError, match="a newer one wrote it"):
            PredictionStore.open(None, url)
        deadline = time.monotonic() + 60.0
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        while own.execute(others).fetchone() != (0,):  # a connection ends a moment after it is closed
            assert time.monotonic() < deadline
            time.sleep(0.05)
