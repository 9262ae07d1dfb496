"""Tables of rows, from files, Arrow or DataFrames, as the columns that a baseline is built of."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.columns import Categories, Kind
from driftgauge.errors import ColumnError, TableError
from driftgauge.tables.cells import (
    KnownCategories,
    as_categories,
    as_numbers,
    is_bytes,
    is_number,
    is_text,
    joined,
    named,
    number_of,
    said,
)
from driftgauge.tables.csv_types import WrittenColumn
from driftgauge.tables.files import CSV, ending
from driftgauge.tables.stream import TableStream, require_columns
from driftgauge.tables.times import as_seconds, timely

AT_ONCE: Final = 8_388_608
"""Bytes of a file that is read whole that are worked on at once."""
_INDEX: Final = re.compile(r"|__index_level_\d+__|Unnamed: 0(\.\d+)*")


def read_table(source: Any, text_columns: Sequence[str] | Mapping[str, Collection[str] | None] = ()) -> pa.Table:
    """Return a table from a file's or folder's path, a DataFrame, an Arrow table or a dict of columns.

    `text_columns` are categories where the source is a csv file, which does not say what it holds;
    of those whose categories are known before, a cell is read as the one that it spells.
    """
    if not isinstance(source, str | Path):
        return _table(source)
    empty: Collection[str] = ()
    known = text_columns if isinstance(text_columns, Mapping) else dict.fromkeys(text_columns, empty)
    return _read(TableStream(source, AT_ONCE), known)


def _read(stream: TableStream, known: Mapping[str, Collection[str] | None]) -> pa.Table:
    """Read a table whole: what a format does not say of its columns is found out on the way."""
    names = [name for name in stream.column_names if stream.column_names.count(name) == 1]
    written: dict[str, WrittenColumn] = {}
    typed: dict[str, list[pa.ChunkedArray]] = {name: [] for name in names}
    for part in stream.parts(names):
        for name in names:
            if name in part.written:
                written.setdefault(name, WrittenColumn(known.get(name))).add(part.table[name])
            else:
                typed[name].append(part.table[name])
    again = _texts(stream, [name for name, column in written.items() if column.must_be_read_again])
    rows = 0
    cells: dict[str, pa.ChunkedArray] = {}
    for name in names:
        found = written[name].done(again.get(name)) if name in written else joined(typed.pop(name))
        cells[name] = found
        rows = len(found)
    empty = pa.chunked_array([pa.nulls(rows)])
    return pa.Table.from_arrays([cells.get(name, empty) for name in stream.column_names], list(stream.column_names))


def _texts(stream: TableStream, names: Sequence[str]) -> dict[str, pa.ChunkedArray]:
    if not names:
        return {}
    parts = [part.table for part in stream.parts(names)]
    return {name: joined([part[name] for part in parts]) for name in names}


def is_csv(source: Any) -> bool:
    """Say whether a source of a table is a csv file."""
    return isinstance(source, str | Path) and ending(Path(source)) in CSV


def _table(source: Any) -> pa.Table:
    try:
        return pa.table(source)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise TableError(f"cannot read the table: {_unreadable(source)}") from error


def _unreadable(source: Any) -> str:
    """Say why a source of columns is no table."""
    names = list(getattr(source, "columns", source if isinstance(source, Mapping) else ()))
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        return f"it has several columns {twice[0]}: rename or drop all but one"
    for name in names:
        try:
            pa.array(source[name], from_pandas=True)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            kinds = sorted({type(cell).__name__ for cell in source[name] if cell is not None})
            return f"{name} holds cells of the types {', '.join(kinds)}: make all of them text, or all numbers"
    if names:
        return "its columns are of different lengths"
    return f"{type(source).__name__} is neither a path, a DataFrame, an Arrow table nor a dict of columns"


def index_columns(names: Sequence[str]) -> list[str]:
    """Return which columns are a DataFrame's index that was stored with it, and so no features.

    They are `__index_level_0__` in parquet, the unnamed first column of a csv, `Unnamed: 0` where that was
    read by pandas. An index that has a name is a column like others.
    """
    return [name for place, name in enumerate(names) if _INDEX.fullmatch(name) and (name or place == 0)]


def require(table: pa.Table, columns: Sequence[str], what: str) -> None:
    """Raise TableError unless the table has all of `columns`."""
    require_columns(table.column_names, columns, what)


def in_order(table: pa.Table, time_column: str) -> pa.Table:
    """Return the rows in order of a column of times (timestamps, dates, numbers or ISO 8601 text)."""
    require(table, [time_column], "the table")
    return table.take(pc.sort_indices(timely(table[time_column], time_column)))


def seconds_since_1970(table: pa.Table, name: str) -> FloatArray:
    """Return a column of times in seconds since 1970; TableError where a cell is no time or there is none."""
    return as_seconds(table[name], name)


def infer_kinds(table: pa.Table, columns: Sequence[str], stated: Mapping[str, Kind]) -> dict[str, Kind]:
    """Return each column's kind: as stated, else numeric for numbers and booleans, categorical for text."""
    require(table, [*columns, *stated], "the table")
    return {name: stated.get(name) or _kind(name, table.schema.field(name).type) for name in columns}


def _kind(name: str, of: pa.DataType) -> Kind:
    if is_text(of) or (pa.types.is_dictionary(of) and not pa.types.is_nested(of.value_type)):
        return "categorical"
    if is_number(of):
        return "numeric"
    raise TableError(f"{name}: it holds {said(of)}, which are neither numbers nor text: {_remedy(name, of)}")


def _remedy(name: str, of: pa.DataType) -> str:
    ignore = f"leave it out (--ignore {name})"
    if pa.types.is_timestamp(of) or pa.types.is_date(of):
        return f"name it as the column of times (--time {name}) or {ignore}"
    if pa.types.is_time(of):
        return (
            f"compare it as seconds since midnight (--kinds {name}=numeric), as text (--kinds {name}=categorical), "
            f"or {ignore}"
        )
    if is_bytes(of):
        return f"compare it as UTF-8 text (--kinds {name}=categorical) or {ignore}"
    return f"{ignore}, or convert it to numbers or text"


def column(table: pa.Table, name: str, kind: Kind) -> FloatArray | Categories:
    """Return a column as numbers (NaN is missing) or as categories."""
    return numbers(table, name) if kind == "numeric" else categories(table, name)


def numbers(table: pa.Table, name: str) -> FloatArray:
    """Return a column as float64, shape [rows], NaN for null; TableError where it holds what is no number."""
    try:
        return as_numbers(table[name], name)
    except ColumnError as error:
        if error.row is None:
            remedy = _remedy(name, table.schema.field(name).type)
            raise TableError(f"{error}, which are no numbers: {remedy}") from error
        raise TableError(
            f"{error}: compare the column as text (--kinds {name}=categorical) or leave it out (--ignore {name})"
        ) from error


def categories(table: pa.Table, name: str, known: Iterable[str] = ()) -> Categories:
    """Return a column as categories, each named as a request would send it, or as it is among the known ones."""
    known = tuple(known)
    try:
        return as_categories(table[name], name, KnownCategories(known).typed if known else named)
    except ColumnError as error:
        raise TableError(
            f"{error}, which cannot be categories: {_remedy(name, table.schema.field(name).type)}"
        ) from error


__all__ = [
    "TableError",
    "categories",
    "column",
    "in_order",
    "index_columns",
    "infer_kinds",
    "is_csv",
    "is_text",
    "number_of",
    "numbers",
    "read_table",
    "require",
    "seconds_since_1970",
]
