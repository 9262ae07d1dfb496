"""Options for clients and rules that were written for other servers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from driftgauge.settings.values import LOWER_CASE


class CompatibilitySettings(BaseModel):
    """Clients and rules of other servers."""

    preset: Annotated[Literal["none", "two-minutes"], LOWER_CASE] = Field(
        "none",
        description="A rule of another monitor, applied beside the verdict. `two-minutes`: over 20 % outliers in the "
        "last two minutes, or a feature's mean more than 5 % off the training. It needs `outliers`.",
    )
    job_ids: bool = Field(
        False,
        description="Add `job_id`, the id of the prediction, to the answers of `/predict`; a list of one row is also "
        "answered at the top of the answer. `/predict/label` always does.",
    )
