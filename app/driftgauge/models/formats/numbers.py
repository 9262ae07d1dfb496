"""Numbers in the types that models compute with."""

from __future__ import annotations

from typing import Any

import numpy as np

from driftgauge.drift.bins import FloatArray


def as_fractions(values: FloatArray, dtype: Any) -> Any:
    """Return numbers in a type of fractions; ValueError for one that is too large."""
    with np.errstate(over="ignore"):
        converted = values.astype(dtype)
    if np.isinf(converted).any():
        raise ValueError(f"a number is too large for {np.dtype(dtype)}")
    return converted


def as_whole(values: FloatArray, dtype: Any) -> Any:
    """Return numbers in a type of whole numbers or booleans; ValueError for a missing one or another."""
    with np.errstate(invalid="ignore"):
        converted = values.astype(dtype)
    if not np.array_equal(converted.astype(np.float64), values):
        raise ValueError(f"a number is missing or does not fit {np.dtype(dtype)}")
    return converted
