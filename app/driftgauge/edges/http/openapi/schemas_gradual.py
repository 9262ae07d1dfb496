"""Schemas of gradual drift in `GET /drift/status`."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from driftgauge.drift.verdict.rule import Severity
from driftgauge.edges.http.openapi.schemas import Documented
from driftgauge.edges.http.openapi.schemas_references import ReferenceThresholds


class GradualColumn(Documented):
    """A column of a long time window; null is unknown (yet)."""

    psi_debiased: float | None = Field(description="PSI without the noise of rows and of days.")
    psi_threshold: ReferenceThresholds
    psi_threshold_origin: Literal["setting", "variation_of_days"]
    psi_of_days: float | None = Field(description="PSI that the usual differences between days give such a window.")
    severity: Severity | None


class LongWindow(Documented):
    """A time window of a week or more against the baseline."""

    model_config = ConfigDict(extra="allow")  # `from` is a word of Python
    rows: int
    days: int = Field(description="Whole days with rows.")
    reason: str | None = Field(description="Why the window is not judged (yet); null if it is.")
    to: str
    features: dict[str, GradualColumn]


class GradualDrift(Documented):
    """The time windows of a week or more."""

    severity: Severity | None = Field(
        description="Warning if a column's change is large, info if none of these columns raises alerts."
    )
    changed: list[str] = Field(description="Columns with a large change in any window, the largest first.")
    days: int = Field(description="Days of the longest window from which the variation of days is known.")
    windows: dict[str, LongWindow]
    note: str
