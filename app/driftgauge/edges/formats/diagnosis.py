"""A diagnosis as JSON: what `GET /diagnosis` answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.attribution.partial_dependence import PartialDependence
from driftgauge.drift.diagnosis.causes import Cause
from driftgauge.drift.diagnosis.dependence import dependence_in_words
from driftgauge.drift.diagnosis.diagnosis import Diagnosis, State
from driftgauge.drift.diagnosis.steps import Step
from driftgauge.drift.diagnosis.titles import CAUSE_TITLES, STEP_TITLES

_WORST_FIRST: Final[Sequence[State]] = ("wrong", "cannot_tell", "nothing_wrong")


def diagnoses_json(models: Sequence[Mapping[str, Any]], unusable: Mapping[str, str]) -> dict[str, Any]:
    """Return the answer for some models; `unusable` are those that could not be loaded, and why."""
    states = {own["state"] for own in models} | ({"wrong"} if unusable else set())
    return {
        "state": next((state for state in _WORST_FIRST if state in states), "cannot_tell"),
        "models": list(models),
        "unusable_models": dict(unusable),
    }


def diagnosis_json(
    diagnosis: Diagnosis, model_name: str, model_version: str, dependence: PartialDependence | None = None
) -> dict[str, Any]:
    """Return the diagnosis of a model. Unknown numbers are NaN."""
    return {
        "model_name": model_name,
        "model_version": model_version,
        "state": diagnosis.state,
        "summary": diagnosis.summary,
        "evaluated_at": rfc3339(diagnosis.at),
        "since": _time(diagnosis.since),
        "causes": [_cause(own) for own in diagnosis.causes],
        "dependence": _dependence(dependence),
        "steps": [_step(own) for own in diagnosis.steps],
        "notes": list(diagnosis.notes),
    }


def _cause(cause: Cause) -> dict[str, Any]:
    return {
        "kind": cause.kind,
        "title": CAUSE_TITLES[cause.kind],
        "columns": list(cause.columns),
        "explains": list(cause.explains),
        "score": cause.score,
        "importance": cause.importance,
        "evidence": dict(cause.evidence),
        "why": cause.why,
        "looks_like": cause.looks_like,
        "since": _time(cause.since),
        "actions": [{"sentence": own.sentence, "command": own.command or None} for own in cause.actions],
    }


def _dependence(found: PartialDependence | None) -> dict[str, Any] | None:
    """Return how the score depends on the feature of the first cause; a point of missing values has neither number."""
    if found is None:
        return None
    points = zip(found.points, found.means, found.spreads, strict=True)
    return {
        "feature": found.feature,
        "summary": dependence_in_words(found),
        "rows": found.rows,
        "points": [
            {
                "value": own.value if own.name is None else own.name,
                "is_new": own.is_new,
                "mean_score": mean,
                "score_standard_deviation": spread,
            }
            for own, mean, spread in points
        ],
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "title": STEP_TITLES[step.name],
        "status": step.status,
        "finding": step.finding,
        "looked_at": list(step.looked_at),
    }


def _time(at: float | None) -> str | None:
    return None if at is None else rfc3339(at)
