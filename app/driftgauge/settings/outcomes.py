"""Options of business outcomes: the tables `[outcomes.NAME]` of the settings file."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator
from pydantic_settings import NoDecode

from driftgauge.common.quoting import shortened
from driftgauge.drift.performance.outcomes import OutcomeLimits, OutcomeRule
from driftgauge.drift.windows.time_spans import TimeSpan

MOST_OUTCOMES: Final = 20
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
LONGEST_VALUE: Final = 60
PAIR: Final = "[warning, critical]"


class OutcomeSettings(BaseModel):
    """One business outcome."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["number", "event"] = Field(
        description="A `number` such as revenue, which has a mean, or an `event` such as a click, which has a rate."
    )
    window: str = Field(
        "7d", description="The newest mature predictions that are summed up: those of this time (s, m, h, d)."
    )
    absent: float | None = Field(
        None,
        allow_inf_nan=False,
        description="The value of mature predictions whose outcome did not come, e.g. 0 where only clicks are sent. "
        "By default they do not count.",
    )
    below: tuple[float, float] | None = Field(
        None, description=f"Limits {PAIR}: the outcome is too low if its whole interval lies below."
    )
    above: tuple[float, float] | None = Field(
        None, description=f"Limits {PAIR}: the outcome is too high if its whole interval lies above."
    )

    @property
    def rule(self) -> OutcomeRule:
        """The options, as a monitor takes them."""
        return OutcomeRule(
            self.kind, TimeSpan.named(self.window).seconds, self.absent, OutcomeLimits(self.below, self.above)
        )

    @field_validator("window")
    @classmethod
    def _span(cls, value: str) -> str:
        return TimeSpan.named(value).name

    @field_validator("below")
    @classmethod
    def _falling(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not math.inf > value[0] >= value[1] > -math.inf:
            raise ValueError(f"give {PAIR}, the second not above the first")
        return value

    @field_validator("above")
    @classmethod
    def _rising(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not -math.inf < value[0] <= value[1] < math.inf:
            raise ValueError(f"give {PAIR}, the second not below the first")
        return value


def _decoded(value: object) -> object:
    """Return the tables of all outcomes, which the environment gives as JSON."""
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else {}
        except (ValueError, RecursionError) as error:
            text = shortened(repr(value), LONGEST_VALUE)
            raise ValueError(f'{text} is not JSON: give e.g. {{"click": {{"kind": "event"}}}}') from error
    if isinstance(value, dict):
        if len(value) > MOST_OUTCOMES:
            raise ValueError(f"{len(value)} outcomes are too many: give at most {MOST_OUTCOMES}")
        for name in value:
            if not NAME.fullmatch(str(name)):
                text = shortened(repr(name), LONGEST_VALUE)
                raise ValueError(f"{text} is no name: give small letters, digits and underscores, at most 40")
    return value


Outcomes = Annotated[dict[str, OutcomeSettings], NoDecode, BeforeValidator(_decoded)]


def outcome_sentence(problem: Mapping[str, Any]) -> str:
    """Return what is wrong with the table of an outcome, from what pydantic refused."""
    path = ".".join(str(part) for part in problem["loc"][:3])
    if problem["type"] == "extra_forbidden":
        return f"{path}: unknown key; an outcome takes {', '.join(OutcomeSettings.model_fields)}"
    if problem["type"] == "missing":
        return f"{path}: give number or event"
    if problem["type"] == "value_error":
        return f"{path}: {problem['ctx']['error']}"
    key = str(problem["loc"][2]) if len(problem["loc"]) > 2 else ""
    return f"{path}: {shortened(repr(problem['input']), LONGEST_VALUE)} cannot be used: give {_ALLOWED[key]}"


_ALLOWED: Final[Mapping[str, str]] = {
    "": "a table",
    "kind": "number or event",
    "window": "a time such as 7d",
    "absent": "a number",
    "below": f"{PAIR}: two numbers",
    "above": f"{PAIR}: two numbers",
}
"""What each key accepts, in words."""
