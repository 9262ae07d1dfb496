from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from driftgauge.common.shared_database import Schema, SharedDatabase
from driftgauge.errors import DriftgaugeError


class Failed(DriftgaugeError):
    """The database cannot be read or written."""


class Unavailable(DriftgaugeError):
    """The folder cannot be used."""


class Library(SharedDatabase):
    """Books, and loans of books that exist when a transaction ends."""

    schema: ClassVar = Schema(
        name="the library",
        layout=2,
        tables=(
            "create table books (number integer primary key);"
            "create table loans (book integer references books deferrable initially deferred)"
        ),
        advice="ask the librarian",
        failed=Failed,
        unavailable=Unavailable,
    )


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    own = Library.open(tmp_path / "library" / "books.db", tmp_path)
    yield own
    own.close()


def test_a_transaction_that_fails_changes_nothing(library: Library) -> None:
    def fails() -> None:
        with library.transaction():
            library.run("insert into books values (1)")
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert library.read("select * from books") == []
    with library.transaction():
        library.run("insert into books values (2)")
    assert library.read("select * from books") == [(2,)]


def test_a_transaction_that_cannot_be_committed_does_not_stop_the_next(library: Library) -> None:
    library.read("pragma foreign_keys = on")
    with pytest.raises(Failed, match="FOREIGN KEY"), library.transaction():
        library.run("insert into loans values (1)")
    with library.transaction():
        library.run("insert into books values (1)")
    assert library.read("select (select count(*) from books), (select count(*) from loans)") == [(1, 0)]


def test_a_transaction_that_the_database_has_rolled_back_fails_with_its_reason(library: Library) -> None:
    with library.transaction():
        library.run("insert into books values (1)")
    with pytest.raises(Failed, match="UNIQUE"), library.transaction():
        library.run("insert or rollback into books values (1)")


def test_an_error_of_the_database_says_what_to_do(library: Library) -> None:
    with pytest.raises(Failed, match=r"the library in .*books\.db cannot be used \(no such table: cups\); ask the"):
        library.read("select * from cups")
