"""Aggregates of numeric columns are split into queries that a database can compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import psycopg
import pyarrow as pa
import pytest
from driftgauge.checks import engine_numbers
from driftgauge.checks.engine_numbers import NumericAggregates, in_queries
from driftgauge.checks.engine_profile import EngineProfiler
from driftgauge.drift.profile.exact_sums import ExactSums
from driftgauge.engines.engine import EngineTable
from driftgauge.errors import TableError
from driftgauge.models.creation.baseline import create_baseline

from tests.checks.test_engine_profile import in_memory
from tests.engines.awkward import TABLES
from tests.engines.databases import in_duckdb, in_postgres
from tests.postgres import Postgres


def test_the_size_of_a_column_is_the_number_of_its_aggregates(tmp_path: Path) -> None:
    baseline = create_baseline(TABLES["mixed"])
    sums = ExactSums(baseline.scales)
    with in_duckdb(tmp_path) as hold:
        table = hold(TABLES["mixed"]).table
        for index, column in enumerate(baseline.columns):
            if column.kind == "numeric":
                own = NumericAggregates.of(index, column)
                assert own.size == len(own.aggregates(table, sums, baseline))


def test_a_query_has_as_many_columns_as_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    baseline = create_baseline({f"x{i}": np.arange(1_000.0) for i in range(5)})
    columns = [NumericAggregates.of(index, own) for index, own in enumerate(baseline.columns)]
    monkeypatch.setattr(engine_numbers, "MOST_AGGREGATES", 2 * columns[0].size)
    assert list(in_queries(columns)) == [columns[:2], columns[2:4], columns[4:]]
    monkeypatch.setattr(engine_numbers, "MOST_AGGREGATES", 1)
    assert list(in_queries(columns)) == [[own] for own in columns]
    assert list(in_queries([])) == [[]]


def test_several_queries_give_the_profile_of_one(monkeypatch: pytest.MonkeyPatch, postgres: Postgres) -> None:
    table = TABLES["mixed"].append_column("at", pa.array(np.arange(TABLES["mixed"].num_rows) * 60))
    baseline = create_baseline(TABLES["mixed"])
    monkeypatch.setattr(engine_numbers, "MOST_AGGREGATES", 30)
    with in_postgres(postgres.new_database()) as hold:
        (found,) = EngineProfiler(hold(table), baseline, time="at").profiles()
    assert found.named("rows") == in_memory(baseline, table, "at")


def test_rows_that_come_between_two_queries_are_noticed(monkeypatch: pytest.MonkeyPatch, postgres: Postgres) -> None:
    import ibis

    monkeypatch.setattr(engine_numbers, "MOST_AGGREGATES", 1)
    url = postgres.new_database()
    with psycopg.connect(url, autocommit=True) as own:
        own.execute("CREATE TABLE t AS SELECT i AS x, i AS y FROM generate_series(1, 10) i")
        # Every query of the view sees another number of rows, as if a row came before each.
        own.execute("CREATE SEQUENCE s")
        own.execute("CREATE VIEW v AS SELECT t.* FROM t, (SELECT nextval('s') AS n OFFSET 0) s WHERE t.x <= s.n + 3")
        baseline = create_baseline({"x": [1, 2, 3], "y": [1, 2, 3]})
        connection = ibis.connect(url)
        profiler = EngineProfiler(EngineTable(connection.table("v"), "v"), baseline)
        with pytest.raises(TableError, match="v changed while its rows were counted"):
            list(profiler.profiles())
        connection.disconnect()
