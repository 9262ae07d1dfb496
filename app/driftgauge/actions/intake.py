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
    found: list[Decision] = []
    repeated = resolved = unmatched = 0
    with history.transaction():
        room = history.room()
        for alert in alerts:
            if not alert.is_firing:
                resolved += history.resolve(alert, now)
                continue
            matching = [action for action in actions if action.matches(alert)]
            unmatched += not matching
            for action in matching:
                if history.find(action, alert) is not None:
                    repeated += 1
                    continue
                found.append(_decide(history, action, alert, who, now, has_room=room > 0))
                room -= found[-1].is_open
        if found:
            history.drop_oldest(now, newest=found[-1].number)
    return Received(found, repeated, resolved, unmatched)


def _decide(history: History, action: Action, alert: Alert, who: str, now: float, *, has_room: bool) -> Decision:
    case = history.case(action, alert, now, now, is_dry_run=action.settings.dry_run)
    finding = judge(case, now)
    if finding.state in (State.WAITING, State.DECIDED) and not has_room:
        finding = Finding(State.REFUSED, "most_open", f"{MOST_OPEN:,} decisions are open already", now)
    decision = history.decision(history.add(case, finding, who, now))
    assert decision is not None  # noqa: S101  it was just inserted
    return decision
