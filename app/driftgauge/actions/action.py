"""An action, the alert that leads to it, the decision on both, and what runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

from driftgauge.errors import DriftgaugeError
from driftgauge.settings.actions import AnyAction, as_json

MODEL_LABEL: Final = "model_name"


class State(StrEnum):
    """How far a decision is."""

    WAITING = "waiting"
    """A guard makes it wait; it is looked at again when it is due."""
    DECIDED = "decided"
    """It is to be run, or run again after a failure that may pass."""
    STARTED = "started"
    """An attempt has begun, and nothing has left this process yet."""
    SENT = "sent"
    """The attempt may have had an effect outside."""
    WATCHED = "watched"
    """It has run, and its executor looks again later whether it was right."""
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """The process ended after `sent`; whether it took effect is unknown, so it is not run again."""
    REFUSED = "refused"
    """A guard refused it."""
    DRY_RUN = "dry_run"
    """It would have run."""


OPEN: Final = frozenset({State.WAITING, State.DECIDED, State.STARTED, State.SENT, State.WATCHED})
"""States that change further."""


@dataclass(frozen=True)
class Alert:
    """An alert as Alertmanager sends it."""

    group_key: str
    fingerprint: str
    is_firing: bool
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: float
    """When it began to fire, seconds since 1970."""
    ends_at: float | None = None
    """When it was resolved; None while it fires."""
    generator_url: str = ""

    @property
    def name(self) -> str:
        """Name of the alert."""
        return self.labels.get("alertname", "")

    @property
    def model(self) -> str:
        """Name of the model that it is about; empty for one of the server."""
        return self.labels.get(MODEL_LABEL, "")

    @property
    def severity(self) -> str:
        """Its severity."""
        return self.labels.get("severity", "")


@dataclass(frozen=True)
class Action:
    """One of `[[actions]]`: its settings, which are frozen, hold the guards and the options of its kind."""

    settings: AnyAction

    @property
    def name(self) -> str:
        """Its name."""
        return self.settings.name

    @property
    def kind(self) -> str:
        """Its kind: `url`, `switch` or `command`."""
        return self.settings.kind

    @property
    def shown(self) -> dict[str, Any]:
        """Its guards as JSON, without the options of its kind, which may hold secrets."""
        return as_json(self.settings)

    @property
    def needs_confirmation(self) -> bool:
        """Whether a second condition must hold."""
        return self.settings.confirm is not None

    @property
    def confirm_within_seconds(self) -> float:
        """Time for which it waits for its second condition."""
        return self.settings.confirm_within_seconds

    def matches(self, alert: Alert) -> bool:
        """Return whether an alert leads to it."""
        own = self.settings
        return (
            alert.name in own.alerts
            and alert.severity in own.severity
            and own.model in (None, alert.model)
            and all(alert.labels.get(name) == value for name, value in own.labels.items())
        )


@dataclass(frozen=True)
class Decision:
    """What was decided about an action for an alert, as the history has it."""

    number: int
    action: str
    alert: Alert
    state: State
    reason: str
    """What decided: the name of a guard such as `cooldown_seconds`, or `allowed`."""
    detail: str
    """The same in words, or what came of it."""
    who: str
    """Name of the token that sent the alert; empty on a server without tokens."""
    is_dry_run: bool
    received_at: float
    changed_at: float
    due_at: float
    """When it is looked at next, seconds since 1970."""
    execution_id: str
    """Idempotency key, the same for all attempts."""
    attempts: int = 0
    notes: Mapping[str, str] = field(default_factory=dict)
    """What the executor keeps for later, such as the version before."""

    @property
    def is_open(self) -> bool:
        """Whether it changes further."""
        return self.state in OPEN


@dataclass(frozen=True)
class Outcome:
    """What came of running an action: done, or to be looked at again."""

    detail: str
    """In words, without secrets."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """What is kept in the history, and handed to `watch`; it replaces the notes before."""
    watch_in_seconds: float | None = None
    """When `watch` looks at it next; None if it is done."""


@dataclass(frozen=True)
class Confirmation:
    """Whether a second condition holds, and why."""

    holds: bool
    detail: str


Sending = Callable[[], None]
"""Called by an executor right before the first effect outside this process; the history then says `sent`."""


class ActionFailed(DriftgaugeError):
    """An attempt failed; the message holds no secrets."""

    def __init__(self, message: str, *, retryable: bool, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retryable: Final = retryable
        """Whether the same may succeed later; it is then tried again, at most `most_attempts` times."""
        self.retry_after_seconds: Final = retry_after_seconds
        """What the other side asks for; None where it says nothing."""


class Executor(Protocol):
    """What runs the actions of one kind, in a thread of the runner."""

    def is_repeatable(self, action: Action) -> bool:
        """Return whether running it twice with one execution id has the effect of once.

        After the end of the process in the state `sent`, such an action is run again; another one is `unknown`.
        """

    def preview(self, action: Action, alert: Alert) -> str:
        """Return in words what it would do, without secrets."""

    def run(self, action: Action, decision: Decision, sending: Sending) -> Outcome:
        """Do it; blocks. `sending` is called before the first effect outside. ActionFailed if it fails."""

    def watch(self, action: Action, decision: Decision) -> Outcome:
        """Look again at what was done, as the outcome asked; blocks. ActionFailed if it fails."""


class Confirmer(Protocol):
    """What looks at the second condition of an action."""

    def confirm(self, action: Action, alert: Alert) -> Confirmation | None:
        """Return whether the condition holds; None for an action without one. Blocks."""
