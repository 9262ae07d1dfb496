"""Duplicate rows: those that are equal to an earlier one, by a hash of their values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from driftgauge.drift.bins import FloatArray

HashArray = npt.NDArray[np.uint64]


def duplicate_share(columns: Sequence[FloatArray]) -> float | None:
    """Return the share of rows that are equal to an earlier one; None without rows.

    Rows are compared by a hash of 64 bits, missing values as equal.
    """
    if not columns or len(columns[0]) == 0:
        return None
    return 1.0 - len(np.unique(row_hashes(np.stack(columns, axis=1)))) / len(columns[0])


def row_hashes(values: FloatArray) -> HashArray:
    """Return a hash of each row of values, shape [n, columns]; all missing values are equal, and both zeros."""
    cells = np.where(np.isnan(values), np.nan, values + 0.0).view(np.uint64)
    hashes = np.full(len(values), 0x9E3779B97F4A7C15, dtype=np.uint64)
    for column in cells.T:  # splitmix64, one column after the other
        hashes = hashes ^ column
        hashes = hashes + np.uint64(0x9E3779B97F4A7C15)
        hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        hashes = hashes ^ (hashes >> np.uint64(31))
    return hashes
