"""Connections to the database of the prediction log: SQLite in a private file, or PostgreSQL by URL."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from driftgauge.common.fork_gate import ForkGate
from driftgauge.common.private_files import make_private, opened
from driftgauge.errors import PredictionLogAway, PredictionLogDamaged, PredictionLogError, PredictionLogReplaced
from driftgauge.predictions.generations import days_of, is_damage, is_replaced

BUSY_SECONDS: Final = 30.0
"""How long a writer waits for another process that writes."""
CHECKPOINT_PAGES: Final = 4_000
"""Pages of the write-ahead log from which a commit copies them into the database: 16 MiB."""
WAL_BYTES: Final = 64 << 20
"""Size to which the write-ahead log is cut after it was larger."""
_WRITES: Final = "driftgauge_writes"
POSTGRES: Final = "postgresql+psycopg"


def days_folder(engine: Engine) -> Path | None:
    """Return the folder of the Parquet files beside a SQLite file; None for PostgreSQL, which keeps them itself."""
    return days_of(Path(str(engine.url.database))) if engine.dialect.name == "sqlite" else None


def open_sqlite(path: Path, *, durable: bool = False) -> Engine:
    """Open or create the file, with write-ahead log; PredictionLogError if that fails.

    With `durable`, a commit is on the disk when it returns. Otherwise it survives the end of the process, and the
    newest commits may be lost with the machine's power.
    """
    try:
        make_private(path.parent, path.parent.parent)
        os.close(opened(path, os.O_RDWR | os.O_CREAT))
    except OSError as error:
        raise PredictionLogError(f"cannot open the prediction log {path}: {error.strerror}") from error
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        pool_size=4,
        max_overflow=8,
    )
    event.listen(engine, "connect", lambda raw, _: _prepare(raw, durable=durable))
    event.listen(engine, "begin", _begin)
    event.listen(engine, "checkout", lambda *_: _refuse_replaced(engine))
    return engine


def _refuse_replaced(engine: Engine) -> None:
    if is_replaced(engine):
        raise PredictionLogReplaced(f"the prediction log {place_of(engine)} is damaged, and goes on in another file")


def _prepare(raw: sqlite3.Connection, *, durable: bool) -> None:
    raw.isolation_level = None  # transactions begin where `_begin` says
    for pragma in (
        "journal_mode = WAL",
        f"synchronous = {'FULL' if durable else 'NORMAL'}",
        f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
        f"journal_size_limit = {WAL_BYTES}",
        "auto_vacuum = NONE",
        "temp_store = MEMORY",
    ):
        raw.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    """Begin a transaction: one that writes takes its lock at once, because a later one would fail instead of wait."""
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def open_postgres(url: str) -> Engine:
    """Open a PostgreSQL database; PredictionLogError for another URL, or without its driver."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise PredictionLogError(_WRONG_URL) from error
    if parsed.get_backend_name() != "postgresql":
        raise PredictionLogError(_WRONG_URL)
    try:
        from driftgauge.predictions.bounded_postgres import CONNECT_SECONDS, BoundedConnection

        engine = create_engine(parsed.set(drivername=POSTGRES), pool_size=4, max_overflow=8, pool_pre_ping=True)
    except ImportError as error:
        raise PredictionLogError(
            "the prediction log in PostgreSQL needs psycopg: pip install 'driftgauge[postgres]'"
        ) from error

    @event.listens_for(engine, "do_connect")
    def _connect(_: object, __: object, arguments: list[Any], options: dict[str, Any]) -> BoundedConnection:
        return BoundedConnection.connect(*arguments, **{"connect_timeout": CONNECT_SECONDS, **options})

    return engine


def close_engine(engine: Engine) -> None:
    """Close all connections; one that a thread still uses is closed when the thread gives it back."""
    event.listen(engine, "checkin", _close_returned)  # before `dispose`, which makes the next pool from this one
    engine.dispose()


def _close_returned(_: object, record: ConnectionPoolEntry) -> None:
    record.invalidate()


_WRONG_URL: Final = "prediction_log_url: give a URL such as postgresql://user:password@host/database"


FORKS: Final = ForkGate()
"""A child that is forked within a transaction takes its locks for those of a connection that never ends.

The locks of SQLite belong to the process, and so does this.
"""
os.register_at_fork(
    before=FORKS.before_fork,
    after_in_parent=FORKS.after_fork_in_parent,
    after_in_child=FORKS.after_fork_in_child,
)


def keeping_forks(engine: Engine) -> AbstractContextManager[None]:
    """Keep forks waiting for a transaction of SQLite; those of PostgreSQL have no locks in this process."""
    return FORKS.passing() if engine.dialect.name == "sqlite" else nullcontext()


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Run a transaction that writes; PredictionLogError if the database fails."""
    with (
        keeping_forks(engine),
        explained(engine),
        engine.connect().execution_options(**{_WRITES: True}) as connection,
        connection.begin(),
    ):
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Run a transaction that reads; PredictionLogError if the database fails."""
    with keeping_forks(engine), explained(engine), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def explained(engine: Engine) -> Iterator[None]:
    """Turn an error of the database into a PredictionLogError, which says whether it may pass, and of damage."""
    try:
        yield
    except SQLAlchemyError as error:
        cause: Any = error.orig if isinstance(error, DBAPIError) else error
        said = str(cause).strip().splitlines()
        why = f"the prediction log ({place_of(engine)}): {said[0] if said else type(cause).__name__}"
        if is_damage(cause):
            raise PredictionLogDamaged(why, Path(str(engine.url.database))) from error
        may_pass = isinstance(error, OperationalError | InterfaceError)
        raise (PredictionLogAway if may_pass else PredictionLogError)(why) from error


def place_of(engine: Engine) -> str:
    """Return the file of a database, or its URL without the password."""
    return str(engine.url.database) if engine.dialect.name == "sqlite" else engine.url.render_as_string()
