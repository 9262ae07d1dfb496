"""Options of data quality: the constraints on a model's rows."""

from __future__ import annotations

from pydantic import BaseModel, Field


class QualitySettings(BaseModel):
    """Constraints on a model's rows."""

    quality_enabled: bool = Field(
        True,
        description="Whether rows are checked against the constraints in `constraints.yaml`, beside the baseline. "
        "Without this file nothing is checked.",
    )
    quality_examples: bool = Field(
        True,
        description="Whether reasons and the status show examples of values that violate a constraint. Values of "
        "columns in `prediction_log_drop` and `prediction_log_hash` are never shown.",
    )
