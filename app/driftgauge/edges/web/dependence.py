"""A chart of how the score depends on the feature of a diagnosis, and the same as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
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
class DependenceView:
    """How the mean score goes over the values of a feature."""

    feature: str
    summary: str
    path: str
    """A line over numbers, a stretch for each category."""
    new: str
    """The outline of the values that the reference hardly has; empty without any."""
    marks: Sequence[tuple[float, str]]
    """Places and texts of the largest and the smallest score."""
    first: str
    last: str
    rows: Sequence[tuple[str, str, str]]
    """Value, mean score, and whether the reference has the value."""


def dependence_view(found: PartialDependence | None) -> DependenceView | None:
    """Return the chart of a partial dependence; None without one."""
    if found is None or not found.points:
        return None
    low, high = min(found.means), max(found.means)
    heights = [_height(mean, low, high) for mean in found.means]
    width = WIDTH / len(found.points)
    names = [_name(point) for point in found.points]
    marks = [(TOP, short(high)), (BOTTOM, short(low))] if high > low else [(BOTTOM, short(low))]
    return DependenceView(
        feature=found.feature,
        summary=dependence_in_words(found),
        path=_path(found, heights, width),
        new=_new(found, width),
        marks=marks,
        first=names[0],
        last=names[-1],
        rows=[
            (name, short(mean), "hardly" if point.is_new else "yes")
            for name, mean, point in zip(names, found.means, found.points, strict=True)
        ],
    )


def _name(point: Point) -> str:
    if point.name is not None:
        return point.name
    return "missing" if math.isnan(point.value) else short(point.value)


def _height(mean: float, low: float, high: float) -> float:
    return BOTTOM if high == low else BOTTOM - (BOTTOM - TOP) * (mean - low) / (high - low)


def _new(found: PartialDependence, width: float) -> str:
    """Return the outline of stretches of new values."""
    outlines, i = [], 0
    for is_new, stretch in groupby(found.points, lambda own: own.is_new):
        many = len(list(stretch))
        if is_new:
            outlines.append(f"M{i * width:.1f} 0h{many * width:.1f}V{HEIGHT:g}h-{many * width:.1f}Z")
        i += many
    return " ".join(outlines)


def _path(found: PartialDependence, heights: Sequence[float], width: float) -> str:
    """Return the path through the middles of the values, all of which are as wide."""
    steps: list[str] = []
    is_line = False
    for i, (point, height) in enumerate(zip(found.points, heights, strict=True)):
        is_number = point.name is None and not math.isnan(point.value)
        if is_number:
            steps.append(f"{'L' if is_line else 'M'}{(i + 0.5) * width:.1f} {height:.1f}")
        else:
            steps.append(f"M{(i + 0.25) * width:.1f} {height:.1f}h{0.5 * width:.1f}")
        is_line = is_number
    return " ".join(steps)
