"""The past of one column: charts of several statistics over time, and the same as a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.verdict.numbers import percent, two_decimals
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.edges.web.rows import share_limit
from driftgauge.edges.web.trend import WIDTH, Past, Point, limit_of, path
from driftgauge.edges.web.words import UNKNOWN, minute

HEIGHT: Final = 96.0
TOP: Final = 8.0
BOTTOM: Final = 90.0
"""Where the largest value and zero are, from the top of a chart."""
BETWEEN_MARKS: Final = 13.0
"""Least distance of two marks of an axis, so that both can be read."""
LONG_SECONDS: Final = 172_800.0
"""Length of a past from which on its times are days."""


@dataclass(frozen=True)
class Mark:
    """A value written at the axis."""

    y: float
    text: str


@dataclass(frozen=True)
class Hit:
    """The part of a chart that tells the value of one point."""

    x: float
    width: float
    text: str


@dataclass(frozen=True)
class Chart:
    """A statistic over time."""

    name: str
    path: str
    limit_y: float | None
    marks: Sequence[Mark]
    hits: Sequence[Hit]
    summary: str
    """Now, largest value and limit in words."""


@dataclass(frozen=True)
class ColumnPast:
    """Charts of one column over the same time."""

    span: str
    charts: Sequence[Chart]
    times: Sequence[str]
    """At the start, the middle and the end of the charts."""
    rows: Sequence[Sequence[str]]
    """A time and the value of each chart then, newest first."""


@dataclass(frozen=True)
class _Series:
    name: str
    values: FloatArray
    """Those of the history, then that of now."""
    limit: float
    """NaN without one."""
    words: Callable[[float], str]


def column_past(report: DriftReport, i: int, past: Past) -> ColumnPast | None:
    """Return the past of the column at position `i`; None if too little is known."""
    series = _series(report, i, past)
    points = [past.points(one.values) for one in series]
    if len(points[0]) < 2:
        return None
    moments = [*past.history.at.tolist(), past.now]
    shown = {point.at for found in points for point in found}
    rows = [
        [minute(at), *(_words(one, float(one.values[place])) for one in series)]
        for place, at in reversed(list(enumerate(moments)))
        if at in shown
    ]
    first = moments[0]
    times = [_time(at, past.now - first) for at in (first, (first + past.now) / 2.0, past.now)]
    charts = [_chart(one, found) for one, found in zip(series, points, strict=True) if found]
    return ColumnPast(past.span, charts, times, rows)


def _series(report: DriftReport, i: int, past: Past) -> list[_Series]:
    threshold, history = report.evidence.threshold_log10, past.history

    def values(statistic: str, now: FloatArray) -> FloatArray:
        return np.append(history.column(statistic)[:, i].astype(np.float64), now[i])

    evidence = values("evidence_log10", report.evidence.log10)
    share = evidence / threshold if threshold > 0.0 else np.full_like(evidence, np.nan)
    missing = values("missing_ratio", report.main.shares.missing)
    return [
        _Series("PSI", values("psi_debiased", report.main.psi.debiased), limit_of(report, i), two_decimals),
        _Series("Evidence, part of its threshold", share, 1.0, percent),
        _Series("Missing", missing, share_limit(report, i, "missing"), percent),
    ]


def _words(series: _Series, value: float) -> str:
    return UNKNOWN if math.isnan(value) else series.words(max(value, 0.0))


def _time(at: float, span: float) -> str:
    return minute(at)[:10] if span > LONG_SECONDS else minute(at)[5:]


def _chart(series: _Series, points: Sequence[Point]) -> Chart:
    largest = max(0.0, *(point.value for point in points))
    has_limit = math.isfinite(series.limit) and series.limit > 0.0
    scale = max(largest, series.limit if has_limit else 0.0) or 1.0

    def height(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * max(value, 0.0) / scale

    limit = [series.limit] if has_limit else []
    said = [f"now {_words(series, float(series.values[-1]))}", f"largest {_words(series, largest)}"]
    return Chart(
        name=series.name,
        path=path(points, height),
        limit_y=round(height(series.limit), 1) if has_limit else None,
        marks=_marks([*limit, largest, 0.0], height, series.words),
        hits=_hits(series, points),
        summary=", ".join([*said, *(f"limit {_words(series, value)}" for value in limit)]),
    )


def _marks(values: Sequence[float], height: Callable[[float], float], words: Callable[[float], str]) -> list[Mark]:
    """Return the marks of the largest value, the limit and zero: the limit and the largest value always have room."""
    found: list[Mark] = []
    for value in sorted(set(values), reverse=True):
        y = max(height(value), found[-1].y + BETWEEN_MARKS if found and value > 0.0 else TOP)
        if not found or y - found[-1].y >= BETWEEN_MARKS:
            found.append(Mark(round(min(y, BOTTOM), 1), words(value)))
    return found


def _hits(series: _Series, points: Sequence[Point]) -> list[Hit]:
    places = np.array([point.x for point in points])
    edges = np.concatenate([[0.0], (places[1:] + places[:-1]) / 2.0, [WIDTH]])
    return [
        Hit(round(start, 1), round(end - start, 1), f"{minute(point.at)} UTC: {_words(series, point.value)}")
        for point, start, end in zip(points, edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ]
