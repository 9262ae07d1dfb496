"""What a page says about labels and business outcomes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from driftgauge.drift.performance.outcomes import (
    OutcomeParts,
    OutcomeReport,
    OutcomeRule,
    OutcomeStatus,
    segments_of,
)
from driftgauge.drift.verdict.numbers import percent, short
from driftgauge.edges.web.facts import Labels
from driftgauge.edges.web.performance import interval
from driftgauge.edges.web.words import duration, second

_TITLES: Final[Mapping[OutcomeStatus, tuple[str, str]]] = {
    "insufficient_data": ("Not enough rows", "unknown"),
    "normal": ("Within its limits", "normal"),
    "warning": ("Beyond its limit", "warning"),
    "critical": ("Beyond its critical limit", "critical"),
}
"""Title and colour of each status."""
_SHOWN_RESULTS: Final = ("matched", "corrected", "orphan", "refused")
"""What became of labels, as far as the page says it."""


@dataclass(frozen=True)
class OutcomeRow:
    """An outcome, or that of one version or segment."""

    name: str
    rows: str
    mean: str
    covered: str
    limits: str
    title: str
    colour: str
    is_part: bool


def outcome_rows(outcomes: Mapping[str, OutcomeReport], parts: OutcomeParts) -> Sequence[OutcomeRow]:
    """Return the rows of the table: each outcome, then its versions if there are several, then its segments."""
    return [row for name, report in outcomes.items() for row in _rows(name, report, parts)]


def _rows(name: str, report: OutcomeReport, parts: OutcomeParts) -> Iterator[OutcomeRow]:
    rule = report.rule
    yield _row(f"{name} ({rule.kind}, {duration(rule.seconds)})", report, is_part=False)
    if len(report.versions) > 1:
        for version, own in report.versions.items():
            yield _row(f"version {version}", own, is_part=True)
    for segment in segments_of(parts, name, report):
        yield _row(f"{segment.feature}: {segment.value}", segment.report, is_part=True)


def _row(name: str, report: OutcomeReport, *, is_part: bool) -> OutcomeRow:
    title, colour = _TITLES[report.status]
    if report.status == "normal" and not (report.rule.limits.below or report.rule.limits.above):
        title = "No limits"
    return OutcomeRow(
        name=name,
        rows=f"{report.rows:,}",
        mean=interval(report.estimate),
        covered="–" if math.isnan(report.coverage) else percent(report.coverage),
        limits="" if is_part else _limits(report.rule),
        title=title,
        colour=colour,
        is_part=is_part,
    )


def _limits(rule: OutcomeRule) -> str:
    pairs = (("below", rule.limits.below), ("above", rule.limits.above))
    return ", ".join(f"{word} {short(own[0])} / {short(own[1])}" for word, own in pairs if own is not None) or "–"


def labels_list(labels: Labels | None) -> Mapping[str, str]:
    """Return what is said of the labels that came in; empty where none came."""
    if labels is None or not (labels.waiting or any(labels.results.values())):
        return {}
    found = {name.capitalize(): f"{labels.results.get(name, 0):,}" for name in _SHOWN_RESULTS}
    found["Waiting for their prediction"] = f"{labels.waiting:,}"
    if not math.isnan(labels.mean_lag_seconds):
        found["Mean time after the prediction"] = duration(labels.mean_lag_seconds)
    if labels.last_received is not None:
        found["Newest"] = f"{second(labels.last_received)} UTC"
    return found
