"""Actions and decisions as the settings and the runner give them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from driftgauge.actions.action import Action, Alert, Decision, State
from driftgauge.settings.actions import KINDS

EXECUTION = "8f3c0a9e5d1b4c27"
HOSTILE = 'a\n"; rm -rf / #$(reboot)`id`{model}\x00\u202e'
"""A value that no program and no format may read as anything but text."""


def action_of(kind: str, **settings: Any) -> Action:
    """Return an action of a kind."""
    table = {"name": "act", "kind": kind, "alerts": ["ModelFeatureDrift"], "dry_run": False, **settings}
    return Action(KINDS[kind].model_validate(table))  # type: ignore[arg-type]


def alert_of(labels: Mapping[str, str] | None = None, **annotations: str) -> Alert:
    """Return an alert about version 2 of the model churn."""
    own = {"alertname": "ModelFeatureDrift", "severity": "critical", "model_name": "churn", "model_version": "2"}
    return Alert("group", "fingerprint", True, own | dict(labels or {}), annotations, 1_700_000_000.0)


def decision_of(action: Action, alert: Alert | None = None, **changes: Any) -> Decision:
    """Return the decision to run an action for an alert."""
    decided = Decision(
        number=1,
        action=action.name,
        alert=alert or alert_of(summary="age has drifted"),
        state=State.STARTED,
        reason="allowed",
        detail="",
        who="alertmanager",
        is_dry_run=False,
        received_at=1_700_000_010.0,
        changed_at=1_700_000_010.0,
        due_at=1_700_000_010.0,
        execution_id=EXECUTION,
    )
    return replace(decided, **changes)


class Sent:
    """Counts how often an executor says that it begins to have an effect."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        """Count once more."""
        self.times += 1
