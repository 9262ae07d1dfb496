"""The history of decisions on actions: one SQLite database that all workers share.

Every method is one transaction. Errors of the database are ActionsError.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from driftgauge.actions.action import OPEN, Action, Alert, Decision, State
from driftgauge.actions.guards import DAY_SECONDS, QUIET, Case, Finding, memory_seconds
from driftgauge.common.shared_database import Schema, SharedDatabase
from driftgauge.errors import ActionsError, ActionsUnavailable

FOLDER: Final = "@actions"
"""Name of the folder in the state folder: no model can have it."""
DATABASE: Final = "actions.db"
MOST_OPEN: Final = 1_000
"""Decisions that may be open; further ones are refused."""
DROPPED: Final = "dropped"
"""What the totals call decisions that are no longer kept."""
LONGEST_DETAIL: Final = 2_000
_TABLES: Final = """
create table decisions (
    number integer primary key autoincrement, action text, fingerprint text, starts_at real, is_dry_run integer,
    alert text, state text, reason text, detail text, who text, received_at real, changed_at real, due_at real,
    ran_at real, execution_id text, attempts integer, notes text
);
create unique index decisions_once on decisions (action, fingerprint, starts_at, is_dry_run);
create index decisions_due on decisions (state, due_at);
create index decisions_run on decisions (action, is_dry_run, ran_at) where ran_at is not null;
create table steps (decision integer, at real, state text, reason text, detail text);
create index steps_of on steps (decision);
create table totals (action text, state text, decisions integer, last_at real, primary key (action, state))
    without rowid;
"""
_COLUMNS: Final = (
    "number, action, alert, state, reason, detail, who, is_dry_run, received_at, changed_at, due_at, execution_id, "
    "attempts, notes"
)


class ActionDatabase(SharedDatabase):
    """The database of the history of actions; every error of it is an ActionsError."""

    schema: ClassVar = Schema(
        name="the history of actions",
        layout=1,
        tables=_TABLES,
        advice="without the folder, the server begins a new one and may repeat actions on alerts that still fire",
        failed=ActionsError,
        unavailable=ActionsUnavailable,
    )


class UnusableDatabase(ActionDatabase):
    """A history that could not be opened: the server serves, and every use of the history says why."""

    def __init__(self, why: str) -> None:
        self._why: Final = why

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """Raise ActionsError."""
        raise ActionsError(self._why)
        yield

    def run(self, statement: str, *values: Any) -> int | None:
        """Raise ActionsError."""
        raise ActionsError(self._why)

    def read(self, statement: str, *values: Any) -> list[Any]:
        """Raise ActionsError."""
        raise ActionsError(self._why)

    def close(self) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Step:
    """One entry of a decision's past, which is never changed."""

    at: float
    state: State
    reason: str
    detail: str


@dataclass(frozen=True)
class Total:
    """How many decisions on an action have ended in a state, and when the last one did."""

    decisions: int
    last_at: float


