"""Causes without a signature: what is wrong with a column, the answers, the truth or the server."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from driftgauge.drift.diagnosis.actions import actions_for
from driftgauge.drift.diagnosis.case import Case
from driftgauge.drift.diagnosis.causes import Cause, CauseKind
from driftgauge.drift.diagnosis.steps import fails, is_silent, monitoring_problems, slow_in_words, slowness
from driftgauge.drift.diagnosis.wording import LOOKS_LIKE
from driftgauge.drift.verdict.rule import LIMITS


def cause(
    case: Case,
    kind: CauseKind,
    columns: tuple[int, ...],
    why: str,
    evidence: Mapping[str, float | str],
    *,
    explains: tuple[int, ...] = (),
    score: float | None = None,
    since: float | None = None,
) -> Cause:
    """Return a cause of some columns; by default its score is that of all it explains, its start theirs."""
    names = tuple(case.names[i] for i in columns)
    every = (*columns, *explains)
    return Cause(
        kind=kind,
        columns=names,
        score=case.rank_score(every) if score is None else score,
        importance=case.importance(columns),
        evidence=dict(evidence),
        why=why,
        looks_like=LOOKS_LIKE[kind],
        since=case.earliest(columns) if since is None else since,
        explains=tuple(case.names[i] for i in explains),
        actions=actions_for(kind, case.facts, names),
    )


def column_drift(case: Case, i: int) -> Cause:
    """Return the drift of one column as a cause."""
    evidence = {"psi_debiased": float(case.psi[i]), "importance": float(case.importances[i])}
    if case.correlation_squared[i] > 0.0:
        evidence["correlation_change"] = math.sqrt(float(case.correlation_squared[i]))
    return cause(case, "column_drift", (i,), _ended(case.reason(i)), evidence)


def score_drift(case: Case, outputs: tuple[int, ...]) -> Cause:
    """Return the drift of answers whose inputs have not changed."""
    first = max(outputs, key=lambda i: float(case.psi[i]))
    why = f"The answers have moved, and no feature has: {case.reason(first)}"
    psi = float(case.psi[first])
    return cause(case, "score_drift", outputs, _ended(why), {"psi_debiased": psi}, score=psi)


def constraint_violations(case: Case) -> Iterator[Cause]:
    """Yield the constraints that too many rows violate, on columns that have not drifted."""
    report = case.facts.quality
    for own in () if report is None else report.worst_first:
        index = case.names.index(own.feature) if own.feature in case.names else None
        if own.severity not in LIMITS or index in case.moved:
            continue
        columns = () if index is None else (index,)
        share = 1.0 if index is None else float(case.importances[index])
        evidence: dict[str, float | str] = {"constraint": own.constraint, "ratio": own.ratio, "allowed": own.allowed}
        score = share * (own.ratio - own.allowed)
        yield cause(case, "constraint_violation", columns, _ended(own.reason), evidence, score=score)


def performance_drop(case: Case, *, is_consequence: bool) -> Iterator[Cause]:
    """Yield the drop of performance, where it is significant; the consequence of another cause comes last."""
    report = case.facts.performance
    if report is None or report.severity is None:
        return
    since = report.errors.since if report.errors is not None else None
    drop, evidence = largest_drop(case)
    score = 0.0 if is_consequence else drop
    yield cause(case, "performance_drop", (), _ended(report.reason), evidence, score=score, since=since)


def largest_drop(case: Case) -> tuple[float, dict[str, float | str]]:
    """Return the largest relative drop of a metric that has a severity, and its numbers."""
    report = case.facts.performance
    metrics = [] if report is None else report.main_window.verdict.metrics
    known = [own for own in metrics if own.severity is not None and not math.isnan(own.drop)]
    if not known:
        return 0.0, {}
    worst = max(known, key=lambda own: own.drop)
    held_out = math.nan if worst.held_out is None else worst.held_out
    return worst.drop, {"metric": worst.name, "value": worst.current.value, "held_out": held_out, "drop": worst.drop}


def of_system(case: Case) -> Iterator[Cause]:
    """Yield what is wrong with the server and the monitor."""
    facts = case.facts.system
    slow = slowness(facts)
    if slow >= 1.0:
        latencies = {"p95_seconds": facts.latency_p95_seconds, "past_p95_seconds": facts.past_latency_p95_seconds}
        score = math.log1p(slow) ** 2
        yield cause(case, "slow_model", (), slow_in_words(facts), latencies, score=score, since=facts.slow_since)
    if fails(facts):
        why = f"{facts.error_ratio:.1%} of requests failed, more than {facts.error_threshold:.1%}."
        yield cause(case, "server_errors", (), why, {"error_ratio": facts.error_ratio}, score=facts.error_ratio)
    if is_silent(facts):
        seconds = {"seconds_since_row": facts.seconds_since_row}
        yield cause(case, "no_rows", (), f"No row has come for {facts.seconds_since_row:.0f} s.", seconds, score=1.0)
    if facts.rows_lost:
        lost = {"rows_lost": float(facts.rows_lost)}
        yield cause(case, "rows_lost", (), f"{facts.rows_lost:,} rows were not counted.", lost, score=0.0)
    for problem in monitoring_problems(facts):
        yield cause(case, "monitoring_problem", (), problem, {}, score=0.0)


def _ended(words: str) -> str:
    return words if words.endswith(".") else f"{words}."
