"""The shape of the share of outliers in `/drift/status`."""

from __future__ import annotations

from pydantic import Field

from driftgauge.edges.http.openapi.schemas import Documented


class Outliers(Documented):
    """The share of rows that are unlike the reference."""

    ratio: float | None = Field(description="In `window`; null without rows.")
    window: str = Field(description="The sliding window with enough rows and the largest share.")
    rows: int
    reference_ratio: float
    threshold: float = Field(description="`outlier_threshold_ratio` of the settings.")
    is_high: bool = Field(description="Whether a sliding window with enough rows has a larger share.")
    windows: dict[str, float | None] = Field(description="The share in each window; null in one without rows.")