class History:
    """All decisions, the steps of each, and how many there have been."""

    def __init__(self, database: SharedDatabase, most_rows: int) -> None:
        """Take an open database, and how many decisions are kept."""
        self._database: Final = database
        self._most_rows: Final = most_rows
        self.transaction: Final = database.transaction
        self.close: Final = database.close

    @classmethod
    def open(cls, state_folder: Path, most_rows: int) -> History:
        """Open the history of a state folder, a new one if there is none; ActionsError if it cannot be used."""
        return cls(ActionDatabase.open(state_folder / FOLDER / DATABASE, state_folder), most_rows)

    # ------------------------------------------------------------ what is known

    def find(self, action: Action, alert: Alert) -> Decision | None:
        """Return the decision on an action for this occurrence of an alert; None if there is none."""
        return self._one(
            "action = ? and fingerprint = ? and starts_at = ? and is_dry_run = ?",
            *(action.name, alert.fingerprint, alert.starts_at, action.settings.dry_run),
        )

    def decision(self, number: int) -> Decision | None:
        """Return a decision by its number."""
        return self._one("number = ?", number)

    def next_due(self, now: float) -> Decision | None:
        """Return the open decision that has been due for longest; None if none is."""
        states = (State.WAITING, State.DECIDED, State.WATCHED)
        return self._one(f"state in ({_marks(states)}) and due_at <= ? order by due_at, number limit 1", *states, now)

    def interrupted(self) -> list[Decision]:
        """Return the decisions whose attempt has begun and not ended."""
        return self._decisions(f"state in ({_marks((0, 0))}) order by number", State.STARTED, State.SENT)

    def page(self, before: int | None, most: int) -> list[Decision]:
        """Return the newest decisions, or the newest before a number."""
        return self._decisions("number < ? order by number desc limit ?", (1 << 62) if before is None else before, most)

    def steps(self, numbers: Sequence[int]) -> Mapping[int, Sequence[Step]]:
        """Return the steps of decisions, the oldest first."""
        found: dict[int, list[Step]] = {number: [] for number in numbers}
        rows = self._database.read(
            f"select decision, at, state, reason, detail from steps where decision in ({_marks(numbers)}) "  # noqa: S608  marks alone
            "order by rowid",
            *numbers,
        )
        for number, at, state, reason, detail in rows:
            found[number].append(Step(at, State(state), reason, detail))
        return found

    def totals(self) -> Mapping[tuple[str, str], Total]:
        """Return how many decisions have ended, by action and state."""
        rows = self._database.read("select action, state, decisions, last_at from totals")
        return {(action, state): Total(number, at) for action, state, number, at in rows}

    def case(self, action: Action, alert: Alert, received_at: float, now: float, *, is_dry_run: bool) -> Case:
        """Return what the guards need to know of an alert that leads to an action."""
        rows = self._database.read(
            "select ran_at from decisions where action = ? and is_dry_run = ? and ran_at > ? order by ran_at",
            *(action.name, is_dry_run, now - memory_seconds(action)),
        )
        return Case(action, alert, received_at, is_dry_run, [at for (at,) in rows])

    def room(self) -> int:
        """Return how many further decisions may be open."""
        ((number,),) = self._database.read(
            f"select count(*) from decisions where state in ({_marks(OPEN)})",  # noqa: S608  marks alone
            *OPEN,
        )
        return MOST_OPEN - int(number)

    # ------------------------------------------------------------ changes, in a transaction that the caller holds

    def add(self, case: Case, finding: Finding, who: str, now: float) -> int:
        """Write a new decision down; returns its number."""
        alert, action = case.alert, case.action
        number = self._database.run(
            "insert into decisions (action, fingerprint, starts_at, is_dry_run, alert, who, received_at, execution_id, "
            "attempts, notes) values (?, ?, ?, ?, ?, ?, ?, ?, 0, '{}')",
            *(action.name, alert.fingerprint, alert.starts_at, case.is_dry_run, _alert_json(alert), who, now),
            execution_id(action.name, alert, is_dry_run=case.is_dry_run),
        )
        assert number is not None  # noqa: S101  it was just inserted
        self.set(number, finding, now)
        return number

    def set(
        self,
        number: int,
        finding: Finding,
        now: float,
        *,
        attempts: int | None = None,
        notes: Mapping[str, str] | None = None,
    ) -> None:
        """Give a decision another state; the step is kept, and an end is counted."""
        run, detail = self._database.run, finding.detail[:LONGEST_DETAIL]
        before = self.decision(number)
        run(
            "update decisions set state = ?, reason = ?, detail = ?, changed_at = ?, due_at = ? where number = ?",
            *(finding.state, finding.reason, detail, now, finding.due_at, number),
        )
        if finding.state in (State.DECIDED, State.DRY_RUN):  # the first time is what the guards count from
            run("update decisions set ran_at = coalesce(ran_at, ?) where number = ?", now, number)
        if attempts is not None:
            run("update decisions set attempts = ? where number = ?", attempts, number)
        if notes is not None:
            run("update decisions set notes = ? where number = ?", json.dumps(dict(notes)), number)
        said = None if before is None else (before.state, before.reason)
        if said != (finding.state, finding.reason) or not _repeats(finding):
            run("insert into steps values (?, ?, ?, ?, ?)", number, now, finding.state, finding.reason, detail)
        if finding.state not in OPEN and before is not None:
            self._count(before.action, finding.state, now)

    def resolve(self, alert: Alert, now: float) -> int:
        """End the decisions that wait for a guard, on an alert that is resolved; returns how many there were.

        They may have begun earlier than it: of an alert that two Prometheus servers send, Alertmanager may change the
        beginning. One that began after its end is another occurrence.
        """
        waiting = self._decisions(
            "(state = ? or state = ? and reason = ?) and fingerprint = ? and starts_at <= ?",
            *(State.WAITING, State.DECIDED, QUIET),
            *(alert.fingerprint, max(alert.starts_at, alert.ends_at or alert.starts_at)),
        )
        for decision in waiting:
            detail = f"the alert was resolved while it waited ({decision.reason})"
            self.set(decision.number, Finding(State.REFUSED, "resolved", detail, now), now)
        return len(waiting)

    def drop_oldest(self, now: float, newest: int) -> None:
        """Drop the oldest decisions beyond the limit, but none from `newest` on, and none that is open or counted.

        The guards count the runs of a day, and the last run of each action for its cooldown.
        """
        ((kept,),) = self._database.read("select count(*) from decisions")
        surplus = kept - self._most_rows
        if surplus <= 0:
            return
        rows = self._database.read(
            f"select number from decisions where state not in ({_marks(OPEN)}) and "  # noqa: S608  marks alone
            "(ran_at is null or ran_at < ?) and number < ? and number not in (select number from "
            "(select number, max(ran_at) from decisions where ran_at is not null group by action, is_dry_run)) "
            "order by number limit ?",
            *OPEN,
            *(now - DAY_SECONDS, newest, surplus),
        )
        for row in rows:
            self._database.run("delete from decisions where number = ?", *row)
            self._database.run("delete from steps where decision = ?", *row)
        if rows:
            self._count("", DROPPED, now, len(rows))

    # ------------------------------------------------------------ rows

    def _count(self, action: str, state: str, now: float, number: int = 1) -> None:
        self._database.run(
            "insert into totals values (?, ?, ?, ?) on conflict (action, state) do update set "
            "decisions = decisions + ?, last_at = ?",
            *(action, state, number, now, number, now),
        )

    def _one(self, where: str, *values: Any) -> Decision | None:
        found = self._decisions(where, *values)
        return found[0] if found else None

    def _decisions(self, where: str, *values: Any) -> list[Decision]:
        rows = self._database.read(f"select {_COLUMNS} from decisions where {where}", *values)  # noqa: S608  a fixed text
        return [_decision(row) for row in rows]


