"""A notifier is run as a server runs it; its own metrics are pages of the test."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.common.private_files import FileLock
from driftgauge.notifications.notifier import Notifier, Terms
from driftgauge.notifications.planner import Pace
from driftgauge.notifications.rules import Active, Rules
from driftgauge.notifications.store import FOLDER, NotificationError, NotificationStore
from driftgauge.settings.notify import AnyReceiver, FileReceiver, MailReceiver, WebhookReceiver

from tests.ledgers import Clock
from tests.receivers import Answer, Received, Receiver, receiver_of

OPTIONS = MonitoringOptions(scrape_interval="15s", window="30s", hold="30s")
LABELS = {"job": OPTIONS.job, "instance": "127.0.0.1:8000"}
UNAVAILABLE = 'model_available{model_name="m"} 0\n'
"""A page on which an alert fires after a while."""
SOUND, DAMAGED = "prediction_log_damaged_files 0\n", "prediction_log_damaged_files 1\n"
"""Pages of metrics; an alert tells of the second."""


class Notified:
    """A notifier of one worker, and the errors that it records."""

    def __init__(
        self, folder: Path | None, clock: Clock, *receivers: AnyReceiver, store: NotificationStore | None = None
    ) -> None:
        self.errors: list[BaseException] = []
        self.page = SOUND
        self.looks = 0
        self.is_failure_expected = False
        terms = Terms(0.0, 0.0, Pace(0.0, 0.0), "http://127.0.0.1:8000", has_dashboards=False, labels=LABELS)
        store, rules = store or NotificationStore.of(folder), Rules.of(OPTIONS)
        self.notifier = Notifier(receivers, rules, terms, folder, store, self.pages, clock, self.record)
        self._clock = clock

    async def pages(self) -> Iterable[str]:
        """Return what `/metrics` would say; each look comes 15 s after the one before."""
        self._clock.now += 15.0
        self.looks += 1
        return [self.page]

    def record(self, error: BaseException | None) -> None:
        """Keep an error."""
        if error is not None:
            self.errors.append(error)

    def run_until(self, condition: Callable[[], bool]) -> None:
        """Evaluate and send until something holds."""

        async def run() -> None:
            running = asyncio.create_task(self.notifier.run())
            async with asyncio.timeout(60.0):
                while not condition():
                    await asyncio.sleep(0.01)
            running.cancel()

        asyncio.run(run())
        assert not self.errors or self.is_failure_expected


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiver_of() as found:
        yield found


def names(body: dict[str, Any]) -> list[str]:
    return [own["labels"]["alertname"] for own in body["alerts"]]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def test_an_alert_is_told_of_once_though_another_worker_takes_over(tmp_path: Path, clock: Clock) -> None:
    sent = FileReceiver(name="log", kind="file", path=tmp_path / "sent")
    first, second = Notified(tmp_path, clock, sent), Notified(tmp_path, clock, sent)
    first.page = second.page = DAMAGED
    first.run_until(lambda: bool(lines(sent.path)) and first.notifier.totals["log", "sent"] == 1.0)
    second.run_until(lambda: second.notifier.totals["log", "sent"] == 1.0)
    assert not has_place(second, tmp_path)
    first.notifier.close()
    looks = second.looks
    second.run_until(lambda: second.looks >= looks + 3)
    assert has_place(second, tmp_path)
    second.notifier.close()
    (body,) = lines(sent.path)
    assert names(body) == ["DriftgaugePredictionLogDamaged"]


def has_place(own: Notified, folder: Path) -> bool:
    """Return whether a notifier has read its metrics, which only the one with the place does, and has it still."""
    return own.looks > 0 and not FileLock(folder / FOLDER / "lock").acquire()


def test_a_message_that_is_being_sent_keeps_the_place_until_the_process_ends(
    tmp_path: Path, clock: Clock, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    came, release = threading.Event(), threading.Event()
    usual = receiver.take

    def take(request: Received) -> Answer:
        came.set()
        release.wait(60.0)
        return usual(request)

    monkeypatch.setattr(receiver, "take", take)
    leaving = "driftgauge.notifications.notifier.LEAVING_SECONDS"
    monkeypatch.setattr(leaving, 0.05)
    own = Notified(tmp_path, clock, WebhookReceiver(name="hook", kind="webhook", url=receiver.url))
    own.page = DAMAGED
    own.run_until(came.is_set)
    own.notifier.close()
    place = FileLock(tmp_path / FOLDER / "lock")
    assert not place.acquire()
    release.set()
    monkeypatch.setattr(leaving, 60.0)
    own.notifier.close()
    assert len(receiver.requests) == 1
    assert place.acquire()
    place.release()


def test_a_receiver_that_fails_is_a_problem_until_a_message_arrives(clock: Clock, receiver: Receiver) -> None:
    receiver.answer(503)
    own = Notified(None, clock, WebhookReceiver(name="hook", kind="webhook", url=receiver.url))
    own.page = DAMAGED
    own.is_failure_expected = True
    own.run_until(lambda: bool(own.notifier.problems()))
    assert own.notifier.problems() == [f"notifications to hook: {receiver.url} answered 503"]
    receiver.answer(200)
    own.run_until(lambda: not own.notifier.problems())
    assert own.notifier.totals["hook", "sent"] == 1.0
    assert len({json.loads(request.body)["id"] for request in receiver.requests}) == 1
    own.notifier.close()


def test_a_message_that_fails_for_an_unexpected_reason_is_counted_and_tried_again_later(clock: Clock) -> None:
    host = "a" * 64  # no name of a host has a part of 64 characters
    to = ("team@example.org",)
    own = Notified(None, clock, MailReceiver(name="mail", kind="mail", to=to, smtp_host=host, smtp_tls="none"))
    own.page = DAMAGED
    own.is_failure_expected = True
    own.run_until(lambda: own.notifier.totals["mail", "retried"] == 1)
    kinds = {type(error).__name__ for error in own.errors if isinstance(error, UnicodeError)}
    assert own.notifier.problems() == [f"notifications to mail: it failed with {kind}" for kind in kinds]
    own.notifier.close()


class BusyOnce(NotificationStore):
    """A database that cannot be read the first time."""

    was_busy = False

    def alerts(self) -> dict[str, Active]:
        """Fail once, then return the alerts."""
        if not self.was_busy:
            self.was_busy = True
            raise NotificationError("the database is busy")
        return super().alerts()


def test_a_worker_that_cannot_read_the_alerts_at_first_ends_none_of_them(tmp_path: Path, clock: Clock) -> None:
    sent = FileReceiver(name="log", kind="file", path=tmp_path / "sent")
    first = Notified(tmp_path, clock, sent)
    first.page = UNAVAILABLE
    first.run_until(lambda: len(lines(sent.path)) == 1)
    first.notifier.close()
    second = Notified(tmp_path, clock, sent, store=BusyOnce.of(tmp_path))
    second.page, second.is_failure_expected = UNAVAILABLE, True
    second.run_until(lambda: bool(second.notifier.problems()))
    assert second.notifier.problems() == ["notifications: the database is busy"]
    second.run_until(lambda: second.looks >= 3 and not second.notifier.problems())
    second.notifier.close()
    (body,) = lines(sent.path)
    assert (body["status"], names(body)) == ("firing", ["ModelUnavailable"])
