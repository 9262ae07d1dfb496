"""What the page says of constraints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from driftgauge.drift.quality.report import ConstraintVerdict, QualityReport

MOST_ROWS: Final = 20
"""Violated constraints that the table shows, worst first."""


@dataclass(frozen=True)
class ViolationRow:
    """One violated constraint."""

    feature: str
    constraint: str
    severity: str
    """Empty while the violations are not significant."""
    ratio: str
    limit: str
    reason: str


@dataclass(frozen=True)
class QualityView:
    """The section on constraints."""

    title: str
    colour: str
    note: str
    rows: Sequence[ViolationRow]


def quality_view(report: QualityReport | None) -> QualityView | None:
    """Return what is said of constraints; None without constraints."""
    if report is None:
        return None
    violated = report.violated
    many = f"{len(report.verdicts):,} constraints are checked."
    more = f" The worst {MOST_ROWS} of {len(violated):,} violated ones are shown." if len(violated) > MOST_ROWS else ""
    return QualityView(
        title="Violated" if report.severity in ("warning", "critical") else "Satisfied",
        colour=report.severity if report.severity in ("warning", "critical") else "normal",
        note=" ".join([f"{many}{more}", *report.notes]),
        rows=[_row(verdict) for verdict in violated[:MOST_ROWS]],
    )


def _row(verdict: ConstraintVerdict) -> ViolationRow:
    return ViolationRow(
        feature=verdict.feature or "(rows)",
        constraint=verdict.constraint,
        severity=verdict.severity or "",
        ratio=f"{100.0 * verdict.ratio:.3g} %",
        limit=f"{100.0 * verdict.thresholds['warning']:.3g} %",
        reason=verdict.reason,
    )
