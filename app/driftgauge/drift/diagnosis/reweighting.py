"""Causes that move several columns at once: another mix of traffic, and another share of the classes.

Both leave rows as they were within a group. So live rows that are weighted by the group's share in the reference over
its live share look like the reference in all other columns. The groups of a label shift are the classes; a row belongs
to each with the probability that its calibrated score says, corrected for the new share of the classes (Saerens,
Latinne and Decaestecker, 2002, "Adjusting the outputs of a classifier to new a priori probabilities").
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.diagnosis.case import FEWEST_ROWS, Case
from driftgauge.drift.diagnosis.found import Found
from driftgauge.drift.diagnosis.generic import cause
from driftgauge.drift.statistics.psi import psi

LEAST_EXPLAINED: Final = 0.6
"""Part of the change of the other columns that a mix has to explain."""
LEAST_PART: Final = 0.5
"""Part of the change of a single column that a mix has to explain to be its cause."""
FEWEST_INDEPENDENT: Final = 50.0
"""Weighted rows, as independent ones, that a comparison needs."""
LARGEST_WEIGHT: Final = 50.0
LEAST_CHANGE: Final = 0.05
"""Change of the share of a class below which labels have not shifted."""
_ROUNDS: Final = 200


@dataclass(frozen=True)
class Reweighted:
    """PSI of columns before and after rows were weighted, noise corrected, shapes [columns]."""

    before: FloatArray
    after: FloatArray
    independent: float
    """Rows of equal weight that carry the same information."""

    def well_explained(self, columns: tuple[int, ...]) -> tuple[int, ...]:
        """Return the columns of which weighting takes away at least half of the change."""
        return tuple(i for i in columns if self.after[i] <= LEAST_PART * self.before[i])

    def explained(self, columns: tuple[int, ...]) -> float:
        """Return the part of the change of some columns that weighting takes away."""
        before = float(self.before[list(columns)].sum())
        return max(0.0, 1.0 - float(self.after[list(columns)].sum()) / before) if before > 0.0 else 0.0


def reweighted(case: Case, first: int, weights: FloatArray) -> Reweighted:
    """Compare all columns with the reference, before and after rows since `first` are weighted."""
    weights = np.minimum(weights, LARGEST_WEIGHT)
    independent = float(weights.sum() ** 2 / (weights**2).sum())
    before, after = np.zeros(len(case.names)), np.zeros(len(case.names))
    for i in (*case.features, *case.outputs):
        codes, usual = case.codes(i, first), case.expected(i)
        counts = np.bincount(codes, minlength=len(usual)).astype(np.float64)
        weighted = np.bincount(codes, weights=weights, minlength=len(usual)) * (independent / weights.sum())
        found = psi(np.stack([counts, weighted]), np.stack([usual, usual])).debiased
        before[i], after[i] = np.nan_to_num(found)
    return Reweighted(before, after, independent)


def mixed_causes(case: Case) -> Iterator[Found]:
    """Yield a label shift and the changes of traffic that explain several columns; the caller compares them."""
    if case.rows is None or not case.moved:
        return
    strongest = max(case.moved, key=lambda i: float(case.psi[i]))
    first = case.onset(strongest)
    if len(case.rows) - first < FEWEST_ROWS:
        return
    yield from label_shift(case, first)
    for i in case.compared:
        yield from traffic_mix(case, i, first)


# ---------------------------------------------------------------- traffic


def traffic_mix(case: Case, i: int, first: int) -> Iterator[Found]:
    """Yield a changed mix of the groups of one column, if it explains the change of others."""
    column = case.column(i)
    others = tuple(j for j in case.moved_features if j != i)
    if column.bins.rule == "interval" or not others:
        return
    weights = group_weights(case, i, first)
    found = reweighted_reference(case, i, first) if weights is None else reweighted(case, first, weights)
    if found is None:
        return
    # The scores follow the features, so they may be explained but prove nothing.
    explained = found.explained(others)
    if explained < LEAST_EXPLAINED or found.independent < FEWEST_INDEPENDENT:
        return
    name, now, was = _largest_growth(case, i, first)
    group = "of one group" if case.is_redacted(i) else name
    why = (
        f"{column.name}: {now:.0%} of rows are {group} (reference: {was:.0%}), which explains {explained:.0%} of the "
        f"change of {', '.join(case.names[j] for j in others)}."
    )
    evidence: dict[str, float | str] = {"share": now, "reference_share": was, "explained": explained}
    if not case.is_redacted(i):
        evidence = {"group": name, **evidence}
    explains = (*found.well_explained(others), *case.moved_outputs)
    made = cause(case, "traffic_mix", (i,), why, evidence, explains=explains)
    yield Found(made, (i, *explains), found.explained((i, *others)))


def group_weights(case: Case, i: int, first: int) -> FloatArray | None:
    """Return the weight of each row that gives the groups their shares in the reference; None if many are gone."""
    codes, usual = case.codes(i, first), case.expected(i)
    now = np.bincount(codes, minlength=len(usual)) / max(1, len(codes))
    was = usual / usual.sum()
    if was[now == 0.0].sum() > 0.1:
        return None
    ratio = np.divide(was, now, out=np.zeros(len(was)), where=now > 0.0)
    weights: FloatArray = ratio[codes]
    return weights


def reweighted_reference(case: Case, i: int, first: int) -> Reweighted | None:
    """Compare all features with kept rows of the reference that are weighted to the live shares of a column's groups.

    For groups that are gone from live rows, which therefore cannot be weighted. None without kept rows.
    """
    rows = case.facts.reference_rows
    if rows is None or len(rows) < FEWEST_ROWS:
        return None
    kept = case.baseline.binner.codes(rows)
    groups, width = case.codes(i, first), len(case.expected(i))
    now, was = (np.bincount(own, minlength=width) / max(1, len(own)) for own in (groups, kept[:, i]))
    weights = np.divide(now, was, out=np.zeros(width), where=was > 0.0)[kept[:, i]]
    if not weights.sum():
        return None
    independent = float(weights.sum() ** 2 / (weights**2).sum())
    before, after = np.zeros(len(case.names)), np.zeros(len(case.names))
    for j in case.features:
        counts = np.bincount(case.codes(j, first), minlength=width).astype(np.float64)
        weighted = np.bincount(kept[:, j], weights=weights, minlength=width) * (independent / weights.sum())
        found = psi(np.stack([counts, counts]), np.stack([case.expected(j), weighted])).debiased
        before[j], after[j] = np.nan_to_num(found)
    return Reweighted(before, after, independent)


def _largest_growth(case: Case, i: int, first: int) -> tuple[str, float, float]:
    codes, usual = case.codes(i, first), case.expected(i)
    now, was = np.bincount(codes, minlength=len(usual)) / len(codes), usual / usual.sum()
    code = int(np.argmax((now - was)[: len(case.column(i).bins.names)]))
    return case.column(i).bins.names[code], float(now[code]), float(was[code])


# ---------------------------------------------------------------- classes


def label_shift(case: Case, first: int) -> Iterator[Found]:
    """Yield a changed share of the positive class, if it explains the change of scores and features."""
    score, usual = case.score, positive_rate(case)
    if score is None or usual is None or score not in case.moved or labels_are_as_usual(case):
        return
    scores = case.values(score, first)
    if case.rows is None or len(scores) < len(case.rows) - first or scores.min() < 0.0 or scores.max() > 1.0:
        return
    now = live_rate(scores, usual)
    features = case.moved_features
    if abs(now - usual) < LEAST_CHANGE or (len(features) < 2 and not labels_have_moved(case)):
        return
    found = reweighted(case, first, 1.0 / likelihood_ratio(scores, usual, now))
    columns = (score, *features)
    explained = found.explained(features) if features else found.explained(columns)
    if explained < LEAST_EXPLAINED or found.independent < FEWEST_INDEPENDENT:
        return
    why = (
        f"The positive class has become {'more' if now > usual else 'less'} frequent: {now:.0%} of rows by their "
        f"scores (reference: {usual:.0%}), which explains {explained:.0%} of the change of "
        f"{', '.join(case.names[j] for j in features) or 'the scores'}."
    )
    evidence = {"positive_rate": now, "reference_positive_rate": usual, "explained": explained}
    total = max(case.rank_score(columns), float(case.psi[score]), label_change(case))
    explains = found.well_explained(features)
    made = cause(case, "label_shift", (score,), why, evidence, explains=explains, score=total)
    yield Found(made, (score, *explains), explained)


def positive_rate(case: Case) -> float | None:
    """Return the share of the positive class in the reference, by default the mean of its scores; None without."""
    if not case.facts.is_binary or case.score is None:
        return None
    known = case.facts.positive_rate
    rate = case.column(case.score).mean if known is None else known
    return rate if 0.0 < rate < 1.0 else None


def labels_have_moved(case: Case) -> bool:
    """Return whether ground truth says that the classes have other shares."""
    report = case.facts.performance
    return report is not None and report.label_drift is not None and report.label_drift.severity is not None


def label_change(case: Case) -> float:
    """Return the noise-corrected PSI of the labels; 0 where their change is not significant."""
    report = case.facts.performance
    drift = None if report is None else report.label_drift
    return 0.0 if drift is None or drift.severity is None or math.isnan(drift.psi_debiased) else drift.psi_debiased


def labels_are_as_usual(case: Case) -> bool:
    """Return whether ground truth says that the classes have the shares that they had."""
    report = case.facts.performance
    if report is None or report.label_drift is None or report.label_drift.rows < report.policy.required_rows:
        return False
    return report.label_drift.evidence is not None and report.label_drift.severity is None


def live_rate(scores: FloatArray, usual: float) -> float:
    """Return the share of positive rows by maximum likelihood, given calibrated scores for a share of `usual`."""
    rate = usual
    for _ in range(_ROUNDS):
        own = scores * rate / usual
        other = (1.0 - scores) * (1.0 - rate) / (1.0 - usual)
        after = float((own / np.maximum(own + other, 1e-300)).mean())
        if abs(after - rate) < 1e-6:
            return after
        rate = after
    return rate


def likelihood_ratio(scores: FloatArray, usual: float, now: float) -> FloatArray:
    """Return how much likelier rows with these scores are after the shift than before."""
    ratio: FloatArray = scores * (now / usual) + (1.0 - scores) * ((1.0 - now) / (1.0 - usual))
    return ratio
