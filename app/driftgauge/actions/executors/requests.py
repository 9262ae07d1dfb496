"""The requests of actions of kind `url`: of any webhook, Airflow, GitHub and Jenkins."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from driftgauge.common.templates import filled
from driftgauge.settings.action_kinds import GITHUB
from driftgauge.settings.actions import UrlAction

FORM: Final = "application/x-www-form-urlencoded"
DEFAULT_BODY: Final[Mapping[str, str]] = {
    name: f"{{{name}}}"
    for name in (
        *("action", "execution", "alert", "severity", "model", "version", "reason", "labels", "diagnosis_url"),
        "diagnosis",
    )
}
"""Ten values: GitHub takes no more."""


@dataclass(frozen=True, repr=False)
class Secrets:
    """The secrets of one request."""

    url: str | None = None
    token: str | None = None
    password: str | None = None
    """With which Airflow gives a token."""
    signature: str | None = None
    """The key that signs the body."""
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, repr=False)
class Request:
    """A request before it is sent; its URL and headers may be secrets."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    says: str
    """What it asks for, in words without secrets."""
    content_type: str = "application/json"
    method: str = "POST"
    done_statuses: frozenset[int] = frozenset()
    """Further statuses that say that it was done before."""


def request_of(own: UrlAction, values: Mapping[str, Any], secrets: Secrets) -> Request:
    """Return the request of an action, with the values of its placeholders."""
    content = filled(DEFAULT_BODY if own.body is None else own.body, values)
    make = {"webhook": _webhook, "airflow": _airflow, "github": _github, "jenkins": _jenkins}[own.preset]
    return make(own, address(own, secrets), content, values, secrets)


def address(own: UrlAction, secrets: Secrets) -> str:
    """Return the address of a webhook, or the one at which the system begins, without the slash at its end."""
    found = secrets.url or own.url or GITHUB
    return found if own.preset == "webhook" else found.rstrip("/")


def says(own: UrlAction) -> str:
    """Return what a request asks for, in words."""
    return {
        "webhook": f"{own.method} to the webhook",
        "airflow": f"run the DAG {own.dag}",
        "github": f"send the event {own.event_type} to {own.repository}",
        "jenkins": f"build the job {own.job}",
    }[own.preset]


def _headers(own: UrlAction, secrets: Secrets, *more: tuple[str, str]) -> dict[str, str]:
    bearer = {} if secrets.token is None else {"Authorization": f"Bearer {secrets.token}"}
    return {**bearer, **dict(more), **own.headers, **(secrets.headers or {})}


def _webhook(own: UrlAction, url: str, content: Any, values: Mapping[str, Any], secrets: Secrets) -> Request:
    del values
    return Request(url, _headers(own, secrets), _json(content), says(own), method=own.method)


def _airflow(own: UrlAction, base: str, content: Any, values: Mapping[str, Any], secrets: Secrets) -> Request:
    body = {"dag_run_id": f"driftgauge__{values['execution']}", "logical_date": None, "conf": content}
    url = f"{base}/api/v2/dags/{quote(own.dag or '', safe='')}/dagRuns"
    return Request(url, _headers(own, secrets), _json(body), says(own), done_statuses=frozenset({409}))


def _github(own: UrlAction, base: str, content: Any, values: Mapping[str, Any], secrets: Secrets) -> Request:
    del values
    accepted = ("Accept", "application/vnd.github+json"), ("X-GitHub-Api-Version", "2022-11-28")
    body = {"event_type": own.event_type, "client_payload": content}
    url = f"{base}/repos/{own.repository}/dispatches"
    return Request(url, _headers(own, secrets, *accepted), _json(body), says(own))


def _jenkins(own: UrlAction, base: str, content: Any, values: Mapping[str, Any], secrets: Secrets) -> Request:
    del values
    path = "".join(f"/job/{quote(part, safe='')}" for part in (own.job or "").split("/"))
    headers = {**own.headers, **(secrets.headers or {})}
    if own.user is not None and secrets.token is not None:
        headers["Authorization"] = basic(own.user, secrets.token)
    form = urlencode({key: value if isinstance(value, str) else _text(value) for key, value in content.items()})
    return Request(f"{base}{path}/buildWithParameters", headers, form.encode(), says(own), FORM)


def basic(user: str, password: str) -> str:
    """Return the header of Basic credentials."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _text(value: Any) -> str:
    return "" if value is None else _json(value).decode()


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")
