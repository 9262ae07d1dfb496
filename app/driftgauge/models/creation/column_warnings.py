"""Warnings about columns that seldom belong in a model: ids, and copies of the target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.reference.columns import Categories

FEWEST_ROWS: Final = 50
"""Fewest rows to judge a column: in fewer, any column can look like an id."""
FEWEST_OTHERS: Final = 5
"""Fewest rows outside the most frequent target value: fewer can match by chance."""
MOST_ROWS: Final = 100_000
"""Most rows that are examined, spread over the table."""
ID_RATIO: Final = 0.95
"""Share of distinct values at which a column of whole numbers or texts is likely an id."""

Column = FloatArray | Categories


def column_warnings(columns: Mapping[str, Column], target: Column) -> list[str]:
    """Return a warning for each likely id and each column that determines the target."""
    truth = _spread_rows(_values(target))
    if len(truth) < FEWEST_ROWS:
        return []
    warnings = []
    for name, column in columns.items():
        values = _spread_rows(_values(column))
        if _looks_like_id(column, values):
            warnings.append(
                f"{name} is likely an id: it has almost as many distinct values as rows. "
                "If it is not a feature, fit the estimator without it (and leave it out of the bundle with --ignore)"
            )
        elif determines(values, truth):
            warnings.append(
                f"{name} determines the target perfectly: it may be computed from the target, and unknown when you "
                "predict. If so, fit the estimator without it (and leave it out of the bundle with --ignore)"
            )
    return warnings


def _values(column: Column) -> FloatArray:
    """Return a column as numbers, NaN for missing; categories by their codes."""
    if isinstance(column, Categories):
        return np.where(column.codes < 0, np.nan, column.codes)
    return column


def _spread_rows(values: FloatArray) -> FloatArray:
    step = -(-len(values) // MOST_ROWS)
    return values[:: max(1, step)]


def _looks_like_id(column: Column, values: FloatArray) -> bool:
    known = values[np.isfinite(values)]
    if len(known) < FEWEST_ROWS or (not isinstance(column, Categories) and (known != np.floor(known)).any()):
        return False
    return bool(len(np.unique(known)) >= ID_RATIO * len(known))


def determines(values: FloatArray, truth: FloatArray) -> bool:
    """Return whether a column determines the target, by a monotone transform or value by value."""
    known = ~(np.isnan(values) | np.isnan(truth))
    if known.sum() < FEWEST_ROWS:
        return False
    distinct, index = np.unique(values[known], return_inverse=True)
    _, wanted = np.unique(truth[known], return_inverse=True)
    targets = int(wanted.max()) + 1
    if len(distinct) < 2 or targets < 2 or np.bincount(wanted).max() > len(wanted) - FEWEST_OTHERS:
        return False
    return _is_monotone(index, wanted, targets) or _is_function(index, wanted)


def _is_monotone(index: IntArray, wanted: IntArray, targets: int) -> bool:
    """Return whether sorting by the column also sorts the target."""
    lowest = np.full(index.max() + 1, targets)
    highest = np.full(index.max() + 1, -1)
    np.minimum.at(lowest, index, wanted)
    np.maximum.at(highest, index, wanted)
    if (lowest != highest).any():
        return False
    steps = np.diff(lowest)
    return bool((steps >= 0).all() or (steps <= 0).all())


def _is_function(index: IntArray, wanted: IntArray) -> bool:
    """Return whether each repeated value has one target, in enough rows to exclude chance."""
    rows = np.bincount(index)
    again = rows[index] > 1
    if again.sum() * 2 < len(index) or len(np.unique(wanted[again])) < 2:
        return False
    pairs = len(np.unique(np.stack([index[again], wanted[again]]), axis=1).T)
    return bool(pairs == (rows > 1).sum())
