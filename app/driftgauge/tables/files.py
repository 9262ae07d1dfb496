"""Files of rows, read part by part: csv, parquet and JSON lines."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final, Protocol, cast

import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from driftgauge.drift.bins import category_name
from driftgauge.errors import TableError
from driftgauge.tables.cells import quoted

CSV: Final = (".csv", ".csv.gz")
PARQUET: Final = (".parquet",)
JSON_LINES: Final = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
FORMATS: Final = ".csv, .parquet, .jsonl or .ndjson (text formats also with .gz)"
_MOST_AT_ONCE: Final = 1_073_741_824
"""Most bytes of a single row."""
_ZIPPED: Final = b"\x1f\x8b"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


class RowFile(Protocol):
    """A file of rows."""

    @property
    def is_written(self) -> bool:
        """Whether cells are text as written, because the format has no types."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[pa.Table, int]]:
        """Yield rows of some columns in order, with the bytes of the file read so far."""


def ending(path: Path) -> str:
    """Return the file name's ending that names its format, with `.gz` if present."""
    name = path.name.lower()
    return next((one for one in (*CSV, *PARQUET, *JSON_LINES) if name.endswith(one)), "")


def open_file(path: Path, bytes_at_once: int) -> RowFile:
    """Open a file of rows by its ending; TableError for any other file."""
    kind = ending(path)
    if not kind:
        raise TableError(f"{path}: the table must be {FORMATS}, or a folder of such files")
    with readable(path):
        if kind in CSV:
            return CsvFile(path, bytes_at_once)
        return ParquetFile(path, bytes_at_once) if kind in PARQUET else JsonLinesFile(path, bytes_at_once)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn errors of reading a file into a TableError that names it."""
    try:
        yield
    except TableError as error:
        raise TableError(f"cannot read the table {path}: {error}") from error
    except UnicodeDecodeError as error:
        raise TableError(f"cannot read the table {path}: a name in it is not UTF-8; save it as UTF-8") from error
    except FileNotFoundError as error:
        raise TableError(f"cannot read the table {path}: there is no such file") from error
    except (OSError, EOFError, pa.ArrowException) as error:
        what = getattr(error, "strerror", None) or "it is damaged, incomplete or of another format"
        raise TableError(f"cannot read the table {path}: {what}") from error


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, pa.NativeFile]]:
    """Open a file for reading, decompressed if needed; yields that and the file itself."""
    with pa.OSFile(os.fsencode(path)) as raw:
        start = raw.read(2)
        raw.seek(0)
        if path.name.lower().endswith(".gz") and start not in (_ZIPPED, b""):
            raise TableError("it is not compressed, although its ending says so")
        if start in _UTF_16:
            raise TableError("it is UTF-16; save it as UTF-8")
        if start != _ZIPPED:
            yield raw, raw
            return
        with pa.CompressedInputStream(raw, "gzip") as source:
            yield source, raw


class _Unsplit(io.RawIOBase):
    """A source whose blocks never end between CR and LF, where Arrow would lose the LF."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._held = b""
        self._is_over = False

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, none at the end."""
        if self._is_over:
            return b""
        found: bytes = self._source.read(size - len(self._held))
        block = self._held + found
        self._held = b"\r" if found and len(block) > 1 and block.endswith(b"\r") else b""
        return block.removesuffix(self._held)

    def finish(self) -> None:
        """Return no more bytes."""
        self._is_over = True


class CsvFile:
    """A csv file: every cell is text, an empty cell without quotes is null."""

    is_written: Final = True

    def __init__(self, path: Path, bytes_at_once: int) -> None:
        """Read the header."""
        self._path = path
        self._at_once = bytes_at_once
        self._ragged: list[Any] = []
        header = next(self._blocks([]))[0]
        self.names: Final[tuple[str, ...]] = tuple(header.schema.names)

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[pa.Table, int]]:
        """Yield rows of some columns in order, with the bytes of the file read so far."""
        first = 1
        for block, read in self._blocks(columns):
            cells = [_as_text(block[name], name, first) for name in columns]
            first += block.num_rows
            yield pa.Table.from_arrays(cells, list(columns)), read

    def _blocks(self, columns: Sequence[str]) -> Iterator[tuple[pa.Table, int]]:
        """Yield an empty table, then the rows; a row larger than a block makes blocks larger."""
        done, at_once = 0, self._at_once
        while True:
            skipped = done
            try:
                for block, read in self._blocks_of(columns, at_once):
                    rest = block.slice(min(skipped, len(block)))
                    skipped -= len(block) - len(rest)
                    done += len(rest)
                    yield rest, read
                return
            except pa.ArrowInvalid as error:
                if self._ragged:
                    raise TableError(_ragged_message(self._path, self._ragged[0])) from error
                if "mpty CSV" in str(error):
                    raise TableError("it is empty") from error
                if "straddl" not in str(error) or at_once >= _MOST_AT_ONCE:
                    raise
                at_once *= 8

    def _blocks_of(self, columns: Sequence[str], at_once: int) -> Iterator[tuple[pa.Table, int]]:
        with _opened(self._path) as (source, raw):
            unsplit = _Unsplit(source)
            reader = pyarrow.csv.open_csv(
                pa.PythonFile(unsplit, mode="r"),
                read_options=pyarrow.csv.ReadOptions(block_size=at_once),
                parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=self._refuse),
                convert_options=pyarrow.csv.ConvertOptions(
                    include_columns=columns,
                    column_types=dict.fromkeys(columns, pa.binary()),
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
            try:
                yield reader.schema.empty_table(), 0
                for batch in reader:
                    yield pa.Table.from_batches([batch]), raw.tell()
            finally:
                unsplit.finish()
                self._drain(reader)

    def _drain(self, reader: Any) -> None:
        """Wait for what Arrow's threads read ahead: a process that ends before they do is aborted."""
        ragged = len(self._ragged)
        with suppress(pa.ArrowInvalid):
            for _ in reader:
                pass
        del self._ragged[ragged:]

    def _refuse(self, row: Any) -> str:
        self._ragged.append(row)
        return "error"


