"""Options of actions on alerts: the tables `[[actions]]` of the settings file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, field_validator, model_validator
from pydantic_settings import NoDecode

from driftgauge.common.quoting import shortened
from driftgauge.settings.action_confirmation import CONFIRM_VALUES, ConfirmFields
from driftgauge.settings.action_kinds import KIND_VALUES, CommandFields, SwitchFields, UrlFields
from driftgauge.settings.tables import NamedTable, read_tables
from driftgauge.settings.time_zone import TimeZone
from driftgauge.settings.values import Folders

MOST_ACTIONS: Final = 100
EXAMPLE: Final = '[{"name": "retrain", "kind": "url", "alerts": ["ModelPerformanceDegraded"], "url": "https://jobs.example.com/run"}]'
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
Severity = Literal["critical", "warning", "info"]
Texts = tuple[str, ...]


class ActionTable(ConfirmFields, NamedTable):
    """What every action has: its name, the alerts that lead to it, and its guards."""

    alerts: Texts = Field(min_length=1, description="Names of the alerts that lead to it.")
    severity: tuple[Severity, ...] = Field(
        ("critical",), min_length=1, description="Severities of these alerts: `critical`, `warning`, `info`."
    )
    model: str | None = Field(None, description="Name of the only model for which it holds. Default: every model.")
    labels: Mapping[str, str] = Field({}, description="Further labels that the alert must have, with their values.")
    dry_run: bool = Field(True, description="Whether decisions are only written down and nothing is done.")
    cooldown_seconds: float = Field(
        3_600.0, ge=0, le=1e8, description="Time after one action in which the next one is refused."
    )
    most_a_day: int = Field(3, ge=1, le=1_000, description="Actions in any 24 hours; further ones are refused.")
    quiet_hours: str | None = Field(
        None, description="Time of the day in which nothing is done, e.g. `22:00-06:00`. The action waits for its end."
    )
    time_zone: TimeZone = Field("UTC", description="Zone of `quiet_hours`, as an IANA name, e.g. `Europe/Berlin`.")
    for_seconds: float = Field(
        0.0,
        ge=0,
        le=1e8,
        description="Time for which the alert must have fired. The action waits for it, and ends if the alert is "
        "resolved.",
    )
    most_attempts: int = Field(
        5, ge=1, le=20, description="Attempts of one action; a failure that may pass is tried again, later each time."
    )

    @field_validator("alerts", "severity", mode="before")
    @classmethod
    def _as_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("quiet_hours")
    @classmethod
    def _is_span(cls, value: str | None) -> str | None:
        if value is not None:
            minutes_of(value)
        return value


class UrlAction(UrlFields, ActionTable):
    """Calls a URL."""

    kind: Literal["url"]


class SwitchAction(SwitchFields, ActionTable):
    """Switches to another version of the model."""

    kind: Literal["switch"]


class CommandAction(CommandFields, ActionTable):
    """Runs a command."""

    kind: Literal["command"]


AnyAction = UrlAction | SwitchAction | CommandAction
KINDS: Final[Mapping[str, type[ActionTable]]] = {"url": UrlAction, "switch": SwitchAction, "command": CommandAction}


_ALLOWED: Final[Mapping[str, str]] = {
    "alerts": 'a list of names, e.g. ["ModelPerformanceDegraded"]',
    "severity": "a list of critical, warning or info",
    "labels": 'a table of texts, e.g. {feature_name = "age"}',
    "dry_run": "true or false",
    "cooldown_seconds": "a number, at least 0",
    "for_seconds": "a number, at least 0",
    "most_a_day": "a whole number from 1 to 1,000",
    "most_attempts": "a whole number from 1 to 20",
    **KIND_VALUES,
    **CONFIRM_VALUES,
}
"""What a key accepts, in words; other keys accept text."""


def minutes_of(hours: str) -> tuple[int, int]:
    """Return the first minute of the day in a span of hours, and the first one after it. ValueError for other text.

    >>> minutes_of("22:00-06:30")
    (1320, 390)
    """
    found = _HOURS.fullmatch(hours)
    if found is None:
        raise ValueError(f"{shortened(repr(hours))} is no time of the day: give e.g. 22:00-06:00")
    first, first_minute, last, last_minute = map(int, found.groups())
    span = first * 60 + first_minute, last * 60 + last_minute
    if span[0] == span[1]:
        raise ValueError(f"{hours} begins when it ends: leave it out, or give e.g. 22:00-06:00")
    return span


def _tables(value: object) -> tuple[NamedTable, ...]:
    found = read_tables(value, KINDS, EXAMPLE, _ALLOWED)
    if len(found) > MOST_ACTIONS:
        raise ValueError(f"{len(found)} are too many: give at most {MOST_ACTIONS}")
    return found


Actions = Annotated[tuple[AnyAction, ...], NoDecode, BeforeValidator(_tables)]


class ActionSettings(BaseModel):
    """What alerts lead to."""

    actions: Actions = Field(
        (),
        description="Actions on alerts, each a table `[[actions]]` of the file (see docs/actions.md); in the "
        "environment as JSON.",
    )
    actions_history_rows: int = Field(
        10_000,
        ge=100,
        le=1_000_000,
        description="Decisions on actions that are kept; the oldest finished ones are dropped.",
    )
    allow_commands: Folders = Field(
        (),
        description="Absolute paths of the programs that actions of kind `command` may run. Default: none.",
    )

    @model_validator(mode="after")
    def _commands_are_allowed(self) -> Self:
        for action in self.actions:
            if isinstance(action, CommandAction) and Path(action.command[0]) not in self.allow_commands:
                raise ValueError(
                    f"actions: {action.name}: command: allow_commands does not name {action.command[0]}: add it there "
                    "if this server may run it"
                )
        return self


def as_json(action: ActionTable) -> dict[str, Any]:
    """Return the options that every action has, without those of its kind, which may hold secrets."""
    return action.model_dump(mode="json", include=set(ActionTable.model_fields))
