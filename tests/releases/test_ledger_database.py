from __future__ import annotations

from pathlib import Path

import pytest
from driftgauge.errors import LedgerError, LedgerUnavailable
from driftgauge.releases.ledger_database import LedgerDatabase


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "ledger.db"


@pytest.fixture
def database(path: Path, tmp_path: Path) -> LedgerDatabase:
    return LedgerDatabase.open(path, tmp_path)


def _insert(database: LedgerDatabase, pid: int = 1) -> None:
    with database.transaction():
        database.run("insert into workers values (?, ?, ?)", f"worker {pid}", pid, "[]")


def test_another_process_sees_that_something_was_written(database: LedgerDatabase, path: Path, tmp_path: Path) -> None:
    other = LedgerDatabase.open(path, tmp_path)
    assert other.has_changed()
    assert not other.has_changed()
    _insert(database)
    assert other.has_changed()
    assert not other.has_changed()
    assert other.read("select pid from workers") == [(1,)]


def test_a_row_that_cannot_be_written_undoes_its_transaction(database: LedgerDatabase) -> None:
    def insert_both() -> None:
        with database.transaction():
            database.run("insert into workers values ('a', 1, '[]')")
            database.run("insert into workers values ('a', 2, '[]')")

    with pytest.raises(LedgerError, match="UNIQUE constraint failed"):
        insert_both()
    assert database.read("select * from workers") == []
    _insert(database)  # the next transaction is free of it
    assert database.read("select pid from workers") == [(1,)]


def test_an_inserted_row_has_the_next_number(database: LedgerDatabase) -> None:
    with database.transaction():
        numbers = [database.run("insert into swaps (model) values (?)", "m") for _ in range(2)]
    assert numbers == [1, 2]


def test_other_users_cannot_read_it(database: LedgerDatabase, path: Path) -> None:
    _insert(database)
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_file_that_is_no_ledger_is_refused_and_says_what_to_do(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(LedgerError, match=r"cannot be used .*without the folder, the server begins a new one"):
        LedgerDatabase.open(path, tmp_path)


def test_a_folder_that_cannot_be_made_is_named(path: Path, tmp_path: Path) -> None:
    path.parent.write_text("a file in its place")
    with pytest.raises(LedgerUnavailable, match=f"cannot use {path}"):
        LedgerDatabase.open(path, tmp_path)


def test_a_ledger_of_a_later_version_is_refused(database: LedgerDatabase, path: Path, tmp_path: Path) -> None:
    with database.transaction() as run:
        run("pragma user_version = 99")
    with pytest.raises(LedgerError, match="has layout 99"):
        LedgerDatabase.open(path, tmp_path)
