"""Takes in alerts: decides on each action that they lead to, once for each occurrence of an alert."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from driftgauge.actions.action import Action, Alert, Decision, State
from driftgauge.actions.guards import Finding, judge
from driftgauge.actions.history import MOST_OPEN, History


@dataclass(frozen=True)
class Received:
    """What came of the alerts of one request."""

    decisions: Sequence[Decision]
    """The new decisions."""
    repeated: int
    """Alerts that were decided on before."""
    resolved: int
    """Waiting decisions that ended because their alert is resolved."""
    unmatched: int
    """Firing alerts that lead to no action."""


def receive(history: History, actions: Sequence[Action], alerts: Sequence[Alert], who: str, now: float) -> Received:
    """Decide on all actions that alerts lead to and write it down, all or nothing.

    `who` is the name of the sender's token, `now` is in seconds since 1970. ActionsError if it cannot be written.
    """
    numbers: list[int] = []
    repeated = resolved = unmatched = 0
    with history.transaction():
        for alert in alerts:
            if not alert.is_firing:
                resolved += history.resolve(alert, now)
                continue
            matching = [action for action in actions if action.matches(alert)]
            unmatched += not matching
            for action in matching:
                if history.find(action, alert) is not None:
                    repeated += 1
                else:
                    numbers.append(_decide(history, action, alert, who, now))
        decisions = [found for number in numbers if (found := history.decision(number)) is not None]
    return Received(decisions, repeated, resolved, unmatched)


def _decide(history: History, action: Action, alert: Alert, who: str, now: float) -> int:
    case = history.case(action, alert, now, now, is_dry_run=action.settings.dry_run)
    finding = judge(case, now)
    if finding.state in (State.WAITING, State.DECIDED) and not history.has_room():
        finding = Finding(State.REFUSED, "most_open", f"{MOST_OPEN:,} decisions are open already", now)
    return history.add(case, finding, who, now)
