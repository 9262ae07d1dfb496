"""The ledger of releases: one SQLite database that all workers share.

Every method is one transaction. Errors of the database are LedgerError.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from driftgauge.releases.figures import Counts, Figures
from driftgauge.releases.ledger_database import LedgerDatabase
from driftgauge.releases.release import Candidate, Cause, Change, Kind, Role, Swap, SwapState, Version, live_of, surplus

FOLDER: Final = "@releases"
"""Name of the folder in the state folder: no model can have it."""
DATABASE: Final = "releases.db"
MOST_CHANGES: Final = 1000
"""Changes of a model that are kept; older ones are dropped."""


class Ledger:
    """The versions of all models, their history, and the swaps that are under way."""

    def __init__(self, database: LedgerDatabase) -> None:
        """Take an open database."""
        self._database: Final = database
        self.transaction: Final = database.transaction
        self.has_changed: Final = database.has_changed
        self.close: Final = database.close

    @classmethod
    def open(cls, state_folder: Path) -> Ledger:
        """Open the ledger of a state folder, a new one if there is none; LedgerError if it cannot be used."""
        return cls(LedgerDatabase.open(ledger_file(state_folder), state_folder))

    @classmethod
    def in_memory(cls) -> Ledger:
        """Return a ledger of one process, which ends with it."""
        return cls(LedgerDatabase.in_memory())

    @property
    def folder(self) -> Path | None:
        """The folder of the database, None for one in memory."""
        return None if self._database.path is None else self._database.path.parent

    # ------------------------------------------------------------ what is known

    def models(self) -> list[str]:
        """Return the names of the models."""
        return [name for (name,) in self._database.read("select model from models order by model")]

    def versions(self, model: str) -> list[Version]:
        """Return the versions of a model, the newest role first."""
        rows = self._database.read(
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
        rows = self._database.read(
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
        return next(
            (serial for (serial,) in self._database.read("select serial from models where model = ?", model)), 0
        )

    def configured(self, model: str) -> str | None:
        """Return the digest of the bundle that the settings named last; None for a model that is not known."""
        return next(
            (digest for (digest,) in self._database.read("select configured from models where model = ?", model)), None
        )

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
                self._database.run(
                    "update versions set bundle = ? where model = ? and version = ?",
                    *(str(candidate.bundle), model, candidate.version),
                )
            if live is None or self.configured(model) != candidate.digest:
                if not same:
                    self.promote(candidate, Kind.CONFIGURED, Cause("settings", "the settings name this bundle"), now)
                self._database.run(
                    "insert into models values (?, ?, 0) on conflict (model) do update set configured = ?",
                    model,
                    candidate.digest,
                    candidate.digest,
                )
            self.make_room(model, most_versions)
            found = live_of(self.versions(model))
        assert found is not None  # noqa: S101  it was just made live
        return found

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
        run, model = self._database.run, candidate.model
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
            self._database.run(
                "update versions set role = ? where model = ? and version = ?", Role.REMOVED, model, version.name
            )
            self.bump(model)

    def bump(self, model: str) -> None:
        """Say that the versions of a model have changed, inside a transaction that the caller holds."""
        self._database.run(
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
        rows = self._database.read("select worker, pid, models from workers")
        return {worker: pid for worker, pid, models in rows if model is None or model in json.loads(models)}

    def set_applied(self, worker: str, model: str, serial: int) -> None:
        """Say that a worker serves the versions of this serial number."""
        with self.transaction() as run:
            run("insert or replace into applied values (?, ?, ?)", (worker, model, serial))

    def applied(self, model: str) -> dict[str, int]:
        """Return the serial number that each worker serves."""
        return dict(self._database.read("select worker, serial from applied where model = ?", model))

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
        rows = self._database.read(
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
        number = self._database.run(
            "insert into swaps (model, version, bundle, digest, kind, who, reason, deadline, state, detail) "
            "values (?, ?, ?, ?, ?, ?, ?, ?, ?, '')",
            *(own.model, own.version, str(own.bundle), own.digest, kind, cause.who, cause.reason, deadline),
            SwapState.PREPARING,
        )
        return number or 0

    def finish_swap(self, number: int, state: SwapState, detail: str = "") -> None:
        """Close a swap, inside a transaction that the caller holds."""
        self._database.run("update swaps set state = ?, detail = ? where number = ?", state, detail, number)
        self._database.run("delete from votes where swap = ?", number)
        self._database.run("delete from swaps where number <= ?", number - MOST_CHANGES)

    def vote(self, swap: int, worker: str, refusal: str | None) -> None:
        """Say that a worker is ready for a swap, or why it is not."""
        with self.transaction() as run:
            run("insert or replace into votes values (?, ?, ?)", (swap, worker, refusal))

    def votes(self, swap: int) -> dict[str, str | None]:
        """Return the refusal of each worker that has voted, None for those that are ready."""
        return dict(self._database.read("select worker, refusal from votes where swap = ?", swap))


def ledger_file(state_folder: Path) -> Path:
    """Return the database of a state folder."""
    return state_folder / FOLDER / DATABASE
