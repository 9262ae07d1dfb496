"""Feature values of consecutive rows in one blob: float32 where nothing is lost, float64 otherwise."""

from __future__ import annotations

from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray

SINGLE: Final = "<f4"
DOUBLE: Final = "<f8"


def pack(values: FloatArray) -> bytes:
    """Return the values of rows, shape [n, k], as bytes.

    They are stored as float32 if each of them reads back as the same float64. The size of the blob tells which.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        single = values.astype(SINGLE)
        is_lossless = np.array_equal(single.astype(np.float64), values, equal_nan=True)
    return single.tobytes() if is_lossless else values.astype(DOUBLE).tobytes()


def unpack(blob: bytes, rows: int, columns: int) -> FloatArray:
    """Return the values of rows, shape [rows, columns]; ValueError for a blob of another size."""
    cells = rows * columns
    dtype = SINGLE if len(blob) == 4 * cells else DOUBLE
    return np.frombuffer(blob, dtype).astype(np.float64).reshape(rows, columns)
