"""Options of efficiency: what an hour of the server costs, and how much latency may rise above its own past."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, Field, model_validator


class EfficiencySettings(BaseModel):
    """The price of the server, and the limits of latency against its past."""

    price_per_hour: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="Price of an hour of this server, all its workers together. With it, the rules of Prometheus say "
        "what a thousand predictions cost. Default: not known.",
    )
    price_currency: str = Field(
        "USD", pattern=r"^[A-Z]{3}$", description="Currency of `price_per_hour`, in three capital letters."
    )
    latency_rise_threshold_warning_ratio: float = Field(
        0.5,
        gt=0,
        allow_inf_nan=False,
        description="Rise of the latency (95th percentile) over its median of the last seven days that is a "
        "`warning`; 0.5 is 50 %.",
    )
    latency_rise_threshold_critical_ratio: float = Field(
        1.0, gt=0, allow_inf_nan=False, description="Rise of the latency over its own past that is `critical`."
    )

    @model_validator(mode="after")
    def _critical_rise_not_below_warning(self) -> Self:
        if self.latency_rise_threshold_critical_ratio < self.latency_rise_threshold_warning_ratio:
            raise ValueError(
                "latency_rise_threshold_critical_ratio must not be below latency_rise_threshold_warning_ratio"
            )
        return self
