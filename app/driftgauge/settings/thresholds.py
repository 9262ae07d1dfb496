"""Options that say when a change counts: thresholds, false-alarm budgets, the error budget."""

from __future__ import annotations

import math
from typing import Annotated, Final, Self

from pydantic import BaseModel, Field, field_validator, model_validator
from pydantic_settings import NoDecode

from driftgauge.common.comma_lists import comma_list
from driftgauge.drift.evidence.budget import Budget
from driftgauge.drift.verdict.policy import Policy
from driftgauge.settings.features import FeatureSettings, decoded

PAIRS: Final = (
    "psi_threshold_{}",
    "missing_threshold_{}",
    "unseen_threshold_{}",
    "latency_threshold_{}_seconds",
)
"""Names of threshold pairs; `critical` must not be below `warning`."""


class ThresholdSettings(BaseModel):
    """Thresholds and budgets."""

    psi_threshold_warning: float = Field(
        Policy.psi_thresholds[0],
        gt=0,
        allow_inf_nan=False,
        description="Noise-corrected PSI at which a significant change is reported as drift with severity `warning`.",
    )
    psi_threshold_critical: float = Field(
        Policy.psi_thresholds[1],
        gt=0,
        allow_inf_nan=False,
        description="Noise-corrected PSI at which a significant change is reported as drift with severity `critical`.",
    )
    psi_thresholds_by_feature: Annotated[dict[str, tuple[float, float]], NoDecode] = Field(
        default_factory=dict,
        description="PSI thresholds (warning and critical) of single columns, e.g. `temp=0.3:0.5,dewp=0.2:0.4`.",
    )
    features: Annotated[dict[str, FeatureSettings], NoDecode] = Field(
        default_factory=dict,
        description='Options of single columns, each in a table `[features."NAME"]` of the file (see below); in the '
        'environment as JSON, e.g. `{"temp": {"alert": false}}`.',
    )
    alert_on_small: bool = Field(
        Policy.alert_on_small,
        description="If true, a significant but small change has status and severity `warning` and raises an alert. By "
        "default it is information: status `normal`, severity `info`.",
    )
    learning_seconds: float = Field(
        Policy.learning_seconds,
        ge=0,
        le=1e9,
        description="Time from the first row for which no severity is above `warning`, if the baseline has no times: "
        "before, it is not known how much a day or a week usually varies. 0 turns it off.",
    )
    false_alarm_rows: float = Field(
        Budget.false_alarm_rows,
        ge=1_000,
        le=1e15,
        description="Minimum average number of rows between false alarms, over all columns together.",
    )
    false_alarm_interval_seconds: float | None = Field(
        Budget.false_alarm_interval_seconds,
        ge=3_600,
        allow_inf_nan=False,
        description="Minimum average time between false alarms, at the last day's rate of rows. It applies from one "
        "hour after the start.",
    )
    evidence_tolerance_ratio: float = Field(
        Budget.tolerance,
        ge=0,
        le=1,
        description="Shifts smaller than this (in standard deviations, or relative to a bin's share) are ignored.",
    )
    missing_threshold_warning: float = Field(
        Policy.missing_thresholds[0],
        gt=0,
        le=1,
        description="Increase of the missing ratio over the reference that is a `warning`.",
    )
    missing_threshold_critical: float = Field(
        Policy.missing_thresholds[1],
        gt=0,
        le=1,
        description="Increase of the missing ratio over the reference that is `critical`.",
    )
    unseen_threshold_warning: float = Field(
        Policy.unseen_thresholds[0],
        gt=0,
        le=1,
        description="Ratio of unseen values above the expected ratio that is a `warning`.",
    )
    unseen_threshold_critical: float = Field(
        Policy.unseen_thresholds[1],
        gt=0,
        le=1,
        description="Ratio of unseen values above the expected ratio that is `critical`.",
    )
    latency_threshold_warning_seconds: float = Field(
        0.5, gt=0, lt=5, description="Latency (95th percentile) that is a `warning`."
    )
    latency_threshold_critical_seconds: float = Field(
        1.0, gt=0, lt=5, description="Latency (95th percentile) that is `critical`."
    )
    error_budget_ratio: float = Field(
        0.001, gt=0, lt=1, description="Ratio of prediction requests that may fail; 0.001 is a promise of 99.9 %."
    )
    evaluation_stale_seconds: float = Field(
        120.0, gt=0, description="Age of the last evaluation at which its verdict counts as stale."
    )

    @field_validator("features", mode="before")
    @classmethod
    def _tables(cls, value: object) -> object:
        return decoded(value)

    @field_validator("psi_thresholds_by_feature", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [part.rpartition("=") for part in comma_list(value)]
        if any(not name or ":" not in pair for name, _, pair in parts):
            raise ValueError("write COLUMN=WARNING:CRITICAL, e.g. temp=0.3:0.5,dewp=0.2:0.4")
        return {name.strip(): tuple(pair.split(":")) for name, _, pair in parts}

    @field_validator("psi_thresholds_by_feature")
    @classmethod
    def _rising(cls, value: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        for name, (warning, critical) in value.items():
            if not 0.0 < warning <= critical < math.inf:
                raise ValueError(f"{name}: {warning:g}:{critical:g} must be above 0, the second not below the first")
        return value

    @model_validator(mode="after")
    def _critical_not_below_warning(self) -> Self:
        for name in PAIRS:
            warning, critical = name.format("warning"), name.format("critical")
            if getattr(self, critical) < getattr(self, warning):
                raise ValueError(f"{critical} must not be below {warning}")
        return self
