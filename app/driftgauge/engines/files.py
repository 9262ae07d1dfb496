"""Files of a table that DuckDB reads: folders, and files whose columns differ."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import pyarrow as pa

from driftgauge.common.quoting import listed
from driftgauge.engines.arrow_types import as_in_arrow
from driftgauge.engines.engine import SPELLED
from driftgauge.errors import TableError
from driftgauge.tables.csv_types import inferred
from driftgauge.tables.stream import NO_VALUE, is_hidden

_NUMBER: Final = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\)")
_FOLDER: Final = re.compile(r"(?<![^/])([^/=]+)=([^/]*)/")
_WHOLE: Final = re.compile(r"0|-?[1-9][0-9]{0,17}|__HIVE_DEFAULT_PARTITION__")
_CAST: Final = {"whole": "int64", "time": "timestamp"}
"""Types of columns of folders, where DuckDB is not to find them itself."""
_ANY: Final = '"NULL"'
"""The type of a column without values."""
_SCHEMA: Final = "SELECT file_name, name, coalesce(num_children, 0), duckdb_type FROM parquet_schema(?)"
_FILES: Final = "SELECT file FROM glob(?)"
_HEADER: Final = "SELECT * FROM read_csv(?, header = false, all_varchar = true, hive_partitioning = false) LIMIT 1"
Types = Mapping[str, str]
"""The types of a file's columns by their names, in order."""


def files_of(path: Path) -> list[Path]:
    """Return a table's files by name; of a folder, all that are not hidden."""
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file() and not is_hidden(file.relative_to(path)))
    return [path] if path.is_file() else []


def objects_of(system: Any, address: str) -> list[str]:
    """Return the addresses of the objects below a prefix of object storage, by name, without hidden ones."""
    own = str(system._strip_protocol(address)).rstrip("/")
    scheme = address.partition("://")[0]
    below = {path: str(path).removeprefix(own).strip("/") for path in system.find(own)}
    return [f"{scheme}://{str(path).lstrip('/')}" for path in sorted(below) if not is_hidden(Path(below[path]))]


def table_of(connection: Any, function: str, paths: str | Sequence[str], **options: bool | int) -> Any:
    """Return the table of files as a function of DuckDB reads them.

    Not by Ibis' methods: for s3:// and https:// they download an extension of DuckDB, which fsspec makes unnecessary.
    """
    from ibis.util import gen_name

    name = gen_name(function)
    given = ", ".join([_literal(paths), *(f"{key} = {_literal(value)}" for key, value in options.items())])
    connection.con.execute(f'CREATE TEMP VIEW "{name}" AS SELECT * FROM {function}({given})')  # noqa: S608  quoted
    return connection.table(name)


def _literal(value: bool | int | str | Sequence[str]) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value) if isinstance(value, bool | int) else f"[{', '.join(map(_literal, value))}]"


def parquet_table(connection: Any, paths: str | Sequence[str], root: str | None = None) -> tuple[Any, dict[str, str]]:
    """Return the table of Parquet files, in which a column has one type; TableError if it cannot have one.

    Beside it is what the texts of some columns of folders spell, such as 07: `number` or `boolean`.

    `root` is the file that was named, or the folder with a slash at its end: only folders below it give columns.
    """
    types = _types(connection, paths)
    folders = _columns_of_folders([_below(file, root) for file in types])
    how: dict[str, bool] = {"hive_partitioning": root is None or bool(folders)}
    cells = {name: _sort_of(values) for name, values in folders.items()}
    if not {*cells.values()} <= {"whole", "text"}:  # DuckDB would make 7 of 07, and text of 1.5
        how["hive_types_autocast"] = False
    later: set[str] = set()
    if _differ(types):  # without union_by_name, a column has its type in the first file, and numbers are rounded to it
        how["union_by_name"] = True
        later = _later(types)
    table = as_in_arrow(connection, table_of(connection, "read_parquet", paths, **how), paths, types.values())
    if "hive_types_autocast" in how:
        table = table.mutate(**{name: table[name].cast(_CAST[of]) for name, of in cells.items() if of in _CAST})
    spelled = {name: of for name, of in cells.items() if of in SPELLED}
    return _without(table, later | _above(root, folders)), spelled


