"""The verdict on each column and on the model, from evidence and windows."""

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
from driftgauge.drift.verdict.wording import Effect, Finding, ago_in_words, since_in_words, until_in_words, what_moved
from driftgauge.drift.windows.window import Window

IN_SAMPLE: Final = (
    "not evaluated, because its reference is the scores of the model's own training rows (use --evaluation)"
)
CLEARED: Final = 0.8
"""A latched threshold is released when the effect falls below this part of it."""


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
class Carryover:
    """What one evaluation hands to the next."""

    evidence: Evidence
    """Of all blocks so far."""
    latched: BoolArray
    """The thresholds that effects have reached and not fallen well below again, shape [severities, columns]."""

    @classmethod
    def start(cls, detector: Detector) -> Carryover:
        """Return the state before the first row."""
        evidence = detector.start()
        return cls(evidence, np.zeros((len(SEVERITIES), len(evidence.values)), dtype=np.bool_))


@dataclass(frozen=True, repr=False)
class DriftReport:
    """The result of one evaluation."""

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
    """Evidence of drift, over all rows since the monitor started."""
    windows: Mapping[str, WindowReport]
    """By name: sliding windows, ascending, then time windows."""
    correlation: CorrelationChange | None
    """In the main window; never part of a verdict."""
    worst_first: tuple[int, ...]
    """Positions of the columns in the order of their verdicts and effects."""
    drifted: tuple[str, ...] = field(default=())
    """Names of the drifted features, worst first."""

    def __repr__(self) -> str:
        severity = f" ({self.severity})" if self.severity else ""
        return f"<DriftReport: {self.status}{severity} after {self.rows_observed:,} rows. {self.reason}>"

    @property
    def rank(self) -> int:
        """Rank of the verdict, from 0 (insufficient data) to 4 (critical drift)."""
        return RANK[self.status, self.severity]

    @property
    def main(self) -> WindowReport:
        """The largest sliding window."""
        return [window for window in self.windows.values() if window.capacity is not None][-1]


def evaluate(
    baseline: Baseline, windows: Sequence[Window], rows_observed: int, before: Carryover, policy: Policy, now: float
) -> tuple[DriftReport, Carryover]:
    """Return the report on windows and evidence, and what the next call needs.

    The last sliding window is the main one. `before` holds the evidence of all rows and the thresholds that are
    latched; `now` is in seconds since 1970 by the clock of the windows.
    """
    compared = compare(baseline, windows, policy)
    effects = np.stack([[window.effect(severity) for window in compared] for severity in SEVERITIES])
    carried = Carryover(before.evidence, _latched(effects, before.latched))
    verdicts = _verdicts(baseline, compared, carried, effects, policy, now)
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
        evidence=carried.evidence,
        windows={window.name: window for window in compared},
        correlation=_correlation(baseline, windows),
        worst_first=tuple(order),
        drifted=drifted,
    )
    return report, carried


def update_latches(baseline: Baseline, windows: Sequence[Window], latched: BoolArray, policy: Policy) -> BoolArray:
    """Return the latched thresholds after these sliding windows, as `evaluate` would but without a report.

    `latched` (shape [severities, columns]) are those before.
    """
    return _latched(effects_of(baseline, windows, policy), latched)


def _correlation(baseline: Baseline, windows: Sequence[Window]) -> CorrelationChange | None:
    main = [window for window in windows if window.capacity is not None][-1]
    if main.sample is None or main.rows < REPORTED_ROWS or not baseline.correlations.columns:
        return None
    return baseline.correlation_comparison(baseline.row_correlations.correlations(main.sample.codes))


def _latched(effects: FloatArray, before: BoolArray) -> BoolArray:
    """Return which thresholds are latched, shape [severities, columns]: from an effect of 1 until it is below 0.8.

    `effects` have shape [severities, windows, columns].
    """
    largest = np.fmax.reduce(effects, axis=1)  # NaN, which reaches nothing, only where all are
    latched: BoolArray = (largest >= 1.0) | (before & (largest >= CLEARED))
    return latched