def execution_id(action: str, alert: Alert, *, is_dry_run: bool) -> str:
    """Return the id of the execution of an action for one occurrence of an alert, the same in every history."""
    occurrence = json.dumps([action, alert.fingerprint, alert.starts_at, is_dry_run])
    return f"driftgauge-{action}-{hashlib.sha256(occurrence.encode()).hexdigest()[:24]}"


def _repeats(finding: Finding) -> bool:
    """Return whether the same state again is no step of its own: another look at what waits."""
    return finding.state in (State.WAITING, State.WATCHED)


def _marks(values: Any) -> str:
    return ", ".join("?" * len(values))


def _alert_json(alert: Alert) -> str:
    return json.dumps(
        {
            "group_key": alert.group_key,
            "fingerprint": alert.fingerprint,
            "labels": dict(alert.labels),
            "annotations": dict(alert.annotations),
            "starts_at": alert.starts_at,
            "generator_url": alert.generator_url,
        }
    )


def _decision(row: Sequence[Any]) -> Decision:
    (number, action, alert, state, reason, detail, who, is_dry_run, received, changed, due, key, attempts, notes) = row
    return Decision(
        number=number,
        action=action,
        alert=Alert(is_firing=True, **json.loads(alert)),
        state=State(state or State.WAITING),
        reason=reason or "",
        detail=detail or "",
        who=who,
        is_dry_run=bool(is_dry_run),
        received_at=received,
        changed_at=changed or received,
        due_at=due or received,
        execution_id=key,
        attempts=attempts,
        notes=json.loads(notes),
    )
