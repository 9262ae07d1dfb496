"""A chart of how the score depends on the feature of a diagnosis, and the same as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from driftgauge.drift.attribution.partial_dependence import PartialDependence, Point
from driftgauge.drift.diagnosis.dependence import dependence_in_words
from driftgauge.drift.verdict.numbers import short
from driftgauge.edges.web.trend import WIDTH

TOP: Final = 8.0
BOTTOM: Final = 90.0
"""Where the largest and the smallest score are, from the top of the chart."""
HEIGHT: Final = 96.0


@dataclass(frozen=True)
class DependencePart:
    """The part of the chart of one value."""

    x: float
    width: float
    is_new: bool
    text: str


@dataclass(frozen=True)
class DependenceView:
    """How the mean score goes over the values of a feature."""

    feature: str
    summary: str
    path: str
    """A line over numbers, a stretch for each category."""
    new: str
    """The outline of the values that the reference hardly has; empty without any."""
    parts: Sequence[DependencePart]
    marks: Sequence[tuple[float, str]]
    """Places and texts of the largest and the smallest score."""
    first: str
    last: str
    rows: Sequence[tuple[str, str, str, str]]
    """Value, mean score, its standard deviation, and whether the value is new."""


def dependence_view(found: PartialDependence | None) -> DependenceView | None:
    """Return the chart of a partial dependence; None without one."""
    if found is None or not found.points:
        return None
    low, high = min(found.means), max(found.means)
    heights = [_height(mean, low, high) for mean in found.means]
    parts = _parts(found)
    names = [_name(point) for point in found.points]
    marks = [(TOP, short(high)), (BOTTOM, short(low))] if high > low else [(BOTTOM, short(low))]
    return DependenceView(
        feature=found.feature,
        summary=dependence_in_words(found),
        path=_path(found, parts, heights),
        new=" ".join(f"M{own.x:.1f} 0h{own.width:.1f}V{HEIGHT:g}h-{own.width:.1f}Z" for own in parts if own.is_new),
        parts=parts,
        marks=marks,
        first=names[0],
        last=names[-1],
        rows=[
            (name, short(mean), short(spread), "new" if point.is_new else "")
            for name, mean, spread, point in zip(names, found.means, found.spreads, found.points, strict=True)
        ],
    )


def _name(point: Point) -> str:
    if point.name is not None:
        return point.name
    return "missing" if math.isnan(point.value) else short(point.value)


def _height(mean: float, low: float, high: float) -> float:
    return BOTTOM if high == low else BOTTOM - (BOTTOM - TOP) * (mean - low) / (high - low)


def _parts(found: PartialDependence) -> list[DependencePart]:
    """Return a part for each point: all are as wide."""
    width = WIDTH / len(found.points)
    return [
        DependencePart(i * width, width, point.is_new, f"{_name(point)}: {short(mean)}")
        for i, (point, mean) in enumerate(zip(found.points, found.means, strict=True))
    ]


def _path(found: PartialDependence, parts: Sequence[DependencePart], heights: Sequence[float]) -> str:
    steps: list[str] = []
    is_line = False
    for point, part, height in zip(found.points, parts, heights, strict=True):
        is_number = point.name is None and not math.isnan(point.value)
        if is_number:
            steps.append(f"{'L' if is_line else 'M'}{part.x + part.width / 2.0:.1f} {height:.1f}")
        else:
            steps.append(f"M{part.x + part.width / 4.0:.1f} {height:.1f}h{part.width / 2.0:.1f}")
        is_line = is_number
    return " ".join(steps)
