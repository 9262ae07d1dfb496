"""Actions of kind `url`: a request to another system."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import structlog

from driftgauge.actions.action import Action, ActionFailed, Alert, Decision, Outcome, Sending
from driftgauge.actions.executors.requests import Request, Secrets, address, request_of, says
from driftgauge.actions.executors.values import Diagnose, values_of
from driftgauge.common.secret_values import SecretUnusable, secret, secret_in
from driftgauge.common.webhook import Answer, Webhook, WebhookFailed, place, post
from driftgauge.settings.actions import UrlAction

LOGIN_PATH: Final = "/auth/token"
"""Where Airflow gives a token for a user and a password."""


class UrlExecutor:
    """Calls URLs; see `actions.action.Executor`."""

    def __init__(self, clock: Callable[[], float], variables: Mapping[str, str], diagnose: Diagnose) -> None:
        """`variables` is the environment of the server, in which secrets may be."""
        self._clock: Final = clock
        self._variables: Final = variables
        self._diagnose: Final = diagnose

    def is_repeatable(self, action: Action) -> bool:
        """Return whether the receiver leaves out a request that was sent before."""
        own = _settings(action)
        return own.is_idempotent or own.preset == "airflow"

    def preview(self, action: Action, alert: Alert) -> str:
        """Return what is asked of whom, and which secret is missing."""
        own = _settings(action)
        try:
            secrets = self._secrets(own)
        except ActionFailed as error:
            return f"{says(own)}; it would fail: {error}"
        return f"{says(own)} at {place(address(own, secrets))}"

    def run(self, action: Action, decision: Decision, sending: Sending) -> Outcome:
        """Send the request; ActionFailed unless it is accepted, or was before."""
        own = _settings(action)
        secrets = self._with_login(own, self._secrets(own))
        request = request_of(own, values_of(decision, self._cause(decision.alert)), secrets)
        webhook = _webhook(own, request, None if secrets.signature is None else secrets.signature.encode())
        sending()
        try:
            answer = post(webhook, request.body, at=self._clock(), key=decision.execution_id)
        except WebhookFailed as error:
            if error.status in request.done_statuses:
                return Outcome(f"{request.says}: {webhook.place} has done it before ({error.status})")
            raise _failed(error) from error
        return Outcome(f"{request.says}: {webhook.place} answered {answer.status}")

    def watch(self, action: Action, decision: Decision) -> Outcome:
        """Return what is known: a request is not looked at again."""
        return Outcome(decision.detail, decision.notes)

    def _cause(self, alert: Alert) -> Mapping[str, Any] | None:
        try:
            return self._diagnose(alert)
        except Exception as error:  # the action does not depend on it
            structlog.get_logger().warning("diagnosis_not_sent", alert=alert.name, exc_info=error)
            return None

    def _secrets(self, own: UrlAction) -> Secrets:
        """Return all secrets of an action; ActionFailed names one that cannot be used."""
        try:
            return Secrets(
                url=secret(own, "url", self._variables),
                token=secret(own, "token", self._variables),
                password=secret(own, "password", self._variables),
                signature=secret(own, "signature", self._variables),
                headers={name: secret_in(file, f"header_files.{name}") for name, file in own.header_files.items()},
            )
        except SecretUnusable as error:
            raise ActionFailed(str(error), retryable=error.retryable) from error

    def _with_login(self, own: UrlAction, secrets: Secrets) -> Secrets:
        """Return the secrets with a token of Airflow, if the settings have a user and a password for it."""
        if secrets.password is None:
            return secrets
        body = json.dumps({"username": own.user, "password": secrets.password}).encode()
        url = address(own, secrets) + LOGIN_PATH
        try:
            answer = post(Webhook(url, seconds=own.timeout_seconds, ca_file=own.ca_file), body, at=self._clock())
        except WebhookFailed as error:
            raise _failed(error, "no token: ") from error
        except ValueError as error:  # the address is in a file
            raise ActionFailed(str(error), retryable=False) from error
        return replace(secrets, token=_token(answer))


def _settings(action: Action) -> UrlAction:
    assert isinstance(action.settings, UrlAction)  # noqa: S101  the runner chooses the executor by kind
    return action.settings


def _webhook(own: UrlAction, request: Request, key: bytes | None) -> Webhook:
    try:
        return Webhook(
            request.url,
            request.headers,
            key,
            own.timeout_seconds,
            own.ca_file,
            request.method,
            request.content_type,
        )
    except ValueError as error:  # the address is in a file
        raise ActionFailed(str(error), retryable=False) from error


def _token(answer: Answer) -> str:
    try:
        token = json.loads(answer.text)["access_token"]
    except (ValueError, KeyError, TypeError):
        token = None
    if not isinstance(token, str) or not token.isprintable():
        raise ActionFailed("Airflow gave no token for the user: give a token_file instead", retryable=False)
    return token


def _failed(error: WebhookFailed, before: str = "") -> ActionFailed:
    return ActionFailed(f"{before}{error}", retryable=error.retryable, retry_after_seconds=error.retry_after)
