"""What a page says about performance on predictions whose ground truth is known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from driftgauge.drift.performance.intervals import Estimate
from driftgauge.drift.performance.metrics import BY_NAME
from driftgauge.drift.performance.report import LabelDrift, PerformanceReport, WindowPerformance
from driftgauge.drift.performance.verdict import MetricVerdict, PerformanceStatus
from driftgauge.drift.verdict.numbers import percent, short, two_decimals
from driftgauge.edges.web.words import duration

_TITLES: Final[Mapping[PerformanceStatus, tuple[str, str]]] = {
    PerformanceStatus.INSUFFICIENT_LABELS: ("Not enough labels", "unknown"),
    PerformanceStatus.NORMAL: ("As expected", "normal"),
    PerformanceStatus.WARNING: ("Worse", "warning"),
    PerformanceStatus.DEGRADED: ("Worse", "critical"),
}
"""Title and colour of each status."""


@dataclass(frozen=True)
class SegmentRow:
    """One segment of the table."""

    name: str
    rows: str
    numbers: Sequence[str]


@dataclass(frozen=True)
class PerformanceView:
    """The verdict on performance, and the metrics of the main window."""

    title: str
    colour: str
    reason: str
    numbers: Mapping[str, str]
    note: str
    labels: str
    """What became of the distribution of the labels; empty where it is not known."""
    segment_metrics: Sequence[str]
    """Titles of the columns of the segments' table."""
    segments: Sequence[SegmentRow]


def performance_view(report: PerformanceReport | None) -> PerformanceView | None:
    """Return what is said of a report; None without one."""
    if report is None:
        return None
    title, colour = _TITLES[report.status]
    main = report.main_window
    judged = [own.name for own in main.verdict.metrics if BY_NAME[own.name].is_judged]
    return PerformanceView(
        title=title,
        colour=colour,
        reason=f"{report.reason[0].upper()}{report.reason[1:]}.",
        numbers={BY_NAME[own.name].title: _beside(own) for own in main.verdict.metrics if own.current.is_known},
        note=_note(main, report.tau),
        labels="" if report.label_drift is None else _labels(report.label_drift),
        segment_metrics=[BY_NAME[name].title for name in judged],
        segments=[
            SegmentRow(
                f"{own.segment[0]}: {own.segment[1]}",
                f"{own.rows:,}",
                [interval(own.metrics[name]) for name in judged],
            )
            for own in report.segments
        ],
    )


def interval(estimate: Estimate) -> str:
    """Return a number with its interval in words; a dash if it is not known."""
    if not estimate.is_known:
        return "–"
    if math.isnan(estimate.lower) or math.isnan(estimate.upper):
        return short(estimate.value)
    return f"{short(estimate.value)} ({short(estimate.lower)} to {short(estimate.upper)})"


def _beside(metric: MetricVerdict) -> str:
    text = interval(metric.current)
    if metric.held_out is not None:
        text += f", {short(metric.held_out)} on the held-out rows"
    return text if metric.limit is None else f"{text}, limit {short(metric.limit)}"


def _note(main: WindowPerformance, tau: float) -> str:
    cohort = main.cohort
    alike = f" of dependent rows ({tau:.0f} count as one)" if round(tau) > 1 else ""
    rows = f"On the {cohort.rows:,} newest matured predictions with ground truth, with 95 % intervals{alike}."
    if not cohort.rows:
        return "No matured prediction has ground truth yet. Send it to /labels."
    covered = "" if math.isnan(cohort.coverage) else f" {percent(cohort.coverage)} of predictions have it"
    lag = f", on average {duration(cohort.mean_lag_seconds)} later." if covered else ""
    return f"{rows}{covered}{lag}"


def _labels(drift: LabelDrift) -> str:
    change = {None: "no significant change", "info": "a significant and small change"}.get(
        drift.severity, "a significant and large change"
    )
    sizes = f"PSI {two_decimals(drift.psi_debiased)}, limit {two_decimals(drift.thresholds[0])}"
    return f"Labels against the target of the reference: {change} ({sizes})."
