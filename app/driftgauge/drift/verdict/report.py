"""The verdict: does what the windows hold still look like the baseline?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from driftgauge.drift.bins import BoolArray, FloatArray
from driftgauge.drift.evidence.detector import Detector, Evidence
from driftgauge.drift.reference.baseline import PREDICTION, RESERVED, Baseline
from driftgauge.drift.statistics.correlation import CorrelationChange
from driftgauge.drift.verdict.comparison import WindowReport, compare, effects_of
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.verdict.rule import JUDGED_ROWS, RANK, REPORTED_ROWS, SEVERITIES, Severity, Status, judge
from driftgauge.drift.verdict.wording import Effect, Weight, ago_in_words, since_in_words, until_in_words, what_moved
from driftgauge.drift.windows.window import Window

IN_SAMPLE: Final = "the reference holds scores of the model's own training rows (build it with --evaluation)"
CLEARED: Final = 0.8
"""An effect that reached its threshold is held until it falls below this part of it."""


@dataclass(frozen=True)
class ColumnVerdict:
    """The verdict on one column."""

    name: str
    status: Status
    severity: Severity | None
    reason: str
    since: float | None
    """When the column began to drift, of whatever severity, seconds since 1970; None while it does not."""


@dataclass(frozen=True)
class Memory:
    """What one evaluation leaves to the next."""

    evidence: Evidence
    """Of all blocks so far."""
    reached: BoolArray
    """The thresholds that effects have reached and not cleared, shape [severities, columns]."""

    @classmethod
    def start(cls, detector: Detector) -> Memory:
        """Return the memory of a monitor that has not seen a row."""
        evidence = detector.start()
        return cls(evidence, np.zeros((len(SEVERITIES), len(evidence.values)), dtype=np.bool_))


@dataclass(frozen=True)
class DriftReport:
    """What a monitor says at one moment."""

    baseline: Baseline
    policy: Policy
    evaluated_at: float
    """Seconds since 1970, by the monitor's clock."""
    rows_observed: int
    status: Status
    severity: Severity | None
    reason: str
    verdicts: tuple[ColumnVerdict, ...]
    """One a column, in the baseline's order."""
    evidence: Evidence
    """That the rows do not come from the reference, since the monitor began."""
    windows: Mapping[str, WindowReport]
    """By name: count windows, ascending, then time windows."""
    correlation: CorrelationChange | None
    """In the main window; never part of a verdict."""
    worst_first: tuple[int, ...]
    """Endpoints of the columns in the order of their verdicts and effects."""
    drifted: tuple[str, ...] = field(default=())
    """Names of the drifted features, worst first."""

    @property
    def rank(self) -> int:
        """How bad the verdict is, 0 being one without data enough."""
        return RANK[self.status, self.severity]

    @property
    def main(self) -> WindowReport:
        """The largest count window."""
        return [window for window in self.windows.values() if window.capacity is not None][-1]


def evaluate(
    baseline: Baseline, windows: Sequence[Window], rows_observed: int, memory: Memory, policy: Policy, now: float
) -> tuple[DriftReport, Memory]:
    """Judge windows and evidence against the baseline; returns the report and what the next call needs.

    The last count window is the main one. `memory` holds the evidence of all rows and the thresholds
    that were reached before; `now` is in seconds since 1970 by the clock of the windows.
    """
    compared = compare(baseline, windows, policy)
    effects = np.stack([[window.effect(severity) for window in compared] for severity in SEVERITIES])
    memory = Memory(memory.evidence, _reached(effects, memory.reached))
    verdicts = _verdicts(baseline, compared, memory, effects, policy, now)
    order = _worst_first(verdicts, effects)
    worst = [verdicts[i] for i in order]
    drifted = tuple(v.name for v in worst if v.status is Status.DRIFT_DETECTED and v.name not in RESERVED)
    report = DriftReport(
        baseline=baseline,
        policy=policy,
        evaluated_at=now,
        rows_observed=rows_observed,
        status=worst[0].status,
        severity=worst[0].severity,
        reason=_model_reason(worst),
        verdicts=verdicts,
        evidence=memory.evidence,
        windows={window.name: window for window in compared},
        correlation=_correlation(baseline, windows),
        worst_first=tuple(order),
        drifted=drifted,
    )
    return report, memory


