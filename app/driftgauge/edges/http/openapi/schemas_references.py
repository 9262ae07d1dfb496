"""Schemas of the references in `GET /drift/status`."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from driftgauge.drift.verdict.rule import Severity
from driftgauge.edges.http.openapi.schemas import Documented


class ReferenceThresholds(Documented):
    """A threshold for each severity; null where it is not known."""

    warning: float | None
    critical: float | None


class AgainstReference(Documented):
    """A column of the main window against a reference; null is unknown (yet)."""

    rows: int = Field(description="Rows of the column in the reference.")
    psi_debiased: float | None
    psi_threshold: ReferenceThresholds
    psi_threshold_origin: Literal["setting", "expected_range"]
    p_value: float | None = Field(description="Of Pearson's chi-squared test, which takes rows as independent.")
    severity: Severity | None


class AgainstDays(AgainstReference):
    """A column of the main window against the days before."""

    days: int = Field(description="Days in the reference, without those on which the column had drifted.")


class TrainingReference(Documented):
    """The main window against the baseline of the training, on which the model's verdict rests."""

    severity: Severity | None
    window: str
    features: dict[str, AgainstReference]


class RollingDays(Documented):
    """The main window against the days before."""

    model_config = ConfigDict(extra="allow")  # `from` is a word of Python
    severity: Severity | None = Field(
        description="Warning if a column's change is large, info if none of these columns raises alerts."
    )
    window: str
    changed: list[str] = Field(description="Columns with a large change, the largest first.")
    to: str | None = Field(description="End of the newest day (UTC); null while there are too few rows.")
    built_at: str
    note: str
    features: dict[str, AgainstDays]


class References(Documented):
    """The baseline of the training, and beside it the days before."""

    training: TrainingReference
    rolling: RollingDays
