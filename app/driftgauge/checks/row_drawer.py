"""Uniform samples of rows, in the columns of a baseline."""

from __future__ import annotations

from typing import Final

import numpy as np

from driftgauge.checks.rows import RowReader
from driftgauge.checks.window_builder import WindowBuilder
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.tables.stream import TableSource


class RowDrawer:
    """Draws a uniform sample of rows that are added part by part, the same each time."""

    def __init__(self, baseline: Baseline, most: int) -> None:
        self._binner: Final = baseline.binner
        self._columns: Final = len(baseline.columns)
        self._builder: Final = WindowBuilder(0, "", baseline, most)

    def add(self, values: FloatArray) -> None:
        """Add rows as a monitor observes them, shape [n, columns]."""
        if len(values):
            self._builder.add(values, self._binner.codes(values), None, None)

    @property
    def values(self) -> FloatArray:
        """The rows that were drawn, shape [rows, columns]."""
        sample = self._builder.window().sample
        return np.empty((0, self._columns)) if sample is None else sample.values


def sample_of(stream: TableSource, reader: RowReader, most: int) -> FloatArray:
    """Return a uniform sample of a table's rows, shape [rows, columns]; TableError if it cannot be read."""
    stream.require(reader.needed(stream))
    sample = RowDrawer(reader.baseline, most)
    for part in stream.parts(reader.needed(stream)):
        sample.add(reader.read(stream, part).values)
    return sample.values