def settle(baseline: Baseline, windows: Sequence[Window], reached: BoolArray, policy: Policy) -> BoolArray:
    """Return which thresholds effects have reached and not cleared, as `evaluate` would but without a report.

    `windows` are count windows, `reached` (shape [severities, columns]) is how it was before.
    """
    return _reached(effects_of(baseline, windows, policy), reached)


def _correlation(baseline: Baseline, windows: Sequence[Window]) -> CorrelationChange | None:
    main = [window for window in windows if window.capacity is not None][-1]
    if main.sample is None or main.rows < REPORTED_ROWS or not baseline.correlations.columns:
        return None
    return baseline.correlation_comparison(baseline.row_correlations.correlations(main.sample.codes))


def _reached(effects: FloatArray, before: BoolArray) -> BoolArray:
    """Return which thresholds are reached, shape [severities, columns]: from an effect of 1 until it is below 0.8.

    `effects` have shape [severities, windows, columns].
    """
    largest = np.fmax.reduce(effects, axis=1)  # NaN, which reaches nothing, only where all are
    reached: BoolArray = (largest >= 1.0) | (before & (largest >= CLEARED))
    return reached


def _verdicts(
    baseline: Baseline,
    windows: Sequence[WindowReport],
    memory: Memory,
    effects: FloatArray,
    policy: Policy,
    now: float,
) -> tuple[ColumnVerdict, ...]:
    main = [window for window in windows if window.capacity is not None][-1]
    telling = np.argmax(np.nan_to_num(effects, nan=-1.0), axis=1)  # the window with the largest effect
    judged = ~np.isnan(effects[0]).all(axis=0)
    verdicts = []
    for i, column in enumerate(baseline.columns):
        if column.in_sample:
            words = f"{column.name}: not judged: {IN_SAMPLE}"
            verdicts.append(ColumnVerdict(column.name, Status.INSUFFICIENT_DATA, None, words, None))
            continue
        large: Severity | None = None
        if memory.reached[:, i].any():
            large = "critical" if memory.reached[1, i] else "warning"
        significant = bool(memory.evidence.raised[i])
        status, severity = judge(main.rows, significant=significant, large=large)
        window = windows[telling[SEVERITIES.index(large or "warning"), i]]
        told = _Told(
            weight=_weight(i, memory.evidence),
            effect=_effect(i, window, large or "warning", held=large is not None) if judged[i] else None,
            too_few="" if judged[i] else _too_few(i, baseline, windows, policy, significant=significant),
            over=_over(float(memory.evidence.cleared[i]), window, now),
        )
        since = float(memory.evidence.since[i]) if severity else None
        words = told.in_words(status, large=large is not None)
        if since is not None:
            began = f" {since_in_words(since, now)}" if since < now else ""
            moved = what_moved(column, window.counts[i].astype(np.float64), window.reference[i])
            words += began + (f"; {moved}" if moved else "")
        verdicts.append(ColumnVerdict(column.name, status, severity, f"{column.name}: {words}", since))
    return tuple(verdicts)


@dataclass(frozen=True)
class _Told:
    """What there is to say of a column."""

    weight: Weight
    effect: Effect | None
    """None where there are too few rows to tell."""
    too_few: str
    """Which, in words, where that is so."""
    over: str | None
    """Until when a drift was significant that ended while the window's rows came, in words; None if none did."""

    def in_words(self, status: Status, *, large: bool) -> str:
        if status is Status.INSUFFICIENT_DATA:
            stale = f" · stale: {self.weight.in_words()}" if self.weight.raised else ""
            return f"{self.too_few}{stale}"
        size = self.effect.in_words() if self.effect else f"how large is not known yet: {self.too_few}"
        if status is Status.NORMAL and large and self.over is not None:
            numbers = self.weight.numbers()
            return f"it was significant {self.over}, and the window still holds rows of then ({numbers}): {size}"
        if status is Status.NORMAL and large:
            return f"large, but not distinguishable from chance ({self.weight.numbers()}): {size}"
        return f"{self.weight.in_words()} · {size}"


