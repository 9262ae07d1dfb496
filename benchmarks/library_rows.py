"""The rows that `benchmarks.library` observes, in every shape, and what a way of observing them is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import driftgauge
import numpy as np
import pandas as pd
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import PREDICTION, Baseline

COLUMNS: Final = 30
CATEGORICAL: Final = 10
"""Columns of the mixed rows that hold categories."""
CATEGORIES: Final = 8
REFERENCE_ROWS: Final = 10_000
ROWS: Final = 10_000
"""Rows that are observed again and again."""
SINGLE: Final = 1_000
"""Rows of one call of the work, if they are observed one by one."""

Work = Callable[[], object]
"""Observes some rows once."""


@dataclass(frozen=True)
class Rows:
    """A reference and the rows of a stream: numbers, shape [n, columns], of which the last are categories."""

    reference: FloatArray
    current: FloatArray
    scores: FloatArray
    """Predictions, shape [n]."""
    categorical: int = 0

    @classmethod
    def of(cls, seed: int, categorical: int = 0, rows: int = ROWS) -> Rows:
        """Return standard normal numbers and evenly distributed categories."""
        generator = np.random.default_rng([seed, categorical])
        values = generator.normal(size=(REFERENCE_ROWS + rows, COLUMNS))
        values[:, COLUMNS - categorical :] = generator.integers(CATEGORIES, size=(len(values), categorical))
        return cls(values[:REFERENCE_ROWS], values[REFERENCE_ROWS:], generator.random(rows), categorical)

    @property
    def names(self) -> list[str]:
        """The names of the columns, without the prediction."""
        return [f"f{position:02}" for position in range(COLUMNS)]

    def columns(self, values: FloatArray) -> dict[str, Any]:
        """Return rows by column, categories as texts."""
        numbers = COLUMNS - self.categorical
        found: dict[str, Any] = dict(zip(self.names[:numbers], values.T[:numbers], strict=True))
        for name, codes in zip(self.names[numbers:], values.T[numbers:], strict=True):
            found[name] = [f"category {int(code)}" for code in codes]
        return found

    def frame(self, rows: int) -> pd.DataFrame:
        """Return the first rows as a DataFrame."""
        return pd.DataFrame(self.columns(self.current[:rows]))

    @cached_property
    def reference_frame(self) -> pd.DataFrame:
        """The reference as a DataFrame."""
        return pd.DataFrame(self.columns(self.reference))

    @cached_property
    def dicts(self) -> list[dict[str, Any]]:
        """The first rows as a program has them."""
        columns = self.columns(self.current[:SINGLE])
        values = [own if isinstance(own, list) else own.tolist() for own in columns.values()]
        return [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]

    @cached_property
    def single_scores(self) -> list[float]:
        """The predictions of these rows."""
        scores: list[float] = self.scores[:SINGLE].tolist()
        return scores

    @cached_property
    def prepared(self) -> FloatArray:
        """The rows with their predictions, as a monitor counts numbers, shape [n, columns + 1]."""
        return np.column_stack([self.current, self.scores])

    @cached_property
    def baseline(self) -> Baseline:
        """The baseline of the reference, with a prediction."""
        scores = np.resize(self.scores, len(self.reference))
        return driftgauge.create_baseline(self.reference_frame.assign(**{PREDICTION: scores}))


@dataclass(frozen=True)
class Way:
    """A way of observing rows."""

    who: str
    how: str
    rows: int
    """Rows of one call of the work."""
    open: Callable[[Rows], AbstractContextManager[Work]]
    """Opens what observes the rows, and closes it when the block ends."""
