"""Options of outliers: whether answers say which rows are unlike the reference."""

from __future__ import annotations

from pydantic import BaseModel, Field


class OutlierSettings(BaseModel):
    """Rows that are unlike the reference."""

    outliers: bool = Field(
        False,
        description="Say in every answer whether the row is an outlier (`is_outlier`, `outlier_score`), and watch the "
        "share of outliers as a column. Bundles and baselines of earlier versions have to be built again.",
    )
    outliers_inline: bool = Field(
        False,
        description="Score rows before they are answered also by a detector that takes milliseconds "
        "(`--outlier-detector`). Without it such a detector scores them afterwards, and answers do not say which rows "
        "are outliers.",
    )
    outlier_threshold_ratio: float = Field(
        0.2,
        gt=0.0,
        le=1.0,
        description="Share of outliers in a sliding window above which `ModelOutlierRatioHigh` is raised. `1` turns it "
        "off. Needs `outliers`.",
    )
