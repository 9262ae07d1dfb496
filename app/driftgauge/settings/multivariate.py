"""Options of comparing whole rows with rows that are kept of the reference."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from driftgauge.drift.multivariate.thresholds import AucThresholds
from driftgauge.settings.values import LOWER_CASE


class MultivariateSettings(BaseModel):
    """Whole rows: when they are compared, and whether the verdict rests on it."""

    multivariate: Annotated[Literal["off", "on", "verdict"], LOWER_CASE] = Field(
        "off",
        description="Compare whole rows at an interval with the kept rows of the reference (`--keep-rows`): `on` shows "
        "how well the two can be told apart; `verdict` also lets the result raise the verdict on the model and an "
        "alert.",
    )
    multivariate_interval_seconds: float = Field(
        60.0,
        ge=1,
        le=86_400,
        description="Time between comparisons of whole rows. Each runs in a process of low priority.",
    )
    multivariate_timeout_seconds: float = Field(
        20.0, ge=1, le=600, description="Time after which a comparison of whole rows is killed and counted."
    )
    multivariate_auc_threshold_warning: float = Field(
        AucThresholds.warning,
        ge=0.5,
        le=1,
        description="AUC that the whole 95 % interval has to exceed for severity warning, with `multivariate=verdict`.",
    )
    multivariate_auc_threshold_critical: float = Field(
        AucThresholds.critical, ge=0.5, le=1, description="The same for severity critical."
    )

    @model_validator(mode="after")
    def _auc_thresholds_ascend(self) -> Self:
        if self.multivariate_auc_threshold_critical < self.multivariate_auc_threshold_warning:
            raise ValueError("multivariate_auc_threshold_critical must not be below the one for a warning")
        return self