def _verdicts(
    baseline: Baseline,
    windows: Sequence[WindowReport],
    carried: Carryover,
    effects: FloatArray,
    policy: Policy,
    now: float,
) -> tuple[ColumnVerdict, ...]:
    main = [window for window in windows if window.capacity is not None][-1]
    largest = np.argmax(np.nan_to_num(effects, nan=-1.0), axis=1)  # the window with the largest effect
    judged = ~np.isnan(effects[0]).all(axis=0)
    verdicts = []
    for i, column in enumerate(baseline.columns):
        if column.in_sample:
            reason = f"{column.name}: {IN_SAMPLE}"
            verdicts.append(ColumnVerdict(column.name, Status.INSUFFICIENT_DATA, None, reason, None))
            continue
        large = _large(carried.latched[:, i])
        significant = bool(carried.evidence.raised[i])
        status, severity = judge(main.rows, significant=significant, large=large)
        window = windows[largest[SEVERITIES.index(large or "warning"), i]]
        since = float(carried.evidence.since[i]) if severity else None
        finding = Finding(
            significant=significant,
            large=large is not None,
            effect=_effect(i, window, large or "warning", held=large is not None) if judged[i] else None,
            too_few="" if judged[i] else _too_few(i, windows, policy, significant=significant),
            until=_until(float(carried.evidence.cleared[i]), window, now),
            moved="" if since is None else what_moved(column, window.counts[i].astype(np.float64), window.reference[i]),
            since="" if since is None or since >= now else since_in_words(since, now),
        )
        reason = f"{column.name}: {finding.in_words(status)}"
        verdicts.append(ColumnVerdict(column.name, status, severity, reason, since))
    return tuple(verdicts)


def _large(latched: BoolArray) -> Severity | None:
    """Return which of the two thresholds of a column is latched, the higher one if both are."""
    if not latched.any():
        return None
    return "critical" if latched[SEVERITIES.index("critical")] else "warning"


def _until(cleared: float, window: WindowReport, now: float) -> str | None:
    """Say until when a drift was significant that ended while the window's rows came; None if none did."""
    if math.isnan(cleared) or window.start is None or cleared < window.start:
        return None
    return until_in_words(cleared, now)


def _too_few(i: int, windows: Sequence[WindowReport], policy: Policy, *, significant: bool) -> str:
    """Say how many of the needed rows there are, for a verdict or the size of a drift."""
    counted = [window for window in windows if window.capacity is not None]
    window = max(counted, key=lambda w: w.rows)
    unjudged = window.rows == 0 or (window.rows < REPORTED_ROWS and not significant)
    needed = REPORTED_ROWS if unjudged else max(JUDGED_ROWS, 10 * int(window.psi.bins[i]))
    largest = max(w.capacity or 0 for w in counted)
    if largest < needed and window.slides:
        return f"the largest window holds {largest} rows, and {needed} are needed; make it larger"
    if window.rows >= needed:
        return "all values of the window or of the reference are missing"
    age = ago_in_words(policy.max_age_seconds)
    stale = f"; rows older than {age} do not count (max_age_seconds)" if window.expired else ""
    return f"{window.rows} of {needed} rows{stale}"


def _effect(i: int, window: WindowReport, severity: Severity, *, held: bool) -> Effect:
    debiased, threshold = float(window.psi.debiased[i]), float(window.thresholds[severity][i])
    return Effect(
        psi_debiased=debiased,
        threshold=threshold,
        held_until=CLEARED * threshold if held and debiased < threshold else None,
        expected_range=float(window.expected_range[i]),
    )


def _worst_first(verdicts: tuple[ColumnVerdict, ...], effects: FloatArray) -> list[int]:
    effect = np.nan_to_num(np.fmax.reduce(effects[0], axis=0))
    return sorted(range(len(verdicts)), key=lambda i: (-RANK[verdicts[i].status, verdicts[i].severity], -effect[i]))


def _model_reason(worst: list[ColumnVerdict]) -> str:
    """Return the reason of the worst column, and which others share its verdict; `worst` is in that order."""
    first = worst[0]
    if first.status is Status.INSUFFICIENT_DATA:
        return first.reason.removeprefix(f"{first.name}: ")
    if first.status is Status.NORMAL:
        return f"no drift. Nearest to its limit is {first.reason}"
    moved = [verdict.name for verdict in worst if verdict.status is first.status]
    more = f" and {len(moved) - 4} more" if len(moved) > 4 else ""
    return f"{first.reason} Also: {', '.join(moved[1:4])}{more}." if len(moved) > 1 else first.reason


def score_means(report: DriftReport) -> tuple[float, float]:
    """Return the mean score of the main window and of the reference; NaN where there is no score."""
    if PREDICTION not in report.baseline.names:
        return float("nan"), float("nan")
    index = report.baseline.names.index(PREDICTION)
    return float(report.main.sample.mean[index]), report.baseline.columns[index].mean
