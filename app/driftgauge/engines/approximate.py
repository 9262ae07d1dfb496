"""Values of a database's columns at ranks, approximately: no column is sorted, and the error has a bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.statistics.quantile_sketch import CAPACITY, QuantileSketch
from driftgauge.engines.columns import as_number, finite
from driftgauge.engines.engine import EngineTable

_SPARK_ERROR: Final = 1e-4
"""Rank error of Spark's percentiles, as a share of the values: 1 / accuracy, which is 10,000 by default."""


class ApproximateRanks(Protocol):
    """The finite values of a column, some of them with an approximate rank."""

    @property
    def rank_error(self) -> int:
        """The largest distance, in rows, between a returned value's true rank and the rank asked for."""

    def values_at(self, ranks: IntArray) -> FloatArray:
        """Return values for ranks from 0, shape [ranks]; the first and the last are exact."""


def approximate_ranks(source: EngineTable, sizes: Mapping[str, int]) -> Mapping[str, ApproximateRanks]:
    """Return the ranks of columns by name, in one pass; `sizes` are their numbers of finite values."""
    if not sizes:
        return {}
    values = {name: finite(as_number(source.table, name)) for name in sizes}
    if source.table.get_backend().name == "pyspark":  # which has no stream of rows at bounded memory
        return {name: _SparkPercentiles(source, own, sizes[name]) for name, own in values.items()}
    sketches = [QuantileSketch(capacity=CAPACITY) for _ in values]
    for batch in source.batches(source.table.select(**{f"v{i}": own for i, own in enumerate(values.values())})):
        cells = (column.to_numpy(zero_copy_only=False).astype(np.float64) for column in batch.columns)
        sketches = [sketch.updated(own) for sketch, own in zip(sketches, cells, strict=True)]
    return dict(zip(sizes, sketches, strict=True))


@dataclass(frozen=True)
class _SparkPercentiles:
    """The percentiles that Spark approximates (Greenwald and Khanna, 2001)."""

    source: EngineTable
    values: Any
    size: int

    @property
    def rank_error(self) -> int:
        return int(np.ceil(_SPARK_ERROR * self.size)) + 1

    def values_at(self, ranks: IntArray) -> FloatArray:
        levels = ((ranks + 1) / self.size).tolist()
        wanted = {"at": self.values.approx_quantile(levels), "low": self.values.min(), "high": self.values.max()}
        found = self.source.aggregates(wanted)
        inner = np.maximum.accumulate(np.array(found["at"], dtype=np.float64))
        ends = np.where(ranks == 0, found["low"], np.where(ranks == self.size - 1, found["high"], inner))
        values: FloatArray = ends.astype(np.float64) + 0.0
        return values
