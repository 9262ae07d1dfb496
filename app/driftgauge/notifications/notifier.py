"""Evaluates the rules beside requests, and sends messages: one worker for all, the others wait for its place."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from driftgauge.common.back_off import BackOff
from driftgauge.common.private_files import FileLock
from driftgauge.notifications.messages import MessageAlert, message
from driftgauge.notifications.planner import Firing, Pace, Plan, Route, plan
from driftgauge.notifications.receivers.delivery import deliver
from driftgauge.notifications.receivers.failure import NotDelivered
from driftgauge.notifications.rules import Active, Judge, Rules, labels_of
from driftgauge.notifications.samples import Labels, Samples
from driftgauge.notifications.store import FOLDER, NotificationStore, Waiting
from driftgauge.notifications.template_syntax import TemplateError
from driftgauge.settings.notify import AnyReceiver

BACK_OFF: Final = BackOff(first_seconds=5.0, most_seconds=300.0, attempts=10)
"""About twenty minutes of attempts."""
TURN_SECONDS: Final = 0.0005
"""Time for which metrics are read before other tasks of the event loop run."""
REST_FACTOR: Final = 50.0
"""Times as long as an evaluation takes until the next one begins."""
LEAVING_SECONDS: Final = 2.0
"""Longest wait at the end for a message that is being sent."""

Pages = Callable[[], Awaitable[Iterable[str]]]
Record = Callable[[BaseException | None], None]


@dataclass(frozen=True)
class Terms:
    """How often is evaluated, and how messages are spread."""

    interval_seconds: float
    hold_seconds: float
    pace: Pace
    external_url: str
    has_dashboards: bool
    labels: Labels
    """Labels of every series: `job` and `instance`."""


class Notifier:
    """The notifications of one server, in each of its workers."""

    def __init__(
        self,
        receivers: Sequence[AnyReceiver],
        rules: Rules,
        terms: Terms,
        state_folder: Path | None,
        store: NotificationStore,
        pages: Pages,
        clock: Callable[[], float],
        record: Record,
    ) -> None:
        """Take the receivers, the rules, and the folder of the state, in which workers agree on who sends.

        `pages` gives a page of metrics in pieces, `record` takes an error, and None where there is none.
        """
        self._receivers: Final = {own.name: own for own in receivers}
        self._terms = terms
        self._pages = pages
        self._clock = clock
        self._record = record
        self._store = store
        self._lock = None if state_folder is None else FileLock(state_folder / FOLDER / "lock")
        self._judge = Judge(rules, Samples(rules.wanted, terms.labels))
        self._has_place = False
        self._is_sender = False
        """Whether it has the place, and has begun where the worker before has ended."""
        self._failure: str | None = None
        """Why the last turn failed; None if it did not."""
        self._failing: Mapping[str, str] = {}
        self._sending: dict[str, threading.Thread] = {}
        self._evaluating = threading.Lock()
        self._totals: Mapping[tuple[str, str], int] = self._store.totals(self._receivers)

    @property
    def totals(self) -> Mapping[tuple[str, str], int]:
        """How many messages of each receiver had each result, as of the last turn."""
        return self._totals

    def problems(self) -> list[str]:
        """Return why the last turn failed, and a sentence for each receiver whose last message did not arrive."""
        failing = {name: why for name, why in self._failing.items() if name in self._receivers}
        own = [] if self._failure is None else [f"notifications: {self._failure}"]
        return [*own, *(f"notifications to {name}: {why}" for name, why in failing.items())]

    async def run(self) -> None:
        """Evaluate and send until it is cancelled."""
        while True:
            began = time.perf_counter()
            try:
                await self._turn()
            except Exception as error:
                self._record(error)
                self._failure = str(error) or type(error).__name__
            else:
                self._record(None)
                self._failure = None
            rest = REST_FACTOR * (time.perf_counter() - began)
            await asyncio.sleep(max(self._terms.interval_seconds, rest) if self._is_sender else 1.0)

    async def _turn(self) -> None:
        if await asyncio.to_thread(self._becomes_sender):
            at = self._clock()
            await self._read(at)
            await asyncio.to_thread(self._evaluate, at)
        await asyncio.to_thread(self._look)

    def _look(self) -> None:
        """Read what all workers show of the messages."""
        self._totals, self._failing = self._store.totals(self._receivers), self._store.failing()

    def _becomes_sender(self) -> bool:
        """Return whether this worker is the one that sends; it begins where the one before has ended."""
        self._has_place = self._has_place or self._lock is None or self._lock.acquire()
        if self._has_place and not self._is_sender:
            self._store.forget(list(self._receivers))
            self._judge.active = self._store.alerts()
            self._judge.patient_until = self._clock() + self._terms.hold_seconds
            self._is_sender = True
        return self._is_sender

    async def _read(self, at: float) -> None:
        """Read the server's own metrics on the event loop, which runs other tasks between their pieces."""
        began = time.perf_counter()
        for _ in self._judge.samples.read(await self._pages(), at):
            if time.perf_counter() - began > TURN_SECONDS:
                await asyncio.sleep(0)
                began = time.perf_counter()
        self._judge.samples.add("up", self._terms.labels, 1.0, at)

    def _evaluate(self, at: float) -> None:
        """Evaluate the rules, make the messages that are due, and begin to send."""
        with self._evaluating:
            if not self._is_sender:  # the server has begun to end meanwhile
                return
            before = dict(self._judge.active)
            for _ in self._judge.evaluate(at):
                time.sleep(0)  # lets requests go first
            for error in self._judge.failures.values():
                self._record(error)
            if _changes(before) != _changes(self._judge.active):
                self._store.keep_alerts(self._judge.active)
            self._make_messages(at)
            self._send_due(at)

    def _make_messages(self, at: float) -> None:
        rules = self._judge.rules
        shown = {own.fingerprint: own for own in self._judge.firing()}
        firing = [Firing(key, labels_of(own, rules), own.fired_at or at) for key, own in shown.items()]
        still = {key for key, own in self._judge.active.items() if own.fired_at is not None}
        for name, own in self._receivers.items():
            route = Route(name, own.severity, own.models, own.send_resolved, own.repeat_seconds, own.most_an_hour)
            plans = plan(route, firing, still, self._store.past(name, at), self._terms.pace, at)
            self._store.keep_plans(name, plans, at)
            for one in plans.messages:
                key = secrets.token_hex(16)
                self._store.add(key, name, one, self._message(key, name, one, shown, at), at)

    def _message(self, key: str, receiver: str, one: Plan, shown: Mapping[str, Active], at: float) -> dict[str, Any]:
        alerts = [
            MessageAlert(own.fingerprint, own.labels, own.fired_at, self._texts(shown[own.fingerprint], at))
            for own in one.firing
        ]
        alerts += [MessageAlert(own.fingerprint, own.labels, own.fired_at, own.annotations, at) for own in one.over]
        left_out = self._store.left_out(receiver)
        return message(key, receiver, alerts, external_url=self._terms.external_url, left_out=left_out, at=at)

    def _texts(self, alert: Active, at: float) -> dict[str, str]:
        try:
            texts = self._judge.annotations(alert, at)
        except TemplateError as error:
            self._record(error)
            texts = {"summary": labels_of(alert, self._judge.rules)["alertname"]}
        return {name: text for name, text in texts.items() if self._terms.has_dashboards or name != "dashboard_url"}

    # ------------------------------------------------------------ sending

    def _send_due(self, at: float) -> None:
        """Send what is due, each receiver's in a thread of its own: a slow one delays no other."""
        for waiting in self._store.due(at):
            busy = self._sending.get(waiting.receiver)
            if busy is None or not busy.is_alive():
                thread = threading.Thread(target=self._send, args=(waiting,), name="notification", daemon=True)
                self._sending[waiting.receiver] = thread
                thread.start()

    def _send(self, waiting: Waiting) -> None:
        try:
            try:
                deliver(self._receivers[waiting.receiver], waiting.body, self._clock())
            except NotDelivered as error:
                self._not_sent(waiting, error)
            except Exception as error:  # its text may hold anything: the log has it
                self._record(error)
                self._not_sent(waiting, NotDelivered(f"it failed with {type(error).__name__}", retryable=True))
            else:
                self._store.arrived(waiting, self._clock())
        except Exception as error:
            self._record(error)

    def _not_sent(self, waiting: Waiting, error: NotDelivered) -> None:
        """Note when a message is tried again, or that it is given up."""
        wait = BACK_OFF.wait(waiting.attempts + 1, random.random(), error.retry_after)  # noqa: S311
        at = self._clock()
        next_at = at + wait if error.retryable and wait is not None else None
        self._store.failed(waiting, str(error), at, next_at=next_at)
        self._record(NotDelivered(f"{waiting.receiver}: {error}", retryable=error.retryable))

    def close(self) -> None:
        """Wait a little for an evaluation and for messages that are being sent, and leave the place to another worker.

        While they last longer, the place stays taken until the process ends: no other worker makes the same messages.
        """
        deadline = time.monotonic() + LEAVING_SECONDS
        if not self._evaluating.acquire(timeout=LEAVING_SECONDS):
            return
        self._is_sender = False
        self._evaluating.release()
        for thread in self._sending.values():
            thread.join(max(0.0, deadline - time.monotonic()))
        if any(thread.is_alive() for thread in self._sending.values()):
            return
        self._has_place = False
        if self._lock is not None:
            self._lock.release()
        with contextlib.suppress(Exception):
            self._store.close()


def _changes(alerts: Mapping[str, Active]) -> dict[str, tuple[float | None, float | None]]:
    """Return what a restart needs to know of alerts; their values come again."""
    return {key: (own.fired_at, own.ended_at) for key, own in alerts.items()}
