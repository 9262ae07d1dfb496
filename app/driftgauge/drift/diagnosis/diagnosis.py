"""The diagnosis: what is wrong, since when, and the likely causes in their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from driftgauge.drift.diagnosis.case import Case
from driftgauge.drift.diagnosis.causes import Cause
from driftgauge.drift.diagnosis.facts import Facts
from driftgauge.drift.diagnosis.ranking import ranked_causes
from driftgauge.drift.diagnosis.steps import Step, steps_of

State = Literal["nothing_wrong", "wrong", "cannot_tell"]
RANKING: Final = "Causes are likely ones. Their order is a ranking by importance times drift, and no proof."


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a model, and what it could come from."""

    state: State
    summary: str
    """In one sentence."""
    at: float
    """Time of the report behind it, seconds since 1970."""
    since: float | None
    """When the first cause began, seconds since 1970; None if nothing is wrong or it is not known."""
    causes: tuple[Cause, ...]
    """The likeliest first; empty if nothing is wrong."""
    steps: tuple[Step, ...]
    """In the order of an engineer: data quality, drift, prediction, ground truth, system."""
    notes: tuple[str, ...] = ()
    """What limits the diagnosis, each in a sentence."""

    @property
    def first(self) -> Cause | None:
        """The likeliest cause; None if there is none."""
        return self.causes[0] if self.causes else None


def diagnose(facts: Facts) -> Diagnosis:
    """Return the diagnosis. It is a ranking of what explains most, not a proof of causes."""
    case = Case(facts)
    steps = steps_of(case)
    wrong = [step for step in steps if step.status == "wrong"]
    with np.errstate(over="ignore", invalid="ignore"):  # values may be as large as a number can be
        causes = ranked_causes(case) if wrong else ()
    known = [step for step in steps[1:3] if step.status == "fine"]  # constraints hold without rows too
    state: State = "wrong" if wrong else "nothing_wrong" if known else "cannot_tell"
    return Diagnosis(
        state=state,
        summary=_summary(state, causes, steps),
        at=facts.report.evaluated_at,
        since=causes[0].since if causes else None,
        causes=causes,
        steps=steps,
        notes=(*((RANKING,) if causes else ()), *_notes(case)),
    )


def _summary(state: State, causes: Sequence[Cause], steps: Sequence[Step]) -> str:
    if state == "cannot_tell":
        return "Too little is known yet to tell whether something is wrong."
    if state == "nothing_wrong":
        unknown = [step.name.replace("_", " ") for step in steps if step.status == "unknown"]
        return f"Nothing is wrong; not known: {', '.join(unknown)}." if unknown else "Nothing is wrong."
    if not causes:
        return next(step.finding for step in steps if step.status == "wrong")
    return causes[0].why


def _notes(case: Case) -> Iterator[str]:
    facts = case.facts
    if facts.importances is None:
        yield "The importances of the features are not known: all count the same."
    if case.rows is None:
        yield "The newest rows are not at hand: causes are told apart by counts alone."
    if facts.performance is None:
        yield "Without ground truth, a change of what the features mean for the truth cannot be seen."
