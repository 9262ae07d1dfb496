"""The SQLite database of the ledger: its tables, and what its errors say."""

from __future__ import annotations

from typing import ClassVar, Final

from driftgauge.common.shared_database import Schema, SharedDatabase
from driftgauge.errors import LedgerError, LedgerUnavailable

_TABLES: Final = """
create table versions (
    model text, version text, bundle text, digest text, role text, since real, primary key (model, version)
) without rowid;
create table changes (
    number integer primary key autoincrement, model text, at real, kind text, who text, reason text,
    from_version text, to_version text, begun text, before text
);
create table swaps (
    number integer primary key autoincrement, model text, version text, bundle text, digest text,
    kind text, who text, reason text, deadline real, state text, detail text
);
create table votes (swap integer, worker text, refusal text, primary key (swap, worker)) without rowid;
create table workers (worker text primary key, pid integer, models text) without rowid;
create table applied (worker text, model text, serial integer, primary key (worker, model)) without rowid;
create table models (model text primary key, configured text, serial integer) without rowid;
"""


class LedgerDatabase(SharedDatabase):
    """The database of the ledger of releases; every error of it is a LedgerError."""

    schema: ClassVar = Schema(
        name="the ledger of releases",
        layout=1,
        tables=_TABLES,
        advice="without the folder, the server begins a new one with the bundle that the settings name",
        failed=LedgerError,
        unavailable=LedgerUnavailable,
    )
