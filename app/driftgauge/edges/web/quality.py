"""What the page says of constraints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from driftgauge.drift.quality.report import RANK, ConstraintVerdict, QualityReport
from driftgauge.drift.quality.requests import RequestReport

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


def quality_view(report: QualityReport | None, requests: RequestReport | None = None) -> QualityView | None:
    """Return what is said of constraints; None without constraints."""
    if report is None:
        return None
    worst = max(report.severity, None if requests is None else requests.severity, key=lambda own: RANK[own])
    violated = report.violated
    many = f"{len(report.verdicts):,} constraints are checked."
    more = f" The worst {MOST_ROWS} of {len(violated):,} violated ones are shown." if len(violated) > MOST_ROWS else ""
    return QualityView(
        title="Violated" if worst in ("warning", "critical") else "Satisfied",
        colour=worst if worst in ("warning", "critical") else "normal",
        note=" ".join([f"{many}{more}", *report.notes]),
        rows=[*_request_rows(requests), *(_row(verdict) for verdict in violated[:MOST_ROWS])],
    )


def _request_rows(requests: RequestReport | None) -> list[ViolationRow]:
    if requests is None:
        return []
    limit = _percent(requests.thresholds["warning"])
    return [
        ViolationRow("(requests)", own.constraint, own.severity or "", _percent(own.ratio), limit, own.reason)
        for own in requests.violated
    ]


def _percent(ratio: float) -> str:
    return f"{100.0 * ratio:.3g} %"


def _row(verdict: ConstraintVerdict) -> ViolationRow:
    return ViolationRow(
        feature=verdict.feature or "(rows)",
        constraint=verdict.constraint,
        severity=verdict.severity or "",
        ratio=_percent(verdict.ratio),
        limit=_percent(verdict.thresholds["warning"]),
        reason=verdict.reason,
    )
