"""A uniform sample of rows of numbers, the same on each run."""

from __future__ import annotations

from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray

SEED: Final = 0


class Reservoir:
    """The rows with the smallest of random keys, all rows while there is room."""

    def __init__(self, most: int, columns: int) -> None:
        self._most: Final = most
        self._random = np.random.default_rng(SEED)
        self.rows = 0
        """Rows that were added."""
        self._keys: list[FloatArray] = []
        self._values: list[FloatArray] = []
        self._waiting = 0
        self._columns = columns

    def add(self, values: FloatArray) -> None:
        """Add rows, shape [n, columns]."""
        self._keys.append(self._random.random(len(values)))
        self._values.append(values)
        self.rows += len(values)
        self._waiting += len(values)
        if self._waiting > 2 * self._most:
            self._shrink()

    def _shrink(self) -> None:
        keys, values = np.concatenate([*self._keys]), np.concatenate([*self._values])
        kept = np.argpartition(keys, self._most - 1)[: self._most] if len(keys) > self._most else slice(None)
        self._keys, self._values = [keys[kept]], [values[kept]]
        self._waiting = len(self._keys[0])

    @property
    def is_sample(self) -> bool:
        """Whether some rows were left out."""
        return self.rows > self._most

    def values(self) -> FloatArray:
        """Return the held rows, shape [held, columns]."""
        if not self._values:
            return np.empty((0, self._columns))
        self._shrink()
        return self._values[0]
