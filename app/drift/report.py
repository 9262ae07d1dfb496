"""The verdict: does what the windows hold still look like the baseline?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Literal

import numpy as np

from app.drift.baseline import PREDICTION, RESERVED, Baseline
from app.drift.bins import MISSING, BoolArray, FloatArray, IntArray
from app.drift.buckets import TimeSpan
from app.drift.correlation import CorrelationChange
from app.drift.reasons import DAY_SECONDS, Effect, ago_in_words, since_in_words, what_moved
from app.drift.samples import SampleStatistics
from app.drift.significance import Significance
from app.drift.statistics import Psi, Shares, js_distance, shares
from app.drift.window import Rows, Window

Severity = Literal["warning", "critical"]
SEVERITIES: Final[tuple[Severity, ...]] = ("warning", "critical")

REPORTED_ROWS: Final = 200
"""From how many rows on PSI is reported."""
JUDGED_ROWS: Final = 500
"""The fewest rows that a verdict rests on, or 10 a bin where that is more."""
CLEARED: Final = 0.8
"""An effect that reached its threshold is held until it falls below this part of it."""


class Status(StrEnum):
    """A verdict, from the least to the most to worry about."""

    INSUFFICIENT_DATA = "insufficient_data"
    NORMAL = "normal"
    WARNING = "warning"
    DRIFT_DETECTED = "drift_detected"


@dataclass(frozen=True)
class Policy:
    """What the operator decides: which windows, and how big is big."""

    windows: tuple[int, ...] = (1_000, 10_000)
    """Rows of the count windows, ascending; the last one is the main window."""
    time_windows: tuple[TimeSpan, ...] = (TimeSpan("2m", 120), TimeSpan("1h", 3_600), TimeSpan("24h", 86_400))
    """How far the time windows reach back; they are reported, verdicts rest on count windows."""
    max_age_seconds: float = DAY_SECONDS
    """Older rows are no part of a count window."""
    psi_thresholds: tuple[float, float] = (0.1, 0.2)
    """`psi_debiased` from which drift is a warning, and critical."""
    missing_thresholds: tuple[float, float] = (0.05, 0.1)
    """Missing ratio above the reference's own that is a warning, and critical."""
    unseen_thresholds: tuple[float, float] = (0.01, 0.05)
    """Unseen ratio above the one to expect that is a warning, and critical."""


@dataclass(frozen=True)
class WindowReport:
    """Everything known of one window; arrays have shape [columns], NaN where there is nothing to say."""

    name: str
    rows: int
    start: float | None
    """Since when and until when, seconds since 1970; None for a count window without rows."""
    end: float | None
    capacity: int | None
    """Rows that a count window holds when full; None for a time window."""
    seconds: int | None
    """How far a time window reaches back; None for a count window."""
    expired: int
    """Rows that a count window leaves out because they are too old."""
    slides: bool
    """Whether these are the newest of a stream of rows, rather than all rows of a table."""
    counts: IntArray
    """Rows in each bin, shape [columns, K]."""
    psi: Psi
    """Like everything that compares, NaN below 200 rows."""
    js_distance: FloatArray
    significance: Significance
    """NaN below 100 rows."""
    sample: SampleStatistics
    shares: Shares
    natural_variation: FloatArray
    thresholds: Mapping[Severity, FloatArray]
    """The effective ones: the larger of the policy's and the natural variation; NaN for a time window."""
    judged: BoolArray
    """Whether a verdict on the column may rest on the window: a count window with rows enough."""

    def effect(self, severity: Severity) -> FloatArray:
        """Return `psi_debiased` in units of the effective threshold; NaN where nothing is judged."""
        return np.where(self.judged, self.psi.debiased / self.thresholds[severity], np.nan)


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
    """What one evaluation leaves to the next: the thresholds reached, and since when.

    Shapes [2, columns] for the two severities, and [columns] for `since` (NaN while none is).
    """

    reached: BoolArray
    since: FloatArray

    @classmethod
    def empty(cls, columns: int) -> Memory:
        """Return the memory of a monitor that has not been evaluated yet."""
        return cls(np.zeros((len(SEVERITIES), columns), dtype=bool), np.full(columns, np.nan))


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
    windows: Mapping[str, WindowReport]
    """By name: count windows, ascending, then time windows."""
    correlation: CorrelationChange | None
    """In the main window; never part of a verdict."""
    worst_first: tuple[int, ...]
    """Places of the columns in the order of their verdicts and effects."""
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
    baseline: Baseline, windows: Sequence[Window], rows_observed: int, previous: Memory, policy: Policy, now: float
) -> tuple[DriftReport, Memory]:
    """Judge windows against the baseline; returns the report and what the next call needs.

    The last count window is the main one; `now` is in seconds since 1970 by the clock of the windows.
    """
    compared = _compare(baseline, windows, policy)
    memory, effects = _remember(compared, previous, now)
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
        windows={window.name: window for window in compared},
        correlation=_correlation(baseline, windows),
        worst_first=tuple(order),
        drifted=drifted,
    )
    return report, memory


