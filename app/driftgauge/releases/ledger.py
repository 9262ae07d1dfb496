"""The ledger of releases: one SQLite database that all workers share.

Every method is one transaction. Errors of the database are LedgerError.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from driftgauge.common.private_files import make_private, opened
from driftgauge.errors import LedgerError, LedgerUnavailable
from driftgauge.releases.figures import Counts, Figures
from driftgauge.releases.release import Candidate, Cause, Change, Kind, Role, Swap, SwapState, Version, live_of, surplus

FOLDER: Final = "@releases"
"""Name of the folder in the state folder: no model can have it."""
DATABASE: Final = "releases.db"
LAYOUT: Final = 1
"""Version of the tables."""
BUSY_SECONDS: Final = 5.0
MOST_CHANGES: Final = 1000
"""Changes of a model that are kept; older ones are dropped."""

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


class Ledger:
    """The versions of all models, their history, and the swaps that are under way."""

    def __init__(self, connection: sqlite3.Connection, folder: Path | None) -> None:
        """Take an open database and its folder, None for one in memory."""
        self.folder: Final = folder
        self._connection = connection
        self._lock = threading.RLock()
        self._seen = -1

    @classmethod
    def open(cls, state_folder: Path) -> Ledger:
        """Open the ledger of a state folder, a new one if there is none; LedgerError if it cannot be used."""
        path = ledger_file(state_folder)
        folder = path.parent
        try:
            make_private(folder, state_folder)
            os.close(opened(path, os.O_RDWR | os.O_CREAT))
        except OSError as error:
            raise LedgerUnavailable(f"cannot use {path}: {error.strerror or error}") from error
        with _explained(path):
            connection = _connected(path)
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = full")
            return cls(connection, folder)._with_tables()

    @classmethod
    def in_memory(cls) -> Ledger:
        """Return a ledger of one process, which ends with it."""
        return cls(_connected(":memory:"), None)._with_tables()

    def _with_tables(self) -> Ledger:
        with self.transaction() as run:
            (layout,) = run("pragma user_version").fetchone()
            if layout not in (0, LAYOUT):
                raise LedgerError(f"the ledger of releases has layout {layout}, and this version knows {LAYOUT} only")
            if layout == 0:
                for statement in _TABLES.split(";"):
                    run(statement)
                run(f"pragma user_version = {LAYOUT}")
        return self

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """Give the function that runs a statement; all statements take effect, or none."""
        with self._lock, _explained(self.folder):
            self._connection.execute("begin immediate")
            try:
                yield self._connection.execute
            except BaseException:
                self._connection.execute("rollback")
                raise
            self._connection.execute("commit")

    def _read(self, statement: str, *values: Any) -> list[Any]:
        with self._lock, _explained(self.folder):
            return self._connection.execute(statement, values).fetchall()

    def has_changed(self) -> bool:
        """Return whether another process has written since the last call."""
        ((version,),) = self._read("pragma data_version")
        changed: bool = version != self._seen
        self._seen = version
        return changed

    # ------------------------------------------------------------ what is known

    def models(self) -> list[str]:
        """Return the names of the models."""
        return [name for (name,) in self._read("select model from models order by model")]

    def versions(self, model: str) -> list[Version]:
        """Return the versions of a model, the newest role first."""
        rows = self._read(
            "select model, version, bundle, digest, role, since from versions where model = ? "
            "order by since desc, version",
            model,
        )
        return [
            Version(Candidate(name, version, Path(bundle), digest), Role(role), since)
            for name, version, bundle, digest, role, since in rows
        ]

    def history(self, model: str) -> list[Change]:
        """Return the changes of a model, the oldest first."""
        rows = self._read(
            "select number, model, at, kind, who, reason, from_version, to_version, begun, before from changes "
            "where model = ? order by number",
            model,
        )
        return [
            Change(
                number,
                name,
                at,
                Kind(kind),
                Cause(who, reason),
                before,
                after,
                Counts.from_json(json.loads(begun)),
                Figures.from_json(json.loads(figures)),
            )
            for number, name, at, kind, who, reason, before, after, begun, figures in rows
        ]

    def serial(self, model: str) -> int:
        """Return a number that grows with each change of the model's versions."""
        return next((serial for (serial,) in self._read("select serial from models where model = ?", model)), 0)

    def configured(self, model: str) -> str | None:
        """Return the digest of the bundle that the settings named last; None for a model that is not known."""
        return next((digest for (digest,) in self._read("select configured from models where model = ?", model)), None)

    # ------------------------------------------------------------ changes

    def configure(self, candidate: Candidate, now: float, most_versions: int) -> Version:
        """Return the live version of a model whose bundle the settings name.

        A bundle that the settings did not name before becomes live; otherwise the version stays that was live.
        Afterwards no more than `most_versions` of the model have series.
        """
        model = candidate.model
        with self.transaction():
            live = live_of(self.versions(model))
            same = live is not None and (live.name, live.candidate.digest) == (candidate.version, candidate.digest)
            if same:  # the folder may have moved
                self.transaction_run(
                    "update versions set bundle = ? where model = ? and version = ?",
                    *(str(candidate.bundle), model, candidate.version),
                )
            if live is None or self.configured(model) != candidate.digest:
                if not same:
                    self.promote(candidate, Kind.CONFIGURED, Cause("settings", "the settings name this bundle"), now)
                self.transaction_run(
                    "insert into models values (?, ?, 0) on conflict (model) do update set configured = ?",
                    model,
                    candidate.digest,
                    candidate.digest,
                )
            self.make_room(model, most_versions)
            found = live_of(self.versions(model))
        assert found is not None  # noqa: S101  it was just made live
        return found

    def transaction_run(self, statement: str, *values: Any) -> None:
        """Run a statement inside a transaction that the caller holds."""
        self._connection.execute(statement, values)

    def promote(
        self,
        candidate: Candidate,
        kind: Kind,
        cause: Cause,
        now: float,
        begun: Counts | None = None,
        before: Figures | None = None,
    ) -> None:
        """Give a version its role and write the history, inside a transaction that the caller holds."""
        run, model = self.transaction_run, candidate.model
        role = {Kind.SHADOW: Role.SHADOW, Kind.UNLOAD: Role.RETIRED}.get(kind, Role.LIVE)
        live = live_of(self.versions(model))
        before_name = None if live is None else live.name
        if role is not Role.RETIRED:  # one version at a time is live, and one is the shadow
            run(
                "update versions set role = ?, since = ? where model = ? and role = ? and version != ?",
                *(Role.RETIRED, now, model, role, candidate.version),
            )
        run(
            "insert or replace into versions values (?, ?, ?, ?, ?, ?)",
            *(model, candidate.version, str(candidate.bundle), candidate.digest, role, now),
        )
        run(
            "insert into changes (model, at, kind, who, reason, from_version, to_version, begun, before) "
            "values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(model, now, kind, cause.who, cause.reason, before_name, candidate.version),
            *(json.dumps(None if own is None else own.as_json()) for own in (begun, before)),
        )
        run(
            "delete from changes where model = ? and number <= "
            "(select number from changes where model = ? order by number desc limit 1 offset ?)",
            *(model, model, MOST_CHANGES),
        )
        self.bump(model)

    def make_room(self, model: str, most: int) -> None:
        """Remove retired versions beyond `most` with series, inside a transaction that the caller holds."""
        for version in surplus(self.versions(model), self.history(model), most):
            self.transaction_run(
                "update versions set role = ? where model = ? and version = ?", Role.REMOVED, model, version.name
            )
            self.bump(model)

    def bump(self, model: str) -> None:
        """Say that the versions of a model have changed, inside a transaction that the caller holds."""
        self.transaction_run(
            "insert into models values (?, '', 1) on conflict (model) do update set serial = serial + 1", model
        )

    def set_role(self, version: Version, role: Role, now: float) -> None:
        """Give a version another role without an entry in the history."""
        own = version.candidate
        with self.transaction() as run:
            run(
                "update versions set role = ?, since = ? where model = ? and version = ? and role = ?",
                (role, now, own.model, own.version, version.role),
            )
            self.bump(own.model)

    def forget(self, version: Version) -> None:
        """Remove a version whose state is deleted; its history stays."""
        own = version.candidate
        with self.transaction() as run:
            run(
                "delete from versions where model = ? and version = ? and role = ?",
                (own.model, own.version, version.role),
            )

    # ------------------------------------------------------------ workers

    def add_worker(self, worker: str, pid: int, models: Sequence[str]) -> None:
        """Register a worker: from now on swaps of its models wait for it."""
        with self.transaction() as run:
            run("insert or replace into workers values (?, ?, ?)", (worker, pid, json.dumps(list(models))))

    def remove_workers(self, workers: Sequence[str]) -> None:
        """Remove workers that have ended, with their votes."""
        with self.transaction() as run:
            for worker in workers:
                for table in ("workers", "votes", "applied"):
                    run(f"delete from {table} where worker = ?", (worker,))  # noqa: S608  a fixed name

    def workers(self, model: str | None = None) -> dict[str, int]:
        """Return the process ids of the registered workers, of all models or of one."""
        rows = self._read("select worker, pid, models from workers")
        return {worker: pid for worker, pid, models in rows if model is None or model in json.loads(models)}

    def set_applied(self, worker: str, model: str, serial: int) -> None:
        """Say that a worker serves the versions of this serial number."""
        with self.transaction() as run:
            run("insert or replace into applied values (?, ?, ?)", (worker, model, serial))

    def applied(self, model: str) -> dict[str, int]:
        """Return the serial number that each worker serves."""
        return dict(self._read("select worker, serial from applied where model = ?", model))

    # ------------------------------------------------------------ swaps

    def open_swap(self, model: str) -> Swap | None:
        """Return the swap of a model that is being prepared."""
        found = self._swaps("model = ? and state = ?", model, SwapState.PREPARING)
        return found[0] if found else None

    def swap(self, number: int) -> Swap | None:
        """Return a swap by its number."""
        found = self._swaps("number = ?", number)
        return found[0] if found else None

    def _swaps(self, where: str, *values: Any) -> list[Swap]:
        rows = self._read(
            "select number, model, version, bundle, digest, kind, who, reason, deadline, state, detail from swaps "  # noqa: S608  a fixed text
            f"where {where} order by number",
            *values,
        )
        return [
            Swap(
                number,
                Candidate(model, version, Path(bundle), digest),
                Kind(kind),
                Cause(who, reason),
                deadline,
                SwapState(state),
                detail,
            )
            for number, model, version, bundle, digest, kind, who, reason, deadline, state, detail in rows
        ]

    def begin_swap(self, candidate: Candidate, kind: Kind, cause: Cause, deadline: float) -> int:
        """Write a swap down, inside a transaction that the caller holds; returns its number."""
        own = candidate
        found = self._connection.execute(
            "insert into swaps (model, version, bundle, digest, kind, who, reason, deadline, state, detail) "
            "values (?, ?, ?, ?, ?, ?, ?, ?, ?, '')",
            (
                *(own.model, own.version, str(own.bundle), own.digest, kind, cause.who, cause.reason, deadline),
                SwapState.PREPARING,
            ),
        )
        return int(found.lastrowid or 0)

    def finish_swap(self, number: int, state: SwapState, detail: str = "") -> None:
        """Close a swap, inside a transaction that the caller holds."""
        self.transaction_run("update swaps set state = ?, detail = ? where number = ?", state, detail, number)
        self.transaction_run("delete from votes where swap = ?", number)
        self.transaction_run("delete from swaps where number <= ?", number - MOST_CHANGES)

    def vote(self, swap: int, worker: str, refusal: str | None) -> None:
        """Say that a worker is ready for a swap, or why it is not."""
        with self.transaction() as run:
            run("insert or replace into votes values (?, ?, ?)", (swap, worker, refusal))

    def votes(self, swap: int) -> dict[str, str | None]:
        """Return the refusal of each worker that has voted, None for those that are ready."""
        return dict(self._read("select worker, refusal from votes where swap = ?", swap))


def ledger_file(state_folder: Path) -> Path:
    """Return the database of a state folder."""
    return state_folder / FOLDER / DATABASE


def _connected(path: Path | str) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


@contextlib.contextmanager
def _explained(path: Path | None) -> Iterator[None]:
    """Turn an error of the database into a LedgerError that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise LedgerError(
            f"the ledger of releases in {path or 'memory'} cannot be used ({error}); "
            "without the folder, the server begins a new one with the bundle that the settings name"
        ) from error
