"""The five steps that an engineer would go, and what each finds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from driftgauge.drift.diagnosis.case import Case
from driftgauge.drift.diagnosis.facts import SystemFacts
from driftgauge.drift.performance.verdict import PerformanceStatus
from driftgauge.drift.verdict.rule import LIMITS, Status

StepStatus = Literal["fine", "wrong", "unknown"]
StepName = Literal["data_quality", "drift", "prediction", "ground_truth", "system"]
SLOWER: Final = 1.5
"""A latency of so many times the usual one is wrong."""
FEWEST_REQUESTS: Final = 20
"""Requests that a ratio of errors needs."""
ENOUGH_FOR_P95: Final = 100
ENOUGH_FOR_P99: Final = 500
"""Requests that a percentile of latency needs: five above it."""
LEAST_SLOW_SECONDS: Final = 0.005
"""Latency below which a rise is not wrong: a caller does not notice it, and there is no alert."""
LONG_SILENCE: Final = 20.0
"""Usual distances of rows after which their absence is wrong."""
QUEUE_FULL: Final = 0.9


@dataclass(frozen=True)
class Step:
    """One step of the way that an engineer would go."""

    name: StepName
    status: StepStatus
    finding: str
    """In one sentence."""
    looked_at: tuple[str, ...]
    """What was looked at, each in a few words."""


def steps_of(case: Case) -> tuple[Step, ...]:
    """Return the steps in their order."""
    return (
        data_quality(case),
        _columns("drift", ("feature", "features"), case, case.features),
        _columns("prediction", ("answer of the model", "answers of the model"), case, case.outputs),
        ground_truth(case),
        system(case.facts.system),
    )


def data_quality(case: Case) -> Step:
    """Return whether rows violate constraints."""
    report = case.facts.quality
    if report is None:
        return Step("data_quality", "unknown", "The model has no constraints.", ())
    looked = (f"{len(report.verdicts):,} constraints", *report.notes[:1])
    if report.severity in LIMITS:
        return Step("data_quality", "wrong", _sentence(report.reason, case.names), looked)
    return Step("data_quality", "fine", _sentence(report.reason, case.names), looked)


def _columns(name: StepName, nouns: tuple[str, str], case: Case, columns: Sequence[int]) -> Step:
    one, what = nouns
    verdicts = [case.facts.report.verdicts[i] for i in columns]
    known = [own for own in verdicts if own.status is not Status.INSUFFICIENT_DATA]
    main = case.facts.report.main
    looked = (f"{len(verdicts)} {what if len(verdicts) != 1 else one}", f"{main.rows:,} rows")
    wrong = [i for i in case.facts.report.worst_first if i in columns and i in case.alerting]
    if wrong:
        names = ", ".join(case.names[i] for i in wrong[:4]) + (f" and {len(wrong) - 4} more" if len(wrong) > 4 else "")
        return Step(name, "wrong", _sentence(f"Drift in {names}. {case.reason(wrong[0])}"), looked)
    if not verdicts:
        return Step(name, "unknown", f"No {what} are monitored.", ())
    if not known:
        return Step(name, "unknown", _sentence(verdicts[0].reason, case.names), looked)
    small = [case.names[i] for i in case.moved if i in columns]
    if small:
        return Step(name, "fine", f"Changes are significant but small: {', '.join(small)}.", looked)
    return Step(name, "fine", f"No significant change of the {what}.", looked)


def ground_truth(case: Case) -> Step:
    """Return whether the model performs worse, or the labels have changed."""
    report = case.facts.performance
    if report is None:
        return Step("ground_truth", "unknown", "No ground truth is known.", ())
    rows = report.main_window.cohort.rows
    looked = (f"{rows:,} predictions with ground truth", *report.main_window.metrics)
    labels = report.label_drift
    if report.severity is not None:
        return Step("ground_truth", "wrong", _sentence(report.reason), looked)
    if labels is not None and labels.severity in LIMITS:
        said = f"The labels have changed: PSI {labels.psi_debiased:.2f}, limit {labels.thresholds[0]:.2f}."
        return Step("ground_truth", "wrong", said, looked)
    is_known = report.status is not PerformanceStatus.INSUFFICIENT_LABELS
    return Step("ground_truth", "fine" if is_known else "unknown", _sentence(report.reason), looked)


# ---------------------------------------------------------------- the system


def slowness(facts: SystemFacts) -> float:
    """Return how many times slower than allowed answers are: at least 1 is too slow; NaN where it is not known.

    A percentile needs enough requests above it, and one that is short for callers has not risen.
    """
    threshold = facts.latency_threshold_seconds
    limited = [
        (own, most)
        for own, past, enough in (
            (facts.latency_p95_seconds, facts.past_latency_p95_seconds, ENOUGH_FOR_P95),
            (facts.latency_p99_seconds, facts.past_latency_p99_seconds, ENOUGH_FOR_P99),
        )
        if facts.requests >= enough
        for most in (max(LEAST_SLOW_SECONDS, SLOWER * past) if past > 0.0 else math.nan, threshold)
    ]
    known = [own / most for own, most in limited if math.isfinite(own) and most > 0.0]
    return max(known) if known else math.nan


def fails(facts: SystemFacts) -> bool:
    """Return whether too many requests failed."""
    return facts.requests >= FEWEST_REQUESTS and facts.error_ratio > facts.error_threshold


def is_silent(facts: SystemFacts) -> bool:
    """Return whether rows have stopped."""
    return facts.seconds_since_row > LONG_SILENCE * facts.usual_seconds_between_rows


def monitoring_problems(facts: SystemFacts) -> tuple[str, ...]:
    """Return the problems of monitoring, each in a sentence."""
    found = list(facts.problems)
    if facts.evaluation_age_seconds > facts.evaluation_threshold_seconds:
        found.append(f"The last evaluation is {facts.evaluation_age_seconds:.0f} seconds old.")
    if facts.queue_ratio >= QUEUE_FULL:
        found.append(f"The queue of requests is {facts.queue_ratio:.0%} full.")
    return tuple(found)


def system(facts: SystemFacts) -> Step:
    """Return whether the server and the monitor do their work."""
    slow = slowness(facts)
    known = {
        "latency": not math.isnan(slow),
        "errors": not math.isnan(facts.error_ratio),
        "queue": not math.isnan(facts.queue_ratio),
        "rows lost": True,
        "age of the newest row": not math.isnan(facts.seconds_since_row),
        "age of the evaluation": not math.isnan(facts.evaluation_age_seconds),
    }
    found = []
    if slow >= 1.0:
        found.append(slow_in_words(facts))
    if fails(facts):
        found.append(f"{facts.error_ratio:.1%} of requests failed.")
    if facts.rows_lost:
        found.append(f"{facts.rows_lost:,} rows were not counted.")
    if is_silent(facts):
        found.append(f"No row has come for {facts.seconds_since_row:.0f} seconds.")
    found += monitoring_problems(facts)
    looked = tuple(name for name, is_known in known.items() if is_known)
    if found:
        return Step("system", "wrong", " ".join(found), looked)
    return Step("system", "fine", "Nothing is wrong with the server.", looked)


def slow_in_words(facts: SystemFacts) -> str:
    """Return how slow the model is."""
    said = f"p95 is {facts.latency_p95_seconds * 1e3:.3g} ms"
    if facts.past_latency_p95_seconds > 0.0:
        times = facts.latency_p95_seconds / facts.past_latency_p95_seconds
        said += f", {times:.2g} times the usual {facts.past_latency_p95_seconds * 1e3:.3g} ms"
    if facts.latency_p99_seconds > facts.latency_threshold_seconds:
        p99, most = facts.latency_p99_seconds * 1e3, facts.latency_threshold_seconds * 1e3
        said += f"; p99 is {p99:.3g} ms, its limit {most:.3g} ms"
    return f"Latency has risen: {said}."


def _sentence(words: str, names: tuple[str, ...] = ()) -> str:
    """Return words as a sentence; the name of a column at its beginning stays as it is."""
    if not words:
        return ""
    first = words[0] if words.startswith(tuple(f"{name}:" for name in names)) else words[0].upper()
    return first + words[1:] + ("" if words.endswith(".") else ".")
