"""Distances between a table's distribution and the baseline's, as SageMaker's model monitor defines them."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from scipy.stats import chi2_contingency

from driftgauge.checks.sagemaker.constraints import Method
from driftgauge.checks.sagemaker.points import Points
from driftgauge.drift.bins import MISSING, FloatArray, IntArray
from driftgauge.drift.reference.columns import ColumnBaseline

_ROBUST: Final = 1.8
"""Factor of the allowance for the noise of few rows."""


def number_distance(points: Points, column: ColumnBaseline, method: Method) -> float:
    """Return the largest difference of the cumulative shares of numbers (the Kolmogorov-Smirnov statistic)."""
    known = np.asarray(column.quantiles)
    at = np.union1d(points.values, known)
    ends = np.concatenate([[0.0], np.cumsum(points.rows)])
    rows = float(ends[-1])
    own = ends[np.searchsorted(points.values, at, side="right")] / rows
    reference = np.searchsorted(known, at, side="right") / len(known)
    return _allowing(float(np.abs(own - reference).max()), rows, _present(column), method)


def text_distance(counts: IntArray, column: ColumnBaseline, method: Method) -> float:
    """Return the largest difference of the shares of a value; rare values count together."""
    own, reference = _by_value(counts, column)
    shares = own / own.sum(), reference / reference.sum()
    return _allowing(float(np.abs(shares[0] - shares[1]).max()), own.sum(), reference.sum(), method)


def chi_squared_p_value(counts: IntArray, column: ColumnBaseline) -> float:
    """Return the p-value that both come from one distribution of values, by the chi-squared test."""
    table = np.array(_by_value(counts, column))
    table = table[:, table.sum(axis=0) > 0.0]
    return 1.0 if table.shape[1] < 2 else float(chi2_contingency(table, correction=False).pvalue)


def _by_value(counts: IntArray, column: ColumnBaseline) -> tuple[FloatArray, FloatArray]:
    """Return the rows of each value without missing ones, of the table and of the baseline."""
    is_value = np.ones(len(counts), dtype=np.bool_)
    is_value[column.bins.special[MISSING]] = False
    return counts[is_value].astype(np.float64), np.asarray(column.counts)[is_value]


def _present(column: ColumnBaseline) -> float:
    return column.rows - column.counts[column.bins.special[MISSING]]


def _allowing(distance: float, rows: float, reference_rows: float, method: Method) -> float:
    """Return the distance, by `Robust` less what chance alone gives with so few rows."""
    if method == "Simple":
        return distance
    return max(0.0, distance - _ROBUST * math.sqrt((rows + reference_rows) / (rows * reference_rows)))
