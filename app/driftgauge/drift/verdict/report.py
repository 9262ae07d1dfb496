"""The verdict on each column and on the model, from evidence and windows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from driftgauge.drift.bins import BoolArray, FloatArray
from driftgauge.drift.evidence.detector import Detector, Evidence
from driftgauge.drift.reference.baseline import OUTPUTS, PREDICTION, Baseline
from driftgauge.drift.statistics.correlation import CorrelationChange
from driftgauge.drift.verdict.column import ColumnVerdict
from driftgauge.drift.verdict.column_judge import ColumnJudge
from driftgauge.drift.verdict.comparison import WindowReport, compare, effects_of, main_window
from driftgauge.drift.verdict.data_set import by_share, overall
from driftgauge.drift.verdict.latches import CLEARED
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.verdict.rule import LIMITS, RANK, REPORTED_ROWS, Severity, Status
from driftgauge.drift.verdict.sizes import range_notes
from driftgauge.drift.verdict.two_minutes import TwoMinutes, two_minutes
from driftgauge.drift.verdict.wording import notes, with_sender
from driftgauge.drift.windows.window import Window


@dataclass(frozen=True)
class Carryover:
    """What one evaluation hands to the next."""

    evidence: Evidence
    """Of all blocks so far."""
    latched: BoolArray
    """The thresholds that effects have reached and not fallen well below again, shape [limits, columns]."""

    @classmethod
    def start(cls, detector: Detector) -> Carryover:
        """Return the state before the first row."""
        evidence = detector.start()
        return cls(evidence, np.zeros((len(LIMITS), len(evidence.values)), dtype=np.bool_))


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
    effects: FloatArray
    """Largest effect of each column over the sliding windows: 1 at its threshold; NaN where no window can tell."""
    worst_first: tuple[int, ...]
    """Positions of the columns in the order of their verdicts and effects."""
    drifted: tuple[str, ...] = field(default=())
    """Names of the drifted features, worst first."""
    learning_until: float | None = None
    """End of the learning time of all columns, seconds since 1970; None if it is over or there is none."""
    clients: Mapping[str, float] = field(default_factory=dict)
    """Share of the newest rows by who sent them, the largest first; empty where callers have no names."""
    two_minutes: TwoMinutes | None = None
    """What the rule on the last two minutes says; None unless the policy asks for it."""

    def __repr__(self) -> str:
        severity = f" ({self.severity})" if self.severity else ""
        return f"<DriftReport: {self.status}{severity} after {self.rows_observed:,} rows. {self.reason}>"

    @property
    def drift_score(self) -> float:
        """The largest effect of all columns: from 1 a change is large, significant or not; NaN if none is known."""
        return float(np.fmax.reduce(self.effects))

    @property
    def rank(self) -> int:
        """Rank of the verdict, from 0 (insufficient data) to 7 (critical drift)."""
        return RANK[self.status, self.severity]

    @property
    def main(self) -> WindowReport:
        """The largest sliding window."""
        return main_window(list(self.windows.values()))


def evaluate(
    baseline: Baseline,
    windows: Sequence[Window],
    rows_observed: int,
    before: Carryover,
    policy: Policy,
    now: float,
    *,
    learning_until: FloatArray | None = None,
    clients: Mapping[str, float] = {},
) -> tuple[DriftReport, Carryover]:
    """Return the report on windows and evidence, and what the next call needs.

    The last sliding window is the main one. `before` holds the evidence of all rows and the thresholds that are
    latched; `now` is in seconds since 1970 by the clock of the windows. Before `learning_until` (see
    `Policy.learning_until`) no severity of a column is above warning. `clients` are the shares of who sent the rows.
    """
    until = _still_learning(baseline, learning_until, now)
    compared = compare(baseline, windows, policy)
    effects = np.stack([[window.effect(limit) for window in compared] for limit in LIMITS])
    carried = Carryover(before.evidence, _latched(effects, before.latched))
    judging = ColumnJudge(compared, before.evidence, carried.latched, effects, policy, now, until, baseline.is_by_hour)
    verdicts = tuple(judging.verdict(i, column) for i, column in enumerate(baseline.columns))
    if policy.drift_share is not None:
        verdicts = by_share(verdicts, policy.drift_share)
    largest = np.fmax.reduce(effects[0], axis=0)
    order = _worst_first(verdicts, largest)
    worst = [verdicts[i] for i in order]
    whole = overall(worst, policy.drift_share)
    drifted = tuple(v.name for v in worst if v.status is Status.DRIFT_DETECTED and v.name not in OUTPUTS)
    report = DriftReport(
        baseline=baseline,
        policy=policy,
        evaluated_at=now,
        rows_observed=rows_observed,
        status=whole.status,
        severity=whole.severity,
        reason=with_sender(whole.reason or _model_reason(worst), clients, is_quiet=whole.severity is None),
        verdicts=verdicts,
        evidence=carried.evidence,
        windows={window.name: window for window in compared},
        correlation=_correlation(baseline, windows),
        effects=largest,
        worst_first=tuple(order),
        drifted=drifted,
        learning_until=None if np.isnan(until).all() else float(np.nanmax(until)),
        clients=clients,
        two_minutes=two_minutes(baseline, compared, policy),
    )
    return report, carried


def update_latches(baseline: Baseline, windows: Sequence[Window], latched: BoolArray, policy: Policy) -> BoolArray:
    """Return the latched thresholds after these sliding windows, as `evaluate` would but without a report.

    `latched` (shape [limits, columns]) are those before.
    """
    return _latched(effects_of(baseline, windows, policy), latched)


def _still_learning(baseline: Baseline, learning_until: FloatArray | None, now: float) -> FloatArray:
    """Return the ends of the learning times that are not over, NaN of the others, shape [columns]."""
    if learning_until is None:
        return np.full(len(baseline.columns), np.nan)
    return np.where(now < learning_until, learning_until, np.nan)


def _correlation(baseline: Baseline, windows: Sequence[Window]) -> CorrelationChange | None:
    main = [window for window in windows if window.capacity is not None][-1]
    if main.sample is None or main.rows < REPORTED_ROWS or not baseline.correlations.columns:
        return None
    return baseline.correlation_comparison(baseline.row_correlations.correlations(main.sample.codes))


def _latched(effects: FloatArray, before: BoolArray) -> BoolArray:
    """Return which thresholds are latched, shape [limits, columns]: from an effect of 1 until it is below 0.8.

    `effects` have shape [limits, windows, columns].
    """
    largest = np.fmax.reduce(effects, axis=1)  # NaN, which reaches nothing, only where all are
    latched: BoolArray = (largest >= 1.0) | (before & (largest >= CLEARED))
    return latched


def _worst_first(verdicts: tuple[ColumnVerdict, ...], effects: FloatArray) -> list[int]:
    effect = np.nan_to_num(effects)
    return sorted(range(len(verdicts)), key=lambda i: (-RANK[verdicts[i].status, verdicts[i].severity], -effect[i]))


def _model_reason(worst: list[ColumnVerdict]) -> str:
    """Return the reason of the worst column, and which others share its verdict; `worst` is in that order."""
    first = worst[0]
    if first.status is Status.INSUFFICIENT_DATA:
        return first.reason.removeprefix(f"{first.name}: ")
    if first.severity is None:
        if first.finding is not None and first.finding.effect is None:
            return f"no drift: {first.finding.in_words(first.status)}"
        return f"no drift. Nearest to its limit is {first.reason}"
    moved = [verdict.name for verdict in worst if verdict.severity and verdict.status is first.status]
    more = f" and {len(moved) - 4} more" if len(moved) > 4 else ""
    others = f" Also: {', '.join(moved[1:4])}{more}." if len(moved) > 1 else ""
    return f"{'no drift. ' if first.status is Status.NORMAL else ''}{first.reason}{others}"


def all_notes(report: DriftReport) -> Iterator[str]:
    """Yield what limits the evidence and the thresholds that the baseline allows."""
    yield from notes(report.baseline, report.evidence.live)
    yield from range_notes(report.policy, report.baseline)


def score_means(report: DriftReport) -> tuple[float, float]:
    """Return the mean score of the main window and of the reference; NaN where there is no score."""
    if PREDICTION not in report.baseline.names:
        return float("nan"), float("nan")
    index = report.baseline.names.index(PREDICTION)
    return float(report.main.sample.mean[index]), report.baseline.columns[index].mean
