"""Options of performance, which ground truth gives."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, field_validator
from pydantic_settings import NoDecode

from driftgauge.common.comma_lists import comma_list
from driftgauge.drift.performance.metrics import BY_NAME
from driftgauge.drift.performance.verdict import PerformancePolicy
from driftgauge.settings.values import Names

_WARNING, _CRITICAL = PerformancePolicy.drop_thresholds


class PerformanceSettings(BaseModel):
    """How performance on matured predictions is judged."""

    performance_interval_seconds: float = Field(
        60.0,
        gt=0,
        le=86_400,
        description="Time between two evaluations of ground truth. One worker evaluates for all.",
    )
    performance_drop_threshold_warning: float = Field(
        _WARNING,
        gt=0,
        lt=1,
        description="Drop of a metric against its held-out value, relative to it, at which a significant drop has "
        "severity `warning`.",
    )
    performance_drop_threshold_critical: float = Field(
        _CRITICAL,
        gt=0,
        lt=1,
        description="Drop of a metric at which a significant drop has severity `critical`.",
    )
    performance_floors: Annotated[dict[str, float], NoDecode] = Field(
        default_factory=dict,
        description="Values that metrics should not fall below, e.g. `precision=0.85,recall=0.6`; where lower is "
        "better, as for `log_loss`, values that they should not exceed. Beyond them the severity is `critical`.",
    )
    performance_segments: Names = Field(
        (),
        description="Features by whose values performance is split, e.g. `carrier`: by the categories or bins of the "
        "baseline.",
    )

    @field_validator("performance_floors", mode="before")
    @classmethod
    def _floors(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [part.partition("=") for part in comma_list(value)]
        if any(not name or not floor for name, _, floor in parts):
            raise ValueError("write METRIC=VALUE, e.g. precision=0.85,recall=0.6")
        return {name.strip(): floor for name, _, floor in parts}

    @field_validator("performance_floors")
    @classmethod
    def _known(cls, value: dict[str, float]) -> dict[str, float]:
        for name in value:
            if name not in BY_NAME:
                raise ValueError(f"there is no metric {name!r}: give some of {', '.join(BY_NAME)}")
        return value
