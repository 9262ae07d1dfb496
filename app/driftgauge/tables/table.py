"""Tables from files, Arrow or DataFrames, as the columns of a baseline."""

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
    concatenated,
    contents_of,
    is_bytes,
    is_number,
    is_text,
    named,
)
from driftgauge.tables.csv_types import CsvColumn
from driftgauge.tables.files import CSV, ending
from driftgauge.tables.memory import MemoryTable
from driftgauge.tables.stream import TableStream, require_columns
from driftgauge.tables.times import as_seconds, as_times

AT_ONCE: Final = 8_388_608
"""Bytes processed at once when a file is read whole."""
_INDEX: Final = re.compile(r"|__index_level_\d+__|Unnamed: 0(\.\d+)*")


def read_table(source: Any, text_columns: Sequence[str] | Mapping[str, Collection[str] | None] = ()) -> pa.Table:
    """Return a table from a path, a DataFrame, an Arrow table or a dict.

    `text_columns` are read as categories from a csv file, which has no types; if a column's categories are
    given, cells are matched with them.
    """
    if not isinstance(source, str | Path):
        return MemoryTable(source).table()
    empty: Collection[str] = ()
    known = text_columns if isinstance(text_columns, Mapping) else dict.fromkeys(text_columns, empty)
    return _read(TableStream(source, AT_ONCE), known)


def _read(stream: TableStream, known: Mapping[str, Collection[str] | None]) -> pa.Table:
    """Read a whole table; types that the format lacks are inferred on the way."""
    names = [name for name in stream.column_names if stream.column_names.count(name) == 1]
    written: dict[str, CsvColumn] = {}
    typed: dict[str, list[pa.ChunkedArray]] = {name: [] for name in names}
    for part in stream.parts(names):
        for name in names:
            if name in part.written:
                written.setdefault(name, CsvColumn(known.get(name))).add(part.table[name])
            else:
                typed[name].append(part.table[name])
    again = _texts(stream, [name for name, column in written.items() if column.must_be_read_again])
    rows = 0
    cells: dict[str, pa.ChunkedArray] = {}
    for name in names:
        found = written[name].done(again.get(name)) if name in written else concatenated(typed.pop(name))
        cells[name] = found
        rows = len(found)
    empty = pa.chunked_array([pa.nulls(rows)])
    return pa.Table.from_arrays([cells.get(name, empty) for name in stream.column_names], list(stream.column_names))


def _texts(stream: TableStream, names: Sequence[str]) -> dict[str, pa.ChunkedArray]:
    if not names:
        return {}
    parts = [part.table for part in stream.parts(names)]
    return {name: concatenated([part[name] for part in parts]) for name in names}


def is_csv(source: Any) -> bool:
    """Return whether a table's source is a csv file."""
    return isinstance(source, str | Path) and ending(Path(source)) in CSV


def index_columns(names: Sequence[str]) -> list[str]:
    """Return the columns that are a DataFrame's stored index and not features.

    They are `__index_level_0__` in parquet, the unnamed first column of a csv file, and `Unnamed: 0` if pandas
    read that. An index with a name is a column like any other.
    """
    return [name for i, name in enumerate(names) if _INDEX.fullmatch(name) and (name or i == 0)]


def in_order(table: pa.Table, time_column: str) -> pa.Table:
    """Return the rows in order of a time column: timestamps, dates, numbers or ISO 8601 text."""
    require_columns(table.column_names, [time_column], "the table")
    return table.take(pc.sort_indices(as_times(table[time_column], time_column)))


def seconds_since_1970(table: pa.Table, name: str) -> FloatArray:
    """Return a time column in seconds since 1970; TableError for a missing or invalid time."""
    return as_seconds(table[name], name)


def infer_kinds(table: pa.Table, columns: Sequence[str], stated: Mapping[str, Kind]) -> dict[str, Kind]:
    """Return each column's kind: as stated, else numeric for numbers, categorical for text."""
    require_columns(table.column_names, [*columns, *stated], "the table")
    return {name: stated.get(name) or _kind(name, table.schema.field(name).type) for name in columns}


def _kind(name: str, of: pa.DataType) -> Kind:
    if is_text(of) or (pa.types.is_dictionary(of) and not pa.types.is_nested(of.value_type)):
        return "categorical"
    if is_number(of):
        return "numeric"
    raise TableError(f"{name}: it holds {contents_of(of)}, which are neither numbers nor text: {_remedy(name, of)}")


def _remedy(name: str, of: pa.DataType) -> str:
    ignore = f"leave it out (--ignore {name})"
    if pa.types.is_timestamp(of) or pa.types.is_date(of):
        return f"use it as the column of times (--time {name}) or {ignore}"
    if pa.types.is_time(of):
        return (
            f"compare it as seconds since midnight (--kinds {name}=numeric), as text (--kinds {name}=categorical), "
            f"or {ignore}"
        )
    if is_bytes(of):
        return f"compare it as UTF-8 text (--kinds {name}=categorical) or {ignore}"
    return f"{ignore}, or convert it to numbers or text"


def column(table: pa.Table, name: str, kind: Kind) -> FloatArray | Categories:
    """Return a column as numbers, NaN where missing, or as categories."""
    return numbers(table, name) if kind == "numeric" else categories(table, name)


def numbers(table: pa.Table, name: str) -> FloatArray:
    """Return a column as float64, shape [rows], NaN for null; TableError for other cells."""
    try:
        return as_numbers(table[name], name)
    except ColumnError as error:
        if error.row is None:
            remedy = _remedy(name, table.schema.field(name).type)
            raise TableError(f"{error}, which are not numbers: {remedy}") from error
        raise TableError(
            f"{error}: compare the column as text (--kinds {name}=categorical) or leave it out (--ignore {name})"
        ) from error


def categories(table: pa.Table, name: str, known: Iterable[str] = ()) -> Categories:
    """Return a column as categories, named as in a request or as the known ones are."""
    known = tuple(known)
    try:
        return as_categories(table[name], name, KnownCategories(known).typed if known else named)
    except ColumnError as error:
        raise TableError(
            f"{error}, which cannot be categories: {_remedy(name, table.schema.field(name).type)}"
        ) from error
