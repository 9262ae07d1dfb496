"""Times of rows in a database, in seconds since 1970."""

from __future__ import annotations

from typing import Any

from driftgauge.engines.engine import EngineTable
from driftgauge.errors import TableError


def as_epoch(table: Any, name: str) -> Any:
    """Return a column of times in whole seconds since 1970, as float64; times without a zone are UTC."""
    column = table[name]
    of = column.type()
    if of.is_date():
        column = column.cast("timestamp")
    elif of.is_numeric():
        return column.cast("float64")
    # Truncated first, because PostgreSQL rounds to whole seconds.
    return column.truncate("s").epoch_seconds().cast("float64")


def require_times(source: EngineTable, name: str) -> None:
    """Raise TableError unless a column holds the time of every row."""
    column = source.table[name]
    of = column.type()
    if not (of.is_timestamp() or of.is_date() or of.is_numeric()):
        raise TableError(
            f"{source.label}: {name}: it holds cells of type {of}, which are not times: convert it to timestamps in "
            "the database"
        )
    missing = int(source.aggregates({"missing": column.isnull().sum()})["missing"] or 0)
    if missing:
        raise TableError(f"{source.label}: {name}: {missing:,} rows have no time: fill or drop them")
