"""Options of notifications without Alertmanager: the tables `[[notify]]` of the settings file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, Field, field_validator, model_validator
from pydantic_settings import NoDecode

from driftgauge.common.addresses import is_address
from driftgauge.common.quoting import shortened
from driftgauge.common.webhook import check_url
from driftgauge.settings.tables import NamedTable, read_tables, require_one

MOST_RECEIVERS: Final = 20
EXAMPLE: Final = '[{"name": "team", "kind": "slack", "url_file": "/run/secrets/slack"}]'
_ADDRESS: Final = re.compile(r"[^@\s<>,;:\"]+@[^@\s<>,;:\"]+")
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+")
Severity = Literal["critical", "warning", "info"]


class NotifyTable(NamedTable):
    """What every receiver has: its name, the alerts that it gets, and its limits."""

    severity: Severity = Field("warning", description="Lowest severity that it gets: `info`, `warning` or `critical`.")
    models: tuple[str, ...] = Field(
        (), description="Names of the models whose alerts it gets. Default: those of every model, and of the server."
    )
    send_resolved: bool = Field(True, description="Whether it is told when an alert is over.")
    repeat_seconds: float = Field(
        14_400.0, ge=60, le=1e8, description="Time after which alerts that still fire are sent again."
    )
    most_an_hour: int = Field(
        20,
        ge=1,
        le=1_000,
        description="Messages in any hour; changes beyond it wait, and the next message counts them.",
    )

    @field_validator("models", mode="before")
    @classmethod
    def _as_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


class _Posting(BaseModel):
    """A receiver that messages are posted to."""

    url: str | None = Field(None, description="Address; those of Slack and Teams are secrets: give them in a file.")
    url_file: Path | None = Field(None, description="File with the address.")
    url_variable: str | None = Field(None, description="Environment variable with the address.")
    ca_file: Path | None = Field(None, description="Authorities (PEM) that may have signed the certificate.")
    timeout_seconds: float = Field(10.0, gt=0, le=60, description="Time of one attempt.")

    @model_validator(mode="after")
    def _has_an_address(self) -> _Posting:
        require_one(self, "url", "url_file", "url_variable", needed=True)
        if self.url is not None:
            check_url(self.url)
        return self


class SlackReceiver(_Posting, NotifyTable):
    """An incoming webhook of Slack."""

    kind: Literal["slack"]


class TeamsReceiver(_Posting, NotifyTable):
    """A workflow of Microsoft Teams that posts a card when it is called."""

    kind: Literal["teams"]


class WebhookReceiver(_Posting, NotifyTable):
    """Any address that takes JSON."""

    kind: Literal["webhook"]
    token_file: Path | None = Field(None, description="File with the token that is sent as `Authorization: Bearer`.")
    token_variable: str | None = Field(None, description="Environment variable with the token.")
    signature_file: Path | None = Field(
        None, description="File with the key of the signature (HMAC-SHA256). Default: not signed."
    )
    signature_variable: str | None = Field(None, description="Environment variable with the key of the signature.")

    @model_validator(mode="after")
    def _has_one_of_each(self) -> WebhookReceiver:
        for secret in ("token", "signature"):
            require_one(self, f"{secret}_file", f"{secret}_variable")
        return self


class MailReceiver(NotifyTable):
    """A mail server."""

    kind: Literal["mail"]
    to: tuple[str, ...] = Field(min_length=1, max_length=50, description="Recipients.")
    sender: str = Field("driftgauge@localhost", description="Address of the sender.")
    smtp_host: str = Field(description="Name of the mail server.")
    smtp_port: int = Field(587, ge=1, le=65_535, description="Its port.")
    smtp_tls: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="TLS after `STARTTLS` (usually port 587), from the start (`tls`, usually port 465), or `none`.",
    )
    user: str | None = Field(None, min_length=1, description="User at the mail server. Default: no login.")
    password_file: Path | None = Field(None, description="File with the user's password.")
    password_variable: str | None = Field(None, description="Environment variable with the password.")
    ca_file: Path | None = Field(None, description="Authorities (PEM) that may have signed the certificate.")
    timeout_seconds: float = Field(10.0, gt=0, le=60, description="Time of each step of an attempt.")

    @field_validator("to", mode="before")
    @classmethod
    def _as_list_of_addresses(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("to")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            _require_address(address)
        return value

    @field_validator("sender")
    @classmethod
    def _is_address(cls, value: str) -> str:
        _require_address(value)
        return value

    @field_validator("smtp_host")
    @classmethod
    def _is_host(cls, value: str) -> str:
        if not _HOST.fullmatch(value) and not is_address(value):
            raise ValueError(f"{shortened(repr(value))} is no host: give its name without a port")
        return value

    @model_validator(mode="after")
    def _can_log_in(self) -> MailReceiver:
        require_one(self, "password_file", "password_variable", needed=self.user is not None)
        if self.user is None and (self.password_file or self.password_variable):
            raise ValueError("user is missing: a password needs it")
        if self.user is not None and self.smtp_tls == "none":
            raise ValueError('a password needs TLS: give smtp_tls = "starttls" or "tls"')
        return self


class FileReceiver(NotifyTable):
    """A file with a line of JSON for each message."""

    kind: Literal["file"]
    path: Path = Field(description="The file; the one before is kept beside it, with `.1` at its end.")
    max_bytes: int = Field(
        10_485_760, ge=100_000, le=10_000_000_000, description="Size of the file from which a new one begins."
    )


def _require_address(text: str) -> None:
    if not text.isascii() or not text.isprintable() or not _ADDRESS.fullmatch(text):
        raise ValueError(f"{shortened(repr(text))} is no mail address: give e.g. team@example.org")


AnyReceiver = SlackReceiver | TeamsReceiver | WebhookReceiver | MailReceiver | FileReceiver
RECEIVERS: Final[Mapping[str, type[NotifyTable]]] = {
    "slack": SlackReceiver,
    "teams": TeamsReceiver,
    "webhook": WebhookReceiver,
    "mail": MailReceiver,
    "file": FileReceiver,
}
_ALLOWED: Final[Mapping[str, str]] = {
    "severity": "info, warning or critical",
    "models": 'a list of names, e.g. ["churn"]',
    "send_resolved": "true or false",
    "repeat_seconds": "a number of seconds, at least 60",
    "most_an_hour": "a whole number from 1 to 1,000",
    "url": "an address, e.g. https://hooks.example.com/T0",
    "timeout_seconds": "a number of seconds: above 0, at most 60",
    "to": 'a list of addresses, e.g. ["team@example.org"]',
    "smtp_host": "the name of a mail server, e.g. smtp.example.org",
    "smtp_port": "a whole number from 1 to 65,535",
    "smtp_tls": "starttls, tls or none",
    "path": "a path",
    "max_bytes": "a whole number, at least 100,000",
}
"""What a key accepts, in words; other keys accept text."""


def _tables(value: object) -> tuple[NamedTable, ...]:
    found = read_tables(value, RECEIVERS, EXAMPLE, _ALLOWED)
    if len(found) > MOST_RECEIVERS:
        raise ValueError(f"{len(found)} are too many: give at most {MOST_RECEIVERS}")
    return found


Receivers = Annotated[tuple[AnyReceiver, ...], NoDecode, BeforeValidator(_tables)]


def _address(value: str | None) -> str | None:
    if value is not None:
        check_url(value)
    return value


class NotifySettings(BaseModel):
    """Who is notified of alerts by the server itself."""

    notify: Receivers = Field(
        (),
        description="Receivers of notifications, each a table `[[notify]]` of the file (see docs/notifications.md); "
        "in the environment as JSON.",
    )
    notify_hold_seconds: int = Field(
        300,
        ge=2,
        le=86_400,
        description="Time that a condition lasts before its alert fires, and range of the samples that rules look at.",
    )
    notify_interval_seconds: int = Field(15, ge=1, le=120, description="Time between evaluations of the rules.")
    notify_wait_seconds: float = Field(
        30.0, ge=0, le=3_600, description="Time that a first message waits for other alerts of its model and severity."
    )
    notify_group_seconds: float = Field(
        300.0, ge=0, le=86_400, description="Least time between messages about changes in the same alerts."
    )
    external_url: str | None = Field(
        None,
        description="Address at which people reach the server, for links in notifications, e.g. "
        "`https://models.example.org`. Default: `http://HOST:PORT`.",
    )
    grafana_url: str | None = Field(
        None, description="Address of Grafana, for links in notifications. Default: they have none to a dashboard."
    )

    @field_validator("external_url", "grafana_url")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        return _address(value)

    @model_validator(mode="after")
    def _range_holds_samples(self) -> NotifySettings:
        if self.notify_hold_seconds < 2 * self.notify_interval_seconds:
            raise ValueError("notify_hold_seconds must be at least twice notify_interval_seconds")
        return self
