"""The shape of the constraints in `/drift/status`."""

from __future__ import annotations

from pydantic import Field

from driftgauge.drift.verdict.rule import Severity
from driftgauge.edges.http.openapi.schemas import Documented


class ViolationThresholds(Documented):
    """A share of rows for each severity."""

    warning: float
    critical: float


class Example(Documented):
    """A row that violates a constraint."""

    value: float | str | None = Field(description="Null for an infinite number.")
    at: str


class Violation(Documented):
    """A constraint that more rows violate than may."""

    feature: str | None = Field(description="Null for a constraint on whole rows, such as duplicates.")
    constraint: str
    severity: Severity | None = Field(description="Null while the violations are not significant.")
    reason: str
    window: str
    rows: int
    violations: int
    ratio: float
    allowed_ratio: float = Field(description="Share of rows that may violate it.")
    thresholds: ViolationThresholds = Field(
        description="Shares of rows at which a significant violation has a severity."
    )
    evidence_log10: float
    examples: list[Example] = Field(description="The newest rows; empty where no values may be shown.")


class Quality(Documented):
    """What the sliding windows say of the constraints."""

    severity: Severity | None
    reason: str
    constraints: int = Field(description="How many constraints are checked.")
    evidence_threshold_log10: float
    violations: list[Violation] = Field(description="Worst first.")
    notes: list[str]
