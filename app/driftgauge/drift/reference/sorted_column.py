"""The baseline of a numeric column of many rows: sorted once, in place, so that it takes little more memory."""

from __future__ import annotations

import numpy as np

from driftgauge.drift.bins import BINS, FloatArray, IntArray
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.drift.reference.counted import (
    MOST_VALUES,
    Edges,
    OrderStatistics,
    Unordinary,
    ValueCounts,
    heavy_values,
    inner_ranks,
    interval_bins,
    numeric_column,
    ranks_among_all,
    reference_ranks,
    value_bins,
)
from driftgauge.drift.statistics.two_sample import Ordered

_ROWS_AT_ONCE = 1_048_576


def column_of(name: str, values: FloatArray) -> tuple[ColumnBaseline, bool]:
    """Return the baseline of a column, and whether its finite values are whole numbers; sorts the values.

    The baseline is that of `build_baseline` to the last bit. `values` are all of the column's, NaN where missing.
    """
    rows = len(values)
    values += 0.0  # makes one zero of two
    ordered = Ordered.of(values[None, :])
    first, size = int(ordered.first[0]), int(ordered.finite[0])
    mean, std = ordered.mean_and_std()
    moments = float(mean[0]), float(std[0])
    known = int(ordered.known[0])
    unordinary = Unordinary(rows - known, first, known - first - size)
    finite = values[first : first + size]
    ranks = reference_ranks(size)
    statistics = OrderStatistics(ranks, finite[ranks], size)
    few = _few_values(finite)
    if few is not None:
        bins, inside = value_bins(few)
    else:
        edges = _edges(finite, statistics)
        bins, inside = interval_bins(edges, _up_to(finite, edges.all), size)
    return numeric_column(name, rows, bins, inside, unordinary, moments, statistics), _is_integral(finite)


def _few_values(finite: FloatArray) -> ValueCounts | None:
    """Return the values and their rows, if they are few enough for bins of their own."""
    starts: list[int] = []
    first = 0
    while first < finite.size and len(starts) <= MOST_VALUES:
        starts.append(first)
        first = int(np.searchsorted(finite, finite[first], side="right"))
    if len(starts) > MOST_VALUES:
        return None
    return ValueCounts(finite[starts], np.diff([*starts, finite.size]).astype(np.int64))


def _edges(finite: FloatArray, statistics: OrderStatistics) -> Edges:
    candidates = statistics.repeated()
    begins, ends = (np.searchsorted(finite, candidates, side=side) for side in ("left", "right"))
    heavy = heavy_values(candidates, (ends - begins).tolist(), finite.size)
    taken = np.isin(candidates, heavy)
    begins, ends = begins[taken], ends[taken]
    left = finite.size - int((ends - begins).sum())
    ranks = inner_ranks(left, max(1, BINS - heavy.size))
    rest = OrderStatistics(ranks, finite[ranks_among_all(ranks, begins, ends)], left)
    return Edges.of(float(finite[0]), float(finite[-1]), heavy, rest)


def _up_to(finite: FloatArray, edges: FloatArray) -> IntArray:
    return np.searchsorted(finite, edges, side="right").astype(np.int64)


def _is_integral(finite: FloatArray) -> bool:
    parts = (finite[first : first + _ROWS_AT_ONCE] for first in range(0, finite.size, _ROWS_AT_ONCE))
    return finite.size > 0 and all(bool((part == np.rint(part)).all()) for part in parts)
