"""Counts which rows of a refused call violate a constraint on rows as they are sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from driftgauge.edges.formats.rows.cells import Cells
from driftgauge.edges.formats.rows.reader import RowReader, is_cell
from driftgauge.errors import Refused, count_refused

Faults = dict[str, set[int]]
"""The rows that violate each constraint."""


def count_faults(reader: RowReader, rows: Any, error: Refused) -> None:
    """Note in an error how many of several rows violate each constraint; it stays as it is if that is not known."""
    if not error.violations:
        return
    with suppress(Exception), np.errstate(over="ignore", invalid="ignore"):
        found, count = _faults(reader, rows)
        if found:
            count_refused(error, {name: len(own) for name, own in found.items()}, count)


def _faults(reader: RowReader, rows: Any) -> tuple[Faults, int]:
    """Return the faults of rows, and the number of rows."""
    try:
        columns, count, _ = reader.features(rows)
    except Refused as error:
        if isinstance(rows, list | tuple):
            return ({}, 1) if is_cell(rows[0]) else (_of_rows(reader, rows), len(rows))
        has_columns = hasattr(rows, "columns") or hasattr(rows, "column_names") or getattr(rows, "ndim", 1) == 2
        if has_columns and error.constraint is not None:  # the columns are those of all rows
            return {error.constraint: set(range(len(rows)))}, len(rows)
        return {}, 1
    return _of_columns(reader, columns), count


def _of_rows(reader: RowReader, rows: Sequence[Any]) -> Faults:
    found: Faults = defaultdict(set)
    for place, row in enumerate(rows):
        try:
            constraints = list(_of_columns(reader, [[value] for value in reader.listed(row, place)]))
        except Refused as error:
            constraints = [] if error.constraint is None else [error.constraint]
        for constraint in constraints:
            found[constraint].add(place)
    return found


def _of_columns(reader: RowReader, columns: Sequence[Sequence[Any]]) -> Faults:
    found: Faults = defaultdict(set)
    for cells, values in zip(reader.cells, columns, strict=True):
        for row, constraint in _of_column(cells, values):
            found[constraint].add(row)
    return found


def _of_column(cells: Cells, values: Sequence[Any]) -> Iterator[tuple[int, str]]:
    with suppress(Refused):
        cells.of(values)
        return
    for row in range(len(values)):
        try:
            cells.of(values[row : row + 1])
        except Refused as error:
            if error.constraint is not None:
                yield row, error.constraint
