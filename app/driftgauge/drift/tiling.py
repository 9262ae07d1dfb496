"""Numbers of columns laid out several rows long.

The rows of a block lie behind one another in memory. An operation with one number a column then runs
over a row at a time, too short for the processor's wide registers where there are few columns. With
the numbers repeated it runs over as many rows at once as make a stretch of about a thousand cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

TILE_CELLS: Final = 1_024
CELLS_AT_ONCE: Final = 65_536
"""Few enough to stay in the processor's cache from one operation to the next."""

_SQUARE: Final = (512, 64)


def transposed(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return a copy of shape [columns, n] of values of shape [n, columns], by squares that stay in the cache."""
    rows, columns = values.shape
    copy = np.empty((columns, rows))
    for first in range(0, rows, _SQUARE[0]):
        for column in range(0, columns, _SQUARE[1]):
            own = slice(first, first + _SQUARE[0]), slice(column, column + _SQUARE[1])
            copy[own[1], own[0]] = values[own].T
    return copy


class Tiling:
    """How blocks of some width are cut into stretches."""

    def __init__(self, columns: int) -> None:
        rows = max(1, TILE_CELLS // max(1, columns))
        self._rows = rows
        self._cells = rows * max(1, columns)
        self._step = self._cells * max(1, CELLS_AT_ONCE // self._cells)

    def repeated(self, per_column: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return numbers of shape [..., columns] several rows long, shape [..., width of a stretch]."""
        return np.concatenate([per_column] * self._rows, axis=-1)

    def stretches(self, cells: int) -> Iterator[tuple[slice, int]]:
        """Yield where each lot of stretches lies in a block of so many cells, and their width."""
        for first in range(0, cells, self._step):
            last = min(first + self._step, cells)
            whole = last - (last - first) % self._cells
            if first < whole:
                yield slice(first, whole), self._cells
            if whole < last:
                yield slice(whole, last), last - whole
