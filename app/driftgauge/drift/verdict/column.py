"""The verdict on one column."""

from __future__ import annotations

from dataclasses import dataclass

from driftgauge.drift.verdict.rule import Severity, Status
from driftgauge.drift.verdict.wording import Finding


@dataclass(frozen=True)
class ColumnVerdict:
    """The verdict on one column."""

    name: str
    status: Status
    severity: Severity | None
    reason: str
    since: float | None
    """When the change became significant, seconds since 1970; None while it is not."""
    finding: Finding | None = None
    """The facts that the reason puts in words; None for a column that is not evaluated."""