def _ragged_message(path: Path, row: Any) -> str:
    cells = f"{row.actual_columns} cell" + ("" if row.actual_columns == 1 else "s")
    return (
        f"{_position_of_ragged(path, row.expected_columns)} has {cells}, the header has {row.expected_columns}: "
        f"{quoted(row.text)}; quote cells that hold commas"
    )


def _position_of_ragged(path: Path, expected: int) -> str:
    """Return the row with too few or too many cells, which Arrow does not report."""
    with path.open("rb") as raw:
        zipped = raw.peek(2)[:2] == _ZIPPED
        lines = io.TextIOWrapper(gzip.GzipFile(fileobj=raw) if zipped else raw, "latin-1", newline="")
        try:
            rows = (cells for cells in csv.reader(lines) if cells)
            return next(f"row {row:,}" for row, cells in enumerate(rows) if len(cells) != expected)
        except (csv.Error, StopIteration):
            return "a row"


def _as_text(cells: pa.ChunkedArray, name: str, first: int) -> pa.ChunkedArray:
    try:
        return cells.cast(pa.string())
    except pa.ArrowInvalid as error:
        for row, cell in enumerate(cells.to_pylist(), first):
            if cell is not None and not _is_utf_8(cell):
                text = quoted(cell.decode("latin-1"))
                raise TableError(f"{name}, row {row:,}: {text} is not UTF-8; save the table as UTF-8") from error
        raise


def _is_utf_8(cell: bytes) -> bool:
    try:
        cell.decode()
    except UnicodeDecodeError:
        return False
    return True


class ParquetFile:
    """A parquet file: its columns have types."""

    is_written: Final = False

    def __init__(self, path: Path, bytes_at_once: int) -> None:
        """Read the names of the columns."""
        self._path = path
        self._cells_at_once = bytes_at_once // 4
        with self._opened() as file:
            self.names: Final[tuple[str, ...]] = tuple(file.schema_arrow.names)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        # pre_buffer keeps everything read in memory; without a buffer, columns of a row group are read whole.
        with (
            pa.OSFile(os.fsencode(self._path)) as source,
            pyarrow.parquet.ParquetFile(source, buffer_size=1_048_576, pre_buffer=False) as file,
        ):
            yield file

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[pa.Table, int]]:
        """Yield rows of some columns in order, with the bytes of the file read so far."""
        size = self._path.stat().st_size
        with self._opened() as file:
            rows, at_once = 0, max(1, self._cells_at_once // max(1, len(columns)))
            for batch in file.iter_batches(at_once, columns=list(columns)):
                rows += len(batch)
                yield pa.Table.from_batches([batch]).select(columns), round(size * rows / file.metadata.num_rows)


class JsonLinesFile:
    """A file with a JSON object per line; an absent key is a missing value."""

    is_written: Final = False

    def __init__(self, path: Path, bytes_at_once: int) -> None:
        """Read the keys of all the lines."""
        self._path = path
        self._at_once = bytes_at_once
        names: dict[str, None] = {}
        for rows, _ in self._rows():
            for row in rows:
                if not row.keys() <= names.keys():
                    names.update(dict.fromkeys(row))
        if not names:
            raise TableError("it is empty")
        self.names: Final[tuple[str, ...]] = tuple(names)

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[pa.Table, int]]:
        """Yield rows of some columns in order, with the bytes of the file read so far."""
        for rows, read in self._rows():
            cells = [column_of([row.get(name) for row in rows]) for name in columns]
            yield pa.Table.from_arrays(cells, list(columns)), read

    def _rows(self) -> Iterator[tuple[list[dict[str, Any]], int]]:
        with self._path.open("rb") as raw:
            zipped = raw.peek(2)[:2] == _ZIPPED
            source = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if zipped else raw
            line = 0
            while lines := source.readlines(self._at_once):
                rows = [_row_of(text, line + number) for number, text in enumerate(lines, 1)]
                line += len(lines)
                yield [row for row in rows if row is not None], raw.tell()


def _row_of(text: bytes, line: int) -> dict[str, Any] | None:
    if line == 1:
        text = text.removeprefix(b"\xef\xbb\xbf")
    if not text.strip():
        return None
    try:
        row = orjson.loads(text)
    except ValueError:
        row = _lenient(text)  # Python writes NaN, which is not JSON
    if not isinstance(row, dict):
        cell = quoted(text.decode("utf-8", "replace").strip())
        raise TableError(f"line {line:,} is not a JSON object: {cell}; write one object per line")
    return row


def _lenient(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def column_of(values: Sequence[Any]) -> pa.Array:
    """Return JSON values as a column of numbers, booleans or text; mixed types become category names."""
    kinds = {type(value) for value in values} - {type(None)}
    if kinds & {list, dict}:
        return pa.array([{} for _ in values], pa.struct([]))
    if kinds <= {int, float}:
        return _numbers_of(values, whole=float not in kinds)
    if len(kinds) > 1:
        values = [category_name(value) for value in values]
    return pa.array(values, pa.bool_() if kinds == {bool} else pa.string())


def _numbers_of(values: Sequence[int | float | None], *, whole: bool) -> pa.Array:
    if all(value is None for value in values):
        return pa.nulls(len(values))
    for of in (pa.int64(), pa.uint64()) if whole else ():
        try:
            return pa.array(values, of)
        except (OverflowError, pa.ArrowInvalid):
            continue
    return pa.array([None if value is None else float(value) for value in values], pa.float64())
