"""Performance by cohort: a chart of each metric with its interval, and the same as a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from driftgauge.drift.performance.cohort import Cohort
from driftgauge.drift.performance.cohort_spans import Span, cohorts_by
from driftgauge.drift.performance.intervals import Estimate
from driftgauge.drift.performance.metrics import BY_NAME, measure
from driftgauge.drift.performance.report import PerformanceReport
from driftgauge.drift.verdict.numbers import short
from driftgauge.edges.web.performance import interval
from driftgauge.edges.web.trend import WIDTH
from driftgauge.edges.web.words import minute

PAST_SECONDS: Final = 30 * 86_400.0
"""How long before the newest matured cohort the charts begin."""
HOURLY_SECONDS: Final = 2 * 86_400.0
"""Length of a past up to which cohorts are shown by hour, and not by day."""
TOP: Final = 8.0
BOTTOM: Final = 90.0
"""Where the largest and the smallest value are, from the top of a chart."""


@dataclass(frozen=True)
class CohortPart:
    """The part of a chart that tells the value of one cohort."""

    x: float
    width: float
    text: str


@dataclass(frozen=True)
class CohortChart:
    """A metric by cohort."""

    name: str
    path: str
    band: str
    """The outline of the intervals."""
    held_out_y: float | None
    marks: Sequence[tuple[float, str]]
    """Places and texts of the largest and the smallest value."""
    parts: Sequence[CohortPart]
    summary: str


@dataclass(frozen=True)
class CohortsView:
    """Charts of performance over the same time."""

    charts: Sequence[CohortChart]
    names: Sequence[str]
    """The metrics of the table."""
    times: Sequence[str]
    """The first and the last cohort."""
    rows: Sequence[Sequence[str]]
    """A cohort, its rows and the value of each chart, newest first."""
    by: Span


@dataclass(frozen=True)
class _Line:
    name: str
    held_out: float | None
    cohorts: Sequence[tuple[Cohort, Estimate]]


def cohorts_view(report: PerformanceReport | None, cohorts: Sequence[Cohort]) -> CohortsView | None:
    """Return the charts of the metrics that are judged; None with fewer than two cohorts with ground truth."""
    if report is None or len(cohorts) < 2:
        return None
    by: Span = "hour" if cohorts[-1].end - cohorts[0].start <= HOURLY_SECONDS else "day"
    shown = [(own, measure(own.counts, report.tau)) for own in cohorts_by(cohorts, by) if own.rows]
    judged = [own for own in report.main_window.verdict.metrics if BY_NAME[own.name].is_judged]
    if len(shown) < 2 or not judged:
        return None
    lines = [
        _Line(BY_NAME[own.name].title, own.held_out, [(cohort, found[own.name]) for cohort, found in shown])
        for own in judged
    ]
    rows = [
        [_time(cohort, by), f"{cohort.rows:,}", *(interval(found[own.name]) for own in judged)]
        for cohort, found in reversed(shown)
    ]
    charts = [chart for line in lines if (chart := _chart(line, by)) is not None]
    return CohortsView(charts, [line.name for line in lines], [rows[-1][0], rows[0][0]], rows, by)


def _time(cohort: Cohort, by: Span) -> str:
    return minute(cohort.start) if by == "hour" else minute(cohort.start)[:10]


def _chart(line: _Line, by: Span) -> CohortChart | None:
    known = [(own, estimate) for own, estimate in line.cohorts if estimate.is_known]
    if not known:
        return None
    held_out = line.held_out
    ends = [value for _, own in known for value in (own.value, own.lower, own.upper) if math.isfinite(value)]
    ends += [] if held_out is None else [held_out]
    least, most = min(ends), max(ends)
    start, end = line.cohorts[0][0].start, line.cohorts[-1][0].end

    def height(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (value - least) / ((most - least) or 1.0)

    def place(moment: float) -> float:
        return WIDTH * (moment - start) / (end - start)

    pieces = _pieces(known)
    values = [own.value for _, own in known]
    said = [f"newest {interval(known[-1][1])}", f"lowest {short(min(values))}", f"highest {short(max(values))}"]
    return CohortChart(
        name=line.name,
        path="".join(_steps(piece, place, lambda own: height(own.value)) for piece in pieces),
        band="".join(_outline(piece, place, height) for piece in pieces),
        held_out_y=None if held_out is None else round(height(held_out), 1),
        marks=[(TOP, short(most)), (BOTTOM, short(least))] if most > least else [(BOTTOM, short(least))],
        parts=[
            CohortPart(
                round(place(own.start), 1),
                round(place(own.end) - place(own.start), 1),
                f"{_time(own, by)} UTC: {interval(estimate)}, {own.rows:,} rows",
            )
            for own, estimate in known
        ],
        summary=", ".join(said + ([] if held_out is None else [f"held-out rows {short(held_out)}"])),
    )


_Piece = list[tuple[Cohort, Estimate]]


def _pieces(known: Sequence[tuple[Cohort, Estimate]]) -> list[_Piece]:
    """Return the stretches of cohorts that follow one another without a gap."""
    found: list[_Piece] = []
    for cohort, estimate in known:
        if found and found[-1][-1][0].end == cohort.start:
            found[-1].append((cohort, estimate))
        else:
            found.append([(cohort, estimate)])
    return found


def _steps(piece: _Piece, place: Callable[[float], float], height: Callable[[Estimate], float]) -> str:
    """Return the path of a stretch: level over each cohort."""
    points = [
        f"{place(moment):.1f},{height(own):.1f}" for cohort, own in piece for moment in (cohort.start, cohort.end)
    ]
    return f"M{' '.join(points)}"


def _outline(piece: _Piece, place: Callable[[float], float], height: Callable[[float], float]) -> str:
    """Return the outline of the intervals of a stretch; those that are not known are left out."""
    boxes = []
    for cohort, own in piece:
        if math.isfinite(own.lower) and math.isfinite(own.upper):
            x, top, bottom = place(cohort.start), height(own.upper), height(own.lower)
            boxes.append(f"M{x:.1f} {top:.1f}H{place(cohort.end):.1f}V{bottom:.1f}H{x:.1f}z")
    return "".join(boxes)
