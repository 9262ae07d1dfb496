"""Repeated column numbers, so that numpy works on several rows at once.

An operation with one number per column runs over one row at a time. With few columns that is too short for the
processor's wide registers. With the numbers repeated, it runs over stretches of about a thousand cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

TILE_CELLS: Final = 1_024
CELLS_AT_ONCE: Final = 65_536
"""Limit of cells in one pass, so that they stay in the processor's cache."""

_SQUARE: Final = (512, 64)


def transposed(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return a transposed copy, made in squares that fit into the cache."""
    rows, columns = values.shape
    copy = np.empty((columns, rows))
    for first in range(0, rows, _SQUARE[0]):
        for column in range(0, columns, _SQUARE[1]):
            own = slice(first, first + _SQUARE[0]), slice(column, column + _SQUARE[1])
            copy[own[1], own[0]] = values[own].T
    return copy


class Tiling:
    """Cuts blocks of rows into stretches of repeated columns."""

    def __init__(self, columns: int) -> None:
        rows = max(1, TILE_CELLS // max(1, columns))
        self._rows = rows
        self._cells = rows * max(1, columns)
        self._step = self._cells * max(1, CELLS_AT_ONCE // self._cells)

    def repeated(self, per_column: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return numbers of shape [..., columns] several rows long, shape [..., width of a stretch]."""
        return np.concatenate([per_column] * self._rows, axis=-1)

    def stretches(self, cells: int) -> Iterator[tuple[slice, int]]:
        """Yield the slices of a block of `cells` cells, and the width of the stretches in each."""
        for first in range(0, cells, self._step):
            last = min(first + self._step, cells)
            whole = last - (last - first) % self._cells
            if first < whole:
                yield slice(first, whole), self._cells
            if whole < last:
                yield slice(whole, last), last - whole
