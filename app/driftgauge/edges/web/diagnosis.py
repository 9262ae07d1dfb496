"""What the page says of a diagnosis: what is wrong, its likely causes, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from driftgauge.drift.attribution.partial_dependence import PartialDependence
from driftgauge.drift.diagnosis.causes import Cause
from driftgauge.drift.diagnosis.diagnosis import Diagnosis, State
from driftgauge.drift.diagnosis.steps import Step, StepStatus
from driftgauge.drift.diagnosis.titles import CAUSE_TITLES, STEP_TITLES
from driftgauge.drift.verdict.numbers import percent
from driftgauge.edges.web.dependence import DependenceView, dependence_view
from driftgauge.edges.web.query import Query
from driftgauge.edges.web.rows import Since
from driftgauge.edges.web.words import ago, minute, number

MOST_CAUSES: Final = 3
"""Causes that the page lists."""
TITLES: Final[Mapping[State, tuple[str, str]]] = {
    "wrong": ("critical", "Something is wrong"),
    "cannot_tell": ("unknown", "Not known yet"),
    "nothing_wrong": ("normal", "Nothing is wrong"),
}
"""Colour and title of each state."""
COLOURS: Final[Mapping[StepStatus, str]] = {"wrong": "critical", "fine": "normal", "unknown": "unknown"}


@dataclass(frozen=True)
class CauseColumn:
    """A column that shows a cause."""

    name: str
    address: str


@dataclass(frozen=True)
class CauseView:
    """A likely cause."""

    title: str
    columns: Sequence[CauseColumn]
    numbers: str
    """What it is ranked by, in words."""
    why: str
    looks_like: str
    since: Since | None
    explains: str
    """Other columns whose change it explains; empty without."""
    evidence: Mapping[str, str]
    actions: Sequence[tuple[str, str]]
    """What to do, and the command; empty where there is none."""


@dataclass(frozen=True)
class StepView:
    """What was looked at."""

    title: str
    colour: str
    status: str
    finding: str
    looked_at: str


@dataclass(frozen=True)
class DiagnosisView:
    """The section on the diagnosis; a line where nothing is wrong."""

    colour: str
    title: str
    summary: str
    is_wrong: bool
    causes: Sequence[CauseView]
    dependence: DependenceView | None
    """Of the first cause's feature."""
    left_out: int
    """Causes that are not listed."""
    steps: Sequence[StepView]
    notes: Sequence[str]


def diagnosis_view(
    diagnosis: Diagnosis | None, dependence: PartialDependence | None, query: Query
) -> DiagnosisView | None:
    """Return what is said of a diagnosis; None without one."""
    if diagnosis is None:
        return None
    colour, title = TITLES[diagnosis.state]
    return DiagnosisView(
        colour=colour,
        title=title,
        summary=diagnosis.summary,
        is_wrong=diagnosis.state == "wrong",
        causes=[_cause(own, query, diagnosis.at) for own in diagnosis.causes[:MOST_CAUSES]],
        dependence=dependence_view(dependence),
        left_out=max(0, len(diagnosis.causes) - MOST_CAUSES),
        steps=[_step(own) for own in diagnosis.steps],
        notes=diagnosis.notes,
    )


def _cause(cause: Cause, query: Query, now: float) -> CauseView:
    ranked = f"Rank score {number(cause.score)}"
    return CauseView(
        title=CAUSE_TITLES[cause.kind],
        columns=[CauseColumn(name, query.address(features=(name,))) for name in cause.columns],
        numbers=f"{ranked}, importance {percent(cause.importance)}" if cause.columns else ranked,
        why=cause.why,
        looks_like=cause.looks_like,
        since=None if cause.since is None else _since(cause.since, now),
        explains=", ".join(cause.explains),
        evidence={
            name.replace("_", " "): value if isinstance(value, str) else number(float(value))
            for name, value in cause.evidence.items()
        },
        actions=[(own.sentence, own.command) for own in cause.actions],
    )


def _since(at: float, now: float) -> Since:
    return Since(at, minute(at), f"{ago(max(0.0, now - at))} ago")


def _step(step: Step) -> StepView:
    return StepView(STEP_TITLES[step.name], COLOURS[step.status], step.status, step.finding, ", ".join(step.looked_at))
