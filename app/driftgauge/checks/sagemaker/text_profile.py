"""The statistics of a column of text, computed part by part for any cells."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import numpy as np
import pyarrow as pa

from driftgauge.checks.rows import known_categories
from driftgauge.checks.sagemaker.sketch import datasketches
from driftgauge.checks.sagemaker.statistics import (
    Categories,
    Common,
    FeatureStatistics,
    TextBucket,
    TextDistribution,
    TextStatistics,
)
from driftgauge.drift.bins import MISSING, IntArray
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.errors import ColumnError
from driftgauge.tables.cells import as_categories

MOST_VALUES: Final = 1_000
"""Most values that are listed: the first that come."""
_LOG_REGISTERS: Final = 12


class TextProfile:
    """What is known of a column that should hold text."""

    def __init__(self, column: ColumnBaseline, domain: tuple[str, ...] | None) -> None:
        """`domain` are the values that are allowed; None for any."""
        self.name: Final = column.name
        self.present = 0
        self.missing = 0
        self.unknown = 0
        """Cells with a value outside the domain."""
        self.counts: IntArray = np.zeros(len(column.bins.names), dtype=np.int64)
        """Rows in each bin of the baseline; free text has none."""
        self._column = column
        self._categories = known_categories(column)
        self._domain = None if domain is None else frozenset(domain)
        self._listed: Counter[str] = Counter()
        self._distinct: Any = datasketches().hll_sketch(_LOG_REGISTERS)
        self._overflowed = False

    def add(self, cells: pa.ChunkedArray, *, is_written: bool) -> None:
        """Add the cells of some rows; `is_written` if they are text as a csv file has it."""
        meant = self._categories.written if is_written else self._categories.typed
        try:
            found = as_categories(cells, self.name, meant)
        except ColumnError:  # lists and similar have no names
            self.present += len(cells) - cells.null_count
            self.missing += cells.null_count
            return
        rows = np.bincount(found.codes + 1, minlength=len(found.names) + 1).tolist()
        missing, counts = rows[0], rows[1:]
        self.missing += missing
        self.present += sum(counts)
        if not self._column.of_text:
            codes = self._column.bins.encode(found.names).astype(np.int64)
            self.counts += np.bincount(codes, weights=counts, minlength=len(self.counts)).astype(np.int64)
            self.counts[self._column.bins.special[MISSING]] += missing
        for name, count in zip(found.names, counts, strict=True):
            self._add(name, count)

    def _add(self, name: str, count: int) -> None:
        if self._domain is not None and name not in self._domain:
            self.unknown += count
        self._distinct.update(name)
        if name in self._listed or len(self._listed) < MOST_VALUES:
            self._listed[name] += count
        else:
            self._overflowed = True

    def statistics(self) -> FeatureStatistics:
        """Return the statistics as SageMaker has them."""
        distinct = round(self._distinct.get_estimate()) if self._overflowed else len(self._listed)
        buckets = tuple(TextBucket(value=value, count=count) for value, count in self._listed.most_common())
        own = TextStatistics(
            common=Common(num_present=self.present, num_missing=self.missing),
            distinct_count=float(distinct),
            distribution=TextDistribution(categorical=Categories(buckets=buckets)),
        )
        return FeatureStatistics(name=self.name, inferred_type="String", string_statistics=own)
