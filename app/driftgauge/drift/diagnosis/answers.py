"""Causes that are in the model or the world and not in the inputs: constant answers, and concept drift."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from driftgauge.drift.bins import MISSING, OTHER, UNSEEN
from driftgauge.drift.diagnosis.case import FEWEST_ROWS, Case
from driftgauge.drift.diagnosis.causes import Cause
from driftgauge.drift.diagnosis.generic import cause, largest_drop
from driftgauge.drift.diagnosis.mixture import LiveValues
from driftgauge.drift.reference.baseline import PREDICTION_CLASS
from driftgauge.drift.verdict.rule import LIMITS

ONE_CLASS: Final = 0.98
"""Share of one class from which a model says nothing else."""
LEAST_GROWTH: Final = 0.05
"""Growth of the share of the most frequent score."""
_SPECIAL: Final = {UNSEEN: "a class that the reference does not have", OTHER: "a rare class", MISSING: "no class"}
LEAST_PART: Final = 0.5
"""Part of the change of the scores that one score has to explain."""


def constant_answers(case: Case) -> Iterator[Cause]:
    """Yield the answer that fills the rows, where inputs are as usual.

    A large change of the answers that is not significant counts too if ground truth says that the model is worse.
    """
    report = case.facts.performance
    is_worse = report is not None and report.severity is not None
    shown = {*case.alerting, *(case.large_outputs if is_worse else ())}
    if not shown & set(case.outputs) or shown & set(case.features):
        return
    found = _one_score(case) or _one_class(case)
    if found is not None:
        why, evidence = found
        score = max(float(case.psi[i]) for i in case.outputs)
        columns = tuple(i for i in case.outputs if i in case.moved or i in case.large_outputs)
        yield cause(case, "constant_answers", columns, why, evidence, score=score)


def _one_score(case: Case) -> tuple[str, dict[str, float | str]] | None:
    score = case.score
    if score is None or score not in (*case.moved, *case.large_outputs):
        return None
    values, reference = case.values(score), np.array(case.column(score).quantiles)
    if len(values) < FEWEST_ROWS or not reference.size:
        return None
    distinct, counts = np.unique(values, return_counts=True)
    value, share = float(distinct[int(np.argmax(counts))]), float(counts.max() / len(values))
    usual = float(np.isclose(reference, value, rtol=1e-9, atol=0.0).mean())
    fit = LiveValues(values, reference).fit(np.array([value]))
    if share - usual < LEAST_GROWTH or fit.explained < LEAST_PART:
        return None
    why = (
        f"The model answers {value:.4g} in {share:.0%} of rows (reference: {usual:.1%}), while its inputs are as usual."
    )
    return why, {"value": value, "share": share, "reference_share": usual}


def _one_class(case: Case) -> tuple[str, dict[str, float | str]] | None:
    name, now, was = _class_shares(case)
    if now < ONE_CLASS or was >= ONE_CLASS:
        return None
    why = f"The model answers {name} in {now:.1%} of rows (reference: {was:.1%}), while its inputs are as usual."
    return why, {"class": name, "share": now, "reference_share": was}


def _class_shares(case: Case) -> tuple[str, float, float]:
    """Return the class that is answered most, its share of the newest rows, and that of the reference."""
    if PREDICTION_CLASS in case.names:
        i = case.names.index(PREDICTION_CLASS)
        counts, usual = case.counts(i), case.expected(i)
        code = int(np.argmax(counts))
        bins = case.column(i).bins
        name = next((_SPECIAL[own] for own in _SPECIAL if bins.special.get(own) == code), bins.names[code])
        return name, float(counts[code] / counts.sum()), float(usual[code] / usual.sum())
    if case.score is None or not case.facts.is_binary:
        return "", 0.0, 0.0
    values, reference = case.values(case.score), np.array(case.column(case.score).quantiles)
    if len(values) < FEWEST_ROWS or not reference.size:
        return "", 0.0, 0.0
    now, was = (float((own >= case.facts.score_threshold).mean()) for own in (values, reference))
    return ("the positive class", now, was) if now >= 0.5 else ("the negative class", 1.0 - now, 1.0 - was)


def concept_drift(case: Case) -> Iterator[Cause]:
    """Yield a change of what inputs mean for the truth: it has changed, and neither inputs nor scores have."""
    report = case.facts.performance
    if report is None or {*case.alerting, *case.large_outputs} & {*case.features, *case.outputs}:
        return
    labels = report.label_drift
    has_moved = labels is not None and labels.severity in LIMITS
    if report.severity is None and not has_moved:
        return
    drop, evidence = largest_drop(case)
    score = drop
    why = f"{report.reason[:1].upper()}{report.reason[1:].rstrip('.')}, while inputs and scores are as usual."
    if labels is not None and has_moved:
        score = max(score, labels.psi_debiased)
        evidence = {**evidence, "label_psi_debiased": labels.psi_debiased}
        if report.severity is None:
            why = f"The labels have changed (PSI {labels.psi_debiased:.2f}), and neither inputs nor scores have."
    began = [own.since for own in (report.errors, labels.evidence if labels else None) if own is not None]
    since = min((at for at in began if at is not None), default=None)
    yield cause(case, "concept_drift", (), why, evidence, score=score, since=since)
