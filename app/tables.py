"""Tables of rows, from csv, parquet, Arrow or DataFrames, as the columns that a baseline is built of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

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
    if _is_number(of):
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


# ---------------------------------------------------------------- larger than memory

_SPELLED: Final = pyarrow.csv.ConvertOptions()
NULLS: Final = frozenset(_SPELLED.null_values)
"""How a missing number may be spelled in a csv file."""
_BOOLEANS: Final = dict.fromkeys(_SPELLED.true_values, "1") | dict.fromkeys(_SPELLED.false_values, "0")
EARLIEST: Final = -62_135_596_800.0
"""The year 1, in seconds since 1970."""
LATEST: Final = 253_402_300_800.0
"""The year 10000."""


@dataclass(frozen=True)
class Part:
    """Consecutive rows of a file."""

    table: pa.Table
    """The asked columns; in a csv file all of them text as it is written, an empty cell without quotes null."""
    first: int
    """Place of the first row in the file, from 1."""
    bytes_read: int
    """How much of the file has been read, as far as is known."""


class TableStream:
    """A csv or parquet file that is read a part at a time, whatever its size."""

    def __init__(self, path: Path | str, bytes_at_once: int = 2_097_152) -> None:
        """Read the names of the columns; TableError for what is no table."""
        self.path: Final = Path(path)
        self.is_csv: Final = is_csv(self.path)
        self._at_once = bytes_at_once
        if not self.is_csv and self.path.suffix != ".parquet":
            raise TableError(f"{path}: the table must be a .csv or a .parquet file")
        with self._named():
            self.bytes: Final = self.path.stat().st_size
            names = self._csv([]).schema.names if self.is_csv else self._parquet().schema_arrow.names
        self.column_names: Final[tuple[str, ...]] = tuple(names)

    def require(self, columns: Sequence[str]) -> None:
        """Raise TableError unless the file has each of these columns, and once."""
        absent = [name for name in columns if name not in self.column_names]
        if absent:
            raise TableError(f"{self.path} has no column {', '.join(absent)}; it has {', '.join(self.column_names)}")
        twice = [name for name in columns if self.column_names.count(name) > 1]
        if twice:
            raise TableError(f"{self.path} has several columns {twice[0]}: rename or drop all but one")

    def parts(self, columns: Sequence[str]) -> Iterator[Part]:
        """Yield the rows of some columns, in order; TableError where the file cannot be read on."""
        self.require(columns)
        first = 1
        with self._named():
            for batch, bytes_read in self._csv_batches(columns) if self.is_csv else self._parquet_batches(columns):
                if len(batch):
                    yield Part(pa.Table.from_batches([batch]), first, bytes_read)
                first += len(batch)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Say which file it is that cannot be read."""
        try:
            yield
        except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
            raise TableError(f"cannot read the table {self.path}: {error}") from error

    def _csv(self, columns: Sequence[str], source: Any = None) -> Any:
        return pyarrow.csv.open_csv(
            source or self.path,
            read_options=pyarrow.csv.ReadOptions(block_size=self._at_once),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=columns,
                column_types=dict.fromkeys(columns, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )

    def _csv_batches(self, columns: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, int]]:
        with pa.OSFile(str(self.path)) as source:
            for batch in self._csv(columns, source):
                yield batch, source.tell()

    def _parquet(self) -> Any:
        # With pre_buffer what was read is kept to the end; without a buffer a row group's columns are read whole.
        return pyarrow.parquet.ParquetFile(self.path, buffer_size=1_048_576, pre_buffer=False)

    def _parquet_batches(self, columns: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, int]]:
        with self._parquet() as file:
            rows, cells = 0, self._at_once // 4
            for batch in file.iter_batches(max(1, cells // max(1, len(columns))), columns=list(columns)):
                rows += len(batch)
                yield batch, round(self.bytes * rows / file.metadata.num_rows)


def spelled_numbers(table: pa.Table, name: str) -> FloatArray:
    """Return a column of numbers, booleans or text that spells them as float64, NaN for null.

    Integers that float64 does not hold are rounded. TableError for a cell that is no number.
    """
    cells = _plain(table[name])
    if is_text(cells.type):
        cells = _numbers_of(cells.cast(pa.string()), name)
    elif not _is_number(cells.type):
        raise TableError(f"{name}: {cells.type} is neither a number nor text that spells one")
    return np.asarray(cells.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)


def _numbers_of(texts: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    try:
        return texts.cast(pa.float64())
    except pa.ArrowInvalid:
        texts = pc.utf8_trim_whitespace(texts)
    texts = pc.if_else(pc.is_in(texts, pa.array(sorted(NULLS))), pa.scalar(None, pa.string()), texts)
    for number in ("1", "0"):
        spelled = pa.array([text for text, meant in _BOOLEANS.items() if meant == number])
        texts = pc.if_else(pc.is_in(texts, spelled), pa.scalar(number), texts)
    try:
        return texts.cast(pa.float64())
    except pa.ArrowInvalid as error:
        raise TableError(f"{name}: a cell is not a number ({error})") from error


def seconds_since_1970(table: pa.Table, name: str) -> FloatArray:
    """Return a column of times in seconds since 1970: timestamps, dates, such numbers, or text that spells these.

    What has no zone is UTC; nothing finer than a microsecond is kept. TableError where a cell is no
    time or there is none.
    """
    cells = _plain(table[name])
    if cells.null_count:
        raise TableError(f"{name}: {cells.null_count:,} rows have no time; fill or drop them")
    if is_text(cells.type):
        cells = cells.cast(pa.string())
        try:
            cells = cells.cast(pa.float64())
        except pa.ArrowInvalid:
            cells = _times(cells, name)
    if pa.types.is_timestamp(cells.type) or pa.types.is_date(cells.type):
        microseconds = cells.cast(pa.timestamp("us", getattr(cells.type, "tz", None)), safe=False).cast(pa.int64())
        found = microseconds.to_numpy() / 1e6
    elif _is_number(cells.type) and not pa.types.is_boolean(cells.type):
        found = np.asarray(cells.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    else:
        raise TableError(f"{name}: {cells.type} is no time")
    unknown = int(np.isnan(found).sum())
    if unknown:
        raise TableError(f"{name}: {unknown:,} rows have no time; fill or drop them")
    beyond = found[(found < EARLIEST) | (found >= LATEST)]
    if beyond.size:
        raise TableError(f"{name}: {beyond[0]:g} is no time between the years 1 and 9999, in seconds since 1970")
    return np.asarray(found, dtype=np.float64)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _is_number(of: pa.DataType) -> bool:
    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal, pa.types.is_null)
    return any(is_kind(of) for is_kind in kinds)
