"""The second condition of an action, compared with what the server knows of the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from driftgauge.actions.action import Action, Alert, Confirmation

PERFORMANCE: Final = ("insufficient_labels", "normal", "warning", "degraded")
SEVERITIES: Final = (None, "info", "warning", "critical")
UNKNOWN: Final = "unknown"
NORMAL: Final = "normal"


@dataclass(frozen=True)
class ModelStatus:
    """What a server knows of a model version."""

    performance: str | None
    """Status of performance; None without a prediction log, or before the first evaluation."""
    drift: str | None
    """Severity of drift."""
    prediction_drift: str | None
    """Severity of drift of the predictions."""


class StatusConfirmer:
    """Looks at the status of models; see `actions.action.Confirmer`."""

    def __init__(self, status: Callable[[Alert], ModelStatus | None]) -> None:
        """`status` returns what is known of the model that an alert is about, None for an unknown one; it blocks."""
        self._status: Final = status

    def confirm(self, action: Action, alert: Alert) -> Confirmation | None:
        """Return whether all of the condition holds, and what was found."""
        if action.settings.confirm is None:
            return None
        status = self._status(alert)
        if status is None:
            return Confirmation(holds=False, detail=f"nothing is known of the model {alert.model or 'of the alert'}")
        wanted = action.settings.confirm
        looks = [
            ("performance", wanted.performance, status.performance, PERFORMANCE),
            ("drift", wanted.drift, status.drift, SEVERITIES),
            ("prediction_drift", wanted.prediction_drift, status.prediction_drift, SEVERITIES),
        ]
        found = [_compared(*look) for look in looks if look[1] is not None]
        return Confirmation(holds=all(own.holds for own in found), detail="; ".join(own.detail for own in found))


def _compared(name: str, wanted: str | None, found: str | None, ranks: Sequence[str | None]) -> Confirmation:
    """Return whether a status is at least the wanted one."""
    holds = found in ranks and ranks.index(found) >= ranks.index(wanted)
    shown = found or (NORMAL if None in ranks else UNKNOWN)
    return Confirmation(holds=holds, detail=f"{name} is {shown}, and must be at least {wanted}")
