"""Rows as a fitted detector of outliers takes them: one number for each column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from driftgauge.drift.bins import MISSING, FloatArray
from driftgauge.drift.novelty.scorer import scales_of, surprises
from driftgauge.drift.reference.columns import ColumnBaseline


class DetectorRows:
    """Turns the cells that a monitor observes into the rows of a detector.

    Numbers are standardised and clipped, a missing one is the mean; a category is its surprise.
    """

    def __init__(self, columns: Sequence[ColumnBaseline], names: Sequence[str]) -> None:
        """Take the cells of the columns with these names."""
        scored = [(index, column) for index, column in enumerate(columns) if column.name in set(names)]
        numeric = [(place, index) for place, (index, column) in enumerate(scored) if column.kind == "numeric"]
        self._width: Final = len(scored)
        self._places, self._indices = ([own[part] for own in numeric] for part in (0, 1))
        self._scales = scales_of([columns[index] for index in self._indices])
        self._categories = [
            (place, index, surprises(column), column.bins.special[MISSING])
            for place, (index, column) in enumerate(scored)
            if column.kind != "numeric"
        ]

    def of(self, cells: FloatArray) -> FloatArray:
        """Return the rows, shape [n, scored columns]; `cells` have shape [n, columns or more]."""
        found = np.empty((len(cells), self._width))
        found[:, self._places] = np.nan_to_num(self._scales.standardised(cells[:, self._indices]))
        for place, index, table, gap in self._categories:
            own = cells[:, index]
            found[:, place] = table[np.where(np.isnan(own), gap, own).astype(np.int64)]
        return found
