"""What is remembered of alerts and messages, for all workers and after restarts: a SQLite database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from driftgauge.common.shared_database import Schema, SharedDatabase
from driftgauge.errors import StateError
from driftgauge.notifications.planner import HOUR, Firing, Known, Past, Plan, Plans
from driftgauge.notifications.rules import Active

FOLDER: Final = "@notifications"
"""Folder in that of the state; no model can have its name."""
FILE: Final = "notifications.sqlite"
SENT: Final = "sent"
RETRIED: Final = "retried"
FAILED: Final = "failed"
LEFT_OUT: Final = "left_out"
RESULTS: Final = (SENT, RETRIED, FAILED, LEFT_OUT)
"""What becomes of messages: accepted, to be tried again, given up; and changes beyond the limit of messages."""

_TABLES: Final = """
create table alerts (
    fingerprint text primary key, rule text, labels text, value real, active_at real, fired_at real, ended_at real
) without rowid;
create table told (
    receiver text, fingerprint text, labels text, fired_at real, told_at real, annotations text, status text,
    message text, was_told integer, primary key (receiver, fingerprint)
) without rowid;
create table groups (receiver text, name text, last_at real, primary key (receiver, name)) without rowid;
create table left_out (
    receiver text, fingerprint text, status text, primary key (receiver, fingerprint, status)
) without rowid;
create table outbox (
    id text primary key, receiver text, name text, body text, attempts integer, next_at real, made_at real
);
create table made (receiver text, at real);
create table totals (receiver text, result text, count integer, primary key (receiver, result)) without rowid;
create table last (receiver text primary key, sent_at real, failed_at real, error text) without rowid
"""


class NotificationError(StateError):
    """The database of notifications cannot be read or written; the message says what to do."""


@dataclass(frozen=True)
class Waiting:
    """A message that has not arrived yet."""

    id: str
    receiver: str
    body: Mapping[str, Any]
    attempts: int


class NotificationStore(SharedDatabase):
    """The database of notifications; every error of it is a NotificationError."""

    schema: ClassVar = Schema(
        name="the database of notifications",
        layout=1,
        tables=_TABLES,
        advice="without the folder, the server begins a new one and sends alerts that fire again",
        failed=NotificationError,
        unavailable=NotificationError,
    )

    @classmethod
    def of(cls, state_folder: Path | None) -> NotificationStore:
        """Open the database in the folder of the state; without a folder, one in memory."""
        if state_folder is None:
            return cls.in_memory()
        return cls.open(state_folder / FOLDER / FILE, state_folder)

    # ------------------------------------------------------------ alerts

    def alerts(self) -> dict[str, Active]:
        """Return the alerts as they were at the last evaluation."""
        rows = self.read("select rule, labels, value, active_at, fired_at, ended_at from alerts")
        found = [Active(rule, json.loads(labels), *times) for rule, labels, *times in rows]
        return {own.fingerprint: own for own in found}

    def keep_alerts(self, alerts: Mapping[str, Active]) -> None:
        """Remember the alerts of an evaluation in place of the last one's."""
        with self.transaction():
            self.run("delete from alerts")
            for fingerprint, own in alerts.items():
                values = (own.rule, json.dumps(dict(own.labels)), own.value, own.active_at, own.fired_at, own.ended_at)
                self.run("insert into alerts values (?, ?, ?, ?, ?, ?, ?)", fingerprint, *values)

    # ------------------------------------------------------------ messages

    def past(self, receiver: str, at: float) -> Past:
        """Return what a receiver was notified of so far."""
        known = self.read(
            "select fingerprint, labels, annotations, fired_at, told_at from told "
            "where receiver = ? and status = 'firing'",
            receiver,
        )
        groups = self.read("select name, last_at from groups where receiver = ?", receiver)
        waiting = self.read("select name from outbox where receiver = ?", receiver)
        ((count,),) = self.read("select count(*) from made where receiver = ? and at > ?", receiver, at - HOUR)
        return Past(
            [
                Known(fingerprint, json.loads(labels), fired_at, told_at, json.loads(annotations))
                for fingerprint, labels, annotations, fired_at, told_at in known
            ],
            dict(groups),
            {name for (name,) in waiting},
            count,
        )

    def keep_plans(self, receiver: str, plans: Plans, at: float) -> None:
        """Note what a receiver is not notified of."""
        if not plans.left_out and not plans.forgotten:
            return
        with self.transaction():
            for fingerprint in plans.forgotten:
                self.run("delete from told where receiver = ? and fingerprint = ?", receiver, fingerprint)
            before = self._left_out(receiver)
            for fingerprint, status in plans.left_out:
                self.run("insert or ignore into left_out values (?, ?, ?)", receiver, fingerprint, status)
            self._count(receiver, LEFT_OUT, self._left_out(receiver) - before)

    def left_out(self, receiver: str) -> int:
        """Return how many changes were left out since the last message of a receiver."""
        return self._left_out(receiver)

    def _left_out(self, receiver: str) -> int:
        ((count,),) = self.read("select count(*) from left_out where receiver = ?", receiver)
        return int(count)

    def add(self, key: str, receiver: str, plan: Plan, body: Mapping[str, Any], at: float) -> None:
        """Put a message into the outbox, and note what the receiver knows by it: all of it, or nothing."""
        with self.transaction():
            self.run("insert into outbox values (?, ?, ?, ?, 0, ?, ?)", key, receiver, plan.group, _text(body), at, at)
            texts = {own["fingerprint"]: own["annotations"] for own in body["alerts"]}
            for status, alerts in (("firing", plan.firing), ("resolved", plan.over)):
                for alert in alerts:
                    self._tell(receiver, alert, texts.get(alert.fingerprint, {}), status, key, at)
            self.run("insert or replace into groups values (?, ?, ?)", receiver, plan.group, at)
            self.run("delete from left_out where receiver = ?", receiver)
            self.run("insert into made values (?, ?)", receiver, at)
            self.run("delete from made where at <= ?", at - HOUR)

    def _tell(
        self, receiver: str, alert: Firing | Known, texts: Mapping[str, str], status: str, key: str, at: float
    ) -> None:
        labels, annotations = json.dumps(dict(alert.labels)), json.dumps(texts)
        before = self.read("select 1 from told where receiver = ? and fingerprint = ?", receiver, alert.fingerprint)
        values = (receiver, alert.fingerprint, labels, alert.fired_at, at, annotations, status, key, bool(before))
        self.run("insert or replace into told values (?, ?, ?, ?, ?, ?, ?, ?, ?)", *values)

    def due(self, at: float) -> list[Waiting]:
        """Return the oldest message of each receiver, if it is to be sent now."""
        rows = self.read(
            "select id, receiver, body, attempts, next_at from outbox group by receiver having rowid = min(rowid)"
        )
        return [
            Waiting(key, receiver, json.loads(body), attempts)
            for key, receiver, body, attempts, next_at in rows
            if next_at <= at
        ]

    def arrived(self, message: Waiting, at: float) -> None:
        """Note that a receiver has accepted a message."""
        with self.transaction():
            self.run("delete from outbox where id = ?", message.id)
            self.run("delete from told where message = ? and status = 'resolved'", message.id)
            self._count(message.receiver, SENT, 1)
            self._last(message.receiver, sent_at=at)

    def failed(self, message: Waiting, error: str, at: float, *, next_at: float | None) -> None:
        """Note that a message did not arrive, and when it is tried again; None gives it up.

        The alerts of one that is given up count as not told: the next message has them. Those that an earlier message
        told of are kept, so that the receiver learns of their end.
        """
        with self.transaction():
            if next_at is not None:
                self.run("update outbox set attempts = attempts + 1, next_at = ? where id = ?", next_at, message.id)
            else:
                self.run("delete from outbox where id = ?", message.id)
                self.run("delete from told where message = ? and status = 'firing' and not was_told", message.id)
                self.run("update told set told_at = 0 where message = ? and status = 'firing'", message.id)
                self.run("update told set status = 'firing', message = '' where message = ?", message.id)
            self._count(message.receiver, RETRIED if next_at is not None else FAILED, 1)
            self._last(message.receiver, failed_at=at, error=error)

    def _last(self, receiver: str, **values: object) -> None:
        self.run("insert or ignore into last (receiver) values (?)", receiver)
        for name, value in values.items():
            self.run(f"update last set {name} = ? where receiver = ?", value, receiver)  # noqa: S608  # our own names

    # ------------------------------------------------------------ what is shown

    def _count(self, receiver: str, result: str, more: int) -> None:
        self.run(
            "insert into totals values (?, ?, ?) on conflict (receiver, result) do update set count = count + ?",
            *(receiver, result, more, more),
        )

    def totals(self, receivers: Iterable[str]) -> dict[tuple[str, str], int]:
        """Return how many messages of each receiver had each result."""
        found = {(receiver, result): count for receiver, result, count in self.read("select * from totals")}
        return {(name, result): found.get((name, result), 0) for name in receivers for result in RESULTS}

    def failing(self) -> dict[str, str]:
        """Return why the last message of each receiver did not arrive; without those whose last one did."""
        rows = self.read("select receiver, error from last where failed_at >= coalesce(sent_at, 0)")
        return dict(rows)

    def forget(self, receivers: Sequence[str]) -> None:
        """Forget receivers that the settings no longer name, and their messages."""
        with self.transaction():
            marks = ", ".join("?" * len(receivers))
            for table in ("told", "groups", "left_out", "outbox", "made", "totals", "last"):
                self.run(f"delete from {table} where receiver not in ({marks})", *receivers)  # noqa: S608  # our tables


def _text(body: Mapping[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False)
