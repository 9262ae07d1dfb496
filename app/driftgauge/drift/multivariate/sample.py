"""Rows that are kept of the reference, so that whole rows can be compared later."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.columns import Categories, Table


@dataclass(frozen=True, eq=False)
class RowSample:
    """Rows that were drawn from the reference by chance."""

    rows: int
    columns: Table
    """What was observed of the features: numbers, lengths of free text, categories. Left-out columns are absent."""

    def values(self, baseline: Baseline) -> FloatArray:
        """Return the rows as a monitor has them, shape [rows, columns of the baseline], NaN in absent columns."""
        cells = np.full((self.rows, len(baseline.columns)), np.nan)
        for index, column in enumerate(baseline.columns):
            found = self.columns.get(column.name)
            if isinstance(found, Categories):
                cells[:, index] = np.append(column.bins.encode(found.names), np.nan)[found.codes]
            elif found is not None:
                cells[:, index] = found
        return cells


def drawn_rows(table: Table, rows: int, without: Collection[str], rng: np.random.Generator) -> RowSample:
    """Draw rows of a table by chance, at most as many as it has; columns in `without` are left out."""
    first = next(iter(table.values()))
    own = len(first.codes if isinstance(first, Categories) else first)
    chosen = np.sort(rng.choice(own, min(rows, own), replace=False))
    return RowSample(len(chosen), {name: _at(data, chosen) for name, data in table.items() if name not in without})


def _at(data: FloatArray | Categories, chosen: IntArray) -> FloatArray | Categories:
    """Return some rows of a column, and of its categories those that they have."""
    if not isinstance(data, Categories):
        return data[chosen]
    codes = data.codes[chosen]
    known = np.unique(codes[codes >= 0])
    places = np.searchsorted(known, codes)
    return Categories(np.where(codes >= 0, places, -1), tuple(data.names[code] for code in known.tolist()))
