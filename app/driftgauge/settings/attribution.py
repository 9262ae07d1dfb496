"""Options of comparing what features contribute to scores with the reference."""

from __future__ import annotations

from pydantic import BaseModel, Field

from driftgauge.drift.attribution.thresholds import NDCG_THRESHOLD


class AttributionSettings(BaseModel):
    """Attributions: how often they are compared, and when they have drifted."""

    attribution_seconds: float = Field(
        0.0,
        ge=0,
        le=86_400,
        description="Time between comparisons of what each feature contributes to the scores of up to 500 rows of the "
        "main window with what it contributes on the reference, such as 300. 0 compares nothing. At most 2 % of one "
        "processor is used.",
    )
    attribution_ndcg_threshold: float = Field(
        NDCG_THRESHOLD,
        ge=0,
        le=1,
        description="NDCG of the ranking of features by their contributions below which an alert is raised: 1 is the "
        "reference's order.",
    )
