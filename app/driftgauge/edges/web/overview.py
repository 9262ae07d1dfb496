"""The page of a server with several models: one row for each, worst first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from driftgauge.drift.verdict.report import DriftReport
from driftgauge.edges.web.query import Query
from driftgauge.edges.web.words import STATUS_WORDS, colour, second

UNUSABLE = "not loaded"


@dataclass(frozen=True)
class ModelFacts:
    """A model as the overview shows it."""

    name: str
    version: str
    report: DriftReport | None
    """None for a model that could not be loaded."""
    problems: Sequence[str] = ()


@dataclass(frozen=True)
class ModelRow:
    """A row of the overview."""

    name: str
    version: str
    address: str
    """Where the page of the model is; empty for one that could not be loaded."""
    badge: str
    colour: str
    drifting: str
    """The columns that alert, the worst first."""
    rows: str
    evaluated: str
    problem: str


@dataclass(frozen=True)
class Overview:
    """The page of several models."""

    title: str
    colour: str
    """That of the worst model."""
    models: Sequence[ModelRow]
    refresh_seconds: float
    theme: str


_RANKS = ("critical", "warning", "info", "unknown", "normal")
MOST_NAMED = 3
"""Columns that a row names."""


def overview(models: Sequence[ModelFacts], query: Query, refresh_seconds: float, theme: str) -> Overview:
    """Return the overview of some models, worst first."""
    rows = sorted((_row(model, query) for model in models), key=lambda row: _RANKS.index(row.colour))
    worst = rows[0].colour if rows else "normal"
    bad = sum(row.colour in ("critical", "warning") for row in rows)
    title = f"{bad} of {len(rows)} models need attention" if bad else f"{len(rows)} models, none needs attention"
    return Overview(title, worst, rows, refresh_seconds, theme)


def _row(model: ModelFacts, query: Query) -> ModelRow:
    problem, report = "; ".join(model.problems), model.report
    if report is None:
        return ModelRow(model.name, model.version, "", UNUSABLE, "critical", "", "", "", problem)
    alerting = [
        report.verdicts[index].name
        for index in report.worst_first
        if report.verdicts[index].severity in ("critical", "warning")
    ]
    more = len(alerting) - MOST_NAMED
    named = ", ".join(alerting[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    return ModelRow(
        name=model.name,
        version=model.version,
        address=query.elsewhere().address(model=model.name),
        badge=report.severity or STATUS_WORDS[report.status],
        colour=colour(report.status, report.severity),
        drifting=named,
        rows=f"{report.rows_observed:,}",
        evaluated=second(report.evaluated_at),
        problem=problem,
    )
