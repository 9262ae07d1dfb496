"""Tables of any size, read part by part: one file, or a folder of files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote

import pyarrow as pa

from driftgauge.common.addresses import is_url, without_password
from driftgauge.common.quoting import listed
from driftgauge.errors import TableError
from driftgauge.tables.files import FORMATS, JsonLinesFile, RowFile, ending, open_file, readable

NO_VALUE: Final = "__HIVE_DEFAULT_PARTITION__"
"""Stands for a missing value in the name of a folder."""


@dataclass(frozen=True)
class Part:
    """Consecutive rows of a table."""

    table: pa.Table
    """The requested columns."""
    first: int
    """Number of the first row in the table, from 1."""
    bytes_read: int
    """Bytes of the table read so far, approximately."""
    written: frozenset[str]
    """Columns of text as written; in a csv file an empty cell without quotes is null."""


class TableSource(Protocol):
    """A table that is read part by part, from wherever it is."""

    @property
    def path(self) -> Path | None:
        """The file or folder; None for a table in memory."""

    @property
    def label(self) -> str:
        """What messages call the table."""

    @property
    def name(self) -> str:
        """The name of its window in a history."""

    @property
    def bytes(self) -> int:
        """Size of its files."""

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns, as often as they occur."""

    def require(self, columns: Sequence[str]) -> None:
        """Raise TableError unless the table has each of these columns exactly once."""

    def parts(self, columns: Sequence[str]) -> Iterator[Part]:
        """Yield rows of some columns in order; TableError if the table cannot be read."""


class TableStream:
    """A table that is read part by part: a file, or a folder of files."""

    def __init__(self, path: Path | str, bytes_at_once: int = 2_097_152) -> None:
        """Read the column names; TableError if there is no table."""
        _require_here(path)
        self.path: Final = Path(path)
        self.label: Final = str(self.path)
        self._files: Final = _files(self.path, bytes_at_once)
        self.name: Final = self.path.name[: -len(ending(self.path)) or None]
        """The name of the file or folder, without its ending."""
        self.bytes: Final = sum(file.size for file in self._files)
        self.column_names: Final = _names(self._files)

    def require(self, columns: Sequence[str]) -> None:
        """Raise TableError unless the table has each of these columns exactly once."""
        require_columns(self.column_names, columns, self.label)

    def parts(self, columns: Sequence[str]) -> Iterator[Part]:
        """Yield rows of some columns in order; TableError if the table cannot be read."""
        self.require(columns)
        first, before = 1, 0
        for file in self._files:
            for table, read in file.batches(columns):
                if len(table):
                    written = frozenset(columns if file.rows.is_written else file.partition)
                    yield Part(table, first, before + read, written)
                first += len(table)
            before += file.size


@dataclass(frozen=True)
class _File:
    """A file of a table, with the columns from its folders' names."""

    path: Path
    size: int
    rows: RowFile
    partition: dict[str, str | None]

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[pa.Table, int]]:
        own = [name for name in columns if name not in self.partition]
        if not isinstance(self.rows, JsonLinesFile):  # there an absent column is missing values
            require_columns(self.rows.names, own, str(self.path))
        with readable(self.path):
            for table, read in self.rows.batches(own or self.rows.names[:1]):
                for name in columns:
                    if name in self.partition:
                        cells = pa.repeat(pa.scalar(self.partition[name], pa.string()), len(table))
                        table = table.append_column(name, cells)
                yield table.select(columns), read


def _require_here(path: Path | str) -> None:
    """Raise TableError for an address, which is no path of this machine."""
    if isinstance(path, str) and is_url(path):
        raise TableError(
            f"cannot read the table {without_password(path)}: files are read from this machine alone: give a DataFrame "
            "of it, a table of Ibis (ibis.duckdb.connect().read_parquet), or use the command driftgauge, which copies "
            "objects of s3:// and other storages"
        )


def _files(path: Path, bytes_at_once: int) -> list[_File]:
    """Return a table's files by name; of a folder, all that are not hidden."""
    if not path.is_dir():
        rows = open_file(path, bytes_at_once)
        return [_File(path, path.stat().st_size, rows, {})]
    shown = sorted(file for file in path.rglob("*") if file.is_file() and not is_hidden(file.relative_to(path)))
    formats = {ending(file) for file in shown}
    if len(formats) != 1 or "" in formats:
        found = ", ".join(sorted({file.suffix or file.name for file in shown})) or "no file"
        raise TableError(f"{path}: all files of a folder must have one format, {FORMATS}; it has {found}")
    return [
        _File(file, file.stat().st_size, open_file(file, bytes_at_once), _partition(file.relative_to(path)))
        for file in shown
    ]


def _names(files: Sequence[_File]) -> tuple[str, ...]:
    first = files[0]
    if isinstance(first.rows, JsonLinesFile):
        stored = list(dict.fromkeys(name for file in files for name in file.rows.names))
    else:
        stored = list(first.rows.names)
    return (*(name for name in stored if name not in first.partition), *first.partition)


def is_hidden(path: Path) -> bool:
    """Return whether a file is none of its folder's table: its name, or that of a folder, begins with _ or a dot."""
    return any(part.startswith(("_", ".")) and "=" not in part for part in path.parts)


def _partition(path: Path) -> dict[str, str | None]:
    """Return the columns given by folder names such as `day=2026-01-31`."""
    pairs = [folder.partition("=") for folder in path.parts[:-1]]
    found = {unquote(name): unquote(value) for name, equals, value in pairs if equals}
    return {name: None if value == NO_VALUE else value for name, value in found.items()}


def require_columns(present: Sequence[str], requested: Sequence[str], what: str) -> None:
    """Raise TableError unless each requested column is present exactly once."""
    absent = [name for name in requested if name not in present]
    if absent:
        kind = "column" if len(absent) == 1 else "columns"
        raise TableError(
            f"{what} has no {kind} {listed(absent)}; it has {listed(present) or 'none'}{separator_hint(present)}"
        )
    twice = [name for name in requested if present.count(name) > 1]
    if twice:
        raise TableError(f"{what} has several columns {twice[0]}: rename or drop all but one")


def separator_hint(present: Sequence[str]) -> str:
    """Return a hint if a csv file's only column seems to be several."""
    if len(present) != 1:
        return ""
    found = next((mark for mark in (";", "\t", "|") if mark in present[0]), None)
    return "" if found is None else f" (its separator seems to be {found!r}: use commas)"