def _compare(baseline: Baseline, windows: Sequence[Window], policy: Policy) -> list[WindowReport]:
    """Compute every statistic: from the counts of all windows at once, from the rows of each where they are held."""
    counts = np.stack([window.counts for window in windows])
    psi = baseline.psi(counts)
    distance = js_distance(counts.astype(np.float64), baseline.counts)
    significance = baseline.significance(counts.astype(np.float64))
    samples = _samples(baseline, windows)
    return [
        _window_report(
            baseline,
            window,
            policy,
            Psi(psi.psi[i], psi.noise[i], psi.debiased[i], psi.bins[i]),
            distance[i],
            Significance(significance.p_value[i], significance.chi_squared[i], significance.degrees[i]),
            samples[i],
        )
        for i, window in enumerate(windows)
    ]


def _samples(baseline: Baseline, windows: Sequence[Window]) -> list[SampleStatistics]:
    """Compare the rows of each window, those that several windows share but once."""
    found: list[SampleStatistics] = []
    seen: list[tuple[Rows, SampleStatistics]] = []
    for window in windows:
        known = [earlier for rows, earlier in seen if window.sample is not None and rows.same_as(window.sample)]
        if known:
            found.append(known[0])
        elif window.sample is not None:
            found.append(baseline.sample_comparison(window.sample.by_column))
            seen.append((window.sample, found[-1]))
        else:
            missing = window.counts[np.arange(len(baseline.columns)), baseline.special_codes[MISSING]]
            sums = np.zeros((2, len(baseline.columns))) if window.sums is None else window.sums
            found.append(baseline.sample_comparison.of_sums(window.rows - missing, sums))
    return found


def _window_report(
    baseline: Baseline,
    window: Window,
    policy: Policy,
    psi: Psi,
    distance: FloatArray,
    significance: Significance,
    sample: SampleStatistics,
) -> WindowReport:
    n = window.rows
    counted = window.capacity is not None
    hidden = np.full(len(baseline.columns), np.nan)
    variation = baseline.natural_variation(n) if counted else hidden
    if n < REPORTED_ROWS:
        psi = replace(psi, psi=hidden, noise=hidden, debiased=hidden)
        distance = hidden
        sample = replace(sample, ks_statistic=hidden, wasserstein_ratio=hidden, mean_shift=hidden)
    return WindowReport(
        name=window.name,
        rows=n,
        start=window.start,
        end=window.end,
        capacity=window.capacity,
        seconds=window.seconds,
        expired=window.expired,
        slides=window.slides,
        counts=window.counts,
        psi=psi,
        js_distance=distance,
        significance=significance,
        sample=sample,
        shares=shares(window.counts, baseline.special_codes),
        natural_variation=variation,
        thresholds={
            # A hair above, so that the reference's own most extreme window does not reach it.
            severity: np.maximum(threshold, variation * (1.0 + 1e-9))
            for severity, threshold in zip(SEVERITIES, policy.psi_thresholds, strict=True)
        },
        judged=counted & (n >= np.maximum(JUDGED_ROWS, 10 * psi.bins)) & ~np.isnan(psi.psi) & ~baseline.in_sample,
    )


def _correlation(baseline: Baseline, windows: Sequence[Window]) -> CorrelationChange | None:
    main = [window for window in windows if window.capacity is not None][-1]
    if main.sample is None or main.rows < REPORTED_ROWS or not baseline.correlations.columns:
        return None
    return baseline.correlation_comparison(baseline.normal_scores.correlations(main.sample.codes))


