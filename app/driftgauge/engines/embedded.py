"""Numeric columns of a database in this process: each is fetched and sorted here, which is faster than there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Final

import numpy as np

from driftgauge.drift.bins import MISSING, FloatArray, IntArray
from driftgauge.drift.quality.suggestion import ColumnFacts
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.drift.reference.sorted_column import column_of
from driftgauge.engines.columns import as_number
from driftgauge.engines.engine import EngineTable

MOST_BYTES: Final = 1_073_741_824
"""Of all columns that are sorted at a time."""
_BYTES_A_ROW: Final = 24
"""A value, its copy in units of the largest, and one without infinities."""


@dataclass(frozen=True, eq=False)
class SortedColumn:
    """What a numeric column gave when it was read."""

    baseline: ColumnBaseline
    facts: ColumnFacts
    """What constraints rest on."""
    drawn: FloatArray
    """The values of the rows that were drawn, NaN where missing."""


def columns_at_once(rows: int) -> int:
    """Return how many columns fit into memory and have a processor; 0 if not even one fits."""
    return min(os.cpu_count() or 1, MOST_BYTES // (_BYTES_A_ROW * max(1, rows)))


def sorted_columns(
    source: EngineTable,
    names: Sequence[str],
    rows: int,
    progress: Callable[[str], object],
    drawn: IntArray | None = None,
) -> Iterator[tuple[str, SortedColumn]]:
    """Yield numeric columns with the values of the drawn rows; TableError if one cannot be read.

    `drawn` are numbers of rows, of files alone, whose rows have the same order in every column.
    """
    queries = {name: source.table.select(v=as_number(source.table, name)) for name in names}
    reading = Lock()  # one connection sees the files; while it reads a column, the sort of another goes on

    def column(name: str) -> tuple[str, SortedColumn]:
        with reading:
            values = source.numbers(queries[name])
        own = np.empty(0)
        if drawn is not None:
            source.require_rows(len(values), rows)
            own = values[drawn]
        found, is_integral = column_of(name, values)
        missing = int(found.counts[found.bins.special[MISSING]])
        return name, SortedColumn(found, ColumnFacts(is_integral, completeness=(rows - missing) / rows), own)

    with ThreadPoolExecutor(columns_at_once(rows)) as pool:
        for done in pool.map(column, names):
            progress(done[0])
            yield done
