"""Actions of kind `switch`: another version of the model answers, and the one before again if it is worse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from driftgauge.actions.action import Action, ActionFailed, Alert, Decision, Outcome, Sending
from driftgauge.actions.executors.values import VERSION_LABEL
from driftgauge.common.templates import cleaned
from driftgauge.settings.actions import SwitchAction

LOOKS: Final = 100
"""Looks at a new version in the time in which it is judged."""
LOOK_SECONDS: Final = (1.0, 30.0)
"""Shortest and longest time between two of them."""
LONGEST_REASON: Final = 500


@dataclass(frozen=True)
class Target:
    """A version to switch to."""

    version: str
    bundle: str | None = None
    """Folder of a bundle that is loaded; None for a version that answered before."""


class Versions(Protocol):
    """The versions of a server's models. All methods block, and raise ActionFailed if the server cannot do it."""

    def live(self, model: str) -> str:
        """Return the version that answers."""

    def last(self, model: str) -> Target:
        """Return the version that answered before."""

    def named(self, model: str, version: str) -> Target:
        """Return a version that answered before by its name."""

    def in_bundle(self, model: str, bundle: str) -> Target:
        """Return the version in a bundle."""

    def was_switched(self, model: str, who: str, mark: str) -> tuple[str, str] | None:
        """Return from which version to which `who` has switched with a mark in the reason; None if it has not."""

    def alarm(self, model: str, version: str) -> str | None:
        """Return why a version should not answer, in words; None if nothing is known against it."""

    def worse(self, model: str, version: str, before: str) -> str | None:
        """Return how the live version is worse than the one before, in words; None if it is not, or not known."""

    def switch(self, model: str, target: Target, who: str, reason: str) -> None:
        """Let a version answer, in all workers."""


class SwitchExecutor:
    """Switches versions; see `actions.action.Executor`."""

    def __init__(self, versions: Versions, clock: Callable[[], float]) -> None:
        """`clock` returns the time in seconds since 1970."""
        self._versions: Final = versions
        self._clock: Final = clock

    def is_repeatable(self, action: Action) -> bool:
        """Return True: the history of the versions has the id of each execution."""
        return True

    def preview(self, action: Action, alert: Alert) -> str:
        """Return the version that would answer, or why none would."""
        try:
            return f"let version {self._target(action, alert).version} of {alert.model} answer"
        except ActionFailed as error:
            return f"switch the version; it would fail: {error}"

    def run(self, action: Action, decision: Decision, sending: Sending) -> Outcome:
        """Let the other version answer; ActionFailed if it is refused or cannot be loaded."""
        own, alert, mark = _settings(action), decision.alert, _mark(decision)
        switched = self._versions.was_switched(alert.model, _who(action), mark)
        if switched is None:
            target = self._target(action, alert)
            switched = self._versions.live(alert.model), target.version
            sending()
            reason = _reason(f"{alert.name} {alert.severity}", mark)
            self._versions.switch(alert.model, target, _who(action), reason)
        before, now = switched  # not the live version, which somebody may have replaced since
        said = f"version {now} of {alert.model} answers instead of {before}"
        notes = {"from_version": before, "to_version": now, "switched_at": repr(self._clock())}
        return Outcome(said, notes, _wait(own) if own.judge_seconds else None)

    def watch(self, action: Action, decision: Decision) -> Outcome:
        """Take the new version back if it is worse than the one before; look again later if that is not known."""
        own, notes, model = _settings(action), decision.notes, decision.alert.model
        before, now = notes["from_version"], notes["to_version"]
        if self._versions.was_switched(model, _who(action), _mark(decision, "return")):
            return Outcome(f"version {before} of {model} answers again, because {now} was worse", notes)
        if (live := self._versions.live(model)) != now:
            return Outcome(f"version {now} of {model} was not judged to the end: {live} answers now", notes)
        if why := self._versions.worse(model, now, before):
            reason = _reason(f"version {now} is worse: {why}", _mark(decision, "return"))
            self._versions.switch(model, Target(before), _who(action), reason)
            return Outcome(f"version {before} of {model} answers again, because {now} was worse: {why}", notes)
        left = float(notes["switched_at"]) + own.judge_seconds - self._clock()
        if left > 0:
            return Outcome(decision.detail, notes, min(_wait(own), left))
        return Outcome(f"version {now} of {model} was not worse than {before} in {own.judge_seconds:g} s", notes)

    def _target(self, action: Action, alert: Alert) -> Target:
        """Return the version to switch to; ActionFailed if it must not answer."""
        if not alert.model:
            raise ActionFailed("the alert has no label model_name: a switch needs one", retryable=False)
        live, about = self._versions.live(alert.model), alert.labels.get(VERSION_LABEL, "")
        if about and about != live:
            raise ActionFailed(f"the alert is about version {about}, and {live} answers now", retryable=False)
        target = self._chosen(_settings(action), alert.model)
        if target.version == live:
            raise ActionFailed(f"version {live} of {alert.model} answers already", retryable=False)
        if why := self._versions.alarm(alert.model, target.version):
            raise ActionFailed(f"version {target.version} of {alert.model} is not taken: {why}", retryable=False)
        return target

    def _chosen(self, own: SwitchAction, model: str) -> Target:
        if own.to == "version":
            return self._versions.named(model, own.to_version or "")
        if own.to == "fallback":
            return self._versions.in_bundle(model, own.bundle or "")
        return self._versions.last(model)


def _settings(action: Action) -> SwitchAction:
    assert isinstance(action.settings, SwitchAction)  # noqa: S101  the runner chooses the executor by kind
    return action.settings


Step = Literal["execution", "return"]


def _mark(decision: Decision, step: Step = "execution") -> str:
    """Return what an entry of the history of versions is found by."""
    return f"[{step} {decision.execution_id}]"


def _who(action: Action) -> str:
    return f"action {action.name}"


def _reason(text: str, mark: str) -> str:
    """Return a reason as the history of versions keeps it: one line, with the mark at its end."""
    return f"{cleaned(text)[: LONGEST_REASON - len(mark) - 1]} {mark}"


def _wait(own: SwitchAction) -> float:
    shortest, longest = LOOK_SECONDS
    return min(max(own.judge_seconds / LOOKS, shortest), longest)
