"""Runs what is decided: one worker at a time, one action at a time.

Every worker has a runner. The one that holds the lock leads; if its process ends, another takes over and finds in the
history how far it was.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from driftgauge.actions.action import (
    Action,
    ActionFailed,
    Confirmation,
    Confirmer,
    Decision,
    Executor,
    Outcome,
    State,
)
from driftgauge.actions.guards import ALLOWED, QUIET, Finding, judge, next_look
from driftgauge.actions.history import History
from driftgauge.common.back_off import BackOff
from driftgauge.common.private_files import FileLock
from driftgauge.errors import ActionsError, DriftgaugeError

WATCH_SECONDS: Final = 0.25
"""Time between two looks at what is due."""
LOCK_SECONDS: Final = 1.0
"""Time between two looks at whether the lock is free."""
STOP_SECONDS: Final = 5.0
"""How long the end of the server waits for an action."""
FIRST_WAIT_SECONDS: Final = 5.0
LONGEST_WAIT_SECONDS: Final = 600.0
FAILPOINTS: Final = ("started", "sent", "ran", "recovered")
"""Steps at which a test may kill the process."""
Failpoint = Callable[[str], None]


def no_failpoint(_: str) -> None:
    """Pass a failpoint."""


@dataclass(frozen=True)
class Tools:
    """What a runner works with."""

    executors: Mapping[str, Executor]
    """By the kind of action."""
    confirmer: Confirmer | None
    clock: Callable[[], float]
    report: Callable[[Exception], None]
    """Called with each failure of the runner itself."""
    chance: Callable[[], float] = random.random
    failpoint: Failpoint = no_failpoint


class Runner:
    """Looks at what is due and does it; `step` runs in one thread."""

    def __init__(self, history: History, actions: Sequence[Action], lock: FileLock, tools: Tools) -> None:
        """Take the history, the configured actions, the lock that all workers share, and the tools."""
        self._history: Final = history
        self._actions: Final = {action.name: action for action in actions}
        self._lock: Final = lock
        self._tools: Final = tools
        self._leads = False
        self._is_unsure = True
        """Whether attempts may have ended without an entry in the history."""
        self._wake = threading.Event()
        self._should_stop = False
        self._thread: threading.Thread | None = None

    # ------------------------------------------------------------ the thread

    def start(self) -> None:
        """Run in a thread."""
        self._thread = threading.Thread(target=self._run, name="actions", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; an attempt that takes longer is found in the history by the next runner."""
        self._should_stop = True
        self.wake()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
            if self._thread.is_alive():
                return
        self._lock.release()

    def wake(self) -> None:
        """Look at what is due now."""
        self._wake.set()

    def _run(self) -> None:
        while not self._should_stop:
            try:
                is_busy = self.step()
            except Exception as error:  # the server serves on
                self._tools.report(error)
                is_busy = False
            if not is_busy:
                self._wake.wait(WATCH_SECONDS if self._leads else LOCK_SECONDS)
                self._wake.clear()

    def step(self) -> bool:
        """Do what has been due for longest, if this runner leads; returns whether there was something."""
        if not self._leads:
            self._leads = self._lock.acquire()
            self._is_unsure = True
        if not self._leads:
            return False
        if self._is_unsure:
            self._recover()
            self._is_unsure = False
        decision = self._history.next_due(self._tools.clock())
        if decision is None:
            return False
        try:
            self._advance(decision)
        except BaseException:
            self._is_unsure = True
            raise
        return True

    # ------------------------------------------------------------ after the end of another runner

    def _recover(self) -> None:
        """Decide on attempts that have begun, and of which the history has no end."""
        for decision in self._history.interrupted():
            self._set(decision, self._after_end(decision))
            self._tools.failpoint("recovered")

    def _after_end(self, decision: Decision) -> Finding:
        now, action = self._tools.clock(), self._actions.get(decision.action)
        executor = None if action is None else self._tools.executors.get(action.kind)
        repeatable = action is not None and executor is not None and executor.is_repeatable(action)
        if decision.state is State.SENT and not repeatable:
            detail = "interrupted after it was sent: whether it took effect is not known, and it is not repeated"
            return Finding(State.UNKNOWN, "interrupted", detail, now)
        if action is not None and decision.attempts >= action.settings.most_attempts:
            return Finding(State.FAILED, "interrupted", f"attempt {decision.attempts} was interrupted", now)
        return Finding(State.DECIDED, "interrupted", "the attempt was interrupted, and is repeated", now)

    # ------------------------------------------------------------ what is due

    def _advance(self, decision: Decision) -> None:
        action = self._actions.get(decision.action)
        if decision.state is State.WATCHED:
            self._watch(action, decision)
        elif action is None:
            self._set(decision, self._refused("removed", "the settings no longer have the action"))
        elif action.settings.dry_run and not decision.is_dry_run:
            self._set(decision, self._refused("dry_run", "dry_run was switched on after the alert came"))
        elif decision.state is State.WAITING:
            self._judge(action, decision)
        else:
            self._attempt(action, decision)

    def _refused(self, reason: str, detail: str) -> Finding:
        return Finding(State.REFUSED, reason, detail, self._tools.clock())

    def _judge(self, action: Action, decision: Decision) -> None:
        """Ask the guards again; the second condition is looked at only if the others let it pass."""
        first = self._finding(action, decision, None)
        confirmation = self._confirmation(action, decision) if first.reason == "confirm" else None
        with self._history.transaction():
            current = self._history.decision(decision.number)
            if current is None or current.state is not State.WAITING:  # resolved meanwhile
                return
            self._history.set(decision.number, self._finding(action, decision, confirmation), self._tools.clock())

    def _finding(self, action: Action, decision: Decision, confirmation: Confirmation | None) -> Finding:
        now = self._tools.clock()
        case = self._history.case(action, decision.alert, decision.received_at, now, is_dry_run=decision.is_dry_run)
        return judge(case, now, confirmation)

    def _confirmation(self, action: Action, decision: Decision) -> Confirmation:
        try:
            found = None if self._tools.confirmer is None else self._tools.confirmer.confirm(action, decision.alert)
        except DriftgaugeError as error:
            return Confirmation(holds=False, detail=str(error))
        except Exception as error:  # it must not hold up other actions
            self._tools.report(error)
            return Confirmation(holds=False, detail=_unexpected(error))
        return found or Confirmation(holds=False, detail="the condition cannot be looked at here")

    # ------------------------------------------------------------ attempts

    def _attempt(self, action: Action, decision: Decision) -> None:
        now = self._tools.clock()
        if (due := next_look(action, now)) > now:
            self._set(decision, Finding(State.DECIDED, QUIET, "it waits for the end of the quiet hours", due))
            return
        attempts = decision.attempts + 1
        begun = Finding(State.STARTED, ALLOWED, f"attempt {attempts}", now)
        if not self._set(decision, begun, attempts=attempts, only_from=State.DECIDED):  # resolved meanwhile
            return
        self._tools.failpoint("started")
        was_sent = False

        def sending() -> None:
            nonlocal was_sent
            self._set(decision, Finding(State.SENT, ALLOWED, f"attempt {attempts}", self._tools.clock()))
            was_sent = True
            self._tools.failpoint("sent")

        started = self._history.decision(decision.number) or decision
        try:
            outcome = self._executor(action).run(action, started, sending)
        except ActionFailed as error:
            self._set(decision, self._failed(action, attempts, error))
            return
        except ActionsError:  # the history could not say `sent`: nothing has left
            raise
        except Exception as error:
            self._tools.report(error)
            self._set(decision, self._broken(error, was_sent=was_sent))
            return
        self._tools.failpoint("ran")
        self._finish(decision, outcome)

    def _failed(self, action: Action, attempts: int, error: ActionFailed) -> Finding:
        now, most = self._tools.clock(), action.settings.most_attempts
        back_off = BackOff(FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, most)
        wait = back_off.wait(attempts, self._tools.chance(), error.retry_after_seconds) if error.retryable else None
        if wait is None:
            return Finding(State.FAILED, "failed", f"attempt {attempts} of {most} failed: {error}", now)
        return Finding(State.DECIDED, "retry", f"attempt {attempts} of {most} failed: {error}", now + wait)

    def _broken(self, error: Exception, *, was_sent: bool) -> Finding:
        """Return what an unexpected error leads to."""
        state = State.UNKNOWN if was_sent else State.FAILED
        return Finding(state, "error", _unexpected(error), self._tools.clock())

    def _watch(self, action: Action | None, decision: Decision) -> None:
        if action is None:
            self._set(decision, Finding(State.DONE, "removed", decision.detail, self._tools.clock()))
            return
        try:
            outcome = self._executor(action).watch(action, decision)
        except ActionFailed as error:
            self._not_watched(action, decision, error)
        except Exception as error:  # it must not hold up other actions
            self._tools.report(error)
            self._not_watched(action, decision, ActionFailed(_unexpected(error), retryable=True))
        else:
            goes_on = outcome.watch_in_seconds is not None  # failures count from the last look that succeeded
            self._finish(decision, outcome, attempts=1 if goes_on else None)

    def _not_watched(self, action: Action, decision: Decision, error: ActionFailed) -> None:
        now, attempts = self._tools.clock(), decision.attempts + 1
        finding = self._failed(action, attempts, error)
        state = State.WATCHED if finding.state is State.DECIDED else State.FAILED
        self._set(decision, Finding(state, finding.reason, finding.detail, max(finding.due_at, now)), attempts)

    def _finish(self, decision: Decision, outcome: Outcome, attempts: int | None = None) -> None:
        now, wait = self._tools.clock(), outcome.watch_in_seconds
        state = State.DONE if wait is None else State.WATCHED
        finding = Finding(state, ALLOWED, outcome.detail, now + (wait or 0.0))
        self._set(decision, finding, attempts, outcome.notes)

    # ------------------------------------------------------------ the history

    def _executor(self, action: Action) -> Executor:
        return self._tools.executors[action.kind]

    def _set(
        self,
        decision: Decision,
        finding: Finding,
        attempts: int | None = None,
        notes: Mapping[str, str] | None = None,
        only_from: State | None = None,
    ) -> bool:
        """Give a decision another state; returns false, and changes nothing, if it is not in the one that is given."""
        with self._history.transaction():
            current = None if only_from is None else self._history.decision(decision.number)
            if current is not None and current.state is not only_from:
                return False
            self._history.set(decision.number, finding, self._tools.clock(), attempts=attempts, notes=notes)
        structlog.get_logger().info(
            "action_changed",
            action=decision.action,
            alert=decision.alert.name,
            state=finding.state.value,
            reason=finding.reason,
            detail=finding.detail,
        )
        return True


def _unexpected(error: Exception) -> str:
    """Return what the history says of an unexpected error: its type alone, because its text may hold anything."""
    return f"it failed with {type(error).__name__}; the server's log has the details"
