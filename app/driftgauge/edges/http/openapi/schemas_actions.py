"""Schemas of the routes of actions for `/openapi.json`; tests check real answers against them."""

from __future__ import annotations

from typing import Any, Final

from pydantic import ConfigDict, Field

from driftgauge.actions.action import State
from driftgauge.edges.http.openapi.queries import query_parameters
from driftgauge.edges.http.openapi.schemas import Documented


class DecisionSummary(Documented):
    """A decision on an action."""

    number: int
    action: str
    state: State
    reason: str = Field(description="The guard that decided, such as `cooldown_seconds`, or `allowed`.")
    detail: str
    is_dry_run: bool
    execution_id: str = Field(description="Id of the execution, which is sent as `Idempotency-Key`.")


class ReceivedAlerts(Documented):
    """What came of the alerts of a request."""

    decisions: list[DecisionSummary] = Field(description="The new ones.")
    repeated: int = Field(description="Alerts that were decided on before.")
    resolved: int = Field(description="Waiting decisions that ended, because their alert is resolved.")
    unmatched: int = Field(description="Firing alerts that lead to no action.")


class DecidedAlert(Documented):
    """The alert that led to a decision."""

    name: str
    fingerprint: str
    group_key: str
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: str
    generator_url: str


class DecisionStep(Documented):
    """One step of a decision; it never changes."""

    at: str
    state: State
    reason: str
    detail: str


class PastDecision(DecisionSummary):
    """A decision with its past."""

    alert: DecidedAlert
    who: str = Field(description="Name of the token that sent the alert; empty on a server without tokens.")
    received_at: str
    changed_at: str
    due_at: str | None = Field(description="When it is looked at next; null once it has ended.")
    attempts: int
    notes: dict[str, str] = Field(description="What the action keeps, such as the version before a switch.")
    steps: list[DecisionStep] = Field(description="The oldest first.")


class ActionNow(Documented):
    """What an alert that has fired for long enough would lead to now."""

    state: State
    reason: str
    detail: str
    would: str = Field(description="What would be done.")


class ConfiguredAction(Documented):
    """An action with its guards."""

    model_config = ConfigDict(extra="allow")
    name: str
    kind: str
    alerts: list[str]
    severity: list[str]
    model: str | None
    labels: dict[str, str]
    dry_run: bool
    cooldown_seconds: float
    most_a_day: int
    quiet_hours: str | None
    time_zone: str
    for_seconds: float
    most_attempts: int
    now: ActionNow
    totals: dict[str, int] = Field(description="Decisions that have ended, by state.")


class ActionHistory(Documented):
    """The actions of a server, and the decisions on them, the newest first."""

    actions: list[ConfiguredAction]
    decisions: list[PastDecision]
    next_before: int | None = Field(description="`before` of the next page; null on the last one.")
    dropped: int = Field(description="Old decisions that are no longer kept.")


_TEXTS: Final = {"type": "object", "additionalProperties": {"type": "string"}}
_ALERT: Final = {
    "type": "object",
    "required": ["status", "labels", "startsAt", "fingerprint"],
    "properties": {
        "status": {"enum": ["firing", "resolved"]},
        "labels": _TEXTS,
        "annotations": _TEXTS,
        "startsAt": {"type": "string", "format": "date-time"},
        "endsAt": {"type": "string"},
        "generatorURL": {"type": "string"},
        "fingerprint": {"type": "string"},
    },
}
ALERTS_BODY: Final[dict[str, Any]] = {
    "required": True,
    "description": "What Alertmanager posts to the URL of a `webhook_config`; other keys are ignored.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["version", "groupKey", "alerts"],
                "properties": {
                    "version": {"const": "4"},
                    "groupKey": {"type": "string"},
                    "alerts": {"type": "array", "items": _ALERT},
                },
            }
        }
    },
}
PARAMETERS: Final[list[dict[str, Any]]] = query_parameters(
    {
        "before": "Only decisions with a smaller number; for the next page.",
        "limit": "Number of decisions, at most 1000; by default 100.",
    }
)
