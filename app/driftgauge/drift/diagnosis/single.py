"""Signatures of one column or of two that were swapped."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Final

import numpy as np

from driftgauge.drift.bins import ABOVE, BELOW, MISSING, UNSEEN
from driftgauge.drift.diagnosis.case import FEWEST_ROWS, MOST_COMPARED, Case
from driftgauge.drift.diagnosis.causes import CauseKind
from driftgauge.drift.diagnosis.found import Found
from driftgauge.drift.diagnosis.generic import cause
from driftgauge.drift.diagnosis.mixture import Fit, LiveValues
from driftgauge.drift.diagnosis.transforms import best_hours, best_scaling, best_units, is_growth, is_of_hours
from driftgauge.drift.statistics.psi import psi

LEAST_MISSING: Final = 0.01
"""Growth of the share of missing values below which it is no cause."""
LEAST_UNSEEN: Final = 0.005
LEAST_EXPLAINED: Final = 0.6
"""Part of a column's PSI that missing or new values have to explain."""
TOGETHER: Final = 0.1
"""Columns whose values are missing from about the same row on, in parts of the rows, have one cause."""
MOST_NEW: Final = 5
"""Different new values that are a new category rather than another distribution."""


def single_causes(case: Case) -> Iterator[Found]:
    """Yield what explains the change of single features, and of pairs."""
    yield from missing_upstream(case)
    for i in case.compared:
        yield from new_values(case, i)
        yield from changed_values(case, i)
    yield from swapped(case)


def live_values(case: Case, i: int) -> LiveValues | None:
    """Return the values of a numeric column since its change; None if there are too few."""
    column = case.column(i)
    values = case.values(i) if column.kind == "numeric" and column.quantiles else np.empty(0)
    if len(values) < FEWEST_ROWS:
        return None
    return LiveValues(values, case.reference_values(i), case.tau(i), float(column.rows))


# ---------------------------------------------------------------- missing and new values


def missing_upstream(case: Case) -> Iterator[Found]:
    """Yield the columns whose values have become missing, those that began together as one."""
    found = []
    for i in case.moved_features:
        now, usual = case.missing(i)
        explained = explained_by(case, i, (case.column(i).bins.special[MISSING],))
        if now - usual >= LEAST_MISSING and explained >= LEAST_EXPLAINED:
            found.append((i, now, explained))
    for group in _together(case, found):
        columns = tuple(i for i, _, _ in sorted(group, key=lambda own: -own[1]))
        names = ", ".join(case.names[i] for i in columns)
        first, share = columns[0], max(now for _, now, _ in group)
        usual = case.missing(first)[1]
        what = "its values are" if len(columns) == 1 else "their values are"
        more = " They began together, so a common source stopped." if len(columns) > 1 else ""
        why = f"{names}: {share:.1%} of {what} missing (reference: {usual:.1%}).{more}"
        evidence = {"missing_ratio": share, "reference_missing_ratio": usual, "columns": float(len(columns))}
        yield Found(cause(case, "missing_upstream", columns, why, evidence), columns, min(own for _, _, own in group))


def _together(case: Case, found: list[tuple[int, float, float]]) -> list[list[tuple[int, float, float]]]:
    near = TOGETHER * (0 if case.rows is None else len(case.rows))
    groups: list[list[tuple[int, float, float]]] = []
    for own in sorted(found, key=lambda own: case.onset(own[0])):
        if groups and case.onset(own[0]) - case.onset(groups[-1][0][0]) <= near:
            groups[-1].append(own)
        else:
            groups.append([own])
    return groups


def new_values(case: Case, i: int) -> Iterator[Found]:
    """Yield the values of a feature that the reference does not have, if they explain its change."""
    column = case.column(i)
    if column.bins.rule == "interval":
        return
    special = column.bins.special
    ends = (UNSEEN,) if column.bins.rule == "category" else (UNSEEN, BELOW, ABOVE)
    codes = tuple(special[end] for end in ends)
    counts, usual = case.counts(i), case.expected(i)
    share, was = (
        float(counts[list(codes)].sum() / max(1.0, counts.sum())),
        float(usual[list(codes)].sum() / usual.sum()),
    )
    explained = explained_by(case, i, codes)
    if share - was < LEAST_UNSEEN or explained < LEAST_EXPLAINED:
        return
    values = _which(case, i, codes)
    if values is None:
        return
    if case.is_redacted(i):
        values = []
    named = f": {', '.join(values)}" if values else ""
    why = f"{column.name}: {share:.1%} of rows have a value that the reference does not have{named}."
    evidence: dict[str, float | str] = {"unseen_ratio": share, **({"values": ", ".join(values)} if values else {})}
    yield Found(cause(case, "new_category", (i,), why, evidence), (i,), explained)


