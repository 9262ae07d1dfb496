"""Baselines of tables that are too large to fetch."""

from __future__ import annotations

from typing import Any

import ibis
import pytest
from driftgauge.engines.engine import EngineTable
from driftgauge.errors import BaselineError, TableError
from driftgauge.models.creation.baseline import BaselineOptions
from driftgauge.models.creation.engine_baseline import EnginePlan, baseline_in_engine


def holding(columns: str, rows: str) -> Any:
    """Return a table of DuckDB with some rows."""
    connection = ibis.duckdb.connect()
    connection.raw_sql(f"CREATE TABLE t ({columns})")
    connection.raw_sql(f"INSERT INTO t {rows}")
    return connection.table("t")


def test_numbers_that_are_spelled_as_text_are_refused_and_not_counted_by_their_length() -> None:
    table = EngineTable(holding("x VARCHAR", "VALUES ('1'), ('10'), ('100')"), "t")
    numeric = BaselineOptions(kinds={"x": "numeric"})
    assert baseline_in_engine(table, numeric).built.baseline.columns[0].max == 100.0
    with pytest.raises(TableError, match=r"t: x: it holds text, .*: convert it in the database, or leave it out"):
        baseline_in_engine(table, numeric, EnginePlan(fetched_cells=0))
    lengths = baseline_in_engine(table, BaselineOptions(kinds={"x": "text"}), EnginePlan(fetched_cells=0))
    assert lengths.built.baseline.columns[0].max == 3.0


def test_a_table_that_grows_while_it_is_counted_is_refused() -> None:
    table = EngineTable(holding("x INT, c VARCHAR", "VALUES (1, 'a'), (2, 'b'), (3, 'c')"), "t")

    def grow(done: str) -> None:
        if done == "c":
            table.table.get_backend().raw_sql("INSERT INTO t VALUES (4, 'd')")

    with pytest.raises(BaselineError, match="t changed while its rows were counted: build the baseline of a copy"):
        baseline_in_engine(table, None, EnginePlan(fetched_cells=0, progress=grow))
