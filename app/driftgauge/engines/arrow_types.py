"""Columns of Parquet files whose type DuckDB does not know: they are read as in memory."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from driftgauge.engines.columns import number
from driftgauge.errors import TableError

_NANOSECONDS: Final = {"TIMESTAMPTZ_NS": "timestamp('UTC', 6)", "TIME_NS": "time"}
"""Types of DuckDB that Ibis does not know, and what they become."""
_A_SECOND: Final = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_SCHEMAS: Final = (
    "SELECT value, count(*), any_value(file_name) FROM parquet_kv_metadata(?) WHERE key = 'ARROW:schema' GROUP BY value"
)


def as_in_arrow(connection: Any, table: Any, paths: str | Sequence[str], types: Collection[Mapping[str, str]]) -> Any:
    """Return a table of files with its durations in seconds, and its times in types that Ibis knows.

    `types` are those of each file's columns. To Parquet a duration is a whole number; its unit is in the schema that
    Arrow writes beside it. TableError if it differs between files.
    """
    names = [*table.columns]
    known = {name: _NANOSECONDS[of] for own in types for name, of in own.items() if of in _NANOSECONDS}
    cast = {name: table[name].cast(known[name]) for name in names if name in known}
    for name, unit in _units(connection, paths, len(types)).items():
        if name in names:
            cast[name] = table[name].cast("float64") / number(_A_SECOND[unit])
    return table.mutate(**cast).select(names) if cast else table


def _units(connection: Any, paths: str | Sequence[str], files: int) -> dict[str, str]:
    """Return the units of columns of durations."""
    given = paths if isinstance(paths, str) else list(paths)
    rows = connection.con.execute(_SCHEMAS, [given]).fetchall()
    found: dict[str, tuple[str, int]] = {}
    for text, times, file in rows:
        for field in pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text))):
            if not pa.types.is_duration(field.type):
                continue
            unit, seen = found.get(field.name, (field.type.unit, 0))
            if unit != field.type.unit:
                raise TableError(
                    f"{field.name}: it holds durations in {field.type.unit} in {file}, and in {unit} elsewhere: write "
                    "one type"
                )
            found[field.name] = unit, seen + int(times)
    for name, (unit, seen) in found.items():
        if seen < files:
            raise TableError(
                f"{name}: it holds durations in {unit} in some files, and numbers in others: write one type"
            )
    return {name: unit for name, (unit, _) in found.items()}
