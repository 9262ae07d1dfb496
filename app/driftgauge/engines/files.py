"""Files of a table that DuckDB reads: those of a folder, and Parquet files whose columns differ."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from driftgauge.common.quoting import listed
from driftgauge.errors import TableError
from driftgauge.tables.stream import is_hidden

_NUMBER: Final = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\)")
_FOLDER: Final = re.compile(r"(?<![^/])([^/=]+)=([^/]*)/")
_WHOLE: Final = re.compile(r"0|-?[1-9][0-9]{0,17}|__HIVE_DEFAULT_PARTITION__")
_PADDED: Final = re.compile(r"0[0-9]+")
_ANY: Final = '"NULL"'
"""The type of a column without values."""
_SCHEMA: Final = "SELECT file_name, name, coalesce(num_children, 0), duckdb_type FROM parquet_schema(?)"
Types = Mapping[str, str]
"""The types of a file's columns by their names, in order."""


def files_of(path: Path) -> list[Path]:
    """Return a table's files by name; of a folder, all that are not hidden."""
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file() and not is_hidden(file.relative_to(path)))
    return [path] if path.is_file() else []


def parquet_table(connection: Any, paths: str | Sequence[str], root: Path | None = None) -> Any:
    """Return the table of Parquet files, in which a column has one type; TableError if it cannot have one.

    `root` is the folder or file that was named: only folders below it give columns.
    """
    types = _types(connection, paths)
    folders = _columns_of_folders([_below(file, root) for file in types])
    how: dict[str, Any] = {"hive_partitioning": root is None or bool(folders)}
    is_padded = any(_PADDED.fullmatch(value) for values in folders.values() for value in values)
    if is_padded:  # DuckDB would make 7 of 07
        how["hive_types_autocast"] = False
    others: set[str] = set()
    if _differ(types):  # without union_by_name, a column has its type in the first file, and numbers are rounded to it
        how["union_by_name"] = True
        others = {name for own in types.values() for name in own} - {*next(iter(types.values()))}
    if root is not None:
        others |= {*_columns_of_folders([f"{root}/"])} - {*folders}
    table = connection.read_parquet(paths, **how)
    if is_padded:
        numbers = [name for name, values in folders.items() if all(map(_WHOLE.fullmatch, values))]
        table = table.mutate(**{name: table[name].cast("int64") for name in numbers})
    return table.drop(*(name for name in table.columns if name in others))


def _below(file: str, root: Path | None) -> str:
    return file if root is None else file.removeprefix(f"{root}/") if root.is_dir() else ""


def _columns_of_folders(paths: Sequence[str]) -> dict[str, set[str]]:
    """Return the values of columns that folders such as `day=2026-01-31` name."""
    found: dict[str, set[str]] = {}
    for path in paths:
        for name, value in _FOLDER.findall(path):
            found.setdefault(unquote(name), set()).add(unquote(value))
    return found


def _types(connection: Any, paths: str | Sequence[str]) -> dict[str, Types]:
    """Return the types of each file; TableError for names that DuckDB does not tell apart."""
    given = paths if isinstance(paths, str) else list(paths)
    rows = iter(connection.con.execute(_SCHEMA, [given]).fetchall())
    found: dict[str, Types] = {}
    for file, _, columns, _ in rows:
        found[file] = own = dict(_columns(rows, int(columns)))
        lower = [name.lower() for name in own]
        twice = [name for name in own if lower.count(name.lower()) > 1]
        if "" in own or len(own) < int(columns) or twice:
            what = f"{listed(twice)} differ in case alone" if twice else "a column has no name, or that of another"
            raise TableError(f"{file}: {what}, and duckdb would rename them: rename them in the file")
    return found


def _columns(rows: Iterator[tuple[str, str, int, str]], count: int) -> Iterator[tuple[str, str]]:
    """Yield the columns that follow a node, and pass over what they consist of."""
    for _ in range(count):
        _, name, children, of = next(rows)
        yield name, of
        for _ in _columns(rows, int(children)):
            pass


def _differ(types: Mapping[str, Types]) -> bool:
    """Return whether the columns of the first file have other types elsewhere; TableError if none fits all."""
    if not types:
        return False
    (whole, first), *others = types.items()
    seen = {name: (of, whole) for name, of in first.items()}
    is_other = False
    for file, own in others:
        for name, (of, where) in seen.items():
            new = own.get(name, of)
            if new == of:
                continue
            is_other = True
            if _ANY not in (of, new) and not (_NUMBER.fullmatch(of) and _NUMBER.fullmatch(new)):
                raise TableError(f"{name}: it is {of} in {where} and {new} in {file}: write one type, or check each")
            if of == _ANY:
                seen[name] = new, file
    if is_other:
        _require_complete(types, first, whole)
    return is_other


def _require_complete(types: Mapping[str, Types], first: Types, whole: str) -> None:
    """Raise TableError if a file lacks a column of the first one: its cells would be missing values."""
    for file, own in types.items():
        absent = [name for name in first if name not in own]
        if absent:
            raise TableError(f"{file} has no {listed(absent)}, and {whole} has: add what is missing")
