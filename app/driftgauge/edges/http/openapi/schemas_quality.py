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


class FaultyRow(Documented):
    """A row that violates a constraint as it was sent."""

    field: str | None = Field(description="The feature; null for a row as a whole.")
    message: str | None = Field(description="What is wrong; null where values are not shown.")
    at: str


class RequestViolation(Documented):
    """A constraint that rows violate as they are sent."""

    constraint: str
    severity: Severity | None = Field(description="Null below the thresholds, and for fewer than ten rows.")
    reason: str
    violations: int
    ratio: float
    examples: list[FaultyRow] = Field(description="The last such rows of this worker, newest first.")


class RequestRows(Documented):
    """What the rows of requests of the last 15 minutes say of the constraints on rows as they are sent."""

    severity: Severity | None
    reason: str
    seconds: float = Field(description="Time that the rows were sent in.")
    rows: int = Field(description="Rows that were answered, that the model failed on, or that were refused.")
    thresholds: ViolationThresholds = Field(description="Shares of rows at which violations have a severity.")
    violations: dict[str, int] = Field(description="Rows that violate each constraint.")
    violated: list[RequestViolation] = Field(description="Worst first.")


class Quality(Documented):
    """What the sliding windows say of the constraints."""

    severity: Severity | None
    reason: str
    constraints: int = Field(description="How many constraints are checked.")
    evidence_threshold_log10: float
    violations: list[Violation] = Field(description="Worst first.")
    notes: list[str]
    requests: RequestRows | None = Field(
        None, description="Rows as they are sent, refused ones among them; absent without `quality_enabled`."
    )
