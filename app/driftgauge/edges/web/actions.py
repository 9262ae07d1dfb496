"""What the page says of actions on alerts: which there are, and the newest decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from driftgauge.edges.web.words import ago, minute

SHOWN: Final = 10
"""Decisions that a page shows, the newest."""
STATES: Final = {
    "waiting": ("waiting", "info"),
    "decided": ("runs next", "info"),
    "started": ("running", "info"),
    "sent": ("running", "info"),
    "watched": ("done, watched", "normal"),
    "done": ("done", "normal"),
    "failed": ("failed", "critical"),
    "unknown": ("unknown", "warning"),
    "refused": ("refused", "unknown"),
    "dry_run": ("dry run", "unknown"),
}
"""Word and colour of each state of a decision."""


@dataclass(frozen=True)
class ConfiguredAction:
    """An action that the settings name."""

    name: str
    kind: str
    is_dry_run: bool


@dataclass(frozen=True)
class ActionDecision:
    """A decision on an action for an alert."""

    action: str
    alert: str
    """Name of the alert."""
    state: str
    detail: str
    """Why it has this state, in words."""
    changed_at: float
    """When it came to this state, seconds since 1970."""
    is_dry_run: bool


@dataclass(frozen=True)
class ActionsFacts:
    """The actions of a server, and the newest decisions that concern a model."""

    configured: Sequence[ConfiguredAction]
    decisions: Sequence[ActionDecision] | None
    """The newest first; None if the history cannot be read."""


@dataclass(frozen=True)
class ActionRow:
    """A decision."""

    at: str
    age: str
    action: str
    alert: str
    state: str
    colour: str
    reason: str


@dataclass(frozen=True)
class ActionsView:
    """The section on actions."""

    configured: str
    rows: Sequence[ActionRow]
    note: str
    """Why there are no rows; empty if there are some."""


def actions_view(facts: ActionsFacts | None, now: float) -> ActionsView | None:
    """Return the section at a time; None where no actions are configured."""
    if facts is None:
        return None
    found = facts.decisions or ()
    note = "" if found else "No alert has led to a decision yet."
    if facts.decisions is None:
        note = "The history of decisions cannot be read now."
    names = [f"{own.name} ({own.kind}{', dry run' if own.is_dry_run else ''})" for own in facts.configured]
    return ActionsView(f"Configured: {', '.join(names)}.", [_row(own, now) for own in found], note)


def _row(decision: ActionDecision, now: float) -> ActionRow:
    state, colour = STATES[decision.state]
    marked = decision.is_dry_run and decision.state != "dry_run"
    return ActionRow(
        at=f"{minute(decision.changed_at)} UTC",
        age=f"{ago(now - decision.changed_at)} ago",
        action=f"{decision.action} (dry run)" if marked else decision.action,
        alert=decision.alert,
        state=state,
        colour=colour,
        reason=decision.detail,
    )
