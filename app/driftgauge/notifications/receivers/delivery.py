"""Delivers a message to the receiver of a table of the settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from driftgauge.common.secret_values import SecretUnusable, secret
from driftgauge.common.webhook import Webhook, WebhookFailed, post
from driftgauge.notifications.receivers.failure import NotDelivered
from driftgauge.notifications.receivers.file import append
from driftgauge.notifications.receivers.mail import send
from driftgauge.notifications.receivers.payloads import adaptive_card, as_bytes, slack_attachment
from driftgauge.settings.notify import AnyReceiver, FileReceiver, MailReceiver, SlackReceiver, TeamsReceiver


def deliver(
    receiver: AnyReceiver, body: Mapping[str, Any], at: float, variables: Mapping[str, str] = os.environ
) -> None:
    """Deliver a message; NotDelivered says why it did not arrive, without any secret."""
    try:
        if isinstance(receiver, FileReceiver):
            append(receiver.path, as_bytes(body), receiver.max_bytes)
        elif isinstance(receiver, MailReceiver):
            send(receiver, secret(receiver, "password", variables), body, at)
        else:
            _post(receiver, body, at, variables)
    except WebhookFailed as error:
        raise NotDelivered(str(error), retryable=error.retryable, retry_after=error.retry_after) from error
    except SecretUnusable as error:
        raise NotDelivered(str(error), retryable=error.retryable) from error
    except OSError as error:
        where = error.filename or receiver.kind
        raise NotDelivered(f"{where}: {error.strerror or error}", retryable=True) from error


def _post(receiver: AnyReceiver, body: Mapping[str, Any], at: float, variables: Mapping[str, str]) -> None:
    payload: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict
    if isinstance(receiver, SlackReceiver):
        payload = slack_attachment
    elif isinstance(receiver, TeamsReceiver):
        payload = adaptive_card
    post(webhook_of(receiver, variables), as_bytes(payload(body)), at=at, key=body["id"])


def webhook_of(receiver: Any, variables: Mapping[str, str]) -> Webhook:
    """Return where a receiver is posted to; SecretUnusable, or NotDelivered for an address that cannot be."""
    has_secrets = hasattr(receiver, "token_file")
    token = secret(receiver, "token", variables) if has_secrets else None
    key = secret(receiver, "signature", variables) if has_secrets else None
    try:
        return Webhook(
            receiver.url or secret(receiver, "url", variables) or "",
            {"Authorization": f"Bearer {token}"} if token else {},
            key.encode() if key else None,
            receiver.timeout_seconds,
            receiver.ca_file,
        )
    except ValueError as error:
        raise NotDelivered(str(error), retryable=False) from error
