"""Tables of databases and large files by their address."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlencode

from driftgauge.common import addresses
from driftgauge.engines.engine import EngineTable, reason_of
from driftgauge.engines.files import csv_table, files_of, objects_of, parquet_table
from driftgauge.engines.options import EngineOptions
from driftgauge.engines.spark import runs_spark, spark_connection
from driftgauge.errors import TableError

SCHEMES: Final = ("duckdb", "postgres", "postgresql", "spark", "bigquery", "snowflake", "mysql", "trino", "clickhouse")
"""Of the URLs whose tables a database counts."""
_SERVERS: Final = ("postgres", "postgresql", "snowflake", "mysql", "trino", "clickhouse")
"""Of the URLs that have a user and a password."""
AUTO_BYTES: Final = 1 << 30
"""Parquet files of at least this size are read by DuckDB, if it is installed."""
_INSTALL: Final = "pip install 'driftgauge[engines]'"
_OF_IBIS_ALONE: Final = ("bigquery", "snowflake", "mysql", "trino", "clickhouse")
"""Databases whose libraries are in no extra."""
_ADDRESS: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>[^/?#]*)(?P<path>[^?#]*)(\?(?P<query>[^#]*))?", re.IGNORECASE
)
_PART: Final = re.compile(r'(?:^|(?<=\.))(?:("(?:[^"]|"")+")|([^".]+))(?=\.|$)')
"""A part of a table's name: in double quotes, in which two stand for one, or without dots."""
_SIZE: Final = re.compile(r"[0-9]+(\.[0-9]+)?\s*([KMGT]?i?B|%)", re.IGNORECASE)
_GLOB: Final = re.compile(r"[*?\[]")
_PARQUET: Final = (".parquet", ".pq")
_CSV: Final = (".csv", ".csv.gz", ".tsv")


def is_expression(source: Any) -> bool:
    """Return whether a source is a table of Ibis; Ibis is not imported for the question."""
    return type(source).__module__.startswith("ibis.expr.") and hasattr(source, "get_backend")


def uses_engine(source: Any, options: EngineOptions) -> bool:
    """Return whether a database reads a source: an Ibis table, the URL of one, or files that DuckDB reads."""
    if is_expression(source):
        return True
    if not isinstance(source, str | Path):
        return False
    if _scheme(str(source)) in SCHEMES:
        return True
    if options.engine != "auto":
        return options.engine == "duckdb"
    return not _ADDRESS.match(str(source)) and _is_large(str(source)) and find_spec("ibis") is not None


def _is_large(path: str) -> bool:
    """Return whether a path is that of Parquet files that are not read into memory."""
    if _GLOB.search(path) and not Path(path).exists():
        return path.endswith(_PARQUET)
    files = files_of(Path(path))
    if not files or not all(file.name.endswith(_PARQUET) for file in files):
        return False
    return sum(file.stat().st_size for file in files) >= AUTO_BYTES


@contextmanager
def opened(source: Any, options: EngineOptions | None = None) -> Iterator[EngineTable]:
    """Yield the table of an Ibis expression, a URL or files; TableError if it cannot be opened."""
    options = options or EngineOptions()
    if is_expression(source):
        yield EngineTable(source, _name_of(source))
        return
    if find_spec("ibis") is None:
        raise TableError(f"{without_password(str(source))}: tables in databases need the extra engines: {_INSTALL}")
    with tempfile.TemporaryDirectory(prefix="driftgauge-") as folder:
        try:
            table = _open(str(source), options, options.temp or Path(folder))
        except TableError as error:
            raise TableError(addresses.hide_password(error, str(source))) from None
        try:
            yield table
        finally:
            table.close()


def _name_of(expression: Any) -> str:
    try:
        return str(expression.get_name())
    except Exception:  # an expression that is no table of its own has no name
        return "the table"


