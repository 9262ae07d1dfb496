"""What each kind of action needs: a URL to call, a version to switch to, or a command to run."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, Field, model_validator

from driftgauge.common.quoting import shortened
from driftgauge.common.templates import placeholders, require_known
from driftgauge.common.webhook import check_url
from driftgauge.settings.tables import VARIABLE, require_one

PLACEHOLDERS: Final[Mapping[str, str]] = {
    "alert": "Name of the alert.",
    "severity": "Its severity.",
    "model": "Name of the model that it is about.",
    "version": "Version of the model.",
    "reason": "Its description, else its summary.",
    "labels": "All its labels, as a table.",
    "labels.": "One of its labels; nothing if it does not have it.",
    "starts_at": "When it began to fire (RFC 3339, UTC).",
    "action": "Name of the action.",
    "execution": "Id of the execution; the same in every attempt.",
    "diagnosis_url": "Address of the diagnosis; nothing if the alert does not have it.",
    "diagnosis": "First cause of the diagnosis, as a table; `null` where there is none.",
}
"""What can stand in bodies, arguments and environment variables. `labels.` is followed by the name of a label."""
KIND_VALUES: Final[Mapping[str, str]] = {
    "preset": "webhook, airflow, github or jenkins",
    "url": "an address, e.g. https://jobs.example.com/run",
    "method": "POST, PUT or PATCH",
    "headers": 'a table of texts, e.g. {X-Team = "risk"}',
    "header_files": 'a table of files, e.g. {X-Token = "/run/secrets/token"}',
    "body": 'a table, e.g. {model = "{model}", reason = "{reason}"}',
    "timeout_seconds": "a number of seconds: above 0, at most 300 (url) or 86,400 (command)",
    "is_idempotent": "true or false",
    "to": "last, version or fallback",
    "judge_seconds": "a number, at least 0",
    "command": 'a list of texts, e.g. ["/usr/local/bin/retrain", "{model}"]',
    "environment": 'a table of texts, e.g. {MODEL = "{model}"}',
}
"""What the keys of each kind accept, in words; other keys accept text."""
PRESET_NEEDS: Final[Mapping[str, str]] = {"airflow": "dag", "github": "repository", "jenkins": "job"}
GITHUB: Final = "https://api.github.com"
MOST_GITHUB_KEYS: Final = 10
"""Most keys of a `client_payload`."""
_NAME: Final = r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*"
_NAMES: Final[Mapping[str, re.Pattern[str]]] = {
    "dag": re.compile(_NAME),
    "repository": re.compile(f"{_NAME}/{_NAME}"),
    "job": re.compile(f"{_NAME}(/{_NAME})*"),
}
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OF_BODY: Final = ("content-length", "transfer-encoding")
_SECRET: Final = re.compile(r"auth|token|secret|cookie|key|password", re.IGNORECASE)
_WHOLE: Final = re.compile(r"\{[^{}]*\}")


class UrlFields(BaseModel):
    """A request to another system."""

    preset: Literal["webhook", "airflow", "github", "jenkins"] = Field(
        "webhook",
        description="What is called: any URL (`webhook`), a DAG of Airflow 3 (`airflow`), a `repository_dispatch` of "
        "GitHub (`github`), or a job of Jenkins with parameters (`jenkins`).",
    )
    url: str | None = Field(
        None, description="Address: the whole one of a webhook, otherwise the one at which the system begins."
    )
    url_file: Path | None = Field(None, description="File with the address, if it is a secret itself.")
    url_variable: str | None = Field(None, description="Environment variable with the address.")
    method: Literal["POST", "PUT", "PATCH"] = Field("POST", description="Method of a webhook.")
    headers: dict[str, str] = Field({}, description="Further headers, without secrets.")
    header_files: dict[str, Path] = Field({}, description="Further headers that are secrets: the file of each.")
    body: dict[str, Any] | None = Field(
        None,
        description="What is sent as JSON, with placeholders: the body of a webhook, `conf` of a DAG, "
        "`client_payload` of GitHub, the parameters of a job. Default: all placeholders.",
    )
    token_file: Path | None = Field(
        None,
        description="File with the token that is sent as `Authorization: Bearer`; of Jenkins the user's API token.",
    )
    token_variable: str | None = Field(None, description="Environment variable with the token.")
    user: str | None = Field(
        None, description="User of Jenkins; or of Airflow, whose password then gives a token for each execution."
    )
    password_file: Path | None = Field(None, description="File with the password of the user of Airflow.")
    password_variable: str | None = Field(None, description="Environment variable with the password.")
    signature_file: Path | None = Field(
        None, description="File with the key of the signature (HMAC-SHA256) of a webhook. Default: not signed."
    )
    signature_variable: str | None = Field(None, description="Environment variable with the key of the signature.")
    dag: str | None = Field(None, description="Id of the DAG (`airflow`).")
    repository: str | None = Field(None, description="`OWNER/NAME` (`github`).")
    event_type: str = Field("driftgauge", min_length=1, max_length=100, description="Type of the event (`github`).")
    job: str | None = Field(None, description="Name of the job, with its folders: `FOLDER/JOB` (`jenkins`).")
    ca_file: Path | None = Field(None, description="Authorities (PEM) that may have signed the certificate.")
    timeout_seconds: float = Field(10.0, gt=0, le=300, description="Time of one attempt.")
    is_idempotent: bool = Field(
        False,
        description="Whether the receiver leaves out a repeated `Idempotency-Key`. Then a request is also sent again "
        "after this server ended in the middle of it. Airflow always does.",
    )

    @model_validator(mode="after")
    def _is_a_request(self) -> Self:
        require_one(self, "url", "url_file", "url_variable", needed=self.preset != "github")
        for secret in ("token", "password", "signature"):
            require_one(self, f"{secret}_file", f"{secret}_variable")
        if self.url is not None:
            check_url(self.url)
        require_headers(self.headers)
        require_header_names(self.header_files)
        require_known(self.body or {}, PLACEHOLDERS)
        _require_json(self.body)
        if self.preset == "github" and len(self.body or {}) > MOST_GITHUB_KEYS:
            raise ValueError(
                f"body: GitHub takes at most {MOST_GITHUB_KEYS} keys: put others into a table of their own"
            )
        self._require_preset()
        return self

    def _require_preset(self) -> None:
        needed = PRESET_NEEDS.get(self.preset)
        if needed is not None and getattr(self, needed) is None:
            raise ValueError(f"{needed} is missing: preset {self.preset} needs it")
        own = {"user": ("airflow", "jenkins"), "password_file": ("airflow",), "password_variable": ("airflow",)}
        own |= {"signature_file": ("webhook",), "signature_variable": ("webhook",), "method": ("webhook",)}
        own |= {key: (preset,) for preset, key in PRESET_NEEDS.items()}
        for key, presets in own.items():
            if getattr(self, key) != type(self).model_fields[key].default and self.preset not in presets:
                raise ValueError(f"{key} cannot be used with preset {self.preset}: leave it out")
        for key, pattern in _NAMES.items():
            if (value := getattr(self, key)) is not None and not pattern.fullmatch(value):
                raise ValueError(f"{key}: {shortened(repr(value))} cannot be used: give letters, digits, - . _ and ~")
        self._require_user()

    def _require_user(self) -> None:
        password = self.password_file or self.password_variable
        token = self.token_file or self.token_variable
        if self.user is not None and (":" in self.user or not self.user.isprintable() or not self.user):
            raise ValueError("user: give a name without colons and control characters")
        if password and not self.user:
            raise ValueError("user is missing: a password needs it")
        if self.preset == "jenkins" and bool(token) != bool(self.user):
            raise ValueError("give both user and token_file: Jenkins takes the API token of a user")
        if self.preset == "airflow" and self.user and bool(password) == bool(token):
            raise ValueError("give either token_file, or user and password_file")


class SwitchFields(BaseModel):
    """Another version of the model that the alert is about."""

    to: Literal["last", "version", "fallback"] = Field(
        "last",
        description="The version that answered before (`last`), a named one that did (`version`), or the bundle of a "
        "`fallback`.",
    )
    to_version: str | None = Field(None, min_length=1, description='Name of the version, with `to = "version"`.')
    bundle: str | None = Field(
        None, min_length=1, description='Folder of the fallback in one of `bundle_folders`, with `to = "fallback"`.'
    )
    judge_seconds: float = Field(
        0.0,
        ge=0,
        le=2_592_000,
        description="Time in which the new version is compared with the one before, which answers again if the new one "
        "is worse. 0: it is not compared.",
    )

    @model_validator(mode="after")
    def _is_a_target(self) -> Self:
        for to, key in {"version": "to_version", "fallback": "bundle"}.items():
            if (to == self.to) != (getattr(self, key) is not None):
                raise ValueError(f'{key} is missing with to = "{to}"' if to == self.to else f'{key} needs to = "{to}"')
        return self


class CommandFields(BaseModel):
    """A program of the machine."""

    command: tuple[str, ...] = Field(
        min_length=1,
        description="Absolute path of a program that `allow_commands` names, and its arguments. An argument may be a "
        "placeholder, with nothing beside it.",
    )
    environment: dict[str, str] = Field({}, description="Environment variables of the program, with placeholders.")
    timeout_seconds: float = Field(
        300.0, gt=0, le=86_400, description="Time after which the program and what it started are ended."
    )

    @model_validator(mode="after")
    def _is_a_program(self) -> Self:
        program = self.command[0]
        if not os.path.isabs(program) or list(placeholders(program)):
            raise ValueError(
                f"command: {shortened(repr(program))} is not an absolute path: give e.g. /usr/local/bin/retrain"
            )
        for text in self.command:
            if list(placeholders(text)) and not _WHOLE.fullmatch(text):
                raise ValueError(
                    f"command: {shortened(repr(text))} has something beside the placeholder: make the placeholder an "
                    "argument of its own, or give it in environment"
                )
        require_known([*self.command, *self.environment.values()], PLACEHOLDERS)
        if "\0" in "".join([*self.command, *self.environment.values()]):
            raise ValueError("command: it has a NUL character, which no program can be given")
        for name in self.environment:
            if not VARIABLE.fullmatch(name):
                raise ValueError(
                    f"environment: {shortened(repr(name))} is no name of a variable: give letters, digits and _"
                )
        return self


def _require_json(body: object) -> None:
    """Raise ValueError for a body that JSON cannot hold: the action would fail when it is needed."""
    try:
        json.dumps(body, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "body: it has a date, a time, nan or inf, which JSON does not know: give them as text"
        ) from error


def require_header_names(names: Iterable[str]) -> None:
    """Raise ValueError for a name that no header can have."""
    for name in names:
        if not _HEADER.fullmatch(name):
            raise ValueError(f"the header {shortened(repr(name))} cannot be sent: give letters, digits and dashes")
        if name.lower() in _OF_BODY:
            raise ValueError(
                f"the header {name} says how long the body is: leave it out, the server sends the right one"
            )


def require_headers(headers: Mapping[str, str]) -> None:
    """Raise ValueError for a header that cannot be sent, or that looks like a secret; the message has no values."""
    require_header_names(headers)
    for name, value in headers.items():
        if not value.isprintable() or not value.isascii():
            raise ValueError(f"headers: the value of {name} cannot be sent: give one line of ASCII")
        if _SECRET.search(name):
            raise ValueError(f"headers: {name} looks like a secret: give a file that holds it in header_files")
