"""Kinds of columns, and cells as a monitor observes them, in each database."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import ibis
import numpy as np
import psycopg
import pyarrow as pa
import pytest
from driftgauge.checks.engine_profile import EngineProfiler
from driftgauge.engines.columns import as_category, as_number, finite, is_empty, kinds_of, number
from driftgauge.engines.engine import EngineTable
from driftgauge.engines.source import opened
from driftgauge.errors import TableError
from driftgauge.models.bundle import FeatureKind
from driftgauge.models.creation.baseline import BaselineOptions
from driftgauge.models.creation.engine_baseline import EnginePlan, baseline_in_engine

from tests.engines.databases import Hold, in_duckdb
from tests.postgres import Postgres

NUMBERS = [0.1, -0.1, 1 / 3, 5e-324, np.finfo(float).max, 2.0**53 + 2, 1e22, -0.0, math.inf, -math.inf]
LISTS = pa.table({"x": [[1], [2]]})
ROWS = 60
POSTGRES = {
    "fraction": ("numeric", "i / 3.0"),
    "unknown": ("numeric(12, 2)", "CASE WHEN i % 4 = 0 THEN 'NaN' ELSE i::numeric END"),
    "endless": ("numeric", "CASE WHEN i % 4 = 0 THEN 'Infinity' ELSE i::numeric END"),
    "long": ("numeric(100, 50)", "i / 3.0"),
    "price": ("money", "(i % 3)::numeric::money"),
    "domain": ("positive", "i % 3 + 1"),
    "id": ("uuid", "md5((i % 3)::text)::uuid"),
    "address": ("inet", "('10.0.0.' || i % 3)::inet"),
    "span": ("int4range", "int4range(1, 5 + i % 3)"),
    "period": ("interval", "((i % 3) || ' hours')::interval"),
    "hour": ("timetz", "time '00:00' + ((i % 3) || ' minutes')::interval"),
    "clock": ("time", "time '07:30:01.25' + ((i % 3) || ' minutes')::interval"),
    "day": ("date", "date '2026-01-01' + i % 3"),
    "moment": ("timestamptz", "timestamptz '2026-01-01' + ((i % 3) || ' hours')::interval"),
    "mood": ("mood", "(ARRAY['sad', 'ok'])[1 + i % 2]::mood"),
    "padded": ("char(4)", "'a' || i % 3"),
    "object": ("jsonb", """'{"a": 1}'"""),
    "lists": ("int[]", "ARRAY[i]"),
}


@pytest.fixture(scope="module")
def duckdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hold]:
    with in_duckdb(tmp_path_factory.mktemp("duckdb")) as own:
        yield own


def cells(hold: Hold, table: pa.Table, of: Any) -> list[Any]:
    """Return what a database makes of the column x."""
    source = hold(table)
    return list(source.fetch(source.table.select(v=of(source.table)))["v"].to_pylist())


def test_numbers_are_numeric_and_text_is_categorical_unless_it_is_stated() -> None:
    schema = dict(ibis.schema({"a": "int8", "b": "boolean", "c": "decimal(9, 2)", "d": "string", "e": "null"}).items())
    found = kinds_of(schema, list(schema), {"a": "categorical"})
    assert found == {"a": "categorical", "b": "numeric", "c": "numeric", "d": "categorical", "e": "numeric"}


@pytest.mark.parametrize(
    ("of", "why"),
    [
        ("timestamp", r"x: it holds cells of type timestamp.*: use it as the column of times \(--time x\) or leave it"),
        ("date", r"use it as the column of times \(--time x\)"),
        ("time", r"neither numbers nor text: leave it out \(--ignore x\), or compare it as text"),
        ("array<int64>", r"neither numbers nor text: leave it out \(--ignore x\)$"),
        ("uuid", r"--kinds x=categorical"),
    ],
)
def test_a_column_that_is_neither_is_refused_with_what_to_do(of: str, why: str) -> None:
    schema = dict(ibis.schema({"x": of}).items())
    with pytest.raises(TableError, match=why):
        kinds_of(schema, ["x"], {})
    assert kinds_of(schema, ["x"], {"x": "categorical"}) == {"x": "categorical"}


def test_a_number_is_the_same_in_the_database_to_the_last_bit(hold: Hold) -> None:
    source = hold(pa.table({"x": [1.0]}))
    (found,) = source.fetch(source.table.select(**{f"v{i}": number(own) for i, own in enumerate(NUMBERS)})).to_pylist()
    assert [float(own).hex() for own in found.values()] == [own.hex() for own in NUMBERS]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([True, None, False]), [1.0, None, 0.0]),
        (pa.array(["", "ü雪", None]), [0.0, 2.0, None]),
        (pa.array([Decimal("0.10"), None, Decimal("-7.25")], pa.decimal128(9, 2)), [0.1, None, -7.25]),
        (pa.array([2**53, None, -1], pa.int64()), [2.0**53, None, -1.0]),
        (pa.array([0.1, None, 1.5], pa.float32()), [float(np.float32(0.1)), None, 1.5]),
        (pa.nulls(3), [None, None, None]),
    ],
    ids=["booleans", "text", "decimals", "integers", "single", "nothing"],
)
def test_numbers_are_those_of_the_cells_and_text_is_its_length(
    hold: Hold, column: pa.Array, expected: list[float | None]
) -> None:
    assert cells(hold, pa.table({"x": column}), lambda table: as_number(table, "x")) == expected


def test_only_numbers_that_are_neither_endless_nor_nan_are_finite(hold: Hold) -> None:
    values = [1.5, math.nan, math.inf, -math.inf, None, -np.finfo(float).max]
    found = cells(hold, pa.table({"x": pa.array(values)}), lambda table: finite(as_number(table, "x")))
    assert found == [1.5, None, None, None, None, -np.finfo(float).max]


def test_a_nan_that_a_files_own_statistics_do_not_count_is_not_finite(duckdb: Hold) -> None:
    """The smallest and the largest value that a Parquet file names leave NaN out."""
    values = np.full(5_000, 2.0)
    values[::10] = math.nan
    source = duckdb(pa.table({"x": values}))
    known = finite(as_number(source.table, "x"))
    assert source.aggregates({"n": known.count(), "most": known.max()}) == {"n": 4_500, "most": 2.0}


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([1, None]), [1, None]),
        (pa.array([True, None]), [True, None]),
        (pa.array([1.5, None]), [1.5, None]),
        (pa.array(["a", ""]), ["a", ""]),
    ],
)
def test_categories_are_text_numbers_and_booleans_as_they_are(
    hold: Hold, column: pa.Array, expected: list[Any]
) -> None:
    assert cells(hold, pa.table({"x": column}), lambda table: as_category(table, "x")) == expected


def test_lists_are_neither_numbers_nor_categories(duckdb: Hold) -> None:
    table = duckdb(LISTS).table
    with pytest.raises(TableError, match=r"x: it holds lists or objects.*--ignore x"):
        as_category(table, "x")
    with pytest.raises(TableError, match=r"x: it holds cells of type array.* not numbers: leave it out \(--ignore x\)"):
        as_number(table, "x")


def test_a_column_of_nulls_alone_has_no_type(duckdb: Hold) -> None:
    schema = duckdb(pa.table({"nothing": pa.nulls(2), "one": [1, 1]})).schema
    assert (is_empty(schema["nothing"]), is_empty(schema["one"])) == (True, False)


@pytest.fixture(scope="module")
def table(postgres: Postgres) -> Iterator[EngineTable]:
    url = postgres.new_database()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE DOMAIN positive AS int CHECK (value > 0)")
        connection.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
        cells = ", ".join(f"({cell})::{of} AS {name}" for name, (of, cell) in POSTGRES.items())
        rows = f"generate_series(1, {ROWS}) i"
        connection.execute(f"CREATE TABLE t AS SELECT {cells} FROM {rows}")  # noqa: S608 - of this file alone
    with opened(f"{url}?table=t") as found:
        yield found


def only(name: str, kind: FeatureKind | None) -> BaselineOptions:
    return BaselineOptions(ignore=[own for own in POSTGRES if own != name], kinds={} if kind is None else {name: kind})


@pytest.mark.parametrize(
    ("name", "kind", "missing", "categories"),
    [
        ("fraction", None, 0, 0),
        ("unknown", None, ROWS // 4, 0),
        ("endless", None, 0, 0),
        ("long", None, 0, 0),
        ("price", None, 0, 0),
        ("domain", "numeric", 0, 0),
        ("clock", "numeric", 0, 0),
        ("price", "categorical", 0, 3),
        ("domain", "categorical", 0, 3),
        ("id", "categorical", 0, 3),
        ("address", "categorical", 0, 3),
        ("span", "categorical", 0, 3),
        ("period", "categorical", 0, 3),
        ("hour", "categorical", 0, 3),
        ("day", "categorical", 0, 3),
        ("moment", "categorical", 0, 3),
        ("mood", None, 0, 2),
        ("padded", None, 0, 3),
    ],
)
def test_a_type_is_the_same_whether_it_is_fetched_or_counted(
    table: EngineTable, name: str, kind: FeatureKind | None, missing: int, categories: int
) -> None:
    own = only(name, kind)
    fetched = baseline_in_engine(table, own).built.baseline
    counted = baseline_in_engine(table, own, EnginePlan(fetched_cells=0)).built.baseline
    (profile,) = EngineProfiler(table, fetched).profiles()
    (column,) = fetched.columns
    assert counted.columns[0].bins == column.bins
    assert counted.columns[0].counts == column.counts
    assert column.counts[column.bins.special["missing"]] == missing
    assert len(column.bins.categories) == categories
    np.testing.assert_array_equal(profile.counts[0], np.trunc(column.counts))


@pytest.mark.parametrize("name", ["object", "lists", "id", "domain", "span", "day"])
@pytest.mark.parametrize("fetched_cells", [0, 10**6])
def test_a_type_of_neither_numbers_nor_text_is_refused_with_what_to_do(
    table: EngineTable, name: str, fetched_cells: int
) -> None:
    with pytest.raises(TableError, match=rf"neither numbers nor text: .*\(--ignore {name}\)") as caught:
        baseline_in_engine(table, only(name, None), EnginePlan(fetched_cells=fetched_cells))
    assert "\n" not in str(caught.value)