def _remember(windows: Sequence[WindowReport], previous: Memory, now: float) -> tuple[Memory, FloatArray]:
    """Update which thresholds are reached: from an effect of 1 on, until it falls below 0.8.

    Returns the effects too, shape [severities, windows, columns].
    """
    effects = np.stack([[window.effect(severity) for window in windows] for severity in SEVERITIES])
    largest = np.fmax.reduce(effects, axis=1)  # NaN, which reaches nothing, only where all are
    reached = (largest >= 1.0) | (previous.reached & (largest >= CLEARED))
    began = np.where(np.isnan(previous.since), now, previous.since)
    return Memory(reached, np.where(reached.any(axis=0), began, np.nan)), effects


def _verdicts(
    baseline: Baseline,
    windows: Sequence[WindowReport],
    memory: Memory,
    effects: FloatArray,
    policy: Policy,
    now: float,
) -> tuple[ColumnVerdict, ...]:
    judged = ~np.isnan(effects[0]).all(axis=0)
    telling = np.argmax(np.nan_to_num(effects, nan=-1.0), axis=1)  # the window with the largest effect
    verdicts = []
    for i, column in enumerate(baseline.columns):
        if not judged[i]:
            reason = f"{column.name}: {_why_not(i, baseline, windows, policy)}"
            verdicts.append(ColumnVerdict(column.name, Status.INSUFFICIENT_DATA, None, reason, None))
        elif not memory.reached[:, i].any():
            words = _effect(i, windows[telling[0, i]], "warning", held=False).in_words()
            verdicts.append(ColumnVerdict(column.name, Status.NORMAL, None, f"{column.name}: {words}", None))
        else:
            severity: Severity = "critical" if memory.reached[1, i] else "warning"
            window = windows[telling[SEVERITIES.index(severity), i]]
            since = float(memory.since[i])
            words = _effect(i, window, severity, held=True).in_words()
            moved = what_moved(column, window.counts[i].astype(np.float64))
            began = f" {since_in_words(since, now)}" if since < now else ""
            reason = f"{column.name}: {words}{began}; {moved}"
            verdicts.append(ColumnVerdict(column.name, Status.DRIFT_DETECTED, severity, reason, since))
    return tuple(verdicts)


def _why_not(i: int, baseline: Baseline, windows: Sequence[WindowReport], policy: Policy) -> str:
    if baseline.columns[i].in_sample:
        return "not judged: the reference holds scores of the model's own training rows (build it with --evaluation)"
    counted = [window for window in windows if window.capacity is not None]
    window = max(counted, key=lambda w: w.rows)
    needed = max(JUDGED_ROWS, 10 * int(window.psi.bins[i]))
    largest = max(w.capacity or 0 for w in counted)
    if largest < needed and window.slides:
        return f"the largest window holds {largest} rows, a verdict needs {needed}: make it larger"
    if window.rows >= needed:
        return f"nothing to compare: the last {window.rows} rows, or the reference's, are all missing"
    young = f" are of the last {ago_in_words(policy.max_age_seconds)} (max_age_seconds)" if window.expired else ""
    return f"{window.rows} of the {needed} rows that a verdict needs{young}"


def _effect(i: int, window: WindowReport, severity: Severity, *, held: bool) -> Effect:
    debiased, threshold = float(window.psi.debiased[i]), float(window.thresholds[severity][i])
    return Effect(
        psi_debiased=debiased,
        noise=float(window.psi.noise[i]),
        threshold=threshold,
        held_until=CLEARED * threshold if held and debiased < threshold else None,
        natural_variation=float(window.natural_variation[i]),
        rows=f"last {window.rows} rows" if window.slides else f"{window.rows} rows",
    )


RANK: Final[dict[tuple[Status, Severity | None], int]] = {
    (Status.INSUFFICIENT_DATA, None): 0,
    (Status.NORMAL, None): 1,
    (Status.WARNING, "warning"): 2,
    (Status.DRIFT_DETECTED, "warning"): 3,
    (Status.DRIFT_DETECTED, "critical"): 4,
}


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
    moved = [verdict.name for verdict in worst if verdict.status is Status.DRIFT_DETECTED]
    also = f"; also {', '.join(moved[1:4])}" if len(moved) > 1 else ""
    more = f" and {len(moved) - 4} more" if len(moved) > 4 else ""
    return f"{first.reason}{also}{more}"


def score_means(report: DriftReport) -> tuple[float, float]:
    """Return the mean score of the main window and of the reference; NaN where there is no score."""
    if PREDICTION not in report.baseline.names:
        return float("nan"), float("nan")
    place = report.baseline.names.index(PREDICTION)
    return float(report.main.sample.mean[place]), report.baseline.columns[place].mean
