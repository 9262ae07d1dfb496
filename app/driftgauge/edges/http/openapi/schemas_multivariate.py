"""Schemas of comparisons of whole rows."""

from __future__ import annotations

from pydantic import Field

from driftgauge.drift.verdict.rule import Severity
from driftgauge.edges.http.openapi.schemas import Documented


class Auc(Documented):
    """How well a classifier tells the rows apart: 0.5 is not at all, 1 always."""

    value: float
    low: float = Field(description="Ends of the 95 % interval, for independent rows.")
    high: float


class ReconstructionError(Documented):
    """How well principal components of the reference reconstruct the rows."""

    components: int
    reference: float
    current: float
    shift: float = Field(description="In standard deviations of the reference's errors.")
    low: float
    high: float


class Comparison(Documented):
    """The newest rows against those that are kept of the reference."""

    compared_at: str
    seconds: float = Field(description="How long it took.")
    rows: int
    reference_rows: int
    significant: bool
    reason: str
    auc: Auc | None = Field(description="Null with too few rows.")
    columns: dict[str, float] = Field(
        description="Columns that tell the rows apart, and how much smaller the AUC is without each."
    )
    reconstruction_error: ReconstructionError | None


class ComparedNow(Comparison):
    """The answer of a comparison on demand."""

    model_name: str
    model_version: str


class AucThresholds(Documented):
    """AUC that the whole interval has to exceed."""

    warning: float
    critical: float


class MultivariateThresholds(Documented):
    """Thresholds of comparisons of whole rows."""

    auc: AucThresholds


class Multivariate(Documented):
    """What the server knows of the comparisons of whole rows."""

    severity: Severity | None = Field(
        description="Above `info` only with `multivariate=verdict`; null if the last comparison is too old."
    )
    in_verdict: bool
    thresholds: MultivariateThresholds
    comparisons: dict[str, int] = Field(description="Comparisons since the state was created, by how they ended.")
    last: Comparison | None = Field(description="Null before the first.")
    note: str
