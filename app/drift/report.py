"""The verdict: does what the windows hold still look like the baseline?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Literal

import numpy as np

from app.drift.baseline import PREDICTION, RESERVED, Baseline
from app.drift.bins import BoolArray, FloatArray
from app.drift.statistics import Psi, Shares, shares
from app.drift.window import Moments, Rows, moments

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
    psi_thresholds: tuple[float, float] = (0.1, 0.2)
    """`psi_debiased` from which drift is a warning, and critical."""
    missing_thresholds: tuple[float, float] = (0.05, 0.1)
    """Missing ratio above the reference's own that is a warning, and critical."""
    unseen_thresholds: tuple[float, float] = (0.01, 0.05)
    """Unseen ratio above the one to expect that is a warning, and critical."""


@dataclass(frozen=True)
class WindowReport:
    """Everything known of one window; arrays have shape [columns]."""

    capacity: int
    rows: int
    start: float | None
    """Time of the oldest and of the newest row, seconds since 1970; None without rows."""
    end: float | None
    psi: Psi
    """NaN below 200 rows."""
    natural_variation: FloatArray
    thresholds: Mapping[Severity, FloatArray]
    """The effective ones: the larger of the policy's and the natural variation."""
    judged: BoolArray
    """Whether the window holds enough rows for a verdict on the column."""
    shares: Shares
    moments: Moments

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
    windows: Mapping[int, WindowReport]
    """By capacity, ascending."""
    drifted: tuple[str, ...] = field(default=())
    """Names of the drifted features, worst first."""

    @property
    def main(self) -> WindowReport:
        """The largest count window."""
        return self.windows[self.policy.windows[-1]]


def evaluate(
    baseline: Baseline, rows: Rows, rows_observed: int, previous: Memory, policy: Policy, now: float
) -> tuple[DriftReport, Memory]:
    """Judge the newest rows against the baseline; returns the report and what the next call needs.

    `rows` holds as many rows as the largest window, or all there are; `now` is in seconds since
    1970 by the clock of `rows.at`.
    """
    windows = {size: _window(baseline, rows.newest(size), size, policy) for size in policy.windows}
    memory = _remember(windows, previous, now)
    verdicts = tuple(_verdict(i, baseline, windows, memory) for i in range(len(baseline.columns)))
    order = _worst_first(verdicts, windows)
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
        windows=windows,
        drifted=drifted,
    )
    return report, memory


def _window(baseline: Baseline, rows: Rows, capacity: int, policy: Policy) -> WindowReport:
    counts = baseline.binner.counts(rows.codes)
    psi = baseline.psi(counts)
    n = len(rows)
    variation = baseline.natural_variation(n)
    reported = n >= REPORTED_ROWS
    hidden = np.full(len(baseline.columns), np.nan)
    return WindowReport(
        capacity=capacity,
        rows=n,
        start=float(rows.at.min()) if n else None,
        end=float(rows.at.max()) if n else None,
        psi=psi if reported else replace(psi, psi=hidden, noise=hidden, debiased=hidden),
        natural_variation=variation,
        thresholds={
            # A hair above, so that the reference's own most extreme window does not reach it.
            severity: np.maximum(threshold, variation * (1.0 + 1e-9))
            for severity, threshold in zip(SEVERITIES, policy.psi_thresholds, strict=True)
        },
        judged=(n >= np.maximum(JUDGED_ROWS, 10 * psi.bins)) & ~np.isnan(psi.psi) & ~baseline.in_sample,
        shares=shares(counts, baseline.special_codes),
        moments=moments(np.where(baseline.numeric, rows.values, np.nan)),
    )


def _remember(windows: Mapping[int, WindowReport], previous: Memory, now: float) -> Memory:
    """Update which thresholds are reached: from an effect of 1 on, until it falls below 0.8."""
    reached = np.zeros_like(previous.reached)
    for i, severity in enumerate(SEVERITIES):
        effect = _largest([window.effect(severity) for window in windows.values()])
        reached[i] = (effect >= 1.0) | (previous.reached[i] & (effect >= CLEARED))
    drifted = reached.any(axis=0)
    began = np.where(np.isnan(previous.since), now, previous.since)
    return Memory(reached, np.where(drifted, began, np.nan))


