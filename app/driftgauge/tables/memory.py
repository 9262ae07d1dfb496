"""Tables in memory: DataFrames, Arrow tables and dicts of columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from driftgauge.errors import TableError
from driftgauge.tables.joined import JoinedTable
from driftgauge.tables.stream import Part, TableSource, TableStream, require_columns

_FAILURES: Final = (pa.ArrowException, TypeError, ValueError, OverflowError)
"""What Arrow raises on cells that it cannot hold."""


def open_table(source: Any, bytes_at_once: int = 2_097_152) -> TableSource:
    """Open a path, a DataFrame, an Arrow table or a dict of columns; TableError for anything else.

    A table that is open already is returned as it is.
    """
    if isinstance(source, TableStream | MemoryTable | JoinedTable):
        return source
    if isinstance(source, str | Path):
        return TableStream(source, bytes_at_once)
    return MemoryTable(source, bytes_at_once)


class MemoryTable:
    """A table in memory, read part by part; only the columns that are read become Arrow's."""

    path: Final = None
    label: Final = "the table"
    name: Final = "table"
    bytes: Final = 0

    def __init__(self, source: Any, bytes_at_once: int = 2_097_152) -> None:
        """Read the column names; TableError if the source is not a table."""
        self._columns: Final = _columns_of(source)
        self._cells_at_once: Final = bytes_at_once // 4
        self.column_names: Final = tuple(name for name, _ in self._columns)

    def require(self, columns: Sequence[str]) -> None:
        """Raise TableError unless the table has each of these columns exactly once."""
        require_columns(self.column_names, columns, self.label)

    def parts(self, columns: Sequence[str]) -> Iterator[Part]:
        """Yield rows of some columns in order; TableError if a column cannot be read."""
        self.require(columns)
        table = self.table(columns)
        rows = max(1, self._cells_at_once // max(1, len(columns)))
        for first in range(0, len(table), rows):
            yield Part(table.slice(first, rows), first + 1, 0, frozenset())

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return some columns as an Arrow table, by default all."""
        by_name = dict(self._columns)
        chosen = self._columns if columns is None else [(name, by_name[name]) for name in columns]
        cells = [read() for _, read in chosen]
        if len({len(column) for column in cells}) > 1:
            raise _unreadable("its columns are of different lengths")
        return pa.Table.from_arrays(cells, [name for name, _ in chosen])


_Columns = Sequence[tuple[str, Callable[[], pa.ChunkedArray]]]


def _columns_of(source: Any) -> _Columns:
    """Return the columns of a source by name, each with the function that reads it."""
    if isinstance(source, Mapping):
        return _named([(name, source[name]) for name in source])
    if hasattr(source, "iloc") and hasattr(source, "columns"):
        return _named(_series_of(source))
    try:
        table = pa.table(source)
    except _FAILURES as error:
        raise _unreadable(_no_table(source)) from error
    return _named(list(zip(table.column_names, table.columns, strict=True)))


def _series_of(frame: Any) -> list[tuple[str, Any]]:
    """Return the columns of a pandas DataFrame, then those of its index that have a name."""
    columns = [(str(label), frame.iloc[:, at]) for at, label in enumerate(frame.columns)]
    levels = [(name, frame.index.get_level_values(level)) for level, name in enumerate(frame.index.names)]
    present = {name for name, _ in columns}
    return columns + [(str(name), cells) for name, cells in levels if name is not None and str(name) not in present]


def _named(columns: Sequence[tuple[Any, Any]]) -> _Columns:
    for name, _ in columns:
        if not isinstance(name, str):
            raise _unreadable(f"the name of a column is {name!r}, not text")

    def reader(name: str, cells: Any) -> Callable[[], pa.ChunkedArray]:
        return lambda: _cells_of(name, cells)

    return [(name, reader(name, cells)) for name, cells in columns]


def _cells_of(name: str, cells: Any) -> pa.ChunkedArray:
    """Return a column as Arrow's, NaN of pandas as null."""
    if isinstance(cells, np.ndarray) and cells.ndim != 1:
        raise _unreadable(f"{name} is an array of {cells.ndim} dimensions: give an array with a cell per row")
    if isinstance(cells, str | bytes | Mapping | Set) or not hasattr(cells, "__len__"):
        raise _unreadable(f"{name} is a {type(cells).__name__}: give a list or an array with a cell per row")
    if isinstance(cells, pa.ChunkedArray):
        return _viewless(cells)
    try:
        found = pa.array(cells, from_pandas=True)
    except _FAILURES as error:
        kinds = sorted({type(cell).__name__ for cell in cells if cell is not None})
        what = f"{name} holds cells of the types {', '.join(kinds)}: make all of them text or numbers"
        raise _unreadable(what) from error
    return _viewless(found if isinstance(found, pa.ChunkedArray) else pa.chunked_array([found]))


def _viewless(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return text of polars in the type that Arrow's own functions know."""
    if pa.types.is_dictionary(cells.type) and pa.types.is_string_view(cells.type.value_type):
        return cells.cast(pa.dictionary(cells.type.index_type, pa.string()))
    return cells.cast(pa.string()) if pa.types.is_string_view(cells.type) else cells


def _unreadable(why: str) -> TableError:
    return TableError(f"cannot read the table: {why}")


def _no_table(source: Any) -> str:
    if type(source).__name__ == "LazyFrame":
        return "a LazyFrame has no rows yet: give its collect()"
    return f"{type(source).__name__} is neither a path, a DataFrame, an Arrow table nor a dict of columns"
