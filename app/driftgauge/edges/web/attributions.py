"""What a page says of live attributions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from driftgauge.drift.attribution.attributions import AttributionReport, AttributionShift, Method
from driftgauge.drift.attribution.known import KnownAttributions
from driftgauge.drift.verdict.numbers import percent
from driftgauge.edges.web.words import second

MOST_FEATURES: Final = 10
_METHODS: Final[dict[Method, str]] = {
    "linear": "the terms of the linear model",
    "tree_shap": "TreeSHAP",
    "replacement": "replacing values",
}


@dataclass(frozen=True)
class AttributionRow:
    """The share of one feature."""

    feature: str
    share: str
    reference: str
    is_significant: bool


@dataclass(frozen=True)
class AttributionsView:
    """The section on live attributions."""

    title: str
    colour: str
    reason: str
    note: str
    rows: Sequence[AttributionRow] = ()
    """The features with the largest shifts."""


def attributions_view(known: KnownAttributions | None) -> AttributionsView | None:
    """Return what is said of live attributions; None where they are not compared."""
    if known is None:
        return None
    if known.last is None:
        return AttributionsView("Not compared yet", "unknown", "", "")
    report = known.last.report
    note = _note(report, known.last.at)
    if known.is_stale:
        return AttributionsView("Not compared lately", "unknown", "", note)
    if report.ndcg is None:
        return AttributionsView("Too few rows", "unknown", "", note)
    reason = f"NDCG {report.ndcg:.3f}, limit {known.threshold:g}: 1 is the reference's order of the features."
    largest = sorted(report.shifts, key=lambda own: -abs(own.shift))[:MOST_FEATURES]
    rows = [_row(own) for own in largest]
    if known.has_drifted:
        return AttributionsView("Other features decide", "warning", reason, note, rows)
    return AttributionsView("The same features decide", "normal", reason, note, rows)


def _note(report: AttributionReport, at: float) -> str:
    return (
        f"Contributions of the features to the scores of {report.rows:,} rows of the main window against "
        f"{report.reference_rows:,} of the reference, found by {_METHODS[report.method]}, compared at {second(at)} "
        "UTC. It is no part of the verdict."
    )


def _row(own: AttributionShift) -> AttributionRow:
    return AttributionRow(own.feature, percent(own.share), percent(own.reference_share), own.is_significant)
