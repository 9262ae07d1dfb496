"""The databases of the contract: each holds a table of Arrow as its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from driftgauge.engines.engine import EngineTable

_numbers = count()
Hold = Callable[[pa.Table], EngineTable]


@contextmanager
def in_duckdb(folder: Path) -> Iterator[Hold]:
    """Give what puts a table into a Parquet file that DuckDB reads."""
    import ibis

    connection = ibis.duckdb.connect(temp_directory=str(folder), memory_limit="512MB")

    def hold(table: pa.Table) -> EngineTable:
        path = folder / f"{next(_numbers)}.parquet"
        pq.write_table(table, path)
        return EngineTable(connection.read_parquet(path), path.name)

    yield hold
    connection.disconnect()


@contextmanager
def in_postgres(url: str) -> Iterator[Hold]:
    """Give what puts a table into PostgreSQL."""
    import ibis

    connection = ibis.connect(url)

    def hold(table: pa.Table) -> EngineTable:
        name = f"t{next(_numbers)}"
        columns = ", ".join(f"{_quoted(field.name)} {_sql_type(field.type)}" for field in table.schema)
        with psycopg.connect(url) as own:
            own.execute(f"CREATE TABLE {name} ({columns})")
            rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
            with own.cursor() as cursor, cursor.copy(f"COPY {name} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        return EngineTable(connection.table(name), name)

    yield hold
    connection.disconnect()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _sql_type(of: pa.DataType) -> str:
    known: dict[Any, str] = {
        pa.int64(): "bigint",
        pa.float64(): "double precision",
        pa.float32(): "real",
        pa.bool_(): "boolean",
        pa.string(): "text",
        pa.null(): "double precision",
    }
    if pa.types.is_timestamp(of):
        return "timestamptz" if of.tz else "timestamp"
    return f"numeric({of.precision}, {of.scale})" if pa.types.is_decimal(of) else known[of]
