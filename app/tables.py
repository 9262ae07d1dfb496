"""Tables of rows, from csv, parquet, Arrow or DataFrames, as the columns that a baseline is built of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from app.drift.baseline import Categories, Kind
from app.drift.bins import FloatArray, category_name


class TableError(ValueError):
    """A table that cannot be used; the message names the column and says what to do."""


def read_table(source: Any, text_columns: Sequence[str] = ()) -> pa.Table:
    """Return a table from a csv or parquet file's path, a DataFrame, an Arrow table or a dict of columns.

    `text_columns` are read as text where the source is a csv file, which does not say what it holds.
    """
    if not isinstance(source, str | Path):
        return _table(source)
    path = Path(source)
    try:
        if is_csv(path):
            return _read_csv(path, text_columns)
        if path.suffix == ".parquet":
            return pyarrow.parquet.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise TableError(f"cannot read the table {path}: {error}") from error
    raise TableError(f"{path}: the table must be a .csv or a .parquet file")


def is_csv(source: Any) -> bool:
    """Say whether a source of a table is a csv file."""
    return isinstance(source, str | Path) and Path(source).suffix == ".csv"


def _read_csv(path: Path, text_columns: Sequence[str]) -> pa.Table:
    """Read numbers as Arrow infers them, and text a second time: there only an empty cell without quotes is missing."""
    table = pyarrow.csv.read_csv(path)
    names = [name for name in table.column_names if _is_read_as_text(table, name, text_columns)]
    if not names:
        return table
    texts = pyarrow.csv.read_csv(
        path,
        convert_options=pyarrow.csv.ConvertOptions(
            include_columns=names,
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    for name in names:
        inferred, text = table[name], texts[name]
        if pa.types.is_integer(inferred.type) or pa.types.is_floating(inferred.type):
            # Beside numbers NA is no text, and whole numbers with gaps are often written as 5.0.
            text = _as_named(pc.if_else(pc.is_null(inferred), pa.scalar(None, pa.string()), text))
        table = table.set_column(table.column_names.index(name), name, text)
    return table


def _is_read_as_text(table: pa.Table, name: str, text_columns: Sequence[str]) -> bool:
    if table.column_names.count(name) > 1:
        return False
    of = table.schema.field(name).type
    return is_text(of) or (name in text_columns and not pa.types.is_boolean(of))


def _as_named(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return texts as requests name the numbers that they spell, unless one spells another than a plain number."""
    spelled = pc.unique(text.drop_null()).to_pylist()
    names = {cell: category_name(value) for cell in spelled if (value := number_of(cell)) is not None}
    if any(cell not in names or cell not in (names[cell], f"{names[cell]}.0") for cell in spelled):
        return text  # 02134, 1.10 or an integer beyond 2**53: the text is not the number's
    return pa.chunked_array([pa.array([names.get(cell) for cell in text.to_pylist()], pa.string())])


def number_of(text: str) -> float | None:
    """Return the finite number that a text spells, None if it spells none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None


def _table(source: Any) -> pa.Table:
    try:
        return pa.table(source)
    except (pa.ArrowInvalid, TypeError) as error:
        raise TableError(f"cannot read the table: {error}") from error


def require(table: pa.Table, columns: Sequence[str], what: str) -> None:
    """Raise TableError unless the table has all of `columns`."""
    absent = [name for name in columns if name not in table.column_names]
    if absent:
        raise TableError(f"{what} has no column {', '.join(absent)}; it has {', '.join(table.column_names)}")
    twice = [name for name in columns if table.column_names.count(name) > 1]
    if twice:
        raise TableError(f"{what} has several columns {twice[0]}: rename or drop all but one")


def in_order(table: pa.Table, time_column: str) -> pa.Table:
    """Return the rows in order of a column of times (timestamps, dates, numbers or ISO 8601 text)."""
    require(table, [time_column], "the table")
    timeless = pc.sum(pc.is_null(table[time_column], nan_is_null=True)).as_py()
    if timeless:
        raise TableError(f"{time_column}: {timeless} rows have no time; fill or drop them")
    try:
        return table.take(pc.sort_indices(_times(table[time_column], time_column)))
    except (pa.ArrowNotImplementedError, TypeError) as error:
        raise TableError(f"{time_column}: rows cannot be put in order of it ({error})") from error


def _times(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Return text as the times that it stands for, anything else as it is."""
    if not is_text(column.type):
        return column
    for zone in (None, "UTC"):  # all without an offset, or all with one
        try:
            return column.cast(pa.timestamp("us", zone))
        except pa.ArrowInvalid as error:
            problem = error
    raise TableError(
        f"{name}: not every text is an ISO 8601 time such as 2026-01-31 or 2026-01-31T12:00:00Z, with an offset or "
        f"without ({problem})"
    ) from problem


def infer_kinds(table: pa.Table, columns: Sequence[str], stated: Mapping[str, Kind]) -> dict[str, Kind]:
    """Return each column's kind: as stated, else numeric for numbers and booleans, categorical for text."""
    require(table, [*columns, *stated], "the table")
    return {name: stated.get(name) or _kind(name, table.schema.field(name).type) for name in columns}


def is_text(of: pa.DataType) -> bool:
    """Say whether a type is one of Arrow's types of text."""
    return bool(pa.types.is_string(of) or pa.types.is_large_string(of) or pa.types.is_string_view(of))


def _kind(name: str, of: pa.DataType) -> Kind:
    if is_text(of) or pa.types.is_dictionary(of):
        return "categorical"
    if pa.types.is_integer(of) or pa.types.is_floating(of) or pa.types.is_boolean(of) or pa.types.is_decimal(of):
        return "numeric"
    if pa.types.is_null(of):
        return "numeric"
    raise TableError(f"{name}: {of} is neither a number nor text; ignore the column or convert it")


def column(table: pa.Table, name: str, kind: Kind) -> FloatArray | Categories:
    """Return a column as numbers (NaN is missing) or as categories."""
    return numbers(table, name) if kind == "numeric" else categories(table, name)


def numbers(table: pa.Table, name: str) -> FloatArray:
    """Return a column as float64, shape [rows], NaN for null; TableError where it holds text."""
    chunked = table[name]
    try:
        cells = chunked.cast(pa.float64()).to_numpy()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise TableError(f"{name}: cannot be read as numbers ({error}); state its kind as categorical") from error
    return np.asarray(cells, dtype=np.float64)


def categories(table: pa.Table, name: str) -> Categories:
    """Return a column as categories, each named as a request would send it."""
    encoded = table[name].combine_chunks()
    if not pa.types.is_dictionary(encoded.type):
        try:
            encoded = pc.dictionary_encode(encoded)
        except pa.ArrowNotImplementedError as error:
            raise TableError(f"{name}: {encoded.type} cannot be categories; ignore the column or convert it") from error
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    named = [_named(value) for value in encoded.dictionary.to_pylist()]
    codes = np.asarray(pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False), dtype=np.int64)
    names = tuple(sorted({name for name in named if name is not None}))
    place = {name: i for i, name in enumerate(names)}
    renamed = np.array([-1 if name is None else place[name] for name in named] + [-1], dtype=np.int64)
    return Categories(renamed[codes], names)


def _named(value: object) -> str | None:
    plain = value is None or isinstance(value, str | int | float | bool)
    return category_name(value) if plain else str(value)  # type: ignore[arg-type]  # narrowed by `plain`
