"""Baselines of tables in databases: what is fetched, what is counted, what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
from driftgauge.drift.reference.baseline import PREDICTION_CLASS
from driftgauge.drift.reference.columns import Categories
from driftgauge.engines.engine import EngineTable
from driftgauge.engines.options import EngineOptions
from driftgauge.engines.source import opened
from driftgauge.errors import BaselineError, TableError
from driftgauge.models.creation.baseline import BaselineOptions, baseline_and_beside
from driftgauge.models.creation.engine_baseline import EnginePlan, baseline_in_engine

from tests.engines.databases import Hold, in_duckdb

COUNTED = EnginePlan(fetched_cells=0, sampled_rows=10**9)
"""Everything but a sample of all rows stays in the database."""


@pytest.fixture(scope="module")
def hold(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hold]:
    with in_duckdb(tmp_path_factory.mktemp("duckdb")) as own:
        yield own


def rows_of(count: int = 1_200) -> pa.Table:
    """Return rows in order of time, with correlated columns, text and classes."""
    random = np.random.default_rng(5)
    first = random.normal(size=count)
    return pa.table(
        {
            "at": [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=index) for index in range(count)],
            "a": first,
            "b": first + 0.1 * random.normal(size=count),
            "note": random.choice(["", "short", "a longer note"], count),
            PREDICTION_CLASS: random.integers(0, 3, count),
        }
    )


def test_a_table_up_to_the_limit_of_cells_is_fetched_with_its_times(hold: Hold) -> None:
    table, options = rows_of(), BaselineOptions(time="at")
    cells = table.num_rows * 4
    found = baseline_in_engine(hold(table), options, EnginePlan(fetched_cells=cells))
    assert found.built.baseline.hash == baseline_and_beside(table, options).baseline.hash
    assert found.built.baseline.time_column == "at"
    assert found.remarks == ()
    with pytest.raises(BaselineError, match=r"--time at: 1,200 rows of 4 columns are more .*\(4,799 cells\)"):
        baseline_in_engine(hold(table), options, EnginePlan(fetched_cells=cells - 1))


def test_columns_that_are_ignored_are_not_read(hold: Hold) -> None:
    table = rows_of().append_column("lists", pa.array([[1.0]] * 1_200))
    for plan in (COUNTED, EnginePlan()):
        found = baseline_in_engine(hold(table), BaselineOptions(ignore=("lists", "at")), plan)
        assert found.built.baseline.names == ("a", "b", "note", PREDICTION_CLASS)


def test_a_table_without_rows_or_columns_has_no_baseline(hold: Hold) -> None:
    with pytest.raises(BaselineError, match="the reference has no rows"):
        baseline_in_engine(hold(rows_of(0)), BaselineOptions(ignore=("at",)))
    with pytest.raises(BaselineError, match="the reference has no columns"):
        baseline_in_engine(hold(rows_of(3)), BaselineOptions(ignore=tuple(rows_of(0).column_names)))


def test_predicted_classes_are_categories_and_text_can_be_compared_by_its_length(hold: Hold) -> None:
    table, options = rows_of(), BaselineOptions(ignore=("at",), kinds={"note": "text"})
    found = baseline_in_engine(hold(table), options, COUNTED).built.baseline
    expected = baseline_and_beside(table, options).baseline
    columns = {own.name: own for own in found.columns}
    assert (columns[PREDICTION_CLASS].kind, columns["note"].kind) == ("categorical", "numeric")
    assert columns["note"].of_text
    for own, other in zip(found.columns, expected.columns, strict=True):
        np.testing.assert_array_equal(own.counts, other.counts, err_msg=own.name)
        assert own.bins == other.bins


def test_correlations_and_constraints_are_those_of_the_rows(hold: Hold) -> None:
    table, options = rows_of(), BaselineOptions(ignore=("at",))
    found, expected = baseline_in_engine(hold(table), options, COUNTED), baseline_and_beside(table, options)
    assert found.remarks == ()  # the sample has all rows
    np.testing.assert_allclose(
        found.built.baseline.correlations.values, expected.baseline.correlations.values, rtol=1e-12
    )
    assert found.built.constraints.columns == expected.constraints.columns


def test_a_sample_is_said_with_its_rows_and_each_step_is_told(hold: Hold) -> None:
    done: list[str] = []
    plan = EnginePlan(fetched_cells=0, sampled_rows=300, progress=done.append)
    found = baseline_in_engine(hold(rows_of()), BaselineOptions(ignore=("at",)), plan)
    (remark,) = found.remarks
    assert remark.endswith("rows drawn by chance; duplicate rows were not counted")
    assert sorted(done) == sorted(["a", "b", "note", PREDICTION_CLASS, "a sample of the rows"])
    assert done[-1] == "a sample of the rows"
    assert found.built.baseline.rows == 1_200


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


def parts_of(folder: Path, kind: str) -> None:
    """Write a table in five files of many row groups, each row of which tells its other columns by its number."""
    folder.mkdir()
    for part in range(5):
        numbers = np.arange(part * 30_000, (part + 1) * 30_000)
        table = pa.table(
            {
                "number": pa.array(numbers, pa.int64() if part else pa.int32()),
                "half": pa.array(numbers / 2.0, mask=numbers % 7 == 0),
                "text": pa.array([f"row {number % 500}" for number in numbers.tolist()]),
                "note": pa.array(["x" * (1 + number % 11) for number in numbers.tolist()]),
            }
        )
        if kind == "csv":
            csv.write_csv(table, folder / f"{part}.csv")
        else:
            pq.write_table(table, folder / f"{part}.parquet", row_group_size=1_000)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
@pytest.mark.parametrize("threads", [1, 8])
def test_drawn_rows_of_files_are_whole_rows(tmp_path: Path, kind: str, threads: int) -> None:
    parts_of(tmp_path / "parts", kind)
    options = BaselineOptions(kinds={"note": "text"}, keep_rows=1_000)
    with opened(tmp_path / "parts", EngineOptions(engine="duckdb")) as source:
        source.table.get_backend().con.execute(f"SET threads = {threads}")
        found = baseline_in_engine(source, options, EnginePlan(fetched_cells=0, sampled_rows=1_000))
    (remark,) = found.remarks
    assert "those of 1,000 rows drawn by chance" in remark
    sample = found.built.sample
    assert sample is not None
    number, half, note = (np.asarray(sample.columns[name]) for name in ("number", "half", "note"))
    text = sample.columns["text"]
    assert isinstance(text, Categories)
    assert len(np.unique(number)) == 1_000
    assert abs(number.mean() - 75_000) < 6 * 150_000 / np.sqrt(12 * 1_000)
    np.testing.assert_array_equal(half, np.where(number % 7 == 0, np.nan, number / 2.0))
    assert [text.names[code] for code in text.codes] == [f"row {int(own) % 500}" for own in number]
    np.testing.assert_array_equal(note, 1 + number % 11)


def test_drawn_rows_of_files_of_numbers_alone_are_read_with_their_columns(tmp_path: Path) -> None:
    numbers = np.arange(2_000.0)
    pq.write_table(pa.table({"a": numbers, "b": -numbers}), tmp_path / "t.parquet")
    options = BaselineOptions(keep_rows=100)
    with opened(tmp_path / "t.parquet", EngineOptions(engine="duckdb")) as source:
        built = baseline_in_engine(source, options, EnginePlan(fetched_cells=0, sampled_rows=100)).built
    assert built.sample is not None
    np.testing.assert_array_equal(np.asarray(built.sample.columns["a"]), -np.asarray(built.sample.columns["b"]))
    assert built.sample.rows == 100