def _open(source: str, options: EngineOptions, temp: Path) -> EngineTable:
    address, label = _Address.of(source), without_password(source)
    if address is not None and address.has_raw_password:
        raise TableError(f"cannot open {label}: write / ? # of the password as %2F %3F %23")
    if address is None or address.scheme not in SCHEMES:
        table, spelled = _of_files(source, options, temp)
        return EngineTable(table, label, of_files=True, spelled=spelled)
    openers: dict[str, Callable[[], Any]] = {
        "duckdb": lambda: _duckdb(address.path.removeprefix("/") or ":memory:", options, temp, read_only=True),
        "spark": lambda: spark_connection(address.host, dict(address.others)),
    }
    is_shared = address.scheme == "spark" and _try(label, runs_spark)
    connection = _try(label, openers.get(address.scheme, lambda: _connect(address.url)))
    try:
        return EngineTable(_table(connection, address, label), label, is_shared)
    except TableError:
        if not is_shared:
            connection.disconnect()
        raise


def _table(connection: Any, address: _Address, label: str) -> Any:
    path, name = address.own.get("path"), address.own.get("table")
    if path and address.scheme == "spark":
        return _try(label, lambda: connection.read_parquet(path))
    if not name:
        raise TableError(f"{label}: name the table at the end of the URL: ?table=NAME, or ?table=SCHEMA.NAME")
    *schema, table = _parts(name, label)
    return _try(label, lambda: connection.table(table, database=tuple(schema) or None))


def _parts(name: str, label: str) -> list[str]:
    """Return the parts of a name such as `shop."orders.v2"`; TableError for quotes that are not as in SQL."""
    parts = [quoted or plain for quoted, plain in _PART.findall(name)]
    if ".".join(found[0] for found in _PART.finditer(name)) != name:
        raise TableError(f'{label}: write a name with dots or quotes as in SQL: SCHEMA."NAME"')
    return [part[1:-1].replace('""', '"') if part.startswith('"') else part for part in parts]


def _try(label: str, open_it: Callable[[], Any]) -> Any:
    try:
        return open_it()
    except TableError:
        raise
    except ImportError as error:
        own = _scheme(label)
        install = f"pip install 'ibis-framework[{own}]'" if own in _OF_IBIS_ALONE else _INSTALL
        raise TableError(f"{label}: {error.name or f'the library for {own}://'} is not installed: {install}") from error
    except Exception as error:
        raise TableError(f"cannot open {label}: {reason_of(error)}") from None


@dataclass(frozen=True)
class _Address:
    """The parts of a URL. Not `urlsplit`, which knows no host `local[2]` and drops a slash of `duckdb:////file`."""

    scheme: str
    host: str
    path: str
    own: Mapping[str, str]
    """The parameters that are ours: `table` and `path`."""
    others: Sequence[tuple[str, str]]
    whole: str

    @property
    def has_raw_password(self) -> bool:
        """Whether the password seems to hold a / ? or #, which ends the host: it would be shown as part of the URL."""
        if "@" in self.host or self.host.endswith("]"):
            return False
        _, colon, port = self.host.rpartition(":")
        if colon and not port.isdecimal():
            return "@" in self.whole
        return self.scheme in _SERVERS and "@" in self.path

    @classmethod
    def of(cls, source: str) -> _Address | None:
        found = _ADDRESS.match(source.strip())
        if found is None:
            return None
        given = (part.partition("=") for part in (found["query"] or "").split("&") if part)
        pairs = [(unquote(name), unquote(value)) for name, _, value in given]  # not parse_qsl: a file may be named a+b
        own = {name: value for name, value in pairs if name in ("table", "path")}
        others = [(name, value) for name, value in pairs if name not in own]
        return cls(found["scheme"].lower(), found["host"], found["path"], own, others, source.strip())

    @property
    def url(self) -> str:
        """The URL without our parameters."""
        query = "?" + urlencode(self.others, quote_via=quote) if self.others else ""
        return f"{self.scheme}://{self.host}{self.path}{query}"


def table_name(source: str) -> str:
    """Return the name of a table: that of a URL, or of its file without the ending.

    >>> table_name("postgresql://db:5432/shop?table=public.orders"), table_name("/data/h=07/rows.parquet")
    ('public.orders', 'rows')
    """
    address = _Address.of(source)
    path = source if address is None else address.own.get("path") or address.path
    return (address.own.get("table") if address is not None else None) or Path(path).name.partition(".")[0] or "table"


def _scheme(source: str) -> str:
    address = _Address.of(source)
    return "" if address is None else address.scheme


