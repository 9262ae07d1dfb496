"""Alerts, actions and executors for tests of actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from driftgauge.actions.action import (
    Action,
    ActionFailed,
    Alert,
    Confirmation,
    Confirmer,
    Decision,
    Outcome,
    Sending,
)
from driftgauge.actions.history import FOLDER, History
from driftgauge.actions.runner import Failpoint, Runner, Tools, no_failpoint
from driftgauge.common.private_files import FileLock
from driftgauge.settings.actions import UrlAction

from tests.ledgers import Clock

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC).timestamp()
LABELS = {"alertname": "ModelFeatureDrift", "severity": "critical", "model_name": "churn", "feature_name": "age"}


CONFIRMED: dict[str, Any] = {"confirm": {"performance": "degraded"}, "confirm_within_seconds": 60.0}
"""Settings of an action with a second condition."""


def alert(fingerprint: str = "f1", *, starts_at: float = NOON, is_firing: bool = True, **labels: str) -> Alert:
    """Return an alert on drift of a feature."""
    return Alert("{}", fingerprint, is_firing, {**LABELS, **labels}, {"summary": "drift"}, starts_at)


def action(name: str = "retrain", **settings: Any) -> Action:
    """Return an action that runs when such an alert fires."""
    usual = {"dry_run": False, "cooldown_seconds": 0.0, "most_a_day": 1_000}
    own = {"kind": "url", "alerts": ("ModelFeatureDrift",), "url": "https://jobs.example.com", **usual, **settings}
    return Action(UrlAction.model_validate({"name": name, **own}))


class Recorded:
    """An executor that writes down what it was asked to do."""

    def __init__(self, *failures: Exception | None, repeatable: bool = False, watch: float | None = None) -> None:
        self.failures = list(failures)
        """What each attempt fails with, after it was sent; None for one that does not."""
        self.repeatable = repeatable
        self.runs: list[tuple[str, int]] = []
        """The execution id and the number of each attempt."""
        self.watched: list[str] = []
        self.watch_in = watch
        self.fails_before_sending = False

    def is_repeatable(self, own: Action) -> bool:
        """Return what the test says."""
        return self.repeatable

    def preview(self, own: Action, alert: Alert) -> str:
        """Return what would be done."""
        return f"call the receiver about {alert.name}"

    def run(self, own: Action, decision: Decision, sending: Sending) -> Outcome:
        """Note the attempt, and fail as the test says."""
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None and self.fails_before_sending:
            raise failure
        sending()
        self.runs.append((decision.execution_id, decision.attempts))
        if failure is not None:
            raise failure
        return Outcome("called", {"by": "a test"}, self.watch_in)

    def watch(self, own: Action, decision: Decision) -> Outcome:
        """Note the look, which is the last one."""
        self.watched.append(decision.notes["by"])
        return Outcome("it was right", decision.notes)


class Answers:
    """A confirmer that says what the test says."""

    def __init__(self, *answers: bool) -> None:
        self.answers = list(answers)

    def confirm(self, own: Action, alert: Alert) -> Confirmation | None:
        """Return the next answer."""
        holds = self.answers.pop(0)
        return Confirmation(holds, "performance is degraded" if holds else "performance is normal")


def history_in(folder: Path, most_rows: int = 1_000) -> History:
    """Open the history of a state folder."""
    return History.open(folder, most_rows)


def runner_of(
    folder: Path,
    history: History,
    actions: Sequence[Action],
    executor: Recorded,
    clock: Clock,
    *,
    confirmer: Confirmer | None = None,
    failpoint: Failpoint = no_failpoint,
    report: Callable[[Exception], None] | None = None,
) -> Runner:
    """Return a runner without a thread: a test takes its steps."""

    def fail(error: Exception) -> None:
        raise AssertionError("no failure was expected") from error

    tools = Tools({"url": executor}, confirmer, clock, report or fail, lambda: 0.0, failpoint)
    return Runner(history, actions, FileLock(folder / FOLDER / "runner.lock"), tools)


def drain(runner: Runner) -> int:
    """Do all that is due; returns how many steps it took."""
    steps = 0
    while runner.step():
        steps += 1
        assert steps < 100, "it does not come to an end"
    return steps


def passing(message: str = "the receiver answered 503", after: float | None = None) -> ActionFailed:
    """Return a failure that may pass."""
    return ActionFailed(message, retryable=True, retry_after_seconds=after)
