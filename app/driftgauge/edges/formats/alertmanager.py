"""The webhook of Alertmanager, version 4: what it posts when alerts fire and when they are resolved."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, field_validator
from pydantic_core import PydanticCustomError

from driftgauge.actions.action import Alert
from driftgauge.common.moments import seconds_of
from driftgauge.common.quoting import shortened

MOST_ALERTS: Final = 1_000
"""Alerts of one request; `max_alerts` of the receiver limits them."""
MOST_LABELS: Final = 100
LONGEST_NAME: Final = 200
LONGEST_LABEL: Final = 1_000
LONGEST_ANNOTATION: Final = 2_000
"""Longer ones are cut: they are for people to read."""


def _at_most(most: int) -> BeforeValidator:
    """Return what refuses a longer list or table before its entries are looked at, which would delay predictions."""

    def check(value: Any) -> Any:
        if isinstance(value, list | dict) and len(value) > most:
            raise PydanticCustomError("too_long", "too long", {"max_length": most})
        return value

    return BeforeValidator(check)


Name = Annotated[str, StringConstraints(max_length=LONGEST_NAME)]
Label = Annotated[str, StringConstraints(max_length=LONGEST_LABEL)]


class _Posted(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class PostedAlert(_Posted):
    """One alert; other keys are ignored."""

    status: Literal["firing", "resolved"]
    labels: Annotated[dict[Name, Label], Field(max_length=MOST_LABELS), _at_most(MOST_LABELS)]
    annotations: Annotated[dict[Name, str], Field(max_length=MOST_LABELS), _at_most(MOST_LABELS)] = {}
    starts_at: Annotated[str, Field(alias="startsAt")]
    ends_at: Annotated[str, Field(alias="endsAt")] = ""
    generator_url: Annotated[str, StringConstraints(max_length=4_096), Field(alias="generatorURL")] = ""
    fingerprint: Annotated[str, StringConstraints(min_length=1, max_length=100)]

    @field_validator("starts_at")
    @classmethod
    def _is_time(cls, value: str) -> str:
        try:
            seconds_of(value)
        except (ValueError, OverflowError) as error:
            raise ValueError(f"{shortened(repr(value))} is no time: give e.g. 2026-01-31T12:00:00Z") from error
        return value

    def alert(self, group_key: str) -> Alert:
        """Return it as actions take it."""
        return Alert(
            group_key=group_key,
            fingerprint=self.fingerprint,
            is_firing=self.status == "firing",
            labels=self.labels,
            annotations={name: shortened(text, LONGEST_ANNOTATION) for name, text in self.annotations.items()},
            starts_at=seconds_of(self.starts_at),
            ends_at=_end(self.ends_at) if self.status == "resolved" else None,
            generator_url=self.generator_url,
        )


class PostedAlerts(_Posted):
    """The body of a request; other keys are ignored."""

    version: Literal["4"]
    group_key: Annotated[str, StringConstraints(max_length=4_096), Field(alias="groupKey")]
    alerts: Annotated[list[PostedAlert], Field(max_length=MOST_ALERTS, fail_fast=True), _at_most(MOST_ALERTS)]

    def as_alerts(self) -> list[Alert]:
        """Return the alerts as actions take them."""
        return [own.alert(self.group_key) for own in self.alerts]


def _end(text: str) -> float | None:
    """Return when an alert was resolved; None for the zero time and for text that is none."""
    try:
        at = seconds_of(text)
    except (ValueError, OverflowError):
        return None
    return at if at > 0 else None