def _over(cleared: float, window: WindowReport, now: float) -> str | None:
    if math.isnan(cleared) or window.start is None or cleared < window.start:
        return None
    return until_in_words(cleared, now)


def _weight(i: int, evidence: Evidence) -> Weight:
    return Weight(
        evidence_log10=float(evidence.log10[i]),
        threshold_log10=evidence.threshold_log10,
        raised=bool(evidence.raised[i]),
        tau=float(evidence.tau[i]),
    )


def _too_few(i: int, baseline: Baseline, windows: Sequence[WindowReport], policy: Policy, *, significant: bool) -> str:
    """Say how many rows there are of those that a verdict takes, or, where there is one, the size of a drift."""
    counted = [window for window in windows if window.capacity is not None]
    window = max(counted, key=lambda w: w.rows)
    unjudged = window.rows == 0 or (window.rows < REPORTED_ROWS and not significant)
    needed = REPORTED_ROWS if unjudged else max(JUDGED_ROWS, 10 * int(window.psi.bins[i]))
    largest = max(w.capacity or 0 for w in counted)
    what = "a verdict" if unjudged else "it"
    if largest < needed and window.slides:
        return f"the largest window holds {largest} rows, {what} takes {needed}: make it larger"
    if window.rows >= needed:
        return f"nothing to compare: the last {window.rows} rows, or the reference's, are all missing"
    young = f" are of the last {ago_in_words(policy.max_age_seconds)} (max_age_seconds)" if window.expired else ""
    return f"{window.rows} of the {needed} rows that {what} takes{young}"


def _effect(i: int, window: WindowReport, severity: Severity, *, held: bool) -> Effect:
    debiased, threshold = float(window.psi.debiased[i]), float(window.thresholds[severity][i])
    return Effect(
        psi_debiased=debiased,
        noise=float(window.psi.noise[i]),
        threshold=threshold,
        held_until=CLEARED * threshold if held and debiased < threshold else None,
        expected_range=float(window.expected_range[i]),
        rows=f"last {window.rows} rows" if window.slides else f"{window.rows} rows",
    )


def _worst_first(verdicts: tuple[ColumnVerdict, ...], effects: FloatArray) -> list[int]:
    effect = np.nan_to_num(np.fmax.reduce(effects[0], axis=0))
    return sorted(range(len(verdicts)), key=lambda i: (-RANK[verdicts[i].status, verdicts[i].severity], -effect[i]))


def _model_reason(worst: list[ColumnVerdict]) -> str:
    """Say in a sentence what moved, or why nothing can be said yet; `worst` is in that order."""
    first = worst[0]
    if first.status is Status.INSUFFICIENT_DATA:
        return first.reason.removeprefix(f"{first.name}: ")
    if first.status is Status.NORMAL:
        return f"no column moved; nearest to its threshold is {first.reason}"
    moved = [verdict.name for verdict in worst if verdict.status is first.status]
    also = f"; also {', '.join(moved[1:4])}" if len(moved) > 1 else ""
    more = f" and {len(moved) - 4} more" if len(moved) > 4 else ""
    return f"{first.reason}{also}{more}"


def score_means(report: DriftReport) -> tuple[float, float]:
    """Return the mean score of the main window and of the reference; NaN where there is no score."""
    if PREDICTION not in report.baseline.names:
        return float("nan"), float("nan")
    place = report.baseline.names.index(PREDICTION)
    return float(report.main.sample.mean[place]), report.baseline.columns[place].mean