def _which(case: Case, i: int, codes: tuple[int, ...]) -> list[str] | None:
    """Return the most frequent new values, as far as they are known; None for numbers that are too many."""
    if case.column(i).kind == "categorical":
        known = case.facts.unseen_values.get(case.names[i], {})
        return sorted(known, key=lambda own: -known[own])[:MOST_NEW]
    if case.rows is None:
        return []
    first = case.onset(i)
    own = case.rows.values[first:, i][np.isin(case.rows.codes[first:, i], codes)]
    values, counts = np.unique(own[np.isfinite(own)], return_counts=True)
    if len(values) > MOST_NEW:
        return None
    return [f"{value:g}" for value in values[np.argsort(-counts)].tolist()]


def explained_by(case: Case, i: int, codes: tuple[int, ...]) -> float:
    """Return the part of a column's PSI that is gone without the rows of some bins."""
    counts, usual = case.counts(i), case.expected(i)[: len(case.counts(i))]
    kept = np.ones(len(counts), dtype=np.bool_)
    kept[list(codes)] = False
    whole = float(psi(counts[None], usual[None]).debiased[0])
    if not whole > 0.0:
        return 0.0
    if not counts[kept].sum():
        return 1.0
    rest = float(psi((counts * kept)[None], (usual * kept)[None]).debiased[0])
    return max(0.0, 1.0 - rest / whole)


# ---------------------------------------------------------------- values that were changed


def changed_values(case: Case, i: int) -> Iterator[Found]:
    """Yield what was done to the values of a numeric feature, each that explains them up to chance."""
    live = live_values(case, i)
    if live is None:
        return
    column, name = case.column(i), case.names[i]
    stuck = stuck_value(live, column.bins.rule == "interval")
    if stuck is not None:
        value, fit = stuck
        shown = "one value" if case.is_redacted(i) else f"the value {value:g}"
        why = f"{name}: {shown} fills {fit.share:.0%} of the newest rows."
        yield _found(case, "stuck_sensor", i, why, fit, {} if case.is_redacted(i) else {"value": value})
    hours = best_hours(live) if is_of_hours(np.array(column.quantiles)) else None
    if hours is not None:
        why = f"{name}: {_part(hours[1])} are those of the reference {hours[0]:+d} h, around the clock."
        yield _found(case, "time_zone_shift", i, why, hours[1], {"hours": float(hours[0])})
    units = best_units(live)
    if units:
        unit, fit = units[0]
        alike = [own.words for own, other in units if other.misfit <= fit.misfit + fit.chance / 2.0][:3]
        offset = f" and {unit.offset:+.4g}" if unit.offset else ""
        grew = " Growth by about this factor looks the same." if is_growth(unit, fit) else ""
        why = (
            f"{name}: {_part(fit)} are the reference's times {unit.factor:.4g}{offset}, such as "
            f"{' or '.join(alike)}.{grew}"
        )
        evidence: dict[str, float | str] = {"factor": unit.factor, "offset": unit.offset, "units": "; ".join(alike)}
        yield _found(case, "unit_change", i, why, fit, evidence)
    scaling = best_scaling(live, column.mean, column.std, column.min, column.max)
    if scaling is not None:
        why = f"{name}: {_part(scaling[1])} are {scaling[0].words}."
        yield _found(case, "scaled_feature", i, why, scaling[1], {"scaling": scaling[0].words})


def stuck_value(live: LiveValues, is_continuous: bool) -> tuple[float, Fit] | None:
    """Return the value that fills rows; None without one.

    A column of few values has a frequent one anyway: there, nearly all rows must have it.
    """
    values, counts = np.unique(live.live, return_counts=True)
    value = float(values[int(np.argmax(counts))])
    share, usual = counts.max() / len(live.live), float((live.reference == value).mean())
    fit = live.fit(np.array([value]))
    needed = 0.05 if is_continuous else 0.9
    return (value, fit) if fit.is_good and share - usual >= needed else None


def _found(case: Case, kind: CauseKind, i: int, why: str, fit: Fit, evidence: dict[str, float | str]) -> Found:
    numbers = {**evidence, "share": fit.share, "misfit": fit.misfit, "distance": fit.before}
    return Found(cause(case, kind, (i,), why, numbers), (i,), fit.explained)


def _part(fit: Fit) -> str:
    return "values" if fit.share > 0.95 else f"{fit.share:.0%} of values"


# ---------------------------------------------------------------- two columns


def swapped(case: Case) -> Iterator[Found]:
    """Yield the pairs of features that have each other's values; the change of one of them may not be significant."""
    large = [i for i in case.large_features if i not in case.compared][: MOST_COMPARED - len(case.compared)]
    live = {i: own for i in sorted((*case.compared, *large)) if (own := live_values(case, i)) is not None}
    for i, j in combinations(live, 2):
        if i not in case.compared and j not in case.compared:
            continue
        fits = (live[i].fit(live[j].reference), live[j].fit(live[i].reference))
        if all(fit.is_good for fit in fits):
            share = min(fit.share for fit in fits)
            explained = min(fit.explained for fit in fits)
            names = f"{case.names[i]} and {case.names[j]}"
            why = f"{names}: each has the values of the other in {share:.0%} of rows."
            evidence = {"share": share, "misfit": max(fit.misfit for fit in fits)}
            yield Found(cause(case, "swapped_columns", (i, j), why, evidence), (i, j), explained)
