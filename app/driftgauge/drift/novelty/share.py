"""The share of outliers in each window, beside the reference's and the limit of the settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from driftgauge.drift.verdict.comparison import WindowReport
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.rule import JUDGED_ROWS


@dataclass(frozen=True)
class OutlierShare:
    """The shares of outliers in the windows of a report."""

    ratios: Mapping[str, float]
    """By window, in the report's order; NaN in a window without rows."""
    reference: float
    threshold: float
    """The share above which there are too many."""
    window: str
    """The sliding window with enough rows that have a score and the largest share; the main one if none has enough."""
    rows: int
    """Rows of that window."""
    is_high: bool
    """Whether a sliding window with enough rows that have a score has a larger share than the threshold."""

    @property
    def ratio(self) -> float:
        """The share in the window that is judged; NaN if it has no rows."""
        return self.ratios[self.window]


def outlier_share(report: DriftReport, threshold: float) -> OutlierShare | None:
    """Return the share of outliers in the windows of a report; None if outliers are not watched."""
    baseline = report.baseline
    if baseline.novelty is None or not baseline.has_outliers:
        return None
    ratios = {name: _ratio(window) for name, window in report.windows.items()}
    sliding = [own for own in report.windows.values() if own.capacity is not None and _scored(own) >= JUDGED_ROWS]
    worst = max(sliding, key=lambda own: ratios[own.name], default=report.main)
    return OutlierShare(
        ratios=ratios,
        reference=baseline.novelty.ratio,
        threshold=threshold,
        window=worst.name,
        rows=worst.rows,
        is_high=bool(sliding) and ratios[worst.name] > threshold,
    )


def _scored(window: WindowReport) -> int:
    """Return how many rows have a score: a slow detector may skip some."""
    return int(window.counts[-1][:2].sum())  # the column of outliers is the last


def _ratio(window: WindowReport) -> float:
    rows = _scored(window)
    return float(window.counts[-1][1]) / rows if rows else math.nan
