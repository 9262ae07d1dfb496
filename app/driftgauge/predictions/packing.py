"""Feature values of consecutive rows in one blob: float32 where nothing is lost, float64 otherwise."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from driftgauge.drift.bins import FloatArray

SINGLE: Final = "<f4"
SINGLE_BYTES: Final = 4
DOUBLE: Final = "<f8"
DOUBLE_BYTES: Final = 8


def narrowed(values: FloatArray) -> NDArray[np.floating[Any]]:
    """Return values as float32 if each of them reads back as the same float64, and as they are otherwise."""
    with np.errstate(over="ignore", invalid="ignore"):
        single = values.astype(SINGLE)
        is_lossless = np.array_equal(single.astype(np.float64), values, equal_nan=True)
    return single if is_lossless else values.astype(DOUBLE)


def pack(values: FloatArray) -> bytes:
    """Return the values of rows, shape [n, k], as bytes: `narrowed`, which the size of the blob tells."""
    return narrowed(values).tobytes()


def view(blob: bytes, rows: int, columns: int) -> NDArray[np.floating[Any]]:
    """Return packed values of rows without a copy, shape [rows, columns]; ValueError for a blob of another size."""
    dtype = SINGLE if len(blob) == SINGLE_BYTES * rows * columns else DOUBLE
    return np.frombuffer(blob, dtype).reshape(rows, columns)


def unpack(blob: bytes, rows: int, columns: int) -> FloatArray:
    """Return the values of rows, shape [rows, columns]; ValueError for a blob of another size."""
    return view(blob, rows, columns).astype(np.float64)
