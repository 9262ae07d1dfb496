"""Duplicate rows: those that are equal to an earlier one, by a hash of their values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
    return 1.0 - distinct(row_hashes(columns)) / len(columns[0])


def distinct(hashes: HashArray) -> int:
    """Return how many hashes differ; `np.unique` takes several times as long."""
    ordered = np.sort(hashes)
    return int(np.count_nonzero(ordered[1:] != ordered[:-1])) + min(1, len(ordered))


def row_hashes(columns: Iterable[FloatArray]) -> HashArray:
    """Return a hash of each row of columns, shape [n]; all missing values are equal, and both zeros.

    Each step is one-to-one, so that rows with one different value never have the same hash.
    """
    hashes: HashArray | None = None
    for column in columns:  # in place: multiplying spreads bits upwards, and the shift brings them down again
        own = column + 0.0
        missing = own != own
        if missing.any():  # they have many forms
            own[missing] = np.nan
        cells = own.view(np.uint64)
        if hashes is None:
            hashes = np.full(len(own), 0x9E3779B97F4A7C15, dtype=np.uint64)
        hashes ^= cells
        hashes *= np.uint64(0xBF58476D1CE4E5B9)
        hashes ^= np.right_shift(hashes, np.uint64(32), out=cells)
    return np.empty(0, dtype=np.uint64) if hashes is None else hashes
