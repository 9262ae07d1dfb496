"""What windows say of constraints: how many rows violate each, how significant that is, and examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.quality.constraints import Constraints
from driftgauge.drift.quality.items import Item
from driftgauge.drift.verdict.rule import LIMITS, Limit, Severity

DUPLICATES: Final = "duplicates"
REQUIRED: Final = "required"
TYPE: Final = "type"
EXTRA_COLUMNS: Final = "extra_columns"
REQUEST_ROWS: Final = 10
"""Rows of requests that have to violate a constraint as they are sent before it has a severity."""
RANK: Final[Mapping[Severity | None, int]] = {None: 0, "info": 1, "warning": 2, "critical": 3}


@dataclass(frozen=True)
class Example:
    """A row that violates a constraint."""

    value: float | str
    at: float
    """Its time, seconds since 1970; NaN where it has none."""
    row: int | None = None
    """Its number in a table, from 1."""

    @property
    def in_words(self) -> str:
        """The value, with the number of its row."""
        value = f"{self.value:.6g}" if isinstance(self.value, float) else self.value
        return value if self.row is None else f"{value} (row {self.row:,})"


@dataclass(frozen=True)
class ConstraintVerdict:
    """What the sliding windows say of one constraint."""

    feature: str | None
    """None for a constraint on whole rows."""
    constraint: str
    severity: Severity | None
    window: str
    """The window with the largest share of violations, of those with significant ones where there are any."""
    rows: int
    violations: int
    allowed: float
    """Share of rows that may violate it."""
    thresholds: Mapping[Limit, float]
    """Shares of rows at which a significant violation has a severity."""
    evidence_log10: float
    reason: str
    """Empty without violations."""
    examples: tuple[Example, ...] = ()
    """Of the newest rows; empty where none may be shown."""

    @property
    def ratio(self) -> float:
        """Share of the window's rows that violate the constraint."""
        return self.violations / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class QualityReport:
    """What the windows say of all constraints."""

    constraints: Constraints
    items: tuple[Item, ...]
    verdicts: tuple[ConstraintVerdict, ...]
    """One a constraint, in the order of `items`, then those on whole rows."""
    ratios: Mapping[str, FloatArray]
    """Share of rows that violate each constraint, by window, shape [verdicts]; NaN where it is not known."""
    evidence_threshold_log10: float
    notes: tuple[str, ...] = field(default=())

    @property
    def request_thresholds(self) -> Mapping[Limit, float]:
        """Shares of the rows of requests at which violations have a severity; the reference has none."""
        return limits(0.0, self.constraints)

    @property
    def worst_first(self) -> list[ConstraintVerdict]:
        """The verdicts with a severity, worst first."""
        found = [verdict for verdict in self.verdicts if verdict.severity is not None]
        return sorted(found, key=lambda own: (-RANK[own.severity], -own.ratio))

    @property
    def violated(self) -> list[ConstraintVerdict]:
        """The verdicts on constraints that more rows violate than may, significant or not, worst first."""
        found = [own for own in self.verdicts if own.severity is not None or own.ratio > own.allowed]
        return sorted(found, key=lambda own: (-RANK[own.severity], -own.ratio))

    @property
    def summary(self) -> str:
        """How many constraints were checked, and how many are violated with severity warning or critical."""
        return f"{self.alerting or 'none'} of {len(self.verdicts):,} constraints violated"

    @property
    def alerting(self) -> int:
        """How many constraints are violated with severity warning or critical."""
        return sum(own.severity in LIMITS for own in self.verdicts)

    @property
    def severity(self) -> Severity | None:
        """The highest severity."""
        worst = self.worst_first
        return worst[0].severity if worst else None

    @property
    def reason(self) -> str:
        """The reason of the worst violation, and how many others there are."""
        worst = self.worst_first
        if not worst:
            return "no constraint is violated more often than in the reference"
        others = len(worst) - 1
        more = f" {others} other constraint{'s are' if others > 1 else ' is'} violated too." if others else ""
        return f"{worst[0].reason}{more}"


def limits(allowed: float, constraints: Constraints) -> dict[Limit, float]:
    """Return the shares of rows at which violations have a severity; none is above 1."""
    beyond = constraints.thresholds
    both = (beyond.warning, beyond.critical)
    return {limit: min(1.0, allowed + own) for limit, own in zip(LIMITS, both, strict=True)}