def without_password(source: str) -> str:
    """Return an address as messages show it: without password, parameters and fragment, but with the table.

    >>> without_password("postgresql://me:secret@db:5432/flights?table=f&sslpassword=x")
    'postgresql://me@db:5432/flights?table=f'
    """
    address = _Address.of(source)
    if address is None:
        return source
    user, at, host = address.host.rpartition("@")
    if address.has_raw_password:
        behind = address.whole.rpartition("@")[2].partition("?")[0]
        return f"{address.scheme}://{address.host.partition(':')[0]}@{behind}"
    query = "&".join(f"{name}={addresses.without_password(value)}" for name, value in address.own.items())
    shown = f"{address.scheme}://{user.partition(':')[0]}{at}{host}{address.path}"
    return f"{shown}?{query}" if query else shown


# ---------------------------------------------------------------- connections


def _connect(url: str) -> Any:
    import ibis

    connection = ibis.connect(url)
    if connection.name == "postgres":
        # One transaction, so that all queries see the rows of the same moment. Compiling queries of hundreds of
        # aggregates takes PostgreSQL several times longer than running them.
        settings = ("SET LOCAL TIME ZONE 'UTC'", "SET LOCAL jit = off")
        for statement in ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", *settings):
            connection.raw_sql(statement).close()
        connection.con.transaction = nullcontext  # a savepoint would hide an error behind that of its lost cursor
    return connection


def _duckdb(database: str, options: EngineOptions, temp: Path, *, read_only: bool = False) -> Any:
    import ibis

    if read_only and database != ":memory:" and not Path(database).is_file():
        raise TableError(f"cannot open {database}: there is no such file")
    if not _SIZE.fullmatch(options.memory.strip()):
        raise TableError(f"--engine-memory {options.memory}: write a size such as 512MB or 8GB")
    settings = {"memory_limit": options.memory, "temp_directory": str(temp)}
    return ibis.duckdb.connect(database, read_only=read_only and database != ":memory:", **settings)


def _of_files(source: str, options: EngineOptions, temp: Path) -> tuple[Any, Mapping[str, str]]:
    """Return the table of files that DuckDB reads, from here or by fsspec from elsewhere, and what its texts spell."""
    label = without_password(source)
    connection = _try(label, lambda: _duckdb(":memory:", options, temp))
    try:
        return _table_of_files(connection, source, label)
    except TableError:
        connection.disconnect()
        raise


def _table_of_files(connection: Any, source: str, label: str) -> tuple[Any, Mapping[str, str]]:
    paths, root = _found(connection, source, label)
    if not paths:
        raise TableError(f"cannot read {label}: there is no such file")
    first = paths if isinstance(paths, str) else paths[0]
    if first.endswith(_PARQUET):
        table, spelled = _try(label, lambda: parquet_table(connection, paths, root))
        return table, spelled
    if first.endswith(_CSV):
        return _try(label, lambda: csv_table(connection, paths, root)), {}
    raise TableError(f"cannot read {label}: duckdb reads Parquet and CSV files here; leave out --engine duckdb")


def _found(connection: Any, source: str, label: str) -> tuple[str | list[str], str | None]:
    """Return the files of a table or a pattern of them, and what was named, with a slash if it is a folder."""
    scheme = _scheme(source)
    if scheme:
        system = _filesystem(scheme, label)
        _try(label, lambda: connection.register_filesystem(system))
        if _GLOB.search(source):
            return source, None
        if source.endswith((*_PARQUET, *_CSV)):
            return source, source
        return _try(label, lambda: objects_of(system, source)), f"{source.rstrip('/')}/"
    if _GLOB.search(source) and not Path(source).exists():
        return source, None
    root = Path(source)
    return [str(file) for file in files_of(root)], f"{root}/" if root.is_dir() else str(root)


def _filesystem(scheme: str, label: str) -> Any:
    try:
        import fsspec  # type: ignore[import-untyped]

        return fsspec.filesystem(scheme)
    except (ImportError, ValueError) as error:
        hint = "driftgauge[s3]" if scheme == "s3" else "the library of fsspec for it"
        raise TableError(f"{label}: the library for {scheme}:// is missing: pip install '{hint}'") from error
