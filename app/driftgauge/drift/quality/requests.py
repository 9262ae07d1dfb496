"""Constraints on rows as they are sent: the share of recent rows that violate each, and what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from driftgauge.drift.quality.constraints import Constraints
from driftgauge.drift.quality.report import RANK, REQUEST_ROWS, limits
from driftgauge.drift.verdict.rule import Limit, Severity

_HAD: Final = {
    "type": "had a value of a wrong type",
    "required": "lacked a feature that is needed",
    "extra_columns": "had a feature that the model does not have",
    "domain": "had a category that the model does not accept",
}


@dataclass(frozen=True)
class SentRows:
    """Rows that were sent until a time, and how many of them violate each constraint."""

    at: float
    """Seconds since 1970."""
    rows: int = 0
    violations: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class FaultyRow:
    """A row that violates a constraint as it was sent."""

    field: str | None
    """The feature; None for a row as a whole."""
    message: str | None
    """What is wrong; None where values are not shown."""
    at: float
    """Seconds since 1970."""


@dataclass(frozen=True)
class RequestVerdict:
    """What recent rows of requests say of one constraint."""

    constraint: str
    rows: int
    violations: int
    severity: Severity | None
    reason: str
    """Empty without violations."""
    examples: tuple[FaultyRow, ...] = ()
    """The last ones, newest first."""

    @property
    def ratio(self) -> float:
        """Share of the rows that violate the constraint."""
        return self.violations / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class RequestReport:
    """What recent rows of requests say of the constraints."""

    seconds: float
    """How long ago the first of the rows was sent at most."""
    rows: int
    thresholds: Mapping[Limit, float]
    """Shares of rows from which violations have a severity."""
    verdicts: tuple[RequestVerdict, ...]

    @property
    def violated(self) -> list[RequestVerdict]:
        """The verdicts on constraints that rows violate, worst first."""
        found = [own for own in self.verdicts if own.violations]
        return sorted(found, key=lambda own: (-RANK[own.severity], -own.ratio))

    @property
    def severity(self) -> Severity | None:
        """The highest severity."""
        return self.violated[0].severity if self.violated else None

    @property
    def reason(self) -> str:
        """The reason of the worst violation."""
        return self.violated[0].reason if self.violated else "no row of a request violates a constraint"


def request_report(
    before: SentRows, now: SentRows, constraints: Constraints, examples: Mapping[str, Sequence[FaultyRow]]
) -> RequestReport:
    """Return what the rows say that were sent between two times; `examples` are by constraint, newest first."""
    rows, seconds = max(0, now.rows - before.rows), max(0.0, now.at - before.at)
    thresholds = limits(0.0, constraints)
    verdicts = []
    for name in _HAD:
        violations = max(0, now.violations.get(name, 0) - before.violations.get(name, 0))
        known = tuple(own for own in examples.get(name, ()) if violations and own.at >= before.at)
        verdicts.append(
            RequestVerdict(
                constraint=name,
                rows=rows,
                violations=violations,
                severity=_severity(violations, rows, thresholds),
                reason=_reason(name, violations, rows, seconds, known),
                examples=known,
            )
        )
    return RequestReport(seconds, rows, thresholds, tuple(verdicts))


def _severity(violations: int, rows: int, thresholds: Mapping[Limit, float]) -> Severity | None:
    if violations < REQUEST_ROWS:
        return None
    return next((own for own in ("critical", "warning") if violations >= thresholds[own] * rows), None)


def _reason(name: str, violations: int, rows: int, seconds: float, examples: Sequence[FaultyRow]) -> str:
    if not violations:
        return ""
    said = f"{violations:,} of the {rows:,} rows of requests in the last {_minutes(seconds)} {_HAD[name]}."
    if not examples:
        return said
    last = examples[0]
    shown = last.message or last.field
    return f"{said} The last one: {shown}." if shown else said


def _minutes(seconds: float) -> str:
    minutes = max(1, round(seconds / 60.0))
    return "minute" if minutes == 1 else f"{minutes:,} minutes"
