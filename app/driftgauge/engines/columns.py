"""Kinds of the columns of a database's table, and their cells as a monitor observes them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from driftgauge.drift.reference.columns import Kind
from driftgauge.errors import TableError


def kinds_of(schema: Mapping[str, Any], names: Sequence[str], stated: Mapping[str, Kind]) -> dict[str, Kind]:
    """Return each column's kind: as stated, else numeric for numbers, categorical for text."""
    return {name: stated.get(name) or _kind(name, schema[name]) for name in names}


def _kind(name: str, of: Any) -> Kind:
    if of.is_string():
        return "categorical"
    if of.is_numeric() or of.is_boolean() or is_empty(of):
        return "numeric"
    remedy = f"leave it out (--ignore {name})"
    if not (of.is_nested() or of.is_json()):
        remedy += f", or compare it as text (--kinds {name}=categorical)"
    if of.is_timestamp() or of.is_date():
        remedy = f"use it as the column of times (--time {name}) or {remedy}"
    raise TableError(f"{name}: it holds cells of type {_named(of)}, which are neither numbers nor text: {remedy}")


def _named(of: Any) -> str:
    """Return the name of a type for messages; Ibis describes some unknown types in a page of text."""
    return "that Ibis does not know" if of.is_unknown() else str(of)


def is_empty(of: Any) -> bool:
    """Return whether a type has no values: Ibis does not know that of DuckDB."""
    return bool(of.is_null() or (of.is_unknown() and 'kind="NULL"' in repr(of)))


def number(value: float) -> Any:
    """Return a number as the database has it, to the last bit.

    Databases read 0.1 as a decimal, whose conversion may differ in the last bit from that of the text.
    """
    import ibis

    text = repr(float(value)) if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"
    return ibis.literal(text).cast("float64")


def as_number(table: Any, name: str) -> Any:
    """Return a numeric column as float64; of text its length."""
    import ibis

    column = table[name]
    of = column.type()
    if of.is_string():
        column = column.length()
    elif of.is_boolean():  # which PostgreSQL does not cast to numbers
        column = ibis.cases((column.isnull(), ibis.null("float64")), (column, 1.0), else_=0.0)
    elif is_empty(of):
        column = ibis.cases((column.isnull(), ibis.null("float64")), else_=0.0)
    elif of.is_decimal() and column.get_backend().name == "postgres":
        column = column.cast("decimal")  # money, which Ibis takes for one, is cast to no other number
    elif of.is_time():
        column = _seconds_of_day(column)
    elif not (of.is_numeric() or of.is_unknown()):  # that of a domain is unknown
        raise TableError(
            f"{name}: it holds cells of type {_named(of)}, which are not numbers: leave it out (--ignore {name})"
        )
    return column.cast("float64")


def _seconds_of_day(column: Any) -> Any:
    """Return times of day in seconds, as a table in memory has them."""
    whole = (column.hour().cast("int64") * 60 + column.minute()) * 60 + column.second()
    return (whole * 1_000_000 + column.microsecond()).cast("float64") / number(1e6)


def finite(values: Any) -> Any:
    """Return numbers with null for those that are not finite."""
    import ibis

    none = ibis.null("float64")
    if values.get_backend().name == "duckdb":
        # By a file's smallest and largest value, which count no NaN, DuckDB takes isnan(x) for false in every row.
        return ibis.ifelse(_isfinite()(values), values, none)
    # Not isinf(), which Ibis writes for Spark as a function that finds none.
    endless = (values == number(math.inf)) | (values == number(-math.inf))
    return ibis.ifelse(values.isnan() | endless, none, values)


def _isfinite() -> Any:
    """Return the database's own function, which Ibis does not know."""
    import ibis
    import ibis.expr.datatypes as dt

    def isfinite(number):  # type: ignore[no-untyped-def]  # Ibis reads the signature below
        """Return whether a number is finite."""

    return ibis.udf.scalar.builtin(isfinite, signature=((dt.float64,), dt.boolean))


def as_category(table: Any, name: str) -> Any:
    """Return a column of categories: unchanged if Arrow names it as in memory, otherwise as text."""
    column = table[name]
    of = column.type()
    if of.is_nested() or of.is_json():
        raise TableError(
            f"{name}: it holds lists or objects, which cannot be categories: leave it out (--ignore {name})"
        )
    is_plain = of.is_string() or of.is_boolean() or of.is_integer() or of.is_floating() or of.is_binary()
    if is_plain or of.is_timestamp() or of.is_date():
        return column
    if of.is_decimal():
        if column.get_backend().name == "duckdb":
            return column
        column = column.cast("decimal")  # what is money or not a number is no decimal of Arrow
    return column.cast("string")


def fetchable(table: Any, name: str, stated: Kind | None) -> Any:
    """Return a column as Arrow can hold it, of its kind in a baseline; TableError if that is impossible."""
    of = table[name].type()
    if stated == "categorical":
        return as_category(table, name)
    if of.is_json() or of.is_unknown() or of.is_uuid() or of.is_inet() or of.is_macaddr() or of.is_geospatial():
        _ = stated or _kind(name, of)
        return as_number(table, name)
    is_decimal = of.is_decimal() and table.get_backend().name != "duckdb"
    return as_number(table, name) if is_empty(of) or is_decimal else table[name]
