"""Options of the statistic that verdicts rest on, and of the share of features that must have drifted."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, Field, field_validator
from pydantic_settings import NoDecode

from driftgauge.common.comma_lists import comma_list
from driftgauge.drift.verdict.policy import (
    SIZE_THRESHOLDS,
    STATISTICS,
    Pair,
    Policy,
    Statistic,
    pair_problem,
)
from driftgauge.settings.values import LOWER_CASE

OTHERS: Final = STATISTICS[1:]
"""The statistics whose thresholds one setting holds; PSI has settings of its own."""


class StatisticSettings(BaseModel):
    """The statistic of the verdict."""

    statistic: Annotated[Statistic, LOWER_CASE] = Field(
        Policy.statistic,
        description="The statistic that says how large a change is: `psi`, `ks`, `wasserstein`, `js`, `kl`, or `chi2` "
        "(Cramér's V). A column that cannot have it, such as a category with `ks`, is judged by PSI.",
    )
    statistic_thresholds: Annotated[dict[Statistic, Pair], NoDecode] = Field(
        default_factory=dict,
        description="Thresholds (warning and critical) of statistics other than PSI, for their noise-corrected values, "
        f"e.g. `ks=0.15:0.3,js=0.1:0.2`. Default: {SIZE_THRESHOLDS[0]:g} and {SIZE_THRESHOLDS[1]:g} each.",
    )
    drift_share: float | None = Field(
        Policy.drift_share,
        gt=0,
        le=1,
        description="Share of the features that must have drifted before the model has drifted, e.g. 0.5. Below it, "
        "features raise no alerts. Default: one drifted column is enough.",
    )

    @field_validator("statistic_thresholds", mode="before")
    @classmethod
    def _statistic_pairs(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [part.partition("=") for part in comma_list(value)]
        if any(not name or ":" not in pair for name, _, pair in parts):
            raise ValueError("write STATISTIC=WARNING:CRITICAL, e.g. ks=0.15:0.3,js=0.1:0.2")
        return {name.strip().lower(): tuple(pair.split(":")) for name, _, pair in parts}

    @field_validator("statistic_thresholds")
    @classmethod
    def _possible_pairs(cls, value: dict[Statistic, Pair]) -> dict[Statistic, Pair]:
        for name, pair in value.items():
            if name == "psi":
                raise ValueError("psi: its thresholds are psi_threshold_warning and psi_threshold_critical")
            if problem := pair_problem(name, pair):
                raise ValueError(f"{name}: {pair[0]:g}:{pair[1]:g} {problem}")
        return value
