"""Actions and decisions as JSON: what `GET /actions` and `POST /actions/alertmanager` answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from driftgauge.actions.action import Action, Decision
from driftgauge.actions.guards import Finding
from driftgauge.actions.history import Step, Total
from driftgauge.actions.intake import Received
from driftgauge.common.rfc3339 import rfc3339


def received_json(received: Received) -> dict[str, Any]:
    """Return what came of the alerts of a request."""
    return {
        "decisions": [_summary(decision) for decision in received.decisions],
        "repeated": received.repeated,
        "resolved": received.resolved,
        "unmatched": received.unmatched,
    }


def action_json(action: Action, now: Finding, preview: str, totals: Mapping[tuple[str, str], Total]) -> dict[str, Any]:
    """Return an action: its guards, what it would do now, and how often it has done it."""
    own = {state: total for (name, state), total in totals.items() if name == action.name}
    return {
        **action.shown,
        "now": {"state": now.state, "reason": now.reason, "detail": now.detail, "would": preview},
        "totals": {state: total.decisions for state, total in own.items()},
    }


def decision_json(decision: Decision, steps: Sequence[Step]) -> dict[str, Any]:
    """Return a decision with its past."""
    alert = decision.alert
    return {
        **_summary(decision),
        "alert": {
            "name": alert.name,
            "fingerprint": alert.fingerprint,
            "group_key": alert.group_key,
            "labels": dict(alert.labels),
            "annotations": dict(alert.annotations),
            "starts_at": rfc3339(alert.starts_at),
            "generator_url": alert.generator_url,
        },
        "who": decision.who,
        "received_at": rfc3339(decision.received_at, "milliseconds"),
        "changed_at": rfc3339(decision.changed_at, "milliseconds"),
        "due_at": rfc3339(decision.due_at, "milliseconds") if decision.is_open else None,
        "attempts": decision.attempts,
        "notes": dict(decision.notes),
        "steps": [
            {"at": rfc3339(own.at, "milliseconds"), "state": own.state, "reason": own.reason, "detail": own.detail}
            for own in steps
        ],
    }


def _summary(decision: Decision) -> dict[str, Any]:
    return {
        "number": decision.number,
        "action": decision.action,
        "state": decision.state,
        "reason": decision.reason,
        "detail": decision.detail,
        "is_dry_run": decision.is_dry_run,
        "execution_id": decision.execution_id,
    }
