"""A message that tells of no alert: it shows that messages arrive."""

from __future__ import annotations

import secrets
from typing import Any, Final

from driftgauge.notifications.messages import MessageAlert, message

NAME: Final = "DriftgaugeTestMessage"
SUMMARY: Final = "This is a test message of Driftgauge."
DESCRIPTION: Final = "No alert fires. Somebody has run `driftgauge notify test`, to see whether messages arrive here."


def trial_message(receiver: str, external_url: str, at: float) -> dict[str, Any]:
    """Return a test message for a receiver."""
    annotations = {
        "summary": SUMMARY,
        "description": DESCRIPTION,
        "runbook_url": f"{external_url}/runbooks",
        "page_url": f"{external_url}/",
    }
    key = secrets.token_hex(16)
    alert = MessageAlert(f"test-{key}", {"alertname": NAME, "severity": "info"}, at, annotations)
    return message(key, receiver, [alert], external_url=external_url, at=at)
