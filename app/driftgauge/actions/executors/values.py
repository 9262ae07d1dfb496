"""The values of placeholders for one decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from driftgauge.actions.action import Alert, Decision
from driftgauge.common.rfc3339 import rfc3339

VERSION_LABEL = "model_version"
Diagnose = Callable[[Alert], Mapping[str, Any] | None]
"""Returns the first cause of what an alert is about; None where nothing is known. Blocks."""


def values_of(decision: Decision, diagnosis: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the value of each placeholder of `settings.action_kinds.PLACEHOLDERS`."""
    alert = decision.alert
    return {
        "alert": alert.name,
        "severity": alert.severity,
        "model": alert.model,
        "version": alert.labels.get(VERSION_LABEL, ""),
        "reason": alert.annotations.get("description") or alert.annotations.get("summary", ""),
        "labels": dict(alert.labels),
        "starts_at": rfc3339(alert.starts_at),
        "action": decision.action,
        "execution": decision.execution_id,
        "diagnosis_url": alert.annotations.get("diagnosis_url", ""),
        "diagnosis": None if diagnosis is None else dict(diagnosis),
    }
