"""The verdict on each column and on the model, from evidence and windows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from driftgauge.drift.bins import BoolArray, FloatArray
from driftgauge.drift.evidence.detector import Detector, Evidence
from driftgauge.drift.reference.baseline import OUTPUTS, PREDICTION, Baseline
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.drift.statistics.correlation import CorrelationChange
from driftgauge.drift.verdict.column import ColumnVerdict
from driftgauge.drift.verdict.comparison import WindowReport, compare, effects_of
from driftgauge.drift.verdict.data_set import by_share, overall
from driftgauge.drift.verdict.latches import CLEARED
from driftgauge.drift.verdict.moved import Change, largest_change
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.verdict.rule import (
    JUDGED_ROWS,
    LIMITS,
    RANK,
    REPORTED_ROWS,
    Limit,
    Severity,
    Size,
    Status,
    Verdict,
    as_information,
    judge,
)
from driftgauge.drift.verdict.sizes import IN_WORDS, range_notes
from driftgauge.drift.verdict.two_minutes import TwoMinutes, two_minutes
from driftgauge.drift.verdict.wording import (
    NO_ALERTS,
    Effect,
    Finding,
    learning_in_words,
    notes,
    since_in_words,
    too_few_in_words,
    until_in_words,
    with_sender,
)
from driftgauge.drift.windows.window import Window

IN_SAMPLE: Final = (
    "not evaluated, because its reference is the scores of the model's own training rows (use --evaluation)"
)
NOT_MONITORED: Final = "not monitored (monitor = false in the settings)"


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
        return _main(list(self.windows.values()))


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
    nowhere = np.full(len(baseline.columns), np.nan)
    until = nowhere if learning_until is None else np.where(now < learning_until, learning_until, np.nan)
    compared = compare(baseline, windows, policy)
    effects = np.stack([[window.effect(limit) for window in compared] for limit in LIMITS])
    carried = Carryover(before.evidence, _latched(effects, before.latched))
    judging = _Judge(compared, carried, effects, policy, now, until, baseline.is_by_hour)
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


@dataclass(frozen=True)
class _Judge:
    """Judges one column after the other, from what is common to all of them."""

    windows: Sequence[WindowReport]
    carried: Carryover
    effects: FloatArray
    """Shape [limits, windows, columns]."""
    policy: Policy
    now: float
    learning_until: FloatArray
    """Shape [columns]; NaN where a column has learnt."""
    is_by_hour: bool

    def verdict(self, i: int, column: ColumnBaseline) -> ColumnVerdict:
        """Return the verdict on the column at position `i`."""
        own = self.policy.column(column.name)
        if column.in_sample or not own.monitor:
            why = IN_SAMPLE if own.monitor else NOT_MONITORED
            return ColumnVerdict(column.name, Status.INSUFFICIENT_DATA, None, f"{column.name}: {why}", None)
        significant, large = bool(self.carried.evidence.raised[i]), _large(self.carried.latched[:, i])
        is_sized = not np.isnan(self.effects[0, :, i]).all()
        size: Size = large or ("small" if is_sized else "unknown")
        verdict, learning = self._judged(i, size, significant=significant)
        status, severity = verdict if own.alert else as_information(verdict)
        since = float(self.carried.evidence.since[i]) if severity else None
        window = self._largest(i)
        change = None if since is None else _change(i, column, window, is_by_hour=self.is_by_hour)
        finding = Finding(
            significant=significant,
            large=large is not None,
            effect=_effect(i, window, large or "warning", held=large is not None) if is_sized else None,
            too_few="" if is_sized else _too_few(i, self.windows, self.policy, significant=significant),
            until=_until(float(self.carried.evidence.cleared[i]), window, self.now),
            moved=change.clause if change else "",
            share=change.share if change else None,
            since="" if since is None or since >= self.now else since_in_words(since, self.now),
            limited=learning if own.alert else NO_ALERTS * (severity != verdict[1]),
        )
        reason = f"{column.name}: {finding.in_words(status)}"
        return ColumnVerdict(column.name, status, severity, reason, since, finding)

    def _judged(self, i: int, size: Size, *, significant: bool) -> tuple[Verdict, str]:
        """Return the verdict, and in words what learning changes of it."""
        rows, learns = _main(self.windows).rows, not np.isnan(self.learning_until[i])
        later, found = (
            judge(
                rows,
                significant=significant,
                size=size,
                is_learning=is_learning,
                alert_on_small=self.policy.alert_on_small,
            )
            for is_learning in (False, learns)
        )
        return found, learning_in_words(float(self.learning_until[i])) if found != later else ""

    def _largest(self, i: int) -> WindowReport:
        """Return the window with the column's largest effect, which is so for both thresholds."""
        return self.windows[int(np.argmax(np.nan_to_num(self.effects[0, :, i], nan=-1.0)))]


def _change(i: int, column: ColumnBaseline, window: WindowReport, *, is_by_hour: bool) -> Change | None:
    # By hour of the day, the mean to expect is not the whole reference's.
    mean = math.nan if is_by_hour else float(window.sample.mean[i])
    return largest_change(column, window.counts[i].astype(np.float64), window.reference[i], mean)


def _main(windows: Sequence[WindowReport]) -> WindowReport:
    """Return the largest sliding window."""
    return [window for window in windows if window.capacity is not None][-1]


def _large(latched: BoolArray) -> Limit | None:
    """Return which of the two thresholds of a column is latched, the higher one if both are."""
    if not latched.any():
        return None
    return "critical" if latched[LIMITS.index("critical")] else "warning"


def _until(cleared: float, window: WindowReport, now: float) -> str | None:
    """Say until when a drift was significant that ended while the window's rows came; None if none did."""
    is_over = not math.isnan(cleared) and window.start is not None and cleared >= window.start
    return until_in_words(cleared, now) if is_over else None


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
        known = int(window.sample.rows[i])
        if known and not window.sizes.enough[i]:
            return f"{known} of {JUDGED_ROWS} rows with a value"
        return "all values of the window or of the reference are missing"
    return too_few_in_words(window.rows, needed, policy.max_age_seconds if window.expired else None)


def _effect(i: int, window: WindowReport, limit: Limit, *, held: bool) -> Effect:
    sizes = window.sizes
    debiased, threshold = float(sizes.debiased[i]), float(sizes.thresholds[limit][i])
    return Effect(
        statistic=IN_WORDS[sizes.statistics[i]],
        value=debiased,
        threshold=threshold,
        held_until=CLEARED * threshold if held and debiased < threshold else None,
        usual_up_to=float(sizes.expected_range[i]) if sizes.by_expected_range[i] else None,
    )


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
