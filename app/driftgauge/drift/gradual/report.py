"""Gradual drift: the time windows of a week or more against the baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import chdtri, stdtrit

from driftgauge.drift.bins import BoolArray, FloatArray, IntArray
from driftgauge.drift.gradual.day_variation import (
    FEWEST_DAY_ROWS,
    FEWEST_DAYS,
    DayVariation,
    day_shares,
    day_variation,
    window_variation,
)
from driftgauge.drift.verdict.comparison import WindowReport
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.rule import JUDGED_ROWS, Severity
from driftgauge.drift.windows.days import Days
from driftgauge.drift.windows.time_spans import DAY_SECONDS

SMALLER: Final = 4.0
"""The thresholds of PSI are divided by this. A shift that grows evenly is half as large in the mean of a window as at
its end, and PSI grows with the square of the shift."""
QUIET_DAYS: Final = 1_000.0
"""Days between false alarms of all columns, unless the budget asks for more."""
LARGEST_SHARE: Final = 1.0 / 3.0
"""Share of the rows up to which one day may have them; a window with more shows that day, and no drift of weeks."""
DEPENDENT_DAYS: Final = 3.0
"""By how much days vary more in the mean if each depends on the one before with a correlation of a half."""


@dataclass(frozen=True, eq=False)
class GradualWindow:
    """One time window; arrays have shape [columns], NaN where unknown."""

    name: str
    rows: int
    start: float
    """Seconds since 1970."""
    end: float
    days: int
    """Its whole days with rows."""
    psi_debiased: FloatArray
    """PSI without the noise of rows and without that of days."""
    variation: FloatArray
    """PSI by which such a window differs from the mean of many, because days differ."""
    thresholds: FloatArray
    """`psi_debiased` for warning and critical, shape [columns, 2]."""
    by_days: BoolArray
    """Whether chance and the variation of days set the threshold, and not the policy."""
    severities: tuple[Severity | None, ...]
    """Warning for a large change, info if the column raises no alert."""
    reason: str | None = None
    """Why no column is judged; None if one is."""

    @property
    def effects(self) -> FloatArray:
        """`psi_debiased` in units of the threshold for warning."""
        effects: FloatArray = self.psi_debiased / self.thresholds[:, 0]
        return effects


@dataclass(frozen=True, eq=False)
class GradualReport:
    """The long time windows of a report; they are no part of its verdict."""

    report: DriftReport
    windows: tuple[GradualWindow, ...]
    """The shortest first."""
    variation: DayVariation
    """Of the days of the longest window."""

    @property
    def severity(self) -> Severity | None:
        """The severity of the worst column in any window."""
        found = {own for window in self.windows for own in window.severities}
        return next((own for own in ("warning", "info") if own in found), None)

    @property
    def changed(self) -> tuple[str, ...]:
        """The columns with a large change in any window, the largest first."""
        effects = np.stack([np.nan_to_num(window.effects) for window in self.windows]).max(axis=0)
        is_large = [any(window.severities[index] for window in self.windows) for index in range(len(effects))]
        names = self.report.baseline.names
        return tuple(names[index] for index in np.argsort(-effects, kind="stable").tolist() if is_large[index])


def long_windows(report: DriftReport) -> tuple[WindowReport, ...]:
    """Return the time windows of a report that are judged, the shortest first."""
    return tuple(window for window in report.windows.values() if window.days is not None)


def gradual_report(report: DriftReport, variation: DayVariation | None = None) -> GradualReport | None:
    """Judge the long time windows of a report; None without one.

    `variation` is that of the days of the longest window, by default computed here.
    """
    windows = long_windows(report)
    if not windows:
        return None
    found = variation or day_variation(_days(windows[-1]))
    return GradualReport(report, tuple(_judged(report, window, found) for window in windows), found)


def _days(window: WindowReport) -> Days:
    if window.days is None:
        raise ValueError(f"window {window.name} has no days")
    return window.days


def _judged(report: DriftReport, window: WindowReport, variation: DayVariation) -> GradualWindow:
    baseline, policy, psi, days = report.baseline, report.policy, window.psi, _days(window)
    by_days = window_variation(days, window.rows, variation)
    is_compared = ~baseline.in_sample & policy.monitored(baseline.names)
    required = np.maximum(JUDGED_ROWS, 10 * psi.bins)
    reason = _reason(window, days, variation, required[is_compared])
    is_judged = is_compared & (reason is None) & (window.rows >= required) & ~np.isnan(psi.psi) & ~np.isnan(by_days)
    # Twice the variation: the number of the reference's days is unknown, so it is assumed to be the same.
    expected = psi.noise + 2.0 * by_days
    level, degrees = _level(report, window), psi.bins.astype(np.float64) - 1.0
    least = _by_chance(psi.noise, degrees, 2.0 * by_days, variation.degrees, level) - expected
    usual = policy.thresholds("psi", baseline.names) / SMALLER
    debiased = np.where(is_judged, np.maximum(0.0, psi.psi - expected), np.nan)
    thresholds = np.where(is_judged[:, None], np.maximum(usual, least[:, None]), np.nan)
    return GradualWindow(
        name=window.name,
        rows=window.rows,
        start=float(window.start or 0.0),
        end=float(window.end or 0.0),
        days=int((days.rows > 0).sum()),
        psi_debiased=debiased,
        variation=np.where(is_judged, by_days, np.nan),
        thresholds=thresholds,
        by_days=is_judged & (least > usual[:, 0]),
        severities=_severities(report, debiased >= thresholds[:, 0]),
        reason=reason,
    )


def _reason(window: WindowReport, days: Days, variation: DayVariation, required: IntArray) -> str | None:
    """Return why a window is not judged; `required` are the rows that each compared column needs."""
    if not required.size:
        return "no column is compared: none is monitored, or the reference has scores of training rows"
    if variation.days < FEWEST_DAYS:
        return f"{variation.days} of {FEWEST_DAYS} whole days with at least {FEWEST_DAY_ROWS} rows"
    if window.rows < (least := int(required.min())):
        return f"{window.rows:,} of {least:,} rows"
    if day_shares(days, window.rows).max() > LARGEST_SHARE:
        return "one day has more than a third of the rows"
    return None


def _severities(report: DriftReport, is_large: BoolArray) -> tuple[Severity | None, ...]:
    return tuple(
        None if not large else "warning" if report.policy.column(name).alert else "info"
        for name, large in zip(report.baseline.names, is_large.tolist(), strict=True)
    )


def _level(report: DriftReport, window: WindowReport) -> float:
    """Return the probability of a false alarm of one column on one day, from the budget of all columns."""
    budget, days = report.policy.budget, (float(window.end or 0.0) - float(window.start or 0.0)) / DAY_SECONDS
    interval = budget.false_alarm_interval_seconds
    by_budget = budget.false_alarm_rows * days / max(1, window.rows) if interval is None else interval / DAY_SECONDS
    columns = max(1, int(report.policy.monitored(report.baseline.names).sum()))
    return 1.0 / (columns * max(QUIET_DAYS, by_budget))


def _by_chance(noise: FloatArray, degrees: FloatArray, by_days: FloatArray, pairs: float, level: float) -> FloatArray:
    """Return the largest PSI that chance explains but for a probability of `level`, shape [columns].

    The noise of rows is spread over all bins. That of days may be one common shift, whose variance is an estimate.
    """
    rows = noise * chdtri(np.maximum(degrees, 1.0), level) / np.maximum(degrees, 1.0)
    days = DEPENDENT_DAYS * stdtrit(max(pairs, 1.0), level / 2.0) ** 2 * by_days
    found: FloatArray = rows + days
    return found