def _sort_of(values: Collection[str]) -> str:
    """Return what the values of a folder's column spell, as for one in memory; whole numbers are in plain spelling."""
    if all(map(_WHOLE.fullmatch, values)):
        return "whole"
    texts = pa.chunked_array([pa.array([None if value == NO_VALUE else value for value in values], pa.string())])
    sort, typed = inferred(texts, "nothing")
    if sort == "time" and typed is not None:
        return "time" if pa.types.is_timestamp(typed.type) else "text"
    return "text" if sort == "nothing" else sort


def csv_table(connection: Any, paths: str | Sequence[str], root: str | None = None) -> Any:
    """Return the table of CSV files, whose columns may have another order in each; TableError if it cannot be read.

    The first row of a file has the names, and a column has one type. `root` is as in `parquet_table`.
    """
    given = paths if isinstance(paths, str) else list(paths)
    files = [str(file) for (file,) in connection.con.execute(_FILES, [given]).fetchall()]
    if not files:
        raise TableError(f"cannot read {paths}: there is no such file")
    names = {file: _header(connection, file) for file in files}
    _require_complete(names, names[files[0]], files[0])
    folders = _columns_of_folders([_below(file, root) for file in files])
    how = {"header": True, "sample_size": -1, "hive_partitioning": root is None or bool(folders)}
    # Without union_by_name, DuckDB takes the types of columns by their place.
    table = table_of(connection, "read_csv", paths, union_by_name=len(files) > 1, **how)
    return _without(table, _later(names) | _above(root, folders))


def _header(connection: Any, file: str) -> list[str]:
    """Return the names in the first row of a CSV file; TableError for names that DuckDB does not tell apart."""
    row = connection.con.execute(_HEADER, [file]).fetchone()
    if row is None:
        raise TableError(f"{file} is empty: its first row has to name the columns")
    names = [name or "" for name in row]
    _require_distinct(file, names)
    return names


def _later(columns: Mapping[str, Iterable[str]]) -> set[str]:
    """Return the columns that the first file lacks and others have."""
    first, *others = columns.values()
    return {name for own in others for name in own} - {*first}


def _above(root: str | None, folders: Collection[str]) -> set[str]:
    """Return the columns that only folders above the named one would give."""
    return set() if root is None else {*_columns_of_folders([f"{root.rstrip('/')}/"])} - {*folders}


def _without(table: Any, names: Collection[str]) -> Any:
    return table.drop(*(name for name in table.columns if name in names))


def _below(file: str, root: str | None) -> str:
    return file if root is None else file.removeprefix(root) if root.endswith("/") else ""


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
        own = list(_columns(rows, int(columns)))
        _require_distinct(file, [name for name, _ in own])
        found[file] = dict(own)
    return found


def _require_distinct(file: str, names: Sequence[str]) -> None:
    """Raise TableError for names of a file that DuckDB does not tell apart."""
    if "" not in names and len({name.lower() for name in names}) == len(names):
        return
    equal = [name for name, times in Counter(names).items() if times > 1]
    lower = Counter(name.lower() for name in names)
    what = f"{listed([name for name in names if lower[name.lower()] > 1])} differ in case alone"
    if "" in names:
        what = "a column has no name"
    elif equal:
        what = f"it has several columns {equal[0]}"
    raise TableError(f"{file}: {what}, and duckdb would rename them: rename them in the file")


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


def _require_complete(columns: Mapping[str, Collection[str]], first: Collection[str], whole: str) -> None:
    """Raise TableError if a file lacks a column of the first one: its cells would be missing values."""
    for file, own in columns.items():
        absent = [name for name in first if name not in own]
        if absent:
            raise TableError(f"{file} has no {listed(absent)}, and {whole} has: add the missing columns")