def _largest(effects: list[FloatArray]) -> FloatArray:
    """Return the largest of several effects, NaN (which reaches nothing) only where all are."""
    stacked = np.stack(effects)
    return np.where(np.isnan(stacked).all(axis=0), np.nan, np.fmax.reduce(stacked))


def _verdict(i: int, baseline: Baseline, windows: Mapping[int, WindowReport], memory: Memory) -> ColumnVerdict:
    column = baseline.columns[i]
    judged = [window for window in windows.values() if window.judged[i]]
    if not judged:
        return ColumnVerdict(column.name, Status.INSUFFICIENT_DATA, None, _why_not(i, baseline, windows), None)
    severity: Severity = "critical" if memory.reached[1, i] else "warning"
    window = max(judged, key=lambda w: float(w.effect(severity)[i]))
    if not memory.reached[:, i].any():
        return ColumnVerdict(column.name, Status.NORMAL, None, _effect_in_words(i, window), None)
    reason = _effect_in_words(i, window, severity)
    return ColumnVerdict(column.name, Status.DRIFT_DETECTED, severity, reason, float(memory.since[i]))


def _why_not(i: int, baseline: Baseline, windows: Mapping[int, WindowReport]) -> str:
    if baseline.columns[i].in_sample:
        return "not judged: the reference holds scores of the model's own training rows (build it with --evaluation)"
    window = max(windows.values(), key=lambda w: w.rows)
    needed = max(JUDGED_ROWS, 10 * int(window.psi.bins[i]))
    if max(windows) < needed:
        return f"the largest window holds {max(windows)} rows, a verdict needs {needed}: make it larger"
    if window.rows >= needed:
        return f"nothing to compare: the last {window.rows} rows, or the reference's, are all missing"
    return f"{window.rows} of the {needed} rows that a verdict needs"


def _effect_in_words(i: int, window: WindowReport, raised: Severity | None = None) -> str:
    debiased, threshold = window.psi.debiased[i], window.thresholds[raised or "warning"][i]
    sign = "≥" if debiased >= threshold else "<"
    held = f", held until below {_short(CLEARED * threshold)}" if raised and debiased < threshold else ""
    natural = window.natural_variation[i]
    least = f", the reference's own windows reach {_short(natural)}" if natural > 0 else ""
    return f"PSI {_short(debiased)} {sign} {_short(threshold)} in the last {window.rows} rows{held}{least}"


def _short(value: float) -> str:
    return f"{value:.3g}"


_RANK: Final[dict[tuple[Status, Severity | None], int]] = {
    (Status.INSUFFICIENT_DATA, None): 0,
    (Status.NORMAL, None): 1,
    (Status.WARNING, "warning"): 2,
    (Status.DRIFT_DETECTED, "warning"): 3,
    (Status.DRIFT_DETECTED, "critical"): 4,
}


def _worst_first(verdicts: tuple[ColumnVerdict, ...], windows: Mapping[int, WindowReport]) -> list[int]:
    effect = np.nan_to_num(_largest([window.effect("warning") for window in windows.values()]))
    return sorted(range(len(verdicts)), key=lambda i: (-_RANK[verdicts[i].status, verdicts[i].severity], -effect[i]))


def _model_reason(worst: list[ColumnVerdict]) -> str:
    """Say in a sentence what moved, or why nothing can be said yet; `worst` is in that order."""
    first = worst[0]
    if first.status is Status.INSUFFICIENT_DATA:
        return first.reason
    if first.status is Status.NORMAL:
        return f"no column moved; nearest to its threshold is {first.name}: {first.reason}"
    moved = [verdict.name for verdict in worst if verdict.status is Status.DRIFT_DETECTED]
    also = f"; also {', '.join(moved[1:4])}" if len(moved) > 1 else ""
    more = f" and {len(moved) - 4} more" if len(moved) > 4 else ""
    return f"{first.name} moved: {first.reason}{also}{more}"


def score_means(report: DriftReport) -> tuple[float, float]:
    """Return the mean score of the main window and of the reference; NaN where there is no score."""
    if PREDICTION not in report.baseline.names:
        return float("nan"), float("nan")
    place = report.baseline.names.index(PREDICTION)
    return float(report.main.moments.mean[place]), report.baseline.columns[place].mean
