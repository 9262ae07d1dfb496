"""The second condition of an action, such as ground truth that says the same as the alert."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

CONFIRM_VALUES: Final[Mapping[str, str]] = {
    "confirm": 'a table of performance, drift and prediction_drift, e.g. {performance = "degraded"}',
    "confirm_within_seconds": "a number, at least 0",
}
"""What the keys accept, in words."""


class Condition(BaseModel):
    """What must hold for the model; all of it if there is more than one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    performance: Literal["warning", "degraded"] | None = Field(
        None, description="Status of the performance on ground truth, at least."
    )
    drift: Literal["warning", "critical"] | None = Field(None, description="Severity of drift, at least.")
    prediction_drift: Literal["warning", "critical"] | None = Field(
        None, description="Severity of drift of the predictions, at least."
    )

    @model_validator(mode="after")
    def _is_something(self) -> Self:
        if not any((self.performance, self.drift, self.prediction_drift)):
            raise ValueError(f"give {', '.join(Condition.model_fields)} or several of them")
        return self


class ConfirmFields(BaseModel):
    """A second condition, without which nothing is done."""

    confirm: Condition | None = Field(
        None,
        description='What else must hold for the model, e.g. `{performance = "degraded"}`. Default: nothing.',
    )
    confirm_within_seconds: float = Field(
        0.0, ge=0, le=2_592_000, description="Time for which the action waits for `confirm`. 0: it holds now, or never."
    )
