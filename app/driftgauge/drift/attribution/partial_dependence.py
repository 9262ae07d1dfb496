"""Partial dependence: the mean score of rows if one feature had each of several values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.bins import MISSING, FloatArray
from driftgauge.drift.reference.columns import ColumnBaseline

MOST_POINTS: Final = 20
CENTRAL: Final = (0.01, 0.99)
"""Quantiles between which the central range of a number lies."""
_POINTS_OF_NEW: Final = 8
_NEW_RATIO: Final = 0.01
"""Share of rows with a category, or without a value, from which it has a point."""
_WHOLE_RATIO: Final = 0.9
"""Share of whole quantiles of a column of whole numbers; some are interpolated."""


@dataclass(frozen=True)
class Point:
    """A value of a feature."""

    value: float
    """The number, or the code of a category's bin; NaN for missing."""
    name: str | None
    """The name of a category; None of a number, and for missing."""
    is_new: bool
    """Whether it lies outside the reference's central range, or the reference has hardly any of it."""


@dataclass(frozen=True)
class PartialDependence:
    """How the score depends on one feature."""

    feature: str
    kind: str
    """numeric or categorical."""
    points: Sequence[Point]
    """Numbers ascend, categories are in the order of their rows; missing is last."""
    means: Sequence[float]
    """Mean score of the rows if all had the value."""
    spreads: Sequence[float]
    """Standard deviation of their scores."""
    rows: int
    """Rows that were predicted for each point."""


def points_of(column: ColumnBaseline, live: FloatArray, *, takes_missing: bool) -> tuple[Point, ...]:
    """Return the values to ask a model for: the reference's central ones, and those that are new in live rows.

    `live` are monitored values, shape [n]; without any, the reference's values alone. A value that is missing has a
    point if the model takes it.
    """
    points = list(_numbers(column, live) if column.kind == "numeric" else _categories(column, live))
    known = column.counts[column.bins.special[MISSING]] / max(column.rows, 1)
    lacking = float(np.isnan(live).mean()) if live.size else known
    if takes_missing and max(known, lacking) >= _NEW_RATIO:
        points.append(Point(np.nan, None, is_new=known < _NEW_RATIO))
    return tuple(points)


def _numbers(column: ColumnBaseline, live: FloatArray) -> Iterator[Point]:
    quantiles = np.array(column.quantiles)
    if not quantiles.size:
        return
    low, high = np.quantile(quantiles, CENTRAL).tolist()
    finite = live[np.isfinite(live)]
    live_low, live_high = np.quantile(finite, CENTRAL).tolist() if finite.size else (low, high)
    below, above = live_low < low, live_high > high
    per_side = _POINTS_OF_NEW // max(1, below + above)
    central = MOST_POINTS - 1 - per_side * (below + above)  # one is left for missing
    values = [np.linspace(low, high, central)]
    if below:
        values.insert(0, np.linspace(live_low, low, per_side + 1)[:-1])
    if above:
        values.append(np.linspace(high, live_high, per_side + 1)[1:])
    grid = np.concatenate(values)
    if (quantiles == np.round(quantiles)).mean() > _WHOLE_RATIO:
        grid = np.round(grid)
    for value in np.unique(grid).tolist():
        yield Point(value, None, is_new=not low <= value <= high)


def _categories(column: ColumnBaseline, live: FloatArray) -> Iterator[Point]:
    """Yield kept categories by their rows in the reference and in live rows; other ones have no name to ask for."""
    names = column.bins.categories
    reference = np.array(column.counts[: len(names)]) / max(column.rows, 1)
    seen = Counter(live[np.isfinite(live)].astype(np.int64).tolist())
    shares = np.array([seen[code] for code in range(len(names))]) / max(live.size, 1)
    order = np.argsort(-np.maximum(reference, shares), kind="stable")[: MOST_POINTS - 1]
    for code in order.tolist():
        yield Point(float(code), names[code], is_new=bool(reference[code] < _NEW_RATIO <= shares[code]))
