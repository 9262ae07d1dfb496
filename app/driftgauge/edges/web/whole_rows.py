"""What a page says of whole rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from driftgauge.drift.multivariate.compared import ComparedRows
from driftgauge.edges.web.words import second


@dataclass(frozen=True)
class WholeRowsView:
    """The section on whole rows."""

    title: str
    colour: str
    reason: str
    note: str
    columns: Sequence[tuple[str, str]]
    """Columns that tell the rows apart, and how much smaller the AUC is without each."""


def whole_rows_view(known: ComparedRows | None) -> WholeRowsView | None:
    """Return what is said of whole rows; None where they are not compared by interval."""
    if known is None:
        return None
    part = "It is part of the verdict." if known.in_verdict else "It is no part of the verdict."
    last = known.last
    if last is None:
        return WholeRowsView("Not compared yet", "unknown", "", part, ())
    report, severity = last.report, known.severity
    note = (
        f"{report.rows:,} of the newest rows against {report.reference_rows:,} of the reference, "
        f"compared at {second(last.at)} UTC. {part}"
    )
    if known.is_stale:
        return WholeRowsView("Not compared lately", "unknown", report.reason, note, ())
    if report.separation is None:
        return WholeRowsView("Too few rows", "unknown", report.reason, note, ())
    title = "MessageAlert apart" if report.is_significant else "Not told apart"
    colour = severity if severity in ("warning", "critical") else "normal"
    columns = [(name, f"{loss:.2f}") for name, loss in report.columns]
    return WholeRowsView(title, colour, report.reason, note, columns)
