"""The causes of a case, the likeliest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from driftgauge.drift.diagnosis.answers import concept_drift, constant_answers
from driftgauge.drift.diagnosis.case import Case
from driftgauge.drift.diagnosis.causes import Cause, CauseKind
from driftgauge.drift.diagnosis.found import Found
from driftgauge.drift.diagnosis.generic import (
    column_drift,
    constraint_violations,
    of_system,
    performance_drop,
    score_drift,
)
from driftgauge.drift.diagnosis.reweighting import mixed_causes
from driftgauge.drift.diagnosis.single import single_causes

CLEAREST: Final[tuple[CauseKind, ...]] = (
    "missing_upstream",
    "stuck_sensor",
    "time_zone_shift",
    "swapped_columns",
    "unit_change",
    "scaled_feature",
    "new_category",
    "label_shift",
    "traffic_mix",
)
"""The order of signatures that explain about as much: those that chance brings about least come first."""
ABOUT: Final = 0.9
"""A signature that explains this part of what the best one does explains about as much."""


def ranked_causes(case: Case) -> tuple[Cause, ...]:
    """Return the causes by their score, the largest first."""
    return tuple(sorted(_causes(case), key=lambda own: -own.score))


def _causes(case: Case) -> Iterator[Cause]:
    chosen = chosen_signatures(case, list(mixed_causes(case)), list(single_causes(case)))
    explained = {i for own in chosen for i in own.columns}
    yield from (own.cause for own in chosen)
    yield from (column_drift(case, i) for i in case.moved_features if i not in explained)
    answers = list(constant_answers(case))
    yield from answers
    if case.moved_outputs and not case.moved_features and not answers and not explained:
        yield score_drift(case, case.moved_outputs)
    yield from constraint_violations(case)
    if any(own.cause.kind == "label_shift" for own in chosen):
        yield from performance_drop(case, is_consequence=True)
    else:
        yield from list(concept_drift(case)) or performance_drop(case, is_consequence=bool(case.alerting or answers))
    yield from of_system(case)


def chosen_signatures(case: Case, joint: Sequence[Found], single: Sequence[Found]) -> list[Found]:
    """Return signatures that explain different columns: the best for each column, one after the other.

    The best one takes away most of importance times drift. A joint one, which explains several columns by the share of
    one group, goes before any of a single column: that could not say why the other columns have moved.
    """
    chosen = _disjoint(case, joint)
    taken = {i for own in chosen for i in own.columns}
    return [*chosen, *_disjoint(case, [own for own in single if not taken & set(own.columns)])]


def _disjoint(case: Case, found: Sequence[Found]) -> list[Found]:
    left, chosen = list(found), []
    while left:
        merit = {id(own): own.explained * case.rank_score(own.columns) for own in left}
        alike = [own for own in left if merit[id(own)] >= ABOUT * max(merit.values())]
        best = min(alike, key=lambda own: (CLEAREST.index(own.cause.kind), -own.explained))
        chosen.append(best)
        left = [own for own in left if not set(own.columns) & set(best.columns)]
    return chosen
