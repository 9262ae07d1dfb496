"""Live attributions as the OpenAPI document describes them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from driftgauge.edges.http.openapi.schemas import Documented


class FeatureAttribution(Documented):
    """The share of a feature in the contributions to scores."""

    share: float
    reference_share: float
    shift: float = Field(description="Difference of the shares.")
    standard_error: float = Field(description="Of the difference.")
    significant: bool = Field(description="At one look, with a chance of 1 % that any feature of a quiet stream is.")


class AttributionComparison(Documented):
    """One comparison of the contributions of live rows with the reference's."""

    compared_at: str
    seconds: float
    method: Literal["linear", "tree_shap", "replacement"]
    rows: int
    reference_rows: int
    ndcg: float | None = Field(description="Null for too few rows.")
    features: dict[str, FeatureAttribution] = Field(description="Empty for too few rows.")


class AttributionSummary(Documented):
    """What the server knows of live attributions."""

    ndcg: float | None = Field(
        description="How well live rows rank the features as the reference does; 1 is the same order. Null for too "
        "few rows, and if the last comparison is too old."
    )
    threshold: float = Field(description="NDCG below which an alert is raised.")
    drifted: bool
    last: AttributionComparison | None = Field(description="Null before the first.")
    note: str
